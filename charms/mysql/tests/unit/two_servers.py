"""Two MariaDBs, of which one follows the other, and clients that write at every call: a machine's seam for a hand-over.

Any call may be the last of its program, any reply may be lost after its effect, the replica may be late by some calls,
and a client that was started by a program that is killed may still say its statements afterwards.
"""

from __future__ import annotations

import dataclasses
import itertools
import re

import relay
import relays
import replication
from charmkit.machine import Finished

HERE, THERE = '10.0.0.1', '10.0.0.2'


class KilledError(BaseException):
    """The hook was killed."""


@dataclasses.dataclass
class Server:
    """A MariaDB."""

    rows: list[int] = dataclasses.field(default_factory=list[int])
    read_only: bool = False
    follows: bool = False
    runs: bool = False
    down: bool = False
    silent: bool = False
    """It does not say how far it is."""
    deaf: bool = False
    """It takes every statement, and does nothing."""

    @property
    def gtid(self) -> str:
        return f'0-100-{len(self.rows)}' if self.rows and not self.silent else ''

    def say(self, statement: str) -> str:
        """Carry one statement out; the error, or ''."""
        match statement:
            case 'STOP ALL SLAVES':
                self.runs = False
            case 'START ALL SLAVES':
                if not self.follows:
                    return 'ERROR 1200: not configured as a replica'
                self.runs = True
            case 'RESET SLAVE ALL':
                if self.runs:
                    return 'ERROR 1198: a running replica'
                self.follows = False
            case _ if m := re.fullmatch('SET GLOBAL read_only = ([01])', statement):
                self.read_only = m[1] == '1'
            case _ if statement.startswith('SET SESSION '):
                pass
            case _:
                raise AssertionError(statement)
        return ''


@dataclasses.dataclass
class World:
    """Both servers, and clients that write wherever the relay or the old address sends them, at every call."""

    old: Server = dataclasses.field(default_factory=lambda: Server(rows=[0]))
    new: Server = dataclasses.field(
        default_factory=lambda: Server(rows=[0], read_only=True, follows=True, runs=True)
    )
    files: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    redirected: bool = False
    clock: float = 1_000.0
    kill_at: int = -1
    kill_after: bool = False
    down_at: int = -1
    """The new server answers nothing from that call on."""
    lost_at: int = -1
    """The reply to that call is lost, after its effect."""
    parts: int = 3
    """So many of several statements are carried out of a call that is killed or whose reply is lost."""
    orphan: int = 0
    """So many calls later the rest of them is, all the same; 0: never."""
    delay: int = 0
    """So many calls late the replica applies a row."""
    delay_when_held: int = -1
    """The same, once the old server is closed."""
    restless: bool = False
    """Its clients' sessions never come to rest."""
    refuses: str = ''
    """A program that has this among its arguments fails."""
    takes_s: float = 0.0
    """Seconds that each call takes."""
    calls: int = 0
    ticks: int = 0
    acknowledged: list[int] = dataclasses.field(default_factory=list[int])
    errors: list[str] = dataclasses.field(default_factory=list[str])
    sessions: int = 3
    nft: list[str] = dataclasses.field(default_factory=list[str])
    longest_held: float = 0.0
    _held_since: float | None = None
    _arrived: list[int] = dataclasses.field(default_factory=list[int])
    """At which tick each row of the old server was written."""
    _rest: list[tuple[int, Server, list[str]]] = dataclasses.field(
        default_factory=list[tuple[int, Server, list[str]]]
    )
    """What clients that outlive their program still say: from which tick on, to whom, and what."""
    _numbers: itertools.count[int] = dataclasses.field(default_factory=lambda: itertools.count(1))

    def undisturbed(self) -> None:
        """Nothing more goes wrong."""
        self.kill_at = self.down_at = self.lost_at = -1
        self.new.down = False
        self.delay = 0

    def there(self) -> World:
        """The new server's own machine."""
        return dataclasses.replace(
            World(), old=self.new, new=self.old, sessions=0, redirected=True
        )

    # --- Clients, and time.

    def tick(self) -> None:
        """One that has a session writes there; a new one goes where it is sent; the replica applies what is due."""
        self.ticks += 1
        if self.sessions:
            self._put(self.old)
        where = self._sent()
        if where:
            if self._held_since is not None:
                self.longest_held = max(self.longest_held, self.clock - self._held_since)
            self._held_since = None
            self._put(self.old if where[0] == HERE else self.new)
        elif self._held_since is None:
            self._held_since = self.clock
        for due, whom, said in self._rest:
            if due <= self.ticks and not whom.down:
                self._script(whom, said)
        self._rest = [one for one in self._rest if one[0] > self.ticks]
        self._apply()

    def _apply(self) -> None:
        delay = self.delay
        if self.old.read_only and self.delay_when_held >= 0:
            delay = self.delay_when_held
        if self.new.follows and self.new.runs and not self.new.down:
            due = len(self.new.rows)
            while due < len(self.old.rows) and self._when(due) + delay <= self.ticks:
                self.new.rows.append(self.old.rows[due])
                due += 1

    def _when(self, row: int) -> int:
        while len(self._arrived) < len(self.old.rows):
            self._arrived.append(self.ticks)
        return self._arrived[row]

    def _sent(self) -> tuple[str, int] | None:
        if not self.redirected:
            return (HERE, 3306)
        return relay.target(self.files.get(relays.STATE, ''), self.clock)

    def _put(self, there: Server) -> None:
        if there.down:
            return
        if there.read_only:
            self.errors.append('a client was refused')
            return
        if not self.old.read_only and not self.new.read_only:
            self.errors.append('two servers take writes')
        number = next(self._numbers)
        there.rows.append(number)
        self._when(len(self.old.rows) - 1)
        self.acknowledged.append(number)

    # --- The machine of the old one.

    def _call(self) -> None:
        self.calls += 1
        self.clock += self.takes_s or 0.01
        if self.calls == self.down_at:
            self.new.down = True
        self.tick()
        if self.calls == self.kill_at and not self.kill_after:
            raise KilledError

    def _end(self) -> None:
        if self.calls == self.kill_at and self.kill_after:
            raise KilledError

    def now(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self.clock += seconds
        self.tick()

    def progress(self, line: str) -> None:
        pass

    def read(self, path: str) -> str | None:
        return self.files.get(path)

    def write(self, path: str, text: str, mode: int = 0o600) -> None:
        self._call()
        self.files[path] = text
        self._end()

    def program(self, *argv: str, stdin: str = '', timeout_s: float = 60) -> Finished:
        self._call()
        found = self._program(argv, stdin)
        self._end()
        return Finished(-1) if self.calls == self.lost_at else found

    def _program(self, argv: tuple[str, ...], sql: str) -> Finished:
        if self.refuses and self.refuses in argv:
            return Finished(1, 'not today')
        match argv[0]:
            case 'nft':
                text = sql or self.files[relays.RULES]
                self.nft.append(text)
                self.redirected = 'redirect' in text
            case 'sh' if 'kill -KILL' in argv[2]:
                # What is under way at the server is ended by it.
                self._rest = [
                    (due, whom, said[:1]) for due, whom, said in self._rest if whom is not self.old
                ]
            case 'rm':
                self.files.pop(argv[-1], None)
            case 'mariadb':
                there = self.new if f'--host={THERE}' in argv else self.old
                return self._sql(there, sql)
            case _:
                pass
        return Finished(0)

    def _sql(self, there: Server, sql: str) -> Finished:
        if there.down:
            return Finished(1, "ERROR 2002: can't connect")
        if sql == replication.LOOK:
            on = int(there.read_only)
            return table(read_only=str(on), applied=there.gtid, written=there.gtid, log_bin='1')
        if sql == replication.STATUS:
            if not there.follows:
                return Finished(0)
            runs = 'Yes' if there.runs else 'No'
            return table(
                Slave_IO_Running=runs, Slave_SQL_Running=runs, Seconds_Behind_Master='0',
                Last_SQL_Error='', Last_IO_Error='', Master_Host=HERE,
            )  # fmt: skip
        if "MASTER_GTID_WAIT('')" in re.sub(', [0-9.]+', '', sql):
            return table(late='0')
        if m := re.search(r"MASTER_GTID_WAIT\('[0-9]+-[0-9]+-([0-9]+)', ([0-9.]+)\)", sql):
            return self._wait(there, int(m[1]), float(m[2]))
        if 'processlist' in sql:
            self.sessions -= bool(self.sessions) and not self.restless
            names = {'command': 'Query' if self.restless else 'Sleep', 'in_trx': '0'}
            return table(*({'id': str(n), **names} for n in range(self.sessions)))
        if 'KILL' in sql:
            self.sessions = 0
            return Finished(0)
        return self._script(there, [s.strip() for s in sql.split(';') if s.strip()])

    def _wait(self, there: Server, rows: int, most_s: float) -> Finished:
        ends = self.clock + most_s
        while len(there.rows) < rows and self.clock < ends:
            self.clock += 0.1
            self.tick()
        return table(late='0' if len(there.rows) >= rows else '-1')

    def _script(self, there: Server, said: list[str]) -> Finished:
        """A client says one statement after the other, up to the first that fails."""
        whole = self.calls not in (self.kill_at, self.lost_at) or len(said) == 1
        now, later = (said, []) if whole else (said[: self.parts], said[self.parts :])
        if self.calls == self.lost_at:
            # Its client is ended; one statement is under way, of which this server has given up its own before.
            later = [] if there is self.old else later[:1]
        if later and self.orphan:
            self._rest.append((self.ticks + self.orphan, there, later))
        for statement in () if there.deaf else now:
            if error := there.say(statement):
                return Finished(1, error)
        return Finished(0)


def table(*rows: dict[str, str], **row: str) -> Finished:
    """What a client prints."""
    every = rows or ((row,) if row else ())
    if not every:
        return Finished(0)
    lines = ['\t'.join(every[0]), *('\t'.join(r.values()) for r in every)]
    return Finished(0, '\n'.join(lines))
