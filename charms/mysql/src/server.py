"""The edge to MariaDB: statements over the root socket, never over the network."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import subprocess
from collections.abc import Callable, Iterable

import charmkit
import grants

_log = logging.getLogger(__name__)

REACH: tuple[str, ...] = ()
"""What goes before each of MariaDB's programs to run it where the server is: nothing, here."""
CLIENT = ('mariadb', '--protocol=socket', '--default-character-set=utf8mb4')
_ESCAPES = {'\\0': '\0', '\\t': '\t', '\\n': '\n', '\\\\': '\\'}


class ServerError(Exception):
    """The server refused a statement, or does not answer; the message is the server's own."""


GRANT = 'grants'


@dataclasses.dataclass(frozen=True)
class Grant:
    """Bring the server's databases, accounts and grants to *want*; the result is what had to change."""

    want: grants.Desired
    seed: str = dataclasses.field(repr=False)
    name: str = GRANT

    def carry_out(self, _: charmkit.Machine) -> tuple[grants.Statement, ...]:
        """Do it. Raises ServerError when the server refuses."""
        return converge(self.want, lambda user: grants.hashed(grants.password(self.seed, user)))


def query(sql: str) -> list[dict[str, str]]:
    """The rows that *sql* gives, by column name.

    Raises:
        ServerError: when the server refuses it, or does not answer.
    """
    lines = _run(sql).splitlines()
    if not lines:
        return []
    header = lines[0].split('\t')
    return [dict(zip(header, map(_plain, line.split('\t')), strict=True)) for line in lines[1:]]


def observe() -> grants.Observed:
    """The databases, accounts and grants that there are."""
    return grants.observed(
        query(grants.DATABASES), query(grants.ACCOUNTS), query(grants.PRIVILEGES)
    )


def converge(want: grants.Desired, hash_of: Callable[[str], str]) -> tuple[grants.Statement, ...]:
    """Bring the server to *want* and return what had to change.

    Raises:
        ServerError: when the server refuses a statement; those before it have taken effect.
    """
    statements = grants.plan(want, observe(), hash_of)
    execute(statements)
    return statements


def execute(statements: Iterable[grants.Statement]) -> None:
    """Carry out *statements*, one after the other, in one session."""
    every = tuple(statements)
    if every:
        for statement in every:
            _log.info('%s', statement.summary)
        _run('\n'.join(s.sql for s in every))


_OURS = ('root', 'mysql', 'mariadb.sys', 'system user', 'event_scheduler', 'unauthenticated user')


def disconnect_clients() -> None:
    """End the connections of all services; each will connect anew. One that ends by itself meanwhile is no error.

    Raises:
        ServerError: when the server does not answer.
    """
    ours = ', '.join(f"'{name}'" for name in _OURS)
    rows = query(f'SELECT id FROM information_schema.processlist WHERE user NOT IN ({ours});')  # noqa: S608 -- our own names
    for row in rows:
        with contextlib.suppress(ServerError):
            _run(f'KILL CONNECTION {int(row["id"])};')


def _run(sql: str) -> str:
    done = subprocess.run(
        (*REACH, *CLIENT, '--batch'),
        input=sql,
        capture_output=True,
        text=True,
        errors='replace',
        check=False,
    )
    if done.returncode:
        raise ServerError(done.stderr.strip() or f'the client ended with {done.returncode}')
    return done.stdout


def _plain(field: str) -> str:
    out, rest = '', field
    while rest:
        pair = rest[:2]
        if pair in _ESCAPES:
            out, rest = out + _ESCAPES[pair], rest[2:]
        else:
            out, rest = out + rest[0], rest[1:]
    return out
