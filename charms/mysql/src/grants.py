"""Databases, accounts and grants: desired, observed, and the statements in between. Pure.

An account is the charm's own when its password is the one that the charm derives for that user
name; so what the charm made can be told from what an operator made, with no list kept. Only its
own accounts are ever dropped, and a database never is.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping

from charmkit import passwords
from charmkit.relations import mysql

SYSTEM_DATABASES = ('information_schema', 'mysql', 'performance_schema', 'sys')

DATABASES = 'SELECT schema_name AS name FROM information_schema.schemata;'
ACCOUNTS = 'SELECT User, Host, authentication_string AS hash FROM mysql.user;'
PRIVILEGES = 'SELECT * FROM mysql.db;'

Row = Mapping[str, str]


@dataclasses.dataclass(frozen=True, order=True)
class Account:
    """A user at one address: MariaDB's accounts are such pairs."""

    user: str
    host: str


@dataclasses.dataclass(frozen=True, order=True)
class Grant:
    """All privileges of an account on a database (but to pass them on)."""

    account: Account
    database: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Desired:
    """What the related applications ask for."""

    databases: frozenset[str] = frozenset()
    accounts: frozenset[Account] = frozenset()
    grants: frozenset[Grant] = frozenset()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Observed:
    """What the server has."""

    databases: frozenset[str] = frozenset()
    accounts: Mapping[Account, str] = dataclasses.field(
        default_factory=dict[Account, str], repr=False
    )
    """The hash of each account's password."""
    grants: frozenset[Grant] = frozenset()
    """Whole grants, and partial ones too when *partial* lists them."""
    partial: frozenset[Grant] = frozenset()


@dataclasses.dataclass(frozen=True)
class Statement:
    """One SQL statement. Passwords are in it as hashes only, and not in what is logged."""

    summary: str
    sql: str = dataclasses.field(repr=False)


def desired(requests: Iterable[mysql.Request]) -> Desired:
    """Everything that *requests* need to hold."""
    every = tuple(requests)
    grants = frozenset(Grant(Account(r.user, host), r.database) for r in every for host in r.hosts)
    return Desired(
        databases=frozenset(r.database for r in every),
        accounts=frozenset(g.account for g in grants),
        grants=grants,
    )


def observed(databases: Iterable[Row], accounts: Iterable[Row], rights: Iterable[Row]) -> Observed:
    """Understand the answers to :data:`DATABASES`, :data:`ACCOUNTS` and :data:`PRIVILEGES`."""
    whole: set[Grant] = set()
    partial: set[Grant] = set()
    for row in rights:
        grant = Grant(Account(row['User'], row['Host']), row['Db'].replace('\\', ''))
        (whole if _is_whole(row) else partial).add(grant)
    return Observed(
        databases=frozenset(row['name'] for row in databases),
        accounts={Account(row['User'], row['Host']): row['hash'] for row in accounts},
        grants=frozenset(whole | partial),
        partial=frozenset(partial),
    )


def _is_whole(row: Row) -> bool:
    return all(v == 'Y' for k, v in row.items() if k.endswith('_priv') and k != 'Grant_priv')


def password(seed: str, user: str) -> str:
    """The password of *user*, the same at every address."""
    return passwords.derive(seed, 'mysql-user', user)


def hashed(password: str) -> str:
    """As MariaDB's ``mysql_native_password`` keeps it (MariaDB Server documentation, PASSWORD)."""

    def sha1(data: bytes) -> bytes:
        return hashlib.sha1(data, usedforsecurity=False).digest()  # The protocol's own choice.

    return '*' + sha1(sha1(password.encode())).hex().upper()


def plan(want: Desired, seen: Observed, hash_of: Callable[[str], str]) -> tuple[Statement, ...]:
    """Statements that take the server from *seen* to *want*; none when they agree.

    *hash_of* tells, for a user name, the hash of the password that the charm derives for it.
    """
    ours = frozenset(a for a, kept in seen.accounts.items() if kept == hash_of(a.user))
    return (
        *_databases(want, seen),
        *_accounts(want, seen, ours, hash_of),
        *(_grant(g) for g in sorted(want.grants - (seen.grants - seen.partial))),
        *(_revoke(g) for g in sorted(seen.grants - want.grants) if g.account in want.accounts),
        *(_drop(a) for a in sorted(ours - want.accounts)),
    )


def _databases(want: Desired, seen: Observed) -> Iterator[Statement]:
    for name in sorted(want.databases - seen.databases):
        sql = f'CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb3;'
        yield Statement(f'create database {name}', sql)


def _accounts(
    want: Desired, seen: Observed, ours: frozenset[Account], hash_of: Callable[[str], str]
) -> Iterator[Statement]:
    for account in sorted(want.accounts - ours):
        verb = 'alter' if account in seen.accounts else 'create'
        exists = 'IF EXISTS' if verb == 'alter' else 'IF NOT EXISTS'
        yield Statement(
            f'{verb} user {account.user}@{account.host}',
            f'{verb.upper()} USER {exists} {_sql(account)} '
            f"IDENTIFIED BY PASSWORD '{hash_of(account.user)}';",
        )


def _grant(g: Grant) -> Statement:
    return Statement(
        f'grant {g.database} to {g.account.user}@{g.account.host}',
        f'GRANT ALL PRIVILEGES ON {_pattern(g.database)}.* TO {_sql(g.account)};',
    )


def _revoke(g: Grant) -> Statement:
    return Statement(
        f'revoke {g.database} from {g.account.user}@{g.account.host}',
        f'REVOKE ALL PRIVILEGES ON {_pattern(g.database)}.* FROM {_sql(g.account)};',
    )


def _drop(account: Account) -> Statement:
    return Statement(
        f'drop user {account.user}@{account.host}', f'DROP USER IF EXISTS {_sql(account)};'
    )


def _sql(account: Account) -> str:
    return f'{_quoted(account.user)}@{_quoted(account.host)}'


def _quoted(text: str) -> str:
    return "'" + text.replace('\\', '\\\\').replace("'", "''") + "'"


def _pattern(database: str) -> str:
    # In a grant an underscore stands for any character, so nova_api would cover novaxapi too.
    return '`' + database.replace('`', '``').replace('_', '\\_').replace('%', '\\%') + '`'
