"""Databases, accounts and grants: desired, observed, and the statements in between. Pure.

An account is the charm's own when one of its passwords is one that the charm derives for that user
name; so what the charm made can be told from what an operator made, with no list kept. Only its
own accounts are ever dropped, and a database never is.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import generations
from charmkit import passwords, rotation
from charmkit.relations import mysql

SYSTEM_DATABASES = ('information_schema', 'mysql', 'performance_schema', 'sys')

DATABASES = (
    'SELECT schema_name AS name, default_character_set_name AS characters, schema_comment AS comment '
    'FROM information_schema.schemata;'
)
ACCOUNTS = 'SELECT User, Host, Priv FROM mysql.global_priv;'
PRIVILEGES = 'SELECT * FROM mysql.db;'

NATIVE = 'mysql_native_password'
COLLATION = 'utf8mb4_general_ci'
"""Of every database that is made. Both MariaDB 10.11 and 11.8 have it, and compare by it as by the ``utf8mb3`` of older
databases; 11.8's own default is another, which foreign keys to restored tables would refuse."""

Row = Mapping[str, str]


def client_databases(rows: Iterable[Row]) -> tuple[str, ...]:
    """Of the answer to :data:`DATABASES`, the names that are not the server's own, sorted."""
    return tuple(sorted({row['name'] for row in rows} - {*SYSTEM_DATABASES}))


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
    secured: frozenset[Account] = frozenset()
    """Accounts that are to be let in by TLS alone."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Observed:
    """What the server has."""

    databases: Mapping[str, generations.Database] = dataclasses.field(
        default_factory=dict[str, generations.Database]
    )
    accounts: Mapping[Account, tuple[str, ...]] = dataclasses.field(
        default_factory=dict[Account, tuple[str, ...]], repr=False
    )
    """The hash of each password that an account lets in, in order; another way in is ``plugin:hash``."""
    grants: frozenset[Grant] = frozenset()
    """Whole grants, and partial ones too when *partial* lists them."""
    partial: frozenset[Grant] = frozenset()
    secured: frozenset[Account] = frozenset()
    """Accounts that are let in by TLS alone."""

    @property
    def three_byte(self) -> tuple[str, ...]:
        """Databases that hold no character beyond three bytes (``utf8mb3``): no emoji, for one."""
        return tuple(sorted(n for n, d in self.databases.items() if d.characters == 'utf8mb3'))


@dataclasses.dataclass(frozen=True)
class Keys:
    """The passwords of all users, each derived from one seed and the number of times that it was rotated."""

    seed: str = dataclasses.field(repr=False)
    turns: Mapping[str, int] = dataclasses.field(default_factory=dict[str, int])
    """How often each user's password was rotated; a user that is not in it: never."""
    overlapping: frozenset[str] = frozenset()
    """Users whose last password but one still lets them in."""

    def password(self, user: str) -> str:
        """The password of *user*, the same at every address."""
        return self._at(user, self.turns.get(user, 0))

    def hashes(self, user: str) -> tuple[str, ...]:
        """What lets *user* in: the newest first."""
        turn = self.turns.get(user, 0)
        last = turn - 1 if user in self.overlapping and turn else turn
        return tuple(hashed(self._at(user, n)) for n in range(turn, last - 1, -1))

    def known(self, user: str) -> frozenset[str]:
        """The hash of every password that the charm ever gave *user*."""
        return frozenset(hashed(self._at(user, n)) for n in range(self.turns.get(user, 0) + 1))

    def _at(self, user: str, turn: int) -> str:
        return passwords.derive(self.seed, 'mysql-user', user, *((str(turn),) if turn else ()))


def keys(seed: str, rotations: Mapping[str, rotation.Rotation], now: float) -> Keys:
    """The passwords that are in force at *now*: in an overlap two, of which MariaDB tries each in turn."""
    turns = {user: r.turn for user, r in rotations.items()}
    return Keys(seed, turns, rotation.overlapping(rotations, now))


@dataclasses.dataclass(frozen=True)
class Statement:
    """One SQL statement. Passwords are in it as hashes only, and not in what is logged."""

    summary: str
    sql: str = dataclasses.field(repr=False)


def desired(
    requests: Iterable[mysql.Request], by_tls: frozenset[mysql.Request] = frozenset()
) -> Desired:
    """Everything that *requests* need to hold; those *by_tls* come by nothing else."""
    every = tuple(requests)
    plain = {Account(r.user, host) for r in every for host in r.hosts if r not in by_tls}
    grants = frozenset(Grant(Account(r.user, host), r.database) for r in every for host in r.hosts)
    return Desired(
        databases=frozenset(r.database for r in every),
        accounts=frozenset(g.account for g in grants),
        grants=grants,
        secured=frozenset(g.account for g in grants) - plain,
    )


def observed(
    databases: Iterable[Row],
    accounts: Iterable[Row],
    rights: Iterable[Row],
    tables: Iterable[Row] = (),
    known: Mapping[str, generations.Known] | None = None,
) -> Observed:
    """Understand the answers to the queries of this module, and to :data:`generations.TABLES`."""
    complete: set[Grant] = set()
    every = [(Account(row['User'], row['Host']), row['Priv']) for row in accounts]
    partial: set[Grant] = set()
    for row in rights:
        grant = Grant(Account(row['User'], row['Host']), row['Db'].replace('\\', ''))
        (complete if _is_complete(row) else partial).add(grant)
    return Observed(
        databases=generations.databases(databases, tables, known),
        accounts={account: _ways_in(priv) for account, priv in every},
        secured=frozenset(account for account, priv in every if _by_tls(priv)),
        grants=frozenset(complete | partial),
        partial=frozenset(partial),
    )


def _is_complete(row: Row) -> bool:
    return all(v == 'Y' for k, v in row.items() if k.endswith('_priv') and k != 'Grant_priv')


def _ways_in(priv: str) -> tuple[str, ...]:
    # Source: MariaDB Server documentation, mysql.global_priv: in auth_or, {} stands for the fields beside it.
    top = cast('dict[str, Any]', json.loads(priv))
    ways = [way or top for way in top.get('auth_or', [{}])]
    return tuple(
        _way_in(w.get('plugin', NATIVE), w.get('authentication_string', '')) for w in ways
    )


def _by_tls(priv: str) -> bool:
    # Source: MariaDB Server, sql/structs.h: SSL_TYPE_ANY is 1, what asks more of the client is above.
    found = cast('dict[str, Any]', json.loads(priv)).get('ssl_type', 0)
    return isinstance(found, int) and found > 0


def _way_in(plugin: str, kept: str) -> str:
    return kept if plugin == NATIVE else f'{plugin}:{kept}'


def hashed(password: str) -> str:
    """As MariaDB's ``mysql_native_password`` keeps it (MariaDB Server documentation, PASSWORD)."""

    def sha1(data: bytes) -> bytes:
        return hashlib.sha1(data, usedforsecurity=False).digest()  # The protocol's own choice.

    return '*' + sha1(sha1(password.encode())).hex().upper()


def plan(
    want: Desired, seen: Observed, keys: Keys, *, departed: bool = True
) -> tuple[Statement, ...]:
    """Statements that take the server's accounts from *seen* to *want*; none when they agree.

    An account that is wanted gets its passwords back when they are not those of *keys*, whoever changed them. Of a
    user that is asked for, accounts at other addresses than its units' are dropped when *departed* says so: Juju tells
    of a unit that departs while that one still serves.
    """
    users = set[str]() if departed else {a.user for a in want.accounts}
    ours = frozenset(a for a, ways in seen.accounts.items() if keys.known(a.user) & {*ways})
    return (
        *_databases(want, seen),
        *_accounts(want, seen, keys),
        *_secured(want, seen),
        *(_grant(g) for g in sorted(want.grants - (seen.grants - seen.partial))),
        *(_revoke(g) for g in sorted(seen.grants - want.grants) if g.account in want.accounts),
        *(_drop(a) for a in sorted(ours - want.accounts) if a.user not in users),
    )


def holds(
    request: mysql.Request,
    seen: Observed,
    keys: Keys,
    secured: frozenset[Account] | None = None,
) -> bool:
    """Whether the server has all that *request* asks for, and lets its user in by no other password.

    *secured* are the accounts that are to be let in by TLS alone; None where that does not matter.
    """
    want = desired([request])
    return (
        want.databases <= seen.databases.keys()
        and want.grants <= seen.grants - seen.partial
        and all(seen.accounts.get(a) == keys.hashes(a.user) for a in want.accounts)
        and (secured is None or want.accounts & seen.secured == want.accounts & secured)
    )


def _databases(want: Desired, seen: Observed) -> Iterator[Statement]:
    for name in sorted(want.databases - seen.databases.keys()):
        sql = f'CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4 COLLATE {COLLATION};'
        yield Statement(f'create database {name}', sql)


def _accounts(want: Desired, seen: Observed, keys: Keys) -> Iterator[Statement]:
    for account in sorted(want.accounts):
        hashes = keys.hashes(account.user)
        if seen.accounts.get(account) == hashes:
            continue
        verb = 'alter' if account in seen.accounts else 'create'
        exists = 'IF EXISTS' if verb == 'alter' else 'IF NOT EXISTS'
        ways = ' OR '.join(f"{NATIVE} USING '{h}'" for h in hashes)
        yield Statement(
            f'{verb} user {account.user}@{account.host}',
            f'{verb.upper()} USER {exists} {written(account)} IDENTIFIED VIA {ways};',
        )


def _secured(want: Desired, seen: Observed) -> Iterator[Statement]:
    """Accounts that need TLS from now on, and those that need it no more; whoever is connected stays so."""
    for account in sorted(want.accounts):
        now, then = account in seen.secured and account in seen.accounts, account in want.secured
        if now != then:
            yield Statement(
                f'let {account.user}@{account.host} in {"by TLS alone" if then else "without TLS too"}',
                f'ALTER USER IF EXISTS {written(account)} REQUIRE {"SSL" if then else "NONE"};',
            )


def _grant(g: Grant) -> Statement:
    return Statement(
        f'grant {g.database} to {g.account.user}@{g.account.host}',
        f'GRANT ALL PRIVILEGES ON {_pattern(g.database)}.* TO {written(g.account)};',
    )


def _revoke(g: Grant) -> Statement:
    return Statement(
        f'revoke {g.database} from {g.account.user}@{g.account.host}',
        f'REVOKE ALL PRIVILEGES ON {_pattern(g.database)}.* FROM {written(g.account)};',
    )


def _drop(account: Account) -> Statement:
    return Statement(
        f'drop user {account.user}@{account.host}', f'DROP USER IF EXISTS {written(account)};'
    )


def written(account: Account) -> str:
    """*account* as SQL names it."""
    return f'{quoted(account.user)}@{quoted(account.host)}'


def quoted(text: str) -> str:
    """*text* as a string in SQL."""
    return "'" + text.replace('\\', '\\\\').replace("'", "''") + "'"


def _pattern(database: str) -> str:
    # In a grant an underscore stands for any character, so nova_api would cover novaxapi too.
    return '`' + database.replace('`', '``').replace('_', '\\_').replace('%', '\\%') + '`'
