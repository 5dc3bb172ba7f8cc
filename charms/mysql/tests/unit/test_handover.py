"""A hand-over may be killed at any call, and any server may stop answering: two never write, and nothing is lost."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from typing import cast

import charmkit
import handover
import pytest
import relay
import relays
import replicas
import server
from charmkit.machine import Finished
from hypothesis import given
from hypothesis import strategies as st

HERE, THERE = '10.0.0.1', '10.0.0.2'


class KilledError(BaseException):
    """The hook was killed."""


@dataclasses.dataclass
class Server:
    """A MariaDB."""

    rows: list[int] = dataclasses.field(default_factory=list[int])
    read_only: bool = False
    follows: bool = False
    lags: bool = False
    down: bool = False

    @property
    def gtid(self) -> str:
        return f'0-100-{len(self.rows)}' if self.rows else ''


@dataclasses.dataclass
class World:
    """Two servers, and clients that write wherever the relay or the old address sends them, at every call."""

    old: Server = dataclasses.field(default_factory=lambda: Server(rows=[0]))
    new: Server = dataclasses.field(
        default_factory=lambda: Server(rows=[0], read_only=True, follows=True)
    )
    files: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    redirected: bool = False
    clock: float = 1_000.0
    kill_at: int = -1
    kill_after: bool = False
    down_at: int = -1
    """The new server answers nothing from that call on."""
    calls: int = 0
    acknowledged: list[int] = dataclasses.field(default_factory=list[int])
    errors: list[str] = dataclasses.field(default_factory=list[str])
    sessions: int = 3
    _numbers: itertools.count[int] = dataclasses.field(default_factory=lambda: itertools.count(1))

    # --- Clients.

    def write(self) -> None:
        """One that has a session writes there; a new one goes where it is sent."""
        if self.sessions:
            self._put(self.old)
        where = self._sent()
        if where:
            self._put(self.old if where[0] == HERE else self.new)
        if self.new.follows and not self.new.lags and not self.new.down:
            self.new.rows = [*self.old.rows]

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
        self.acknowledged.append(number)

    # --- The machine of the old one.

    def _call(self) -> None:
        self.calls += 1
        self.clock += 0.01
        if self.calls == self.down_at:
            self.new.down = True
        self.write()
        if self.calls == self.kill_at and not self.kill_after:
            raise KilledError

    def _end(self) -> None:
        if self.calls == self.kill_at and self.kill_after:
            raise KilledError

    def now(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self.clock += seconds
        self.write()

    def progress(self, line: str) -> None:
        pass

    def read(self, path: str) -> str | None:
        return self.files.get(path)

    def put(self, path: str, text: str, mode: int = 0o600) -> None:
        self._call()
        self.files[path] = text
        self._end()

    def program(self, *argv: str, stdin: str = '', timeout_s: float = 0) -> Finished:
        self._call()
        found = self._program(argv, stdin)
        self._end()
        return found

    def _program(self, argv: tuple[str, ...], sql: str) -> Finished:
        match argv[0]:
            case 'nft':
                text = sql or self.files[relays.RULES]
                self.redirected = 'redirect' in text
            case 'rm':
                self.files.pop(argv[-1], None)
            case 'mariadb':
                return self._sql(self.new if f'--host={THERE}' in argv else self.old, sql)
            case _:
                pass
        return Finished(0)

    def _sql(self, there: Server, sql: str) -> Finished:
        if there.down:
            return Finished(1, "ERROR 2002: can't connect")
        if sql == handover.LOOK:
            on = int(there.read_only)
            return table(read_only=str(on), applied=there.gtid, written=there.gtid, log_bin='1')
        if sql == handover.STATUS:
            if not there.follows:
                return Finished(0)
            return table(
                Slave_IO_Running='Yes', Slave_SQL_Running='Yes', Seconds_Behind_Master='0',
                Last_SQL_Error='', Last_IO_Error='', Master_Host=HERE,
            )  # fmt: skip
        if 'MASTER_GTID_WAIT' in sql:
            late = there.rows != self.old.rows
            return table(late='-1' if late else '0')
        if 'processlist' in sql:
            self.sessions -= bool(self.sessions)
            names = {'command': 'Sleep', 'in_trx': '0'}
            return table(*({'id': str(n), **names} for n in range(self.sessions)))
        if 'KILL' in sql:
            self.sessions = 0
        if sql == handover.OPEN:
            there.follows, there.read_only = False, False
        elif 'SET GLOBAL read_only = ' in sql:
            there.read_only = sql.rstrip(';')[-1] == '1'
        return Finished(0)


def table(*rows: dict[str, str], **row: str) -> Finished:
    every = rows or ((row,) if row else ())
    if not every:
        return Finished(0)
    lines = ['\t'.join(every[0]), *('\t'.join(r.values()) for r in every)]
    return Finished(0, '\n'.join(lines))


class Seam(World):
    """The same under the machine's own name for it."""

    def write(self, *argv: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        if argv:
            self.put(str(argv[0]), str(argv[1]))
        else:
            super().write()


def seam(world: World) -> charmkit.Machine:
    return cast('charmkit.Machine', world)


HAND_OVER = handover.HandOver(to='mysql/1', address=THERE, here=HERE)
RESOLVE = handover.Resolve(here=HERE)


def settled(world: World) -> handover.Outcome:
    """The hook after it, and so on until it can be told."""
    world.kill_at = world.down_at = -1
    world.new.down = False
    found = RESOLVE.carry_out(seam(world))
    assert found.reason == ''
    world.sleep(0)
    return found


def test_it_hands_over():
    world = Seam()
    done = HAND_OVER.carry_out(seam(world))
    assert done.handed
    assert done.handed.to == 'mysql/1'
    world.sleep(0)
    assert world.errors == []
    assert {*world.acknowledged} <= {*world.new.rows}
    assert not world.new.read_only
    assert world.old.read_only


@given(
    kill_at=st.integers(1, 60),
    kill_after=st.booleans(),
    down_at=st.integers(-1, 60),
)
def test_killed_anywhere_it_is_either_done_or_undone(kill_at: int, kill_after: bool, down_at: int):
    world = Seam(kill_at=kill_at, kill_after=kill_after, down_at=down_at)
    with contextlib.suppress(KilledError):
        HAND_OVER.carry_out(seam(world))
    handed = settled(world).handed
    assert 'two servers take writes' not in world.errors
    assert world.errors == []
    lives = world.new if handed else world.old
    assert {*world.acknowledged} <= {*lives.rows}
    assert not lives.read_only
    if handed:
        assert world.old.read_only
        assert settled(world).handed  # And stays so.


@pytest.mark.parametrize('broken', ['lags', 'down'])
def test_what_cannot_take_over_is_refused_and_nobody_is_held(broken: str):
    world = Seam()
    setattr(world.new, broken, True)
    world.old.rows.append(7)
    done = HAND_OVER.carry_out(seam(world))
    assert done.handed is None
    assert done.reason
    assert world.old.read_only is False
    assert relays.STATE not in world.files


def test_a_closed_server_whose_replica_does_not_answer_stays_closed():
    world = Seam()
    world.files[replicas.CLOSED] = handover.write_closed(
        handover.Closed(to='mysql/1', address=THERE, position='0-100-1')
    )
    world.old.read_only, world.new.down = True, True
    found = RESOLVE.carry_out(seam(world))
    assert 'does not tell whether it has taken over' in found.reason
    assert world.old.read_only


def test_without_the_file_two_would_write(monkeypatch: pytest.MonkeyPatch):
    """The twin."""
    monkeypatch.setattr(handover, '_write', lambda *_: None)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    wrong: set[str] = set()
    for kill_at in range(1, 40):
        world = Seam(kill_at=kill_at, kill_after=True)
        with contextlib.suppress(KilledError):
            HAND_OVER.carry_out(seam(world))
        world.kill_at = -1
        RESOLVE.carry_out(seam(world))
        world.sleep(0)
        wrong |= {*world.errors}
    assert wrong


def test_a_position_is_covered_by_one_that_is_as_far():
    assert handover.covers('0-101-7', '0-100-7')
    assert handover.covers('0-101-8,1-1-3', '0-100-7')
    assert not handover.covers('0-101-6', '0-100-7')
    assert not handover.covers('0-101-9', '0-100-7,1-1-1')
    assert not handover.covers('0-101-9', '')


@given(st.text(max_size=200))
def test_any_text_in_the_file_of_a_closed_server_keeps_it_closed(text: str):
    closed = handover.read_closed(text)
    assert closed is not None
    assert handover.verdict(closed, None) == 'unclear'


def test_the_file_comes_back_as_it_was():
    closed = handover.Closed(to='mysql/1', address=THERE, position='0-100-1')
    assert handover.read_closed(handover.write_closed(closed)) == closed


# --- The relay.


def test_a_relay_does_as_it_is_told():
    assert relay.target('open 10.0.0.1 3306\n', 0) == ('10.0.0.1', 3306)
    assert relay.target('hold', 1e12) is None
    assert relay.target('hold 100 10.0.0.1 3306', 99) is None
    assert relay.target('hold 100 10.0.0.1 3306', 100) == ('10.0.0.1', 3306)


@given(st.text(max_size=80))
def test_a_relay_that_is_told_nonsense_holds(text: str):
    found = relay.target(text, 0.0)
    assert found is None or text.split()[0] in ('open', 'hold')


def test_only_sessions_at_rest_are_ended_and_the_servers_own_never():
    sql = relays.end_at_rest(250)
    assert "p.command = 'Sleep' AND (t.trx_id IS NULL AND p.time_ms >= 250 OR" in sql
    assert sql.count(f"'{replicas.USER}'") == 2
    assert sql.index('KILL CONNECTION') < sql.index('SELECT p.id, p.command')


def test_the_replica_itself_is_not_held():
    rules = relays.rules(['10.0.0.2', '2001:db8::2'])
    assert 'ip saddr 10.0.0.2 accept' in rules
    assert 'ip6 saddr 2001:db8::2 accept' in rules
    assert rules.index('accept') < rules.index('redirect')


def test_the_accounts_that_are_cut_off_are_never_the_servers_own():
    assert replicas.USER not in ('root', 'mysql')
    assert 'nobody' in server.OURS
