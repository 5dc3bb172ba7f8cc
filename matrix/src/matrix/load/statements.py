"""Registers, counters, sets, lists and banks as transactions of SQL in one table, and what answers mean. Pure.

A transaction is done when its COMMIT was acknowledged. What was lost or late before COMMIT was sent was certainly not
done: a server rolls back what a client leaves open. What was lost after it may have been done or not.

Error numbers: MariaDB Server documentation, MariaDB Error Code Reference; MySQL 8.4, Server Error Message Reference.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from matrix.grammar import located
from matrix.load import asking, client, load

Value: TypeAlias = str | int | None
Rows: TypeAlias = tuple[tuple[Value, ...], ...]

DUPLICATE_KEY, TABLE_THERE, NO_TLS = 1062, 1050, 3159

_WORDS: Mapping[int, str] = {
    1020: 'deadlock',  # MariaDB: the record has changed since it was read (snapshot isolation)
    1040: 'too many connections',
    1044: 'access denied',
    1045: 'access denied',
    1047: 'not ready',  # Galera: a member that is not of the primary component
    1062: 'duplicate key',
    1146: 'no such table',
    1205: 'lock wait',
    1213: 'deadlock',
    1290: 'read-only',
    1792: 'read-only',
    1836: 'read-only',
    1927: 'killed',
    2003: 'refused',
    2006: 'reset',
    2013: 'reset',
    3159: 'no tls',
}
"""What errors are called; any other by its number."""

_ROLLED_BACK = frozenset({1020, 1205, 1213, 1290, 1792, 1836})
"""Answers to COMMIT after which the transaction certainly was not done."""


@dataclasses.dataclass(frozen=True)
class Statement:
    """A statement with its values. Where it `must` change a row and does not, the transaction is rolled back."""

    text: str
    values: tuple[str | int, ...] = ()
    must: bool = False


@dataclasses.dataclass(frozen=True)
class StatementResult:
    """What a statement gave: rows that it found, and how many it changed."""

    rows: Rows = ()
    changed: int = 0


def table(run: str) -> str:
    """The name of a run's table: letters, digits and underscores, at most 32 as MySQL has it of users."""
    return f'matrix_{re.sub(r"[^0-9A-Za-z]", "_", run)[-25:]}'


def create(name: str) -> Statement:
    """Make the table: a row for each register, counter, list, account and element of a set."""
    return Statement(
        f"CREATE TABLE {name} (k VARCHAR(120) NOT NULL, e VARCHAR(120) NOT NULL DEFAULT '', "
        'v MEDIUMTEXT NULL, n BIGINT NOT NULL DEFAULT 0, PRIMARY KEY (k, e)) '
        'ENGINE=InnoDB CHARACTER SET ascii COLLATE ascii_bin'
    )


def drop(name: str) -> Statement:
    """Drop it again."""
    return Statement(f'DROP TABLE IF EXISTS {name}')


def fill(name: str, bank: str) -> Statement:
    """What the table has at first: the accounts of a bank, whose key is `bank`."""
    values = [one for account, n in asking.ACCOUNTS.items() for one in (bank, account, n)]
    rows = ', '.join(['(%s, %s, %s)'] * len(asking.ACCOUNTS))
    return Statement(f'INSERT INTO {name} (k, e, n) VALUES {rows}', tuple(values))  # noqa: S608


def look(name: str) -> Statement:
    """How many accounts there are: whether the table is there, and filled."""
    return Statement(f'SELECT COUNT(*) FROM {name}')  # noqa: S608


def transaction(
    kind: str, does: str, name: str, asked: Mapping[str, located.Plain]
) -> tuple[Statement, ...]:
    """What is done to a thing of a kind, as statements of one transaction."""
    said = {key: one if isinstance(one, int) else str(one) for key, one in asked.items()}
    key = said['key']
    match kind, does:
        case 'register', 'write':
            text = 'INSERT INTO {} (k, v) VALUES (%s, %s) ON DUPLICATE KEY UPDATE v = %s'
            found = [Statement(text, (key, said['value'], said['value']))]
        case 'register', 'cas':
            text = "UPDATE {} SET v = %s WHERE k = %s AND e = '' AND v = %s"
            found = [Statement(text, (said['new'], key, said['old']), must=True)]
        case 'counter', 'add':
            text = 'INSERT INTO {} (k, n) VALUES (%s, %s) ON DUPLICATE KEY UPDATE n = n + %s'
            found = [Statement(text, (key, said['value'], said['value']))]
        case 'set', 'add':
            found = [Statement('INSERT INTO {} (k, e) VALUES (%s, %s)', (key, said['value']))]
        case 'list', 'append':
            # In one row: numbers that a server counts up are not in the order of commits.
            text = (
                'INSERT INTO {} (k, v) VALUES (%s, %s) '
                "ON DUPLICATE KEY UPDATE v = CONCAT(v, ',', %s)"
            )
            found = [Statement(text, (key, said['value'], said['value']))]
        case 'bank', 'transfer':
            amount = said['amount']
            take = 'UPDATE {} SET n = n - %s WHERE k = %s AND e = %s AND n >= %s'
            give = 'UPDATE {} SET n = n + %s WHERE k = %s AND e = %s'
            of_account = {
                said['from']: Statement(take, (amount, key, said['from'], amount), must=True),
                said['to']: Statement(give, (amount, key, said['to']), must=True),
            }
            # Always in the same order, so that two transfers never wait for one another.
            found = [of_account[name] for name in sorted(of_account, key=str)]
        case _:
            found = [Statement('SELECT e, v, n FROM {} WHERE k = %s', (key,))]
    return tuple(dataclasses.replace(one, text=one.text.format(name)) for one in found)


def value(kind: str, does: str, results: Sequence[StatementResult] | None) -> located.Plain:
    """What an operation came to; `results` are None where its transaction was rolled back, as it changed nothing."""
    if does != 'read':
        return results is not None
    rows = results[-1].rows if results else ()
    match kind:
        case 'set':
            return [*sorted(str(element) for element, _, _ in rows)]
        case 'list':
            return [*str(rows[0][1]).split(',')] if rows else []
        case 'bank':
            return {str(account): int(n or 0) for account, _, n in rows}
        case 'counter':
            return int(rows[0][2] or 0) if rows else 0
        case _:
            return rows[0][1] if rows else None


def word(code: int) -> str:
    """The class of an error, by which failures are told apart."""
    return _WORDS.get(code, f'sql {code}')


def meaning(code: int, *, committing: bool) -> Exception:
    """What an error says of its transaction: it certainly was not done (`load.Refused`), or nobody knows.

    Args:
        code: its number, the server's or the client's own.
        committing: COMMIT had been sent, or may have been.
    """
    if not committing or code in _ROLLED_BACK:
        return load.Refused(word(code))
    return client.UnclearError(word(code))
