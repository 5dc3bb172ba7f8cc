"""The lock over drains, case by case: who is granted, who waits in which place, and how long a grant lasts.

``test_handshake_machine`` plays whole courses; here is what each decision is.
"""

from __future__ import annotations

import dataclasses

import pytest
from balancer import handshake, vrrp
from balancer.handshake import Candidate, Lock, Policy
from charmkit.proxy import keepalived
from charmkit.relations import loadbalancer

MEMBERS = ('lb/0', 'lb/1')
NOW = 10_000.0
TOKEN = 't'
Acks = dict[str, dict[str, loadbalancer.Ack]]


def unit(
    name: str, state: str = 'ready', token: str = TOKEN, *, services: str = 'api', up: bool = True,
    **more: object,
) -> Candidate:  # fmt: skip
    """A unit behind the load balancer, as it says it is; *state* '': it knows no drain."""
    said = loadbalancer.Lifecycle(state=state, token=token, **more) if state else None  # pyright: ignore[reportArgumentType]
    return Candidate(unit=name, services=frozenset(services.split()), lifecycle=said, up=up)


def acks(*names: str, state: str = 'ready', token: str = TOKEN) -> Acks:
    """What both load balancers say of these units."""
    return {m: {n: loadbalancer.Ack(token=token, state=state) for n in names} for m in MEMBERS}


def decide(
    *candidates: Candidate,
    locks: dict[str, Lock] | None = None,
    said: Acks | None = None,
    policy: Policy | None = None,
    now: float = NOW,
) -> dict[str, Lock]:
    """The locks that follow; whoever is ready is acknowledged, unless *said* says otherwise."""
    ready = said if said is not None else acks(*(c.unit for c in candidates if c.state == 'ready'))
    return handshake.decide(candidates, locks or {}, ready, MEMBERS, policy or Policy(), now)


def granted(since: float = NOW, **more: object) -> Lock:
    return Lock(token='t', state='granted', since=since, **more)  # pyright: ignore[reportArgumentType]


# Who is granted.


def test_a_unit_that_asks_is_granted_from_now_on_where_another_serves() -> None:
    assert decide(unit('a/0', 'drain', beat=4), unit('a/1')) == {
        'a/0': Lock(token='t', state='granted', since=NOW, beat=4)
    }


@pytest.mark.parametrize('others', [0, 1, 2, 3])
@pytest.mark.parametrize('least', [0, 1, 2, 3])
@pytest.mark.parametrize('state', ['ready', 'drain', 'maintenance', ''])
def test_why_a_unit_would_be_refused_is_known_before_it_asks(
    others: int, least: int, state: str
) -> None:
    there = [unit(f'a/{n}', state, services='api web') for n in range(1, others + 1)]
    policy = Policy(min_ready={'api': 0, 'web': least})
    asked = decide(unit('a/0', 'drain', services='api web'), *there, policy=policy)['a/0']
    said = handshake.standing([unit('a/0', services='api web'), *there], policy).get('a/0', '')
    assert said == (asked.reason if asked.state == 'refused' else '')


def test_a_unit_that_does_not_ask_has_no_lock() -> None:
    assert decide(unit('a/0'), unit('a/1', 'maintenance'), unit('a/2', '')) == {}


@pytest.mark.parametrize(('others', 'least'), [(0, 1), (1, 2), (2, 3)])
def test_where_there_could_never_be_enough_it_is_refused(others: int, least: int) -> None:
    rest = [unit(f'a/{n}') for n in range(1, others + 1)]
    policy = Policy(min_ready={'api': least})
    assert decide(unit('a/0', 'drain'), *rest, policy=policy)['a/0'] == Lock(
        token='t',
        state='refused',
        since=NOW,
        reason=f'api would have {others} of {least} units left',
    )
    enough = Policy(min_ready={'api': others}, max_concurrent=1)
    assert decide(unit('a/0', 'drain'), *rest, policy=enough)['a/0'].state == 'granted'


@pytest.mark.parametrize(
    'other',
    [
        unit('a/1', up=False),
        unit('a/1', 'maintenance'),
        unit('a/1', 'ready', 'another token'),
    ],
)
def test_where_too_few_are_ready_now_it_waits(other: Candidate) -> None:
    said = acks('a/1')
    assert decide(unit('a/0', 'drain'), other, said=said)['a/0'] == Lock(
        token='t',
        state='queued',
        since=NOW,
        position=1,
        reason='api would have 0 of 1 units ready',
    )


def test_a_unit_that_only_one_of_the_load_balancers_has_taken_in_is_not_ready() -> None:
    said = acks('a/1')
    assert decide(unit('a/0', 'drain'), unit('a/1'), said=said)['a/0'].state == 'granted'
    half = {**said, 'lb/1': {'a/1': loadbalancer.Ack(token='t', state='drained')}}
    assert decide(unit('a/0', 'drain'), unit('a/1'), said=half)['a/0'].state == 'queued'
    silent = {'lb/0': said['lb/0']}
    assert decide(unit('a/0', 'drain'), unit('a/1'), said=silent)['a/0'].state == 'queued'


def test_a_unit_that_knows_no_drain_is_ready_while_its_checks_pass() -> None:
    assert decide(unit('a/0', 'drain'), unit('a/1', ''))['a/0'].state == 'granted'
    assert decide(unit('a/0', 'drain'), unit('a/1', '', up=False))['a/0'].state == 'queued'


def test_units_of_another_service_neither_help_nor_hinder() -> None:
    other = unit('b/0', services='other')
    assert decide(unit('a/0', 'drain'), other)['a/0'].state == 'refused'
    busy = decide(unit('a/0', 'drain'), unit('a/1'), other, locks={'b/0': granted()})
    assert busy['a/0'].state == 'granted'


def test_every_service_of_a_unit_must_have_enough_without_it() -> None:
    both = unit('a/0', 'drain', services='api other')
    assert decide(both, unit('a/1', services='api')) == {
        'a/0': Lock(
            token='t', state='refused', since=NOW, reason='other would have 0 of 1 units left'
        )
    }
    assert decide(both, unit('a/1', services='api other'))['a/0'].state == 'granted'


def test_force_is_granted_whatever_is_left() -> None:
    assert decide(unit('a/0', 'drain', force=True)) == {
        'a/0': Lock(token='t', state='granted', since=NOW, reason='forced')
    }


# The queue.


def test_who_asked_first_is_first_and_of_those_who_ask_at_once_the_lowest_number() -> None:
    asked = [unit(name, 'drain') for name in ('a/10', 'a/2', 'a/3')]
    locks = {'a/3': Lock(token='t', state='queued', since=NOW - 5)}
    found = decide(*asked, unit('a/9'), locks=locks)
    assert {name: (one.state, one.position) for name, one in found.items()} == {
        'a/3': ('granted', 0),
        'a/2': ('queued', 1),
        'a/10': ('queued', 2),
    }
    assert found['a/2'].reason == found['a/10'].reason == 'waits for a/3'


def test_a_place_in_the_queue_is_kept_from_when_it_was_asked_for_and_a_grant_begins_when_given() -> (
    None
):
    locks = {'a/0': Lock(token='t', state='queued', since=NOW - 100, position=1)}
    waits = decide(unit('a/0', 'drain'), unit('a/1', up=False), locks=locks)
    assert waits['a/0'].since == NOW - 100
    given = decide(unit('a/0', 'drain'), unit('a/1'), locks=locks)
    assert given['a/0'] == granted(NOW)
    anew = decide(unit('a/0', 'drain', 'other'), unit('a/1', up=False), locks=locks)
    assert anew['a/0'].since == NOW


def test_who_is_refused_has_no_place_in_the_queue() -> None:
    refused = unit('b/0', 'drain', services='other')
    waits = unit('a/0', 'drain')
    locks = {'b/0': Lock(token=TOKEN, state='refused', since=NOW - 9)}
    found = decide(refused, waits, unit('a/1', up=False), locks=locks)
    assert (found['b/0'].state, found['b/0'].position) == ('refused', 0)
    assert found['a/0'].position == 1


def test_no_more_drain_at_once_than_may() -> None:
    asked = [unit(f'a/{n}', 'drain') for n in (1, 2, 3)]
    rest = [unit(f'a/{n}') for n in (7, 8, 9)]

    def states(most: int) -> list[str]:
        found = decide(*asked, *rest, policy=Policy(max_concurrent=most))
        return [found[c.unit].state for c in asked]

    assert states(1) == ['granted', 'queued', 'queued']
    assert states(2) == ['granted', 'granted', 'queued']
    assert states(3) == ['granted', 'granted', 'granted']


def test_who_drains_is_named_in_the_order_of_their_numbers() -> None:
    locks = {'a/10': granted(), 'a/9': granted()}
    found = decide(
        unit('a/10', 'drain'), unit('a/9', 'drain'), unit('a/1', 'drain'), unit('a/2'), locks=locks
    )
    assert found['a/1'].reason == 'waits for a/9, a/10'


# How long a grant lasts.


def test_a_lease_lasts_its_time_and_that_of_the_drain_and_then_frees_the_lock() -> None:
    asks = unit('a/0', 'drain', deadline_s=300)
    policy = Policy(lease_s=1000)

    def after(seconds: float) -> dict[str, Lock]:
        return decide(
            asks, unit('a/1', 'drain'), unit('a/2'),
            locks={'a/0': granted(NOW - seconds)}, policy=policy,
        )  # fmt: skip

    assert after(1299)['a/0'] == granted(NOW - 1299)
    assert after(1299)['a/1'].state == 'queued'
    assert after(1300)['a/0'] == granted(NOW - 1300, expired=True)
    assert after(1300)['a/1'].state == 'granted'


@pytest.mark.parametrize('state', ['drain', 'maintenance', 'ready'])
def test_each_sign_of_life_begins_the_lease_anew(state: str) -> None:
    locks = {'a/0': granted(NOW - 9999, beat=1, expired=True)}
    found = decide(unit('a/0', state, beat=2), unit('a/1'), locks=locks, said=acks('a/1'))
    assert found['a/0'] == granted(NOW, beat=2)
    same = decide(unit('a/0', state, beat=1), unit('a/1'), locks=locks, said=acks('a/1'))
    assert same['a/0'] == granted(NOW - 9999, beat=1, expired=True)


def test_who_asks_anew_while_it_is_out_keeps_its_grant() -> None:
    locks = {'a/0': granted(NOW - 9999, expired=True)}
    found = decide(unit('a/0', 'drain', 'new', beat=3), unit('a/1', up=False), locks=locks)
    assert found == {'a/0': Lock(token='new', state='granted', since=NOW, beat=3)}


def test_a_grant_ends_when_every_load_balancer_sends_requests_again() -> None:
    back, locks = unit('a/0', 'ready', 'back'), {'a/0': granted()}
    assert decide(back, unit('a/1'), locks=locks, said=acks('a/0', token='back')) == {}
    assert decide(back, unit('a/1'), locks=locks, said=acks('a/0')) == locks
    assert decide(back, unit('a/1'), locks=locks, said={}) == locks
    drained = acks('a/0', token='back', state='drained')
    assert decide(back, unit('a/1'), locks=locks, said=drained) == locks


def test_a_grant_ends_with_its_unit_and_with_one_that_knows_no_drain() -> None:
    assert decide(unit('a/1'), locks={'a/0': granted()}) == {}
    assert decide(unit('a/0', ''), unit('a/1'), locks={'a/0': granted()}) == {}


def test_what_was_not_granted_is_decided_each_time() -> None:
    for state in ('queued', 'refused'):
        locks = {'a/0': Lock(token='t', state=state, since=NOW - 5)}
        assert decide(unit('a/0'), unit('a/1'), locks=locks) == {}
        assert decide(unit('a/0', 'drain'), unit('a/1'), locks=locks)['a/0'].state == 'granted'


# Who counts as ready.


@pytest.mark.parametrize(
    ('candidate', 'lock', 'ready'),
    [
        (unit('a/0'), None, True),
        (unit('a/0', 'drain'), None, True),
        (unit('a/0', 'maintenance'), None, False),
        (unit('a/0', up=False), None, False),
        (unit('a/0', ''), None, True),
        (unit('a/0', '', up=False), None, False),
        (unit('a/0'), granted(), False),
        (unit('a/0', 'drain'), Lock(token='t', state='queued', since=NOW), True),
        (unit('a/0', token='another'), None, False),
    ],
)
def test_ready(candidate: Candidate, lock: Lock | None, ready: bool) -> None:
    locks = {'a/0': lock} if lock else {}
    assert handshake.ready(candidate, locks, acks('a/0'), MEMBERS) is ready


DAY = 86_400.0


@pytest.mark.parametrize('ahead', [-DAY, DAY])
def test_a_leader_with_another_clock_begins_each_lease_anew(ahead: float) -> None:
    """*ahead*: how far its clock is ahead of the one by which the locks were made."""
    now = NOW + ahead
    former = {'a/0': granted(NOW - 5), 'a/1': Lock(token='t', state='queued', since=NOW - 1)}
    known = handshake.adopted(former, now=now, own=False)
    drain = [unit(name, 'drain') for name in former]
    third = unit('a/2')
    policy = Policy(lease_s=60)
    whole = decide(*drain, third, locks=known, policy=policy, now=now)
    assert not whole['a/0'].expired
    assert whole['a/1'].state == 'queued'
    later = decide(*drain, third, locks=whole, policy=policy, now=now + 60 + 300)
    assert later['a/0'].expired


@pytest.mark.parametrize('ahead', [-DAY, DAY])
def test_who_asked_first_stays_first_under_another_clock(ahead: float) -> None:
    former = {
        name: Lock(token='t', state='queued', since=NOW - 100 * i)
        for i, name in enumerate(('a/0', 'a/1', 'a/2'))
    }
    now = NOW + ahead
    known = handshake.adopted(former, now=now, own=False)
    assert max(lock.since for lock in known.values()) == now
    asking = [unit(name, 'drain') for name in (*former, 'a/3')]
    found = decide(*asking, unit('a/4'), locks=known, now=now + 1)
    assert found['a/2'].state == 'granted'
    assert [found[n].position for n in ('a/1', 'a/0', 'a/3')] == [1, 2, 3]


def test_the_own_clock_begins_anew_only_when_it_was_set_back() -> None:
    locks = {'a/0': granted(NOW - 5)}
    assert handshake.adopted(locks, now=NOW, own=True) == locks
    assert handshake.adopted(locks, now=NOW - DAY, own=True) == {'a/0': granted(NOW - DAY)}
    assert handshake.adopted({}, now=NOW, own=False) == {}


def test_locks_are_written_and_read_whole() -> None:
    lock = Lock(
        token='t', state='granted', since=1.5, position=2, reason='r', beat=3, expired=True
    )
    assert handshake.load(handshake.dump({'a/0': lock})) == {'a/0': lock}
    assert handshake.load('{"a/0": {}, "a/1": 3}') == {'a/0': Lock(token='', state='', since=0.0)}
    assert handshake.load('no object') == {}


# Which addresses VRRP speaks from.


def interface(name: str, address: str, network: str) -> vrrp.Interface:
    return vrrp.Interface(name=name, address=address, network=network)


NETWORKS = {
    'internal': (interface('eth0', '10.0.0.2', '10.0.0.0/24'),),
    'public': (
        interface('eth1', 'fd00::2', 'fd00::/64'),
        interface('eth1', '203.0.113.2', '203.0.113.0/25'),
    ),
}


def instance(*vips: str) -> keepalived.Instance:
    located, homeless = vrrp.locate(vips, NETWORKS)
    assert not homeless
    peers = {'lb/1': ('10.0.0.3', 'fd00::3'), 'lb/2': ('10.0.0.4',)}
    return vrrp.instance('lb/0', located, NETWORKS, peers, router_id=51, advert_s=0.5)


def test_a_unit_speaks_from_its_own_address_on_the_first_vips_network_and_of_its_family() -> None:
    assert instance('203.0.113.9', '10.0.0.9').address == '203.0.113.2'
    assert instance('10.0.0.9', '203.0.113.9').address == '10.0.0.2'
    assert instance('fd00::9', '203.0.113.9').address == 'fd00::2'


def test_all_vips_are_one_instance_with_all_others_as_peers() -> None:
    assert instance('203.0.113.9', '10.0.0.9') == keepalived.Instance(
        unit='lb/0',
        vips=(
            keepalived.Vip(address='203.0.113.9', prefix=25, interface='eth1'),
            keepalived.Vip(address='10.0.0.9', prefix=24, interface='eth0'),
        ),
        address='203.0.113.2',
        peers=('10.0.0.3', 'fd00::3', '10.0.0.4'),
        others=('lb/1', 'lb/2'),
        router_id=51,
        advert_s=0.5,
    )


def test_a_vip_goes_once_to_each_type_whose_network_holds_it_and_what_none_holds_is_named() -> (
    None
):
    both = {**NETWORKS, 'admin': NETWORKS['internal'] * 2}
    located, homeless = vrrp.locate(['10.0.0.9', '192.0.2.1'], both)
    assert [(v.type, v.interface, v.prefix) for v in located] == [
        ('admin', 'eth0', 24),
        ('internal', 'eth0', 24),
    ]
    assert homeless == ('192.0.2.1',)
    first = interface('eth9', '10.0.0.7', '10.0.0.0/24')
    twice = {'internal': (first, *NETWORKS['internal'])}
    assert [v.interface for v in vrrp.locate(['10.0.0.9'], twice)[0]] == ['eth9']


def test_the_policy_is_one_unit_at_a_time_half_an_hour_and_one_left() -> None:
    assert dataclasses.asdict(Policy()) == {
        'min_ready': {},
        'max_concurrent': 1,
        'lease_s': 1800.0,
    }
