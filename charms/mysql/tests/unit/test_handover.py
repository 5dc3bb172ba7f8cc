"""A hand-over may be killed at any call, any reply may be lost, any server may stop answering: two never write, and
nothing is lost."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import re
from collections.abc import Callable
from typing import cast

import charmkit
import handover
import pytest
import relay
import relays
import replicas
import replication
import server
from hypothesis import example, given
from hypothesis import strategies as st

from .two_servers import HERE, THERE, KilledError, Server, World

HAND_OVER = handover.HandOver(to='mysql/1', address=THERE, here=HERE)
RESOLVE = handover.Resolve(here=HERE, units=frozenset({'mysql/1'}))


def seam(world: World) -> charmkit.Machine:
    return cast('charmkit.Machine', world)


def settled(world: World) -> handover.Outcome:
    """The hook after it, and so on until it can be told; and what the new server's own hook does then."""
    world.undisturbed()
    found = RESOLVE.carry_out(seam(world))
    assert found.reason == '', world.calls
    if found.handed:
        open_there(world)
    world.sleep(1)
    return found


def open_there(world: World) -> None:
    """The first hook of the new server."""
    assert handover.Open(here=THERE).carry_out(seam(world.there())) == ''


def nothing_is_lost(world: World, *, handed: bool) -> None:
    before = len(world.acknowledged)
    world.sleep(1)
    assert len(world.acknowledged) > before
    assert world.errors == []
    lives = world.new if handed else world.old
    assert {*world.acknowledged} <= {*lives.rows}
    assert not lives.read_only
    if handed:
        assert world.old.read_only
    else:
        assert world.new.read_only
        assert replicas.CLOSED not in world.files


def test_it_hands_over():
    world = World()
    done = HAND_OVER.carry_out(seam(world))
    assert done.handed
    assert done.handed.to == 'mysql/1'
    assert done.cut == 0
    assert 0 < done.held_s <= handover.HELD_S
    world.sleep(1)
    nothing_is_lost(world, handed=True)
    assert len(world.acknowledged) > 10


# At how many calls after it, or never, the client of the killed hook says its next statements.
ORPHANS = st.integers(0, 12)


@given(
    kill_at=st.integers(1, 60),
    kill_after=st.booleans(),
    down_at=st.integers(-1, 60),
    lost_at=st.integers(-1, 60),
    parts=st.integers(0, 3),
    orphan=ORPHANS,
    delay=st.integers(0, 12),
    later=st.integers(0, 30),
)
@example(kill_at=99, kill_after=False, down_at=-1, lost_at=-1, parts=3, orphan=0, delay=6, later=0)
def test_disturbed_anywhere_it_is_either_done_or_undone(
    kill_at: int,
    kill_after: bool,
    down_at: int,
    lost_at: int,
    parts: int,
    orphan: int,
    delay: int,
    later: int,
):
    world = World(
        kill_at=kill_at, kill_after=kill_after, down_at=down_at, lost_at=lost_at, parts=parts,
        orphan=orphan, delay=delay,
    )  # fmt: skip
    with contextlib.suppress(KilledError):
        HAND_OVER.carry_out(seam(world))
    world.sleep(later)
    handed = settled(world).handed
    nothing_is_lost(world, handed=handed is not None)
    # And it stays so, whatever the killed hook's client still says.
    for _ in range(20):
        world.sleep(1)
    again = settled(world).handed
    assert (again is None) == (handed is None)
    nothing_is_lost(world, handed=handed is not None)


@pytest.mark.parametrize('delay', [0, 3, 12, 1000])
def test_clients_are_held_for_no_longer_than_is_said(delay: int):
    world = World(delay=30, delay_when_held=delay)
    HAND_OVER.carry_out(seam(world))
    world.sleep(1)
    assert world.longest_held <= handover.HELD_S + 0.5
    nothing_is_lost(world, handed=delay < 1000)


def test_what_takes_too_long_is_undone():
    world = World(takes_s=1.5)
    done = HAND_OVER.carry_out(seam(world))
    assert done.reason == 'it was not done within 5 s'
    world.takes_s = 0
    world.sleep(1)
    nothing_is_lost(world, handed=False)


def test_sessions_that_never_rest_are_cut_off_in_time():
    world = World(restless=True)
    done = HAND_OVER.carry_out(seam(world))
    assert done.cut == 3
    assert done.handed
    assert world.longest_held < relays.MOST_S + 0.5


@pytest.mark.parametrize(
    ('broken', 'said'),
    [
        ({'down': True}, 'mysql/1 does not answer'),
        ({'follows': False}, 'mysql/1 does not follow this server'),
        ({'runs': False}, 'mysql/1 does not follow: its replication is stopped'),
        ({'read_only': False}, 'mysql/1 takes writes of others'),
        ({'delay': 100_000}, 'mysql/1 has not applied all within 60 s'),
    ],
)
def test_what_cannot_take_over_is_refused_and_nobody_is_held(broken: dict[str, object], said: str):
    world = World(delay=cast('int', broken.pop('delay', 0)))
    world.old.rows.append(7)
    world.new = dataclasses.replace(world.new, **broken)  # pyright: ignore[reportArgumentType]
    done = HAND_OVER.carry_out(seam(world))
    assert done.handed is None
    assert not done.unclear
    assert done.reason.startswith(said)
    assert world.old.read_only is False
    assert relays.STATE not in world.files


def test_without_a_relay_nobody_is_held():
    world = World(refuses='nft')
    done = HAND_OVER.carry_out(seam(world))
    assert done.reason.startswith('nft: ')
    assert relays.is_open(seam(world), HERE)
    assert world.old.read_only is False
    world = World(refuses='is-active')
    done = HAND_OVER.carry_out(seam(world))
    assert 'does not run' in done.reason
    assert relays.STATE not in world.files


def test_what_is_not_on_the_disk_is_not_handed_over():
    world = World(refuses='sync')
    done = HAND_OVER.carry_out(seam(world))
    assert 'is not on the disk' in done.reason
    world.refuses = ''
    assert settled(world).handed is None
    nothing_is_lost(world, handed=False)


def test_a_server_that_does_not_say_how_far_it_is_hands_nothing_over():
    world = World()
    world.old.silent = True
    done = HAND_OVER.carry_out(seam(world))
    assert done.reason == 'this server does not say how far it is'
    world.sleep(1)
    nothing_is_lost(world, handed=False)


def test_a_replica_that_says_that_it_opened_itself_and_did_not_has_not_taken_over():
    world = World()
    world.new.deaf = True
    done = HAND_OVER.carry_out(seam(world))
    assert done.reason == 'mysql/1 did not take over'
    assert not done.unclear
    world.sleep(1)
    nothing_is_lost(world, handed=False)


def test_a_hand_over_that_is_not_settled_is_not_begun_anew():
    world = World()
    world.files[replicas.CLOSED] = handover.write_closed(closed())
    done = HAND_OVER.carry_out(seam(world))
    assert done.unclear
    assert world.calls == 0


def closed(position: str = '0-100-1', to: str = 'mysql/1') -> handover.Closed:
    return handover.Closed(to=to, address=THERE, position=position)


def shut(world: World, what: handover.Closed) -> World:
    world.files[replicas.CLOSED] = handover.write_closed(what)
    world.old.read_only, world.sessions = True, 0
    world.files[relays.STATE], world.redirected = 'hold', True
    return world


@pytest.mark.parametrize(
    ('new', 'position', 'opened'),
    [
        (Server(rows=[0], follows=True, runs=True), '0-100-1', False),
        (Server(rows=[0], follows=True, runs=False), '0-100-1', False),  # It is told to go on.
        (Server(rows=[0], follows=False, read_only=False), '0-100-1', True),
        (Server(rows=[0], follows=False, read_only=True), '0-100-1', True),
        (Server(rows=[0], follows=False, read_only=False), '', False),
        (Server(rows=[0], follows=False, read_only=False), '0-100-2', None),
        (Server(rows=[0], follows=True, runs=True, down=True), '0-100-1', None),
    ],
)
def test_what_became_of_it_is_told_by_the_replica(new: Server, position: str, opened: bool | None):
    world = shut(World(new=new), closed(position))
    found = RESOLVE.carry_out(seam(world))
    assert found.unclear == (opened is None)
    assert (found.handed is not None) == bool(opened)
    assert world.old.read_only == (opened is not False)
    assert (replicas.CLOSED in world.files) == (opened is not False)
    if opened:
        assert not world.new.read_only
        assert relay.target(world.files[relays.STATE], world.clock) == (THERE, 3306)
        assert f'saddr {THERE} accept' in world.files[relays.RULES]
    if opened is None:
        assert 'does not report whether it has taken over' in found.reason
    if new.follows and opened is False:
        assert world.new.runs


def test_one_that_is_no_unit_any_more_is_said_to_be_gone():
    world = shut(World(new=Server(down=True)), closed())
    alone = dataclasses.replace(RESOLVE, units=frozenset[str]())
    found = alone.carry_out(seam(world))
    assert 'is no unit here any more' in found.reason
    assert 'take-over' in found.reason
    # The operator's word.
    opens = handover.Open(here=HERE, forced=True)
    assert opens.carry_out(seam(world)) == ''
    assert not world.old.read_only
    assert replicas.CLOSED not in world.files
    assert relays.is_open(seam(world), HERE)


def test_without_the_operators_word_a_closed_server_is_not_reopened_by_its_own_opening():
    world = shut(World(), closed())
    world.old.read_only = False
    assert handover.Open(here=HERE).carry_out(seam(world)) == ''
    assert replicas.CLOSED in world.files


def test_a_server_that_does_not_answer_stays_closed():
    world = shut(World(), closed(''))
    world.old.down = True
    found = RESOLVE.carry_out(seam(world))
    assert found.reason
    assert found.handed is None
    assert replicas.CLOSED in world.files


def test_a_relay_that_holds_for_no_reason_is_released():
    world = World(redirected=True)
    world.files[relays.STATE] = 'hold 99999999999 10.0.0.1 3306'
    assert RESOLVE.carry_out(seam(world)) == handover.Outcome()
    assert relays.is_open(seam(world), HERE)
    assert not world.redirected


def constantly(value: object) -> Callable[..., object]:
    def twin(*_: object) -> object:
        return value

    return twin


@pytest.mark.parametrize(
    ('owner', 'name', 'twin'),
    [
        (handover, '_write', constantly(None)),
        (handover.HandOver, '_catch_up', constantly('')),
        (relays, 'empty', constantly(0)),
        (relays, 'hold', constantly(None)),
        (relays, 'close', constantly(None)),
        (relays, 'hand_on', constantly(None)),
        (relays, 'release', constantly(None)),
        (handover, 'OPEN', 'SET GLOBAL read_only = 0; STOP ALL SLAVES; RESET SLAVE ALL;'),
        (handover, 'verdict', constantly('never opened')),
        (handover, 'verdict', constantly('opened')),
        (replication, 'end_clients', constantly(None)),
    ],
)
def test_without_any_safeguard_it_goes_wrong(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, twin: object
):
    """The twins."""
    monkeypatch.setattr(owner, name, twin)
    assert any(goes_wrong(*how) for how in KILLED)


def test_with_all_of_them_it_does_not():
    assert [how for how in KILLED if goes_wrong(*how)] == []


KILLED = tuple(itertools.product((99, *range(1, 50)), (0, 1, 3), (0, 5, 9)))
"""At which call, after how many of its statements, and after how many calls the rest of them come."""


def goes_wrong(kill_at: int, parts: int, orphan: int) -> bool:
    world = World(kill_at=kill_at, kill_after=True, parts=parts, orphan=orphan, delay=30)
    try:
        with contextlib.suppress(KilledError):
            HAND_OVER.carry_out(seam(world))
        world.sleep(15)
        handed = settled(world).handed
        for _ in range(20):
            world.sleep(1)
        nothing_is_lost(world, handed=handed is not None)
    except AssertionError:
        return True
    return False


def test_a_position_is_covered_by_one_that_is_as_far():
    assert replication.covers('0-101-7', '0-100-7')
    assert replication.covers('0-101-8,1-1-3', '0-100-7')
    assert not replication.covers('0-101-6', '0-100-7')
    assert not replication.covers('0-101-9', '0-100-7,1-1-1')
    assert not replication.covers('0-101-9', '')
    assert not replication.covers('', '0-100-0')


@pytest.mark.parametrize(
    ('io', 'sql', 'runs', 'well'),
    [
        ('Yes', 'Yes', True, True),
        ('Connecting', 'Yes', True, False),
        ('Yes', 'No', True, False),
        ('No', 'Yes', True, False),
        ('No', 'No', False, False),
    ],
)
def test_a_replica_runs_as_long_as_either_of_its_threads_does(
    io: str, sql: str, runs: bool, well: bool
):
    row = {'Slave_IO_Running': io, 'Slave_SQL_Running': sql, 'Master_Host': HERE}
    seen = replication.state({}, [row])
    assert (seen.follows, seen.runs, seen.well) == (True, runs, well)
    assert not replication.state({}, []).follows
    assert not replication.state({}, [{'Master_Host': '', 'Slave_IO_Running': 'No'}]).follows


@given(st.text(max_size=200))
def test_any_text_in_the_file_of_a_closed_server_keeps_it_closed(text: str):
    what = handover.read_closed(text)
    assert what is not None
    assert handover.verdict(what, None) == 'unclear'


def test_one_that_does_not_name_its_successor_is_not_reopened_for_another_one():
    there = replication.There(follows=True, runs=True, well=True)
    assert handover.verdict(closed(to=''), there) == 'unclear'
    assert handover.verdict(closed(), there) == 'never opened'


def test_the_file_comes_back_as_it_was():
    assert handover.read_closed(handover.write_closed(closed())) == closed()
    assert handover.read_closed(None) is None


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
    assert f'p.time_ms >= {relays.LEFT_OPEN_MS})' in sql
    assert sql.count(f"'{replicas.USER}'") == 2
    assert sql.index('KILL CONNECTION') < sql.index('SELECT p.id, p.command')


def test_the_replica_itself_is_not_held():
    rules = relays.rules(['10.0.0.2', '2001:db8::2'])
    assert 'ip saddr 10.0.0.2 accept' in rules
    assert 'ip6 saddr 2001:db8::2 accept' in rules
    assert rules.index('10.0.0.2 accept') < rules.index('redirect')


def test_connections_that_were_redirected_stay_when_nobody_is_redirected_any_more():
    """The kernel follows them only while a rule asks it to, and resets them as soon as none does."""
    world = World()
    relays.release(seam(world), HERE)
    assert 'redirect' not in world.nft[-1]
    assert re.search(r'^add rule inet charm_mysql clients ct ', world.nft[-1], re.MULTILINE)


def test_the_accounts_that_are_cut_off_are_never_the_servers_own():
    assert replicas.USER not in ('root', 'mysql')
    assert 'nobody' in server.OURS
