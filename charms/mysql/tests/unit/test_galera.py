"""Members that are founded, join, leave, are killed and come back, in any order."""

from __future__ import annotations

import dataclasses
from typing import Any

import charmkit
import cluster_run
import galera
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from .galera_model import LostError, World

UNITS = 4
EVENT = st.one_of(
    st.tuples(st.just('begin'), st.integers(0, UNITS - 1), st.just(0)),
    st.tuples(st.just('end'), st.integers(0, UNITS - 1), st.integers(0, 31)),
    st.tuples(
        st.sampled_from(['kill', 'stop', 'start', 'lead']), st.integers(0, UNITS - 1), st.just(0)
    ),
    st.tuples(
        st.sampled_from(['write', 'add', 'time', 'kill all', 'stop all']), st.just(0), st.just(0)
    ),
)
Event = tuple[str, int, int]


def happen(world: World, event: Event) -> None:  # noqa: C901 -- one case for each event
    what, number, bits = event
    unit = f'mysql/{number}'
    match what:
        case 'write':
            world.write()
        case 'add':
            if world.made < UNITS:
                world.add()
        case 'time':
            world.quiet(2)
        case 'kill all':
            for u in sorted(world.nodes):
                world.kill(u)
        case 'stop all':
            for u in sorted(world.nodes, reverse=bool(world.made % 2)):
                world.stop(u)
        case _ if unit not in world.nodes:
            pass
        case 'begin':
            world.begin(unit)
        case 'end':
            silent = {f'mysql/{n}' for n in range(UNITS) if bits >> n & 1}
            world.end(unit, silent, dies=bool(bits & 16))
        case 'lead':
            world.leader = unit
        case 'kill':
            world.kill(unit)
        case 'stop':
            world.stop(unit)
        case 'start':
            world.start(unit)
        case _:
            raise AssertionError(what)
    world.settle()


def three() -> World:
    """A cluster of three, of which everybody has told."""
    world = World()
    for _ in range(3):
        world.add()
    world.quiet()
    assert world.component() == {*world.nodes}
    return world


@settings(max_examples=400, deadline=None)
@given(st.lists(EVENT, max_size=40), st.booleans())
@example([('kill', 0, 0), ('kill', 1, 0), ('stop', 2, 0)], True)
def test_whatever_happens_there_is_one_cluster_and_it_has_all_that_was_acknowledged(
    events: list[Event], formed: bool
):
    world = three() if formed else World()
    if not formed:
        world.add()
    for event in events:
        happen(world, event)
    world.quiet()
    if len(world.nodes) < galera.FEWEST:
        return
    if not world.component():
        # Members that went one by one, not all of them cleanly: Galera itself does not know who has most.
        world.reboot()
        world.quiet()
    assert world.component() == {*world.nodes}, world.steps
    assert world.founded == 1


def test_three_units_become_a_cluster_of_which_the_first_has_the_data():
    world = World()
    world.add()
    world.quiet()
    assert world.steps == []
    world.add()
    world.quiet()
    assert world.steps == []
    world.add()
    world.quiet()
    assert world.steps == ['mysql/0 found', 'mysql/1 join', 'mysql/2 join']


def test_the_last_one_to_leave_starts_the_cluster_again():
    world = three()
    world.write()
    for u in ('mysql/0', 'mysql/2', 'mysql/1'):
        world.stop(u)
        world.write()
    world.steps.clear()
    world.quiet()
    assert world.steps == ['mysql/1 bootstrap']
    assert world.component() == {*world.nodes}


def test_after_a_crash_of_all_they_find_together_by_themselves():
    world = three()
    for u in sorted(world.nodes):
        world.kill(u)
    world.steps.clear()
    world.quiet()
    assert world.component() == {*world.nodes}
    assert world.steps == []


def test_a_member_that_does_not_come_back_keeps_the_others_waiting_until_the_operator_says_so():
    world = three()
    world.write()
    for u in sorted(world.nodes):
        world.kill(u)
    alive = ('mysql/0', 'mysql/1')
    world.leader = 'mysql/1'

    def hooks() -> None:
        for u in alive * 3:
            world.nodes[u].running = True
            world.end(u, {'mysql/2'})

    hooks()
    world.end('mysql/1', {'mysql/2'}, why=galera_reboot())
    hooks()
    assert world.component() == set()
    world.end('mysql/1', {'mysql/2'}, why=galera_reboot())
    assert world.component() == set()
    world.end('mysql/1', {'mysql/2'}, why=galera_reboot(force=True))
    hooks()
    assert world.component() == {*alive}
    world.start('mysql/2')
    assert world.component() == {*world.nodes}


def galera_reboot(**params: object) -> charmkit.Action:
    return charmkit.Action(cluster_run.REBOOT, params)


def test_a_unit_with_databases_of_its_own_does_not_join():
    world = three()
    fourth = world.add()
    world.nodes[fourth].data = True
    world.quiet()
    assert fourth not in world.component()
    world.begin(fourth)
    desired = world.end(fourth)
    assert desired
    assert desired.status[0].kind == 'blocked'
    assert 'has databases of its own' in desired.status[0].message


def test_a_permit_that_is_not_used_holds_up_every_other_one():
    held = galera.Permit(turn=2, unit='mysql/0', why='safe', since=1)
    units = {
        'mysql/0': galera.PeerState(turn=1, answered=1),
        'mysql/1': galera.PeerState(turn=1, safe=True),
    }

    def given_(**more: bool) -> galera.Permit | None:
        return galera.permit(held, units, server='', **{'primary': False, 'settled': True, **more})

    assert given_() == held
    units['mysql/0'] = dataclasses.replace(units['mysql/0'], answered=2)
    assert given_() == galera.Permit(turn=3, unit='mysql/1', why='safe', since=1)
    assert given_(primary=True) == held
    # A unit that is gone uses none; a new leader may just not have been told of it.
    del units['mysql/0']
    assert given_(settled=False) == held
    assert given_() != held


@pytest.mark.parametrize(
    'change',
    [{'safe': False}, {'turn': 1}, {'turn': 3}],
)
def test_leave_to_start_is_declined_by_who_is_not_what_it_was(change: dict[str, object]):
    permit = galera.Permit(turn=3, unit='mysql/0', why='safe', since=2)
    state = galera.Grastate(uuid='x', safe=change.get('safe', True) is True)
    want = galera.Want(
        me='mysql/0', permit=permit, said=galera.PeerState(turn=int(str(change.get('turn', 2))))
    )
    here = galera.LocalState(state=state)
    good = dataclasses.replace(want, said=galera.PeerState(turn=2))
    assert (
        galera.plan(good, galera.LocalState(state=galera.Grastate('x', -1, True)), {}).verb
        == 'bootstrap'
    )
    assert galera.plan(want, here, {}).verb == 'decline'
    assert galera.report(want, galera.plan(want, here, {}), here, {}).answered == 3
    # Once it has declined it stays so.
    again = dataclasses.replace(good, said=galera.PeerState(turn=2, answered=3))
    assert (
        galera.plan(again, galera.LocalState(state=galera.Grastate('x', -1, True)), {}).verb
        == 'start'
    )


def test_a_member_that_is_forced_to_start_must_be_where_it_said():
    at = '11111111-2222-3333-4444-555555555555:7'
    permit = galera.Permit(turn=3, unit='mysql/0', why='forced', since=2, position=at)
    want = galera.Want(me='mysql/0', permit=permit, said=galera.PeerState(turn=2))
    there = galera.LocalState(position=galera.position(at))
    assert galera.plan(want, there, {}).verb == 'bootstrap'
    moved = galera.LocalState(position=galera.position(at.replace(':7', ':8')))
    assert galera.plan(want, moved, {}).verb == 'decline'
    assert galera.plan(want, galera.LocalState(), {}).verb == 'decline'
    nowhere = dataclasses.replace(want, permit=dataclasses.replace(permit, position=''))
    assert galera.plan(nowhere, galera.LocalState(), {}).verb == 'decline'
    answer = galera.MemberStatus(primary=True, synced=True, uuid='11111111')
    assert galera.plan(want, there, {'mysql/1': answer}).verb == 'start'


def test_the_farthest_is_found_when_all_have_told():
    at = '11111111-2222-3333-4444-55555555555'

    def said(seqno: int, uuid: str = '5', **more: int) -> galera.PeerState:
        fields: dict[str, Any] = {'turn': 2, 'round': 4, 'position': f'{at}{uuid}:{seqno}', **more}
        return galera.PeerState(**fields)

    units = {
        'mysql/0': said(7),
        'mysql/1': said(9),
        'mysql/2': said(9),
        'mysql/3': galera.PeerState(),
    }
    assert galera.most_advanced(units, 4) == galera.MostAdvanced('mysql/1', f'{at}5:9')
    units['mysql/2'] = said(9, round=3)  # What it told before, of another outage.
    assert galera.most_advanced(units, 4).missing == ('mysql/2',)
    assert galera.most_advanced(units, 5).unit == ''
    both = {**units, 'mysql/10': said(9, round=3)}
    assert galera.most_advanced(both, 4).missing == ('mysql/2', 'mysql/10')
    units['mysql/2'] = said(10, turn=1)
    assert (
        'was not in the cluster when that was started last'
        in galera.most_advanced(units, 4).reason
    )
    units['mysql/2'] = said(9, uuid='6')
    assert 'different clusters' in galera.most_advanced(units, 4).reason


@pytest.mark.parametrize(
    ('text', 'want'),
    [
        ('', galera.Grastate()),
        ('nonsense\nuuid: x\nseqno: y', galera.Grastate()),
        (f'uuid:    {galera.NOTHING}\nseqno:   -1\nsafe_to_bootstrap: 0\n', galera.Grastate()),
        (
            '# GALERA saved state\nversion: 2.1\nuuid:    11111111-2222-3333-4444-555555555555\n'
            'seqno:   10\nsafe_to_bootstrap: 1\n',
            galera.Grastate('11111111-2222-3333-4444-555555555555', 10, True),
        ),
    ],
)
def test_what_a_member_wrote_when_it_stopped_is_understood(text: str, want: galera.Grastate):
    assert galera.grastate(text) == want


@pytest.mark.parametrize('text', ['', '[]', '{"turn": "x", "safe": 1}', '{"position": "/etc"}'])
def test_nonsense_of_another_unit_says_nothing(text: str):
    assert galera.read_peer_state(text) == galera.PeerState()
    assert galera.read_permit(text) is None


def test_what_is_said_is_read_again():
    at = '11111111-2222-3333-4444-555555555555:7'
    said = galera.PeerState(turn=2, answered=3, safe=True, waits=True, position=at, round=5)
    assert galera.read_peer_state(galera.write_peer_state(said)) == said
    permit = galera.Permit(turn=3, unit='mysql/1', why='forced', since=2, position=at)
    assert galera.read_permit(galera.write_permit(permit)) == permit
    writer = galera.Writer('mysql/1', 4, ('mysql/1', 'mysql/2'))
    assert galera.read_writer(galera.write_writer(writer)) == writer


def test_the_writer_stays_while_it_can_and_what_a_lost_unit_said_counts_no_more():
    every = ('mysql/0', 'mysql/1', 'mysql/2')
    first = galera.writer(galera.Writer(), every, every)
    assert first == galera.Writer('mysql/0', 1, every)
    assert galera.writer(first, every, every) == first
    lost = galera.writer(first, ('mysql/1', 'mysql/2'), every)
    assert lost == galera.Writer('mysql/1', 2, ('mysql/1', 'mysql/2'))
    back = galera.writer(lost, every, every)
    assert back == galera.Writer('mysql/1', 2, every)
    # Another one is lost than the writer: what it said is of no use either.
    assert galera.writer(back, ('mysql/1', 'mysql/2'), every).turn == 3
    assert galera.writer(back, (), every) == back
    assert galera.writer(back, every, ('mysql/2',)) == galera.Writer('mysql/2', 3, ('mysql/2',))


def test_the_model_catches_a_second_cluster():
    """The twin: one that gives itself leave, and whom nobody answers."""
    world = three()
    lonely = world.nodes['mysql/0']
    lonely.running = lonely.primary = False
    lonely.uuid = ''
    world.bags['mysql/0'] = {}
    world.app[cluster_run.PERMIT] = galera.write_permit(
        galera.Permit(turn=9, unit='mysql/0', why='found')
    )
    with pytest.raises(LostError, match='second cluster'):
        world.end('mysql/0', {'mysql/1', 'mysql/2'})


def test_the_model_catches_a_member_that_starts_with_less_than_there_is():
    world = three()
    world.write()
    for u in ('mysql/0', 'mysql/1', 'mysql/2'):
        world.stop(u)
        world.write()
    world.nodes['mysql/0'].safe, world.nodes['mysql/2'].safe = True, False
    with pytest.raises(LostError, match='another one has'):
        world.quiet()


PRIMARY = galera.MemberStatus(primary=True, synced=True, uuid='u')
MEMBER = galera.Want(me='mysql/0', said=galera.PeerState(turn=2))
STRANGER = galera.Want(me='mysql/0')


def test_who_is_in_the_cluster_serves_whatever_leave_it_has():
    permit = galera.Permit(turn=3, unit='mysql/0', why='found')
    here = galera.LocalState(alive=True, wsrep=True, primary=True, synced=True)
    want = dataclasses.replace(MEMBER, permit=permit)
    assert galera.plan(want, here, {}).verb == 'serve'
    assert galera.plan(want, here, {'mysql/1': PRIMARY}).verb == 'serve'
    # The twin: a server that stands alone is in no cluster.
    alone = dataclasses.replace(here, wsrep=False, primary=False)
    assert galera.plan(want, alone, {}).verb == 'found'


def test_who_runs_with_another_address_starts_anew_when_it_is_its_turn_and_others_stay():
    here = galera.LocalState(
        alive=True, wsrep=True, primary=True, synced=True, stale=True,
        members=frozenset({'mysql/0', 'mysql/1'}),
    )  # fmt: skip
    waits = galera.plan(MEMBER, here, {})
    assert waits.verb == 'serve'
    assert galera.report(MEMBER, waits, here, {}).waits
    turn = dataclasses.replace(MEMBER, turn=True)
    assert galera.plan(turn, here, {}).verb == 'restart'
    assert galera.plan(turn, dataclasses.replace(here, synced=False), {}).verb == 'serve'
    alone = dataclasses.replace(here, members=frozenset({'mysql/0'}))
    assert galera.plan(turn, alone, {}) == galera.Step('serve')
    assert galera.plan(turn, dataclasses.replace(here, stale=False), {}) == galera.Step('serve')


def test_a_member_with_the_data_of_another_cluster_does_not_join():
    here = galera.LocalState(state=galera.Grastate('v'))
    assert galera.plan(MEMBER, here, {'mysql/1': PRIMARY}).verb == 'refuse'
    same = galera.LocalState(state=galera.Grastate('u'))
    assert galera.plan(MEMBER, same, {'mysql/1': PRIMARY}).verb == 'start'
    assert galera.plan(MEMBER, galera.LocalState(), {'mysql/1': PRIMARY}).verb == 'start'


def test_a_unit_joins_in_its_turn():
    waits = galera.plan(STRANGER, galera.LocalState(), {'mysql/1': PRIMARY})
    assert waits.verb == 'wait'
    assert galera.report(STRANGER, waits, galera.LocalState(), {}).waits
    turn = dataclasses.replace(STRANGER, turn=True)
    joins = galera.plan(turn, galera.LocalState(), {'mysql/1': PRIMARY})
    assert joins.verb == 'join'
    # It waits on until it is in.
    assert galera.report(turn, joins, galera.LocalState(), {}).waits
    inside = galera.LocalState(alive=True, wsrep=True, primary=True)
    assert not galera.report(turn, joins, inside, {}).waits
    under_way = galera.LocalState(alive=True, wsrep=True)
    assert galera.plan(turn, under_way, {'mysql/1': PRIMARY}).verb == 'wait'


def test_who_has_founded_a_cluster_does_not_found_another_one():
    permit = galera.Permit(turn=1, unit='mysql/0', why='found')
    want = dataclasses.replace(STRANGER, permit=permit)
    assert galera.plan(want, galera.LocalState(data=True), {}).verb == 'found'
    for safe, verb in ((True, 'bootstrap'), (False, 'decline')):
        here = galera.LocalState(data=True, state=galera.Grastate('u', -1, safe))
        step = galera.plan(want, here, {})
        assert step.verb == verb
        # It was in it, so it may come back.
        if verb == 'decline':
            assert galera.report(want, step, here, {}) == galera.PeerState(turn=1, answered=1)


def test_a_permit_goes_to_the_one_that_is_safe_in_the_last_cluster():
    before = galera.Permit(turn=4, unit='mysql/0', why='safe', since=3)
    units = {
        'mysql/0': galera.PeerState(turn=4, answered=4),
        'mysql/1': galera.PeerState(turn=3, safe=True),
    }

    def next_() -> galera.Permit | None:
        return galera.permit(before, units, server='', primary=False, settled=True)

    assert next_() == before  # What it has may have been given up.
    units['mysql/2'] = galera.PeerState(turn=4, safe=True)
    assert next_() == galera.Permit(turn=5, unit='mysql/2', why='safe', since=4)
    units['mysql/3'] = galera.PeerState(turn=4, safe=True)
    assert next_() == before  # That cannot be: a person must look.


def test_a_cluster_is_founded_where_the_data_is_or_not_at_all():
    units = {f'mysql/{n}': galera.PeerState() for n in (1, 2, 3)}

    def founded(server: str) -> galera.Permit | None:
        return galera.permit(None, units, server=server, primary=False, settled=True)

    assert founded('mysql/0') is None
    assert founded('mysql/2') == galera.Permit(turn=1, unit='mysql/2', why='found')
    del units['mysql/3']
    assert founded('mysql/2') is None


def test_which_cluster_a_member_was_in_is_known_when_nobody_has_leave_to_start_one():
    inside = galera.LocalState(alive=True, wsrep=True, primary=True)
    permit = galera.Permit(turn=5, unit='mysql/1', why='forced', since=4)
    want = galera.Want(me='mysql/0', permit=permit, said=galera.PeerState(turn=3))

    def turn(holder: galera.PeerState | None) -> int:
        others = {'mysql/1': holder} if holder else {}
        return galera.report(want, galera.Step('serve'), inside, others).turn

    assert turn(galera.PeerState(answered=4)) == 4
    assert turn(galera.PeerState(answered=5)) == 5
    assert turn(None) == 5
    founded = dataclasses.replace(permit, why='found')
    want = dataclasses.replace(want, permit=founded)
    assert turn(galera.PeerState(answered=4)) == 5


@pytest.mark.parametrize('verb', ['decline', 'join', 'refuse'])
def test_who_does_something_else_has_declined(verb: galera.Verb):
    permit = galera.Permit(turn=5, unit='mysql/0', why='safe', since=4)
    want = galera.Want(me='mysql/0', permit=permit, said=galera.PeerState(turn=3))
    assert galera.report(want, galera.Step(verb), galera.LocalState(), {}).answered == 5
    assert galera.report(want, galera.Step('wait'), galera.LocalState(), {}).answered == 0
    theirs = dataclasses.replace(want, me='mysql/1')
    assert galera.report(theirs, galera.Step(verb), galera.LocalState(), {}).answered == 0


def test_only_a_member_that_is_out_is_safe_and_tells_how_far_it_is():
    at = galera.Position('11111111-2222-3333-4444-555555555555', 7)
    out = galera.LocalState(state=galera.Grastate('u', 7, True), position=at)
    said = galera.report(MEMBER, galera.Step('wait'), out, {}, asked=6)
    assert (said.safe, said.position, said.round) == (True, str(at), 6)
    said = galera.report(STRANGER, galera.Step('wait'), out, {}, asked=6)
    assert (said.safe, said.position, said.round) == (False, '', 0)
    inside = dataclasses.replace(out, alive=True, wsrep=True, primary=True)
    said = galera.report(MEMBER, galera.Step('serve'), inside, {}, asked=6)
    assert (said.safe, said.position, said.round) == (False, '', 0)
    lost = galera.LocalState(state=galera.Grastate('u', -1, True))
    assert galera.report(MEMBER, galera.Step('wait'), lost, {}, asked=6).round == 0
