"""A unit of a newer series follows, takes over, and stays; killed at any call, clients are with one broker."""

from __future__ import annotations

import json
from typing import Any

import charmkit
import membership
import node
import pytest
import succession
import succession_run
from hypothesis import given
from hypothesis import strategies as st

from . import successors
from .successors import Application, moving

SWITCH, DRAIN = charmkit.Action('switch-over', {}), charmkit.Action('drain', {})
FIRST, SECOND, THIRD = (f'rabbitmq-server/{n}' for n in range(3))


def test_it_follows_takes_over_and_the_former_one_goes():
    app = moving()
    app.hooks()
    assert app.status[SECOND] == (
        f'active: follows {FIRST}; switch-over on {FIRST} has it take over'
    )
    assert app.status[FIRST] == f'active: {SECOND} (RabbitMQ 4.0) follows'
    assert app.told() == {FIRST}
    assert app.rabbits.nodes[membership.node(SECOND)].members == {membership.node(SECOND)}
    assert 'nova' in app.rabbits.users(membership.node(SECOND))
    done = app.hook(FIRST, SWITCH)
    assert done
    assert done.failure == ''
    assert done.results == {'server': SECOND}
    assert app.machines[FIRST].serves == 'relay'
    assert '10.1.0.1:5672' in app.machines[FIRST].file(
        '/etc/systemd/system/rabbitmq-relay.service'
    )
    app.hooks()
    assert app.told() == {SECOND}
    assert app.status[FIRST] == (
        f'maintenance: {SECOND} has taken over, and no client is connected through this unit: remove it'
    )
    drained = app.hook(FIRST, DRAIN)
    assert drained
    assert drained.results == {'clients': 'none', 'server': SECOND}
    app.remove(FIRST)
    app.hooks()
    assert app.status[SECOND] == ''
    assert app.app['founder'] == SECOND
    for _ in range(2):
        app.add(successors.NEW)
    app.hooks(6)
    assert app.told() == {SECOND, THIRD, 'rabbitmq-server/3'}
    assert len(app.rabbits.nodes[membership.node(SECOND)].members) == 3


DONE = st.lists(
    st.tuples(
        st.sampled_from(['hook', 'hook', 'switch', 'resume', 'lead', 'add', 'remove']),
        st.integers(0, 5),
        st.one_of(st.just(-1), st.integers(1, 40)),
    ),
    max_size=25,
)


def do(app: Application, what: str, which: int, kill_at: int) -> None:
    every = sorted(app.machines)
    unit = every[which % len(every)]
    match what:
        case 'hook':
            app.hook(unit, kill_at=kill_at)
        case 'switch':
            app.hook(unit, SWITCH, kill_at)
        case 'resume' if app.bags.get(unit, {}).get(succession.HANDED):
            app.hook(unit, charmkit.Action('resume', {}), kill_at)
        case 'lead':
            app.leader = unit
        case 'add' if len(every) < 4:
            app.add(successors.NEW)
        case 'remove' if unit not in app.told() and not app.bags.get(unit, {}).get(
            succession.HANDED
        ):
            app.remove(unit)
        case _:
            pass


@given(done=DONE)
def test_whatever_happens_in_whatever_order_clients_are_with_one_broker(
    done: list[tuple[str, int, int]],
):
    app = moving()
    for what, which, kill_at in done:
        do(app, what, which, kill_at)
        assert app.wrong() == []
    app.hooks(6)
    assert app.wrong() == []
    assert app.told()
    for unit in app.told():
        assert app.machines[unit].serves


@given(kills=st.lists(st.integers(1, 30), max_size=4))
def test_a_switch_that_is_killed_anywhere_ends_as_one_that_is_not(kills: list[int]):
    app = moving()
    app.hooks()
    for kill_at in kills:
        app.hook(FIRST, SWITCH, kill_at)
        assert app.wrong() == []
        app.hook(FIRST, kill_at=kill_at)
    done = app.hook(FIRST, SWITCH)
    assert done
    assert done.failure == ''
    app.hooks()
    assert app.told() == {SECOND}
    assert app.machines[FIRST].serves == 'relay'
    assert app.machines[SECOND].serves == 'server'


def test_without_roles_clients_would_be_with_two_brokers(monkeypatch: pytest.MonkeyPatch):
    """The twin."""
    monkeypatch.setattr(succession, 'role', lambda _: 'member')  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    app = moving()
    app.app['founder'] = ''
    app.hook(SECOND)
    app.leader = SECOND
    app.hooks()
    assert app.wrong()


@pytest.mark.parametrize(
    ('prepare', 'unit', 'words'),
    [
        ('alone', FIRST, 'No unit of a newer base follows this one'),
        ('two', FIRST, 'are of a newer base: remove all but the one'),
        ('fresh', FIRST, f'{SECOND} is not ready to take over'),
        ('ready', SECOND, 'Clients are not on this unit'),
        ('waiting', FIRST, '7 messages were not taken within 5 s'),
        ('cluster', FIRST, f'{SECOND} serve too'),
    ],
)
def test_a_switch_that_cannot_be_says_why_and_changes_nothing(prepare: str, unit: str, words: str):
    app = moving(followers={'alone': 0, 'cluster': 0, 'two': 2}.get(prepare, 1))
    if prepare == 'cluster':
        app.add(successors.OLD)
        app.hooks()
        app.add(successors.NEW)
    app.hooks(1 if prepare == 'fresh' else 4)
    if prepare == 'fresh':
        app.bags[SECOND].pop(succession.FOLLOWS, None)
    app.rabbits.waiting = '{left,7}' if prepare == 'waiting' else ''
    told = app.told()
    refused = app.hook(unit, SWITCH)
    assert refused
    assert refused.failure.startswith(succession_run.NOTHING)
    assert words in refused.failure
    assert app.told() == told
    assert app.machines[FIRST].serves == 'server'


def test_who_is_no_former_server_is_not_drained():
    app = moving()
    app.hooks()
    refused = app.hook(FIRST, DRAIN)
    assert refused
    assert refused.failure.startswith('This unit is no former server')


def test_a_unit_of_an_older_series_is_told_to_go_and_disturbs_nobody():
    app = Application()
    app.add(successors.NEW)
    app.hooks()
    older = app.add(successors.OLD)
    app.hooks()
    assert app.told() == {FIRST}
    assert app.status[older] == (
        f'blocked: RabbitMQ 3.10 does not join 4.0: remove this unit (juju remove-unit {older})'
    )
    assert app.machines[older].serves == ''


def test_a_hand_over_can_be_taken_back_where_the_new_one_is_gone():
    app = moving()
    app.hooks()
    app.hook(FIRST, SWITCH)
    app.machines.pop(SECOND)
    app.bags.pop(SECOND)
    app.answers.pop(SECOND, None)
    app.hooks()
    assert 'if it is gone for good, run resume on this unit' in app.status[FIRST]
    app.hook(FIRST, charmkit.Action('resume', {}))
    app.hooks()
    assert app.told() == {FIRST}
    assert app.machines[FIRST].serves == 'server'


def test_clients_are_told_of_the_new_one_before_the_former_one_withdraws():
    app = moving()
    app.hooks()
    app.hook(FIRST, SWITCH)
    early = app.hook(FIRST, DRAIN)
    assert early
    assert early.failure.startswith(f'{SECOND} serves nobody yet')
    app.hook(FIRST)
    assert app.told() == {FIRST}
    app.hook(SECOND)
    assert app.told() == {FIRST, SECOND}
    app.hook(FIRST)
    assert app.told() == {SECOND}
    socket = app.machines[FIRST].file('/etc/systemd/system/rabbitmq-relay.socket')
    assert 'Conflicts=rabbitmq-server.service\nAfter=rabbitmq-server.service' in socket


def test_several_that_follow_are_one_broker_and_know_nobody_who_has_said_nothing():
    app = moving(followers=2)
    app.hooks(6)
    both = {membership.node(SECOND), membership.node(THIRD)}
    assert app.rabbits.nodes[membership.node(SECOND)].members == both
    assert app.app['successor'] == SECOND
    app.bags[FIRST].pop(succession.SERIES)
    assert succession.alike(app.inputs(SECOND)).keys() == {THIRD}


def test_who_follows_counts_in_no_majority():
    app = Application()
    for _ in range(2):
        app.add(successors.OLD)
        app.hooks()
    app.add(successors.NEW)
    app.hooks()
    assert node.settings(app.inputs(FIRST)).partitions == 'autoheal'
    assert node.settings(app.inputs(THIRD)).partitions == 'autoheal'
    app.add(successors.OLD)
    app.hooks()
    assert node.settings(app.inputs(FIRST)).partitions == 'pause_minority'


def test_what_is_carried_over():
    exported: dict[str, Any] = {
        'users': [{'name': 'nova', 'password_hash': 'secret'}],
        'vhosts': [{'name': 'openstack', 'limits': []}],
        'queues': [
            {'name': n, 'vhost': 'openstack', 'durable': d, 'arguments': {}}
            for n, d in (
                ('conductor', True),
                ('reply_1', True),
                ('c_fanout_1', True),
                ('t', False),
            )
        ],
        'exchanges': [
            {'name': n, 'vhost': 'openstack', 'durable': True} for n in ('nova', 'amq.topic')
        ],
        'bindings': [
            {'source': s, 'vhost': 'openstack', 'destination': d, 'destination_type': 'queue'}
            for s, d in (('nova', 'conductor'), ('nova', 'reply_1'), ('else', 'conductor'))
        ],
        'policies': [
            {'name': 'ha', 'vhost': 'openstack', 'definition': {'ha-mode': 'all'}},
            {'name': 'ttl', 'vhost': 'openstack', 'definition': {'message-ttl': 1}},
        ],
    }
    text = succession.portable(json.dumps(exported))
    kept = json.loads(text)
    assert 'secret' not in text
    assert [q['name'] for q in kept['queues']] == ['conductor']
    assert [e['name'] for e in kept['exchanges']] == ['nova']
    assert len(kept['bindings']) == 1
    assert [p['name'] for p in kept['policies']] == ['ttl']
    many = {'queues': [{'name': 'x' * 200, 'durable': True}] * 4000}
    assert succession.portable(json.dumps(many)) == ''


@given(st.text(max_size=200))
def test_nonsense_is_no_series_and_nobody_was_handed_over_to(text: str):
    assert succession.read_handed(text) is None
    succession.portable(text)
    succession.connections(text)
    assert not succession.newer(succession.series(text), '9999.9999')


def test_connections_of_clients_are_counted():
    table = (
        '  sl  local_address rem_address   st\n'
        '   0: 0A01000A:1628 00000000:0000 0A\n'  # Listens.
        '   1: 0A01000A:1628 0B01000A:9C40 01\n'
        '   2: 0100007F:1628 0100007F:9C40 01\n'  # From the machine itself.
        '   3: 0A01000A:9C41 0B01000A:1628 01\n'  # The relay's own, to the new one.
        '   4: 0A01000A:1628 0B01000A:9C42 06\n'  # Ended.
    )
    assert succession.connections(table) == 1
