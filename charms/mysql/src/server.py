"""The tasks that speak to MariaDB: statements over the root socket, never over the network."""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Iterable, Iterator, Mapping

import charmkit
import generations
import grants
import idle_sessions
import own_accounts
import replicas
from charmkit import host
from charmkit.machine import Finished

_log = logging.getLogger(__name__)

CLIENT = ('mariadb', '--protocol=socket', '--default-character-set=utf8mb4')
_TIMEOUT_S = 60.0
INIT = '--init-command=SET lock_wait_timeout=20'
"""An argument of every client that the charm has speak to its server."""
_SESSION = ('--batch', INIT)
"""A client that is in the middle of a migration holds its database for itself; the server's own patience is a day."""
_ESCAPED = re.compile(r'\\.')
_ESCAPES = {'\\0': '\0', '\\t': '\t', '\\n': '\n', '\\\\': '\\'}
_SETTINGS = (
    'SELECT @@global.old_mode AS old_mode, @@global.read_only AS read_only, '
    '@@global.innodb_read_only AS innodb_read_only;'
)
_LOOK = {
    'databases': grants.DATABASES,
    'accounts': grants.ACCOUNTS,
    'privileges': grants.PRIVILEGES,
    'tables': generations.TABLES,
    'routine': idle_sessions.ROUTINE,
    'executors': idle_sessions.EXECUTORS,
    'rights': idle_sessions.RIGHTS,
    'settings': _SETTINGS,
}
_THREE_BYTES = 'UTF8_IS_UTF8MB3'

Row = Mapping[str, str]


class ServerError(Exception):
    """The server refused a statement, or does not answer; the message is the server's own."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """How the server is, after everything was done that could be done."""

    seen: grants.Observed = dataclasses.field(default_factory=grants.Observed)
    refused: str = ''
    """What the server said against it, in its own words; '' when it did all."""
    read_only: str = ''
    """The setting that makes the server refuse all writes; '' when none does."""
    done: tuple[str, ...] = ()
    """What had to change."""

    @property
    def generations(self) -> dict[str, str]:
        """The generation of each database that bears a mark of what is in it."""
        return {name: d.generation for name, d in self.seen.databases.items()}


CONVERGE = 'grants'


@dataclasses.dataclass(frozen=True)
class Converge:
    """Bring the server's databases, accounts and grants to *want*; the result is a :class:`Report`."""

    want: grants.Desired
    keys: grants.Keys
    fresh: str = dataclasses.field(repr=False)
    """Random: what new generations are made of."""
    emptied: bool = False
    """A backup was restored: what was not marked with a table is not what it was."""
    departed: bool = True
    """Units that have departed are done by now: see :func:`grants.plan`."""
    makes: bool = True
    """It is on this unit to make what is missing; else another member of the cluster does, and this one looks."""
    sst_password: str = dataclasses.field(default='', repr=False)
    own: bool = False
    """The accounts of the cluster and of the health check are wanted."""
    known: Mapping[str, generations.Known] | None = None
    """What this member of a cluster remembers (:class:`generations.Known`); None for a server that stands alone."""
    three_byte: bool | None = None
    """What ``utf8`` is to mean is said: ``utf8mb3`` or not. None: it follows from the databases that there are."""
    replicas: bool = False
    """There are units of another series, which have accounts."""
    name: str = CONVERGE

    def carry_out(self, machine: charmkit.Machine) -> Report:
        """Do it. A statement that is refused hinders no other one."""
        try:
            seen, settings, ends = _observe(machine, self.known)
            statements = [*self._accounts(seen, ends)]
            refused = execute(machine, statements)
            if statements:
                seen, settings, _ = _observe(machine, self.known)
            after = [*self._marks(seen), *self._characters(seen, settings)]
            refused += execute(machine, after)
            if after:
                seen, settings, _ = _observe(machine, self.known)
        except ServerError as e:
            return Report(refused=str(e))
        on = (k for k in ('read_only', 'innodb_read_only') if settings.get(k, '0') not in _OFF)
        return Report(
            seen=seen,
            refused='; '.join(dict.fromkeys(refused)),
            read_only=next(on, ''),
            done=tuple(s.summary for s in (*statements, *after)),
        )

    def _accounts(
        self, seen: grants.Observed, ends: idle_sessions.Observed
    ) -> Iterator[grants.Statement]:
        if self.makes:
            if self.own:
                yield from own_accounts.statements(seen, self.sst_password)
            yield from grants.plan(self.want, seen, self.keys, departed=self.departed)
            if not self.replicas:
                yield from replicas.accounts(seen.accounts, frozenset(), '')
            # Where nobody asks for a database nobody needs it.
            if self.want.accounts:
                yield from idle_sessions.plan(self.want.accounts, ends, seen.accounts)

    def _marks(self, seen: grants.Observed) -> Iterator[grants.Statement]:
        if not self.makes:
            return
        marks = generations.marks(
            self.want.databases,
            seen.databases,
            lambda name: host.digest(f'{self.fresh} {name}'),
            emptied=self.emptied,
        )
        for name, comment in marks:
            yield grants.Statement(
                f'mark database {name}: {comment}',
                f'ALTER DATABASE `{name}` COMMENT {grants.quoted(comment)};',
            )

    def _characters(self, seen: grants.Observed, settings: Row) -> Iterator[grants.Statement]:
        """What ``utf8`` means in the statements of clients, who say it in their migrations.

        Tables of the two character sets cannot refer to one another: where there is one database of the old kind
        among those of clients, it goes on to mean what it meant. A member of a cluster goes by what all of them do.
        """
        old = settings.get('old_mode')
        if old is None:
            return
        modes = {mode for mode in old.split(',') if mode}
        said = self.three_byte
        three = bool(self._three_byte(seen)) if said is None else said
        wanted = modes | {_THREE_BYTES} if three else modes - {_THREE_BYTES}
        if wanted != modes:
            value = ','.join(sorted(wanted))
            yield grants.Statement(f'set old_mode {value}', f"SET GLOBAL old_mode = '{value}';")

    def _three_byte(self, seen: grants.Observed) -> frozenset[str]:
        return self.want.databases & {*seen.three_byte}


_OFF = ('0', 'OFF')


def query(
    machine: charmkit.Machine, sql: str, *, timeout_s: float = _TIMEOUT_S
) -> list[dict[str, str]]:
    """The rows that *sql* gives, by column name.

    Raises:
        ServerError: when the server refuses it, or does not answer.
    """
    return _rows(_run(machine, sql, timeout_s).splitlines())


def rows(done: Finished) -> list[dict[str, str]]:
    """The rows that a client has printed, by column name.

    Raises:
        ServerError: when it has failed.
    """
    if done.status:
        raise ServerError(_words(done))
    return _rows(done.output.splitlines())


def output(machine: charmkit.Machine, sql: str, *, timeout_s: float = _TIMEOUT_S) -> str:
    """What the client prints for *sql*, of several statements.

    Raises:
        ServerError: when the server refuses it, or does not answer.
    """
    return _run(machine, sql, timeout_s)


def _observe(
    machine: charmkit.Machine, known: Mapping[str, generations.Known] | None = None
) -> tuple[grants.Observed, Row, idle_sessions.Observed]:
    """The databases, accounts and grants that there are, and the settings: all in one session."""
    sql = ''.join(f"SELECT '{name}' AS `-- {name}`; {look}\n" for name, look in _LOOK.items())
    found: dict[str, list[str]] = {name: [] for name in _LOOK}
    lines = iter(_run(machine, sql).splitlines())
    here: list[str] = []
    for line in lines:
        if line.startswith('-- ') and line[3:] in found:
            here = found[line[3:]]
            next(lines, '')
        else:
            here.append(line)
    rows = {name: _rows(said) for name, said in found.items()}
    settings = rows.pop('settings')
    seen = grants.observed(
        rows['databases'], rows['accounts'], rows['privileges'], rows['tables'], known
    )
    ends = idle_sessions.observed(rows['routine'], rows['executors'], rows['rights'])
    return seen, settings[0] if settings else {}, ends


def execute(machine: charmkit.Machine, statements: Iterable[grants.Statement]) -> list[str]:
    """Carry out *statements* in one session, each whatever became of the others; what the server refused.

    Raises:
        ServerError: when it does not answer.
    """
    every = tuple(statements)
    if not every:
        return []
    for statement in every:
        _log.info('%s', statement.summary)
    sql = '\n'.join(s.sql for s in every)
    done = machine.program(*CLIENT, *_SESSION, '--force', stdin=sql, timeout_s=_TIMEOUT_S)
    if done.status < 0:
        raise ServerError(_words(done))
    said = [line for line in done.output.splitlines() if line.startswith('ERROR')]
    return said or ([_words(done)] if done.status else [])


OURS = (
    'root', 'mysql', 'mariadb.sys', 'system user', 'event_scheduler', 'unauthenticated user',
    own_accounts.SST_USER, own_accounts.HEALTH_USER,
)  # fmt: skip


def disconnect_clients(machine: charmkit.Machine) -> None:
    """End the connections of all services; each will connect anew. One that ends by itself meanwhile is no error.

    Raises:
        ServerError: when the server does not answer.
    """
    ours = ', '.join(f"'{name}'" for name in OURS)
    rows = query(
        machine,
        f'SELECT id FROM information_schema.processlist WHERE user NOT IN ({ours});',  # noqa: S608 -- our own names
    )
    end(machine, (int(row['id']) for row in rows))


def end(machine: charmkit.Machine, sessions: Iterable[int]) -> None:
    """End connections by their ids; one that has ended by itself meanwhile is no error."""
    kill = '\n'.join(f'KILL CONNECTION {each};' for each in sessions)
    if kill:
        machine.program(*CLIENT, *_SESSION, '--force', stdin=kill, timeout_s=_TIMEOUT_S)


def _run(machine: charmkit.Machine, sql: str, timeout_s: float = _TIMEOUT_S) -> str:
    done = machine.program(*CLIENT, *_SESSION, stdin=sql, timeout_s=timeout_s)
    if done.status:
        raise ServerError(_words(done, timeout_s))
    return done.output


def _words(done: Finished, timeout_s: float = _TIMEOUT_S) -> str:
    if done.status < 0:
        return f'no answer within {timeout_s:.0f} s'
    said = ' '.join(done.output.split())[-500:]
    return said or f'the client ended with {done.status}'


def _rows(lines: list[str]) -> list[dict[str, str]]:
    if not lines:
        return []
    header, *rows = ([_plain(field) for field in line.split('\t')] for line in lines)
    try:
        return [dict(zip(header, row, strict=True)) for row in rows]
    except ValueError:
        raise ServerError(f'an answer that is no table: {lines[0][:200]}') from None


def _plain(field: str) -> str:
    return _ESCAPED.sub(lambda m: _ESCAPES.get(m[0], m[0]), field)
