"""What a suite or a bundle says of a load on a database: `sql` under `load` in tests/test.yaml. Pure."""

from __future__ import annotations

import dataclasses
import re

from matrix.grammar import fields, located, problem
from matrix.judge import histories
from matrix.load import places

KEYS = ('at', 'read-at', 'database', 'things', 'account', 'timeout')
PORT = 3306
THINGS = tuple(histories.NAMES)

_ACCOUNT_KEYS = ('file', 'action', 'unit')
_VARIABLE = re.compile(r'[A-Za-z_][A-Za-z0-9_]*')
_NAME = re.compile(r'[0-9A-Za-z_$-]{1,64}')
_SYSTEM = frozenset({'mysql', 'information_schema', 'performance_schema', 'sys'})
_SECRETS = frozenset({'user', 'username', 'password', 'passwd'})
_WHERE_SECRETS = "user and password stand in an option file, named by an environment variable: 'account: {file: DB}'"
_MAY_BE_SECRET = re.compile(r'[:@?=/]')
_ACTION = re.compile(r'[a-z][a-z0-9_-]*')
_UNIT = re.compile(r'[a-z][a-z0-9-]*/(\d+|leader)')


@dataclasses.dataclass(frozen=True)
class Account:
    """Where user and password come from: an option file that an environment variable names, or an action of a unit.

    With a unit alone they are made there by root, with a database of their own.
    """

    file: str = 'MATRIX_SQL_ACCOUNT'
    action: str = ''
    unit: str = ''

    @property
    def made(self) -> bool:
        """Whether it is made for the run."""
        return bool(self.unit) and not self.action


@dataclasses.dataclass(frozen=True)
class Sql:
    """A database, and what is done in one table of it.

    `at` are addresses that are asked in turn, `read_at` those that reads ask (the same where there are none); `timeout`
    is in seconds; `where` is its line.
    """

    at: tuple[str, ...]
    database: str
    read_at: tuple[str, ...] = ()
    things: tuple[str, ...] = THINGS
    account: Account = dataclasses.field(default_factory=Account)
    timeout: float = 10.0
    where: problem.Where = dataclasses.field(default=problem.Where('', 1), compare=False)


def read(value: located.Value, reading: fields.Fields) -> Sql | None:
    """A load on a database as it is written; None where it cannot be used. What is wrong is added to `reading`."""
    mapping = _mapping(value, KEYS, 'sql', "{at: '{mysql}', database: test}", reading)
    if mapping is None:
        return None
    at = _addresses(mapping, 'at', reading)
    if not reading.items(mapping, 'at'):
        said = "'sql' has 'at', the address of a database, as in {at: '{mysql}', database: test}"
        reading.wrong(mapping.where, said)
    database = reading.text(mapping, 'database')
    account = _account(mapping, reading)
    if account.made:
        if mapping.get('database') is not None:
            said = 'goes not with an account that is made on a unit, with a database of its own'
            _wrong(mapping, 'database', reading, said)
    elif mapping.get('database') is None:
        said = "'sql' has 'database', the name of one in which the account may make a table"
        reading.wrong(mapping.where, said)
    elif database.lower() in _SYSTEM:
        said = f'is the name of one of ours: {database} is where the server keeps its own'
        _wrong(mapping, 'database', reading, said)
    elif not _NAME.fullmatch(database) or _is_truth(mapping.get('database')):
        _wrong(mapping, 'database', reading, f'is the name of a database{_but(database)}')
    if mapping.get('things') is not None and not reading.items(mapping, 'things'):
        _wrong(mapping, 'things', reading, f'are of {", ".join(THINGS)}; there is none')
    return Sql(
        at=at,
        database=database,
        read_at=_addresses(mapping, 'read-at', reading),
        things=reading.words(mapping, 'things', THINGS) or THINGS,
        account=account,
        timeout=reading.number(mapping, 'timeout', 10.0, least=0.01),
        where=mapping.where,
    )


def _mapping(
    value: located.Value, keys: tuple[str, ...], what: str, such: str, reading: fields.Fields
) -> located.Mapping | None:
    """A mapping of these keys. What stands in its place may have a password, and is not said again."""
    if not isinstance(value, located.Mapping):
        reading.wrong(value.where, f'{what!r} is a mapping, as in {such}; {_WHERE_SECRETS}')
        return None
    for entry in value.entries:
        if entry.key in _SECRETS:
            reading.wrong(entry.where, f'{entry.key!r} stands not in {what!r}: {_WHERE_SECRETS}')
    rest = tuple(one for one in value.entries if one.key not in _SECRETS)
    return reading.mapping(dataclasses.replace(value, entries=rest), keys, repr(what))


def _is_truth(value: located.Value | None) -> bool:
    return isinstance(value, located.Scalar) and isinstance(value.value, bool)


def _but(text: str) -> str:
    return '' if _MAY_BE_SECRET.search(text) else f', not {text!r}'


def _wrong(mapping: located.Mapping, key: str, reading: fields.Fields, said: str) -> None:
    value = mapping.get(key)
    reading.wrong(mapping.where if value is None else value.where, f'{key!r} {said}')


def _words(
    mapping: located.Mapping, key: str, reading: fields.Fields
) -> list[tuple[problem.Where, str]]:
    found: list[tuple[problem.Where, str]] = []
    for item in reading.items(mapping, key):
        if isinstance(item, located.Scalar) and isinstance(item.value, str):
            found.append((item.where, item.value))
        else:
            reading.wrong(item.where, f'{key!r} has words, this is {located.kind(item)}')
    return found


def _addresses(mapping: located.Mapping, key: str, reading: fields.Fields) -> tuple[str, ...]:
    found: list[str] = []
    for where, text in _words(mapping, key, reading):
        if '@' in text:
            said = f"{key!r} is an address alone: user and password come from 'account'"
            reading.wrong(where, said)
        elif not places.readable(text):
            said = f"{key!r} is an address such as '{{mysql}}' or 10.0.0.5:3306{_but(text)}"
            reading.wrong(where, said)
        elif text in found:
            reading.wrong(where, f'{key!r} has {text!r} twice')
        else:
            found.append(text)
    return tuple(found)


def _account(mapping: located.Mapping, reading: fields.Fields) -> Account:
    value = mapping.get('account')
    if value is None:
        return Account()
    said = _mapping(value, _ACCOUNT_KEYS, 'account', '{file: MATRIX_SQL_ACCOUNT}', reading)
    if said is None:
        return Account()
    file, action, unit = (reading.text(said, key) for key in _ACCOUNT_KEYS)
    if (said.get('file') is None) == (said.get('unit') is None):
        message = (
            "'account' has either 'file', an environment variable that names an option file, or 'unit', on "
            "which one is made or an 'action' gives it, as in {action: get-password, unit: mysql/leader}"
        )
        reading.wrong(said.where, message)
    elif said.get('file') is not None:
        if said.get('action') is not None:
            reading.wrong(said.where, "'action' of 'account' goes with 'unit', not with 'file'")
        if not _VARIABLE.fullmatch(file):
            _wrong(
                said,
                'file',
                reading,
                'is the name of an environment variable, which names the file',
            )
    elif not _UNIT.fullmatch(unit):
        _wrong(said, 'unit', reading, 'is a unit of the database, such as mysql/0 or mysql/leader')
    given = said.get('action')
    if given is not None:
        is_text = isinstance(given, located.Scalar) and isinstance(given.value, str)
        if is_text and not _ACTION.fullmatch(action):
            _wrong(said, 'action', reading, 'is the name of an action, such as get-password')
        action = (
            action or 'get-password'
        )  # One that gives an account is meant, not one that is made.
    return Account('', action, unit) if unit else Account(file or Account.file)
