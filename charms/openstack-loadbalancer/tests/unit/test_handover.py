"""How VIPs are given away in order: who waits for whom, and when it is over."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from balancer import handover, reply, tasks, vrrp
from balancer.handover import Handover, VipState
from charmkit import testing as machines
from charmkit.machine import Finished
from charmkit.proxy import vip_handover
from hypothesis import given
from hypothesis import strategies as st
from ops import testing

from .test_charm import HERE, charm, ctx, machine

__all__ = ['charm', 'ctx', 'machine']  # fixtures

ME, OTHER = 'openstack-loadbalancer/0', 'openstack-loadbalancer/7'
HOLDS = VipState(holds=True, others=(OTHER,), heed=frozenset(), connections=0)
AWAY: dict[str, Any] = {'away': True, 'timeout_s': 300.0}


def with_(place: VipState = HOLDS, **changes: Any) -> VipState:
    return dataclasses.replace(place, **changes)


# How far it has come.


def test_who_holds_the_vips_asks_first():
    assert handover.next_state(None, HOLDS, now=7, **AWAY) == Handover(since=7)


@pytest.mark.parametrize(
    ('place', 'away'),
    [
        (HOLDS, False),
        (with_(holds=False), True),
        (with_(others=()), True),
    ],
    ids=['in service', 'holds none', 'alone'],
)
def test_without_a_reason_nothing_is_handed_over(place: VipState, away: bool):
    assert handover.next_state(None, place, away=away, now=7, timeout_s=300) is None


def test_it_lets_go_once_all_heed():
    asked, third = Handover(since=7), 'openstack-loadbalancer/8'
    two = with_(others=(OTHER, third), heed=frozenset({OTHER}))
    assert handover.next_state(asked, two, now=8, **AWAY) == asked
    all_ = with_(two, heed=frozenset({OTHER, third, 'openstack-loadbalancer/9'}))
    assert handover.next_state(asked, all_, now=8, **AWAY) == Handover(since=7, moved=8)


def test_one_that_has_other_hooks_to_run_first_is_waited_for_but_not_for_ever():
    asked = Handover(since=100)
    assert handover.next_state(asked, HOLDS, now=399.9, **AWAY) == asked
    assert handover.next_state(asked, HOLDS, now=400, **AWAY) == Handover(since=100, moved=400)


def test_the_others_have_time_to_get_ready_even_if_connections_have_none():
    asked = Handover(since=100)
    assert handover.next_state(asked, HOLDS, away=True, now=119, timeout_s=0) == asked
    moved = handover.next_state(asked, HOLDS, away=True, now=120, timeout_s=0)
    assert moved == Handover(since=100, moved=120)


@pytest.mark.parametrize('change', [{'holds': False}, {}], ids=['lost them', 'wanted again'])
def test_what_has_become_needless_before_it_moved_is_over(change: dict[str, Any]):
    place = with_(heed=frozenset({OTHER}), **change)
    away = bool(change)
    assert handover.next_state(Handover(since=7), place, away=away, now=8, timeout_s=300) is None


@pytest.mark.parametrize(
    ('now', 'connections', 'over'),
    [
        (102.9, 0, False),
        (103, 0, True),
        (103, 1, False),
        (399.9, 1, False),
        (400, 1, True),
    ],
)
def test_it_is_over_when_no_connection_is_left_or_the_time_is(
    now: float, connections: int, over: bool
):
    moved = Handover(since=90, moved=100)
    place = with_(holds=False, connections=connections)
    got = handover.next_state(moved, place, now=now, **AWAY)
    assert got == (None if over else moved)


def test_one_that_is_wanted_again_keeps_its_connections_to_their_end():
    moved = Handover(since=90, moved=100)
    place = with_(holds=False, connections=3)
    assert handover.next_state(moved, place, away=False, now=150, timeout_s=300) == moved


@pytest.mark.parametrize(
    ('now', 'holds', 'away'), [(103, True, False), (102, True, False), (103, True, True)]
)
def test_it_is_over_once_the_vips_are_back_at_one_that_is_wanted_again(
    now: float, holds: bool, away: bool
):
    """Else it would go without asking the next time, and cut at the first time's end."""
    moved = Handover(since=90, moved=100)
    place = with_(holds=holds, connections=3)
    got = handover.next_state(moved, place, away=away, now=now, timeout_s=300)
    assert got == (None if (now, away) == (103, False) else moved)


PLACES = st.builds(
    VipState,
    holds=st.booleans(),
    others=st.lists(st.sampled_from(['a/0', 'a/1', 'a/2']), unique=True).map(tuple),
    heed=st.frozensets(st.sampled_from(['a/0', 'a/1', 'a/2', 'a/3'])),
    connections=st.integers(0, 3),
)


@given(st.lists(st.tuples(PLACES, st.booleans(), st.floats(0.1, 30)), max_size=60))
def test_whatever_happens_it_moves_after_it_has_asked_and_comes_to_an_end(
    course: list[tuple[VipState, bool, float]],
):
    state, now = None, 1000.0
    for place, away, pause in course:
        now += pause
        before, state = state, handover.next_state(state, place, away=away, now=now, timeout_s=60)
        times = handover.due(state, now, 60)
        assert all(t > now - 60 for t in times)
        if state is None:
            continue
        assert times
        if state.moved and not (before and before.moved):
            assert before is not None
            assert set(place.others) <= place.heed or now - before.since >= 60
        assert not state.moved or now - state.moved < 60


def test_it_is_remembered_as_it_was():
    for one in (None, Handover(since=7), Handover(since=7, moved=9.5)):
        assert handover.load(json.loads(json.dumps(handover.dump(one)))) == one
    assert handover.load(None) is handover.load('x') is None


def test_when_to_look_again():
    assert handover.due(None, 100, 300) == ()
    # Who is waited for may be gone by then.
    assert handover.due(Handover(since=100), 104, 300) == (134,)
    assert handover.due(Handover(since=100), 380, 300) == (400,)
    assert handover.due(Handover(since=90, moved=100), 104, 300) == (109,)
    assert handover.due(Handover(since=90, moved=100), 398, 300) == (400,)


# Where things are.


def test_vips_on_the_loopback_interface_are_not_held():
    assert handover.holds(['10.0.0.250'], {'10.0.0.2': 'eth0', '10.0.0.250': 'eth0'})
    assert handover.holds(['10.0.0.250', 'fd00::0:1'], {'fd00::1': 'eth1'})
    assert not handover.holds(['10.0.0.250'], {'10.0.0.2': 'eth0', '10.0.0.250': 'lo'})
    assert not handover.holds([], {'10.0.0.2': 'eth0'})


def test_only_what_has_moved_is_kept():
    vips = [vrrp.Vip(address='10.0.0.250', prefix=24, interface='eth0', type=t) for t in 'ab']
    assert handover.kept(None, vips) == handover.kept(Handover(since=1), vips) == ()
    kept = handover.kept(Handover(since=1, moved=2), vips)
    assert kept == (vip_handover.Kept(address='10.0.0.250', interface='eth0'),)


def test_whose_connections_are_passed_on():
    asks, not_ = reply.Member(hands_over=True), reply.Member()
    assert handover.former('', {'lb/1': not_, 'lb/10': asks, 'lb/2': asks}, holds=False) == 'lb/2'
    assert handover.former('lb/10', {'lb/10': asks, 'lb/2': asks}, holds=True) == 'lb/10'
    assert handover.former('lb/1', {'lb/1': not_}, holds=False) == ''
    assert handover.former('', {'lb/2': asks}, holds=True) == ''


def test_packets_go_to_the_address_in_the_same_network_and_family():
    member = reply.Member(
        addresses={'public': ('10.0.0.3', 'fd00::3', 'nonsense'), 'internal': ('10.9.0.3',)}
    )
    networks = {
        'public': (
            vrrp.Interface(name='eth0', address='10.0.0.2', network='10.0.0.0/24'),
            vrrp.Interface(name='eth0', address='fd00::2', network='fd00::/64'),
        ),
        'internal': (vrrp.Interface(name='eth1', address='10.8.0.2', network='10.8.0.0/24'),),
    }
    vips = [
        vrrp.Vip(address='10.0.0.250', prefix=24, interface='eth0', type='public'),
        vrrp.Vip(address='fd00::250', prefix=64, interface='eth0', type='public'),
        vrrp.Vip(address='10.8.0.250', prefix=24, interface='eth1', type='internal'),
    ]
    assert handover.passed_on(member, vips, networks) == (
        vip_handover.PassedOn(address='10.0.0.250', interface='eth0', to='10.0.0.3'),
        vip_handover.PassedOn(address='fd00::250', interface='eth0', to='fd00::3'),
    )
    assert handover.passed_on(None, vips, networks) == ()


SS = """\
LISTEN    0 128 10.0.0.250:5000 0.0.0.0:*
ESTAB     0 0   10.0.0.250:5000 10.0.0.9:40000
CLOSE-WAIT 1 0  10.0.0.250:5000 10.0.0.9:40001
FIN-WAIT-1 0 9  10.0.0.250:5000 10.0.0.9:40002
FIN-WAIT-2 0 0  10.0.0.250:5000 10.0.0.9:40003
TIME-WAIT 0 0   10.0.0.250:5000 10.0.0.9:40004
ESTAB     0 0   10.0.0.2:5000   10.0.0.250:40005
ESTAB     0 0   [fd00::250]:5000 [fd00::9]:40006
odd
"""


def test_connections_to_kept_vips_that_have_not_ended_count():
    assert tasks.connections(SS, frozenset({'10.0.0.250', 'fd00::250'})) == 4
    assert tasks.connections(SS, frozenset({'10.0.0.250'})) == 3
    assert tasks.connections(SS, frozenset()) == 0


# The charm.

VIP = '10.1.0.100'
SPEAKS = {'addresses': '{"public": ["10.1.0.6"]}', 'advertises-to': json.dumps([ME])}


def state(said: dict[str, str], before: testing.State | None = None) -> testing.State:
    peers = testing.PeerRelation('peers', id=1000, peers_data={7: said})
    if before is None:
        return testing.State(leader=True, relations={peers}, networks=HERE, config={'vip': VIP})
    kept = dataclasses.replace(before.get_relation(1000), peers_data={7: said})
    return dataclasses.replace(before, relations={kept})


def says(out: testing.State) -> dict[str, str]:
    return {
        k: v
        for k, v in out.get_relation(1000).local_unit_data.items()
        if k in ('hands-over', 'heeds')
    }


def on(machine: machines.FakeMachine, interface: str) -> None:
    """The VIP is on *interface*; '' is nowhere."""
    found = {a: i for a, i in machine.interfaces.items() if a != VIP}
    machine.interfaces = {**found, **({VIP: interface} if interface else {})}


def in_service(machine: machines.FakeMachine) -> bool:
    """Whether haproxy says that it wants clients, once it is started."""
    return 'server self 127.0.0.1:9\n' in machine.file('/etc/haproxy/haproxy.cfg')


def test_a_unit_that_the_operator_takes_out_hands_its_vips_over_before_it_lets_them_go(
    ctx: Any, machine: machines.FakeMachine
):
    on(machine, 'eth0')
    served = ctx.run(ctx.on.config_changed(), state(SPEAKS))
    asked = ctx.run(ctx.on.action('drain-self'), state(SPEAKS, served))
    assert says(asked) == {'hands-over': 'yes'}
    assert in_service(machine)
    assert machine.service(vip_handover.KEEPER) == 'stopped'
    assert asked.unit_status == testing.WaitingStatus(
        f'hands its VIPs over: waits until 08:05:00 UTC for {OTHER}'
    )

    on(machine, 'eth0')
    moved = ctx.run(ctx.on.update_status(), state({**SPEAKS, 'heeds': ME}, asked))
    assert says(moved) == {'hands-over': 'yes'}
    assert not in_service(machine)
    assert machine.service(vip_handover.KEEPER) == 'running'
    wanted = machine.file('/usr/local/lib/openstack-haproxy/kept-vips')
    assert wanted == f'{VIP} eth0\n'

    on(machine, 'lo')
    machine.clock += 4
    machine.kept[vip_handover.KEPT] = wanted
    machine.shell = lambda argv, _: Finished(
        0, f'ESTAB 0 0 {VIP}:5000 10.1.0.9:4000\n' if argv[0] == 'ss' else ''
    )
    kept = ctx.run(ctx.on.update_status(), state({**SPEAKS, 'heeds': ME}, moved))
    assert says(kept) == {'hands-over': 'yes'}
    assert 'keeps its 1 connections' in kept.unit_status.message
    assert 'break' not in kept.unit_status.message

    machine.shell = None
    over = ctx.run(ctx.on.update_status(), state({**SPEAKS, 'heeds': ME}, kept))
    assert says(over) == {}
    assert machine.service(vip_handover.KEEPER) == 'stopped'
    assert over.unit_status == testing.MaintenanceStatus(
        'out of service (resume-self brings it back)'
    )


def test_a_unit_without_the_vips_is_out_at_once(ctx: Any, machine: machines.FakeMachine):
    served = ctx.run(ctx.on.config_changed(), state(SPEAKS))
    out = ctx.run(ctx.on.action('drain-self'), state(SPEAKS, served))
    assert says(out) == {}
    assert not in_service(machine)


def test_the_others_pass_on_to_who_hands_over_until_it_is_done(
    ctx: Any, machine: machines.FakeMachine
):
    rules = '/usr/local/lib/openstack-haproxy/pass-on.nft'
    served = ctx.run(ctx.on.config_changed(), state(SPEAKS))
    asked = {**SPEAKS, 'hands-over': 'yes'}
    heeds = ctx.run(ctx.on.update_status(), state(asked, served))
    assert says(heeds) == {'heeds': OTHER}
    assert machine.service(vip_handover.PASSER) == 'running'
    assert 'fwd ip to 10.1.0.6 device "eth0"' in machine.file(rules)

    on(machine, 'eth0')  # It has the VIPs now.
    still = ctx.run(ctx.on.update_status(), state(asked, heeds))
    assert says(still) == {'heeds': OTHER}
    assert machine.service(vip_handover.PASSER) == 'running'

    over = ctx.run(ctx.on.update_status(), state(SPEAKS, still))
    assert says(over) == {}
    assert machine.service(vip_handover.PASSER) == 'stopped'


def test_one_that_cannot_pass_on_does_not_say_that_it_heeds(
    ctx: Any, machine: machines.FakeMachine
):
    machine.failing = frozenset({vip_handover.PASSER})
    served = ctx.run(ctx.on.config_changed(), state(SPEAKS))
    out = ctx.run(ctx.on.update_status(), state({**SPEAKS, 'hands-over': 'yes'}, served))
    assert says(out) == {}
    assert f'connections break that {OTHER} hands over' in out.unit_status.message


def test_who_did_not_get_ready_in_time_is_named(ctx: Any, machine: machines.FakeMachine):
    on(machine, 'eth0')
    served = ctx.run(ctx.on.config_changed(), state(SPEAKS))
    asked = ctx.run(ctx.on.action('drain-self'), state(SPEAKS, served))
    machine.clock += 299
    waits = ctx.run(ctx.on.update_status(), state(SPEAKS, asked))
    assert waits.unit_status.message.endswith(f' for {OTHER}')
    machine.clock += 1
    moved = ctx.run(ctx.on.update_status(), state(SPEAKS, asked))
    assert moved.unit_status.message.endswith(f'; those break that {OTHER} should pass on')
