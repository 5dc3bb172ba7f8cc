"""What the operator's actions do."""

from __future__ import annotations

import dataclasses
from typing import Any

import amqp_users
import pytest
from charmkit import testing as machines
from ops import testing

from . import cluster
from .test_charm import (
    ME,
    SECOND,
    SEED,
    THIRD,
    asks,
    ctx,
    hook,
    machine,
    rabbits,
    said,
    served,
)

__all__ = ('ctx', 'machine', 'rabbits')
Ctx = testing.Context[Any]


def run(ctx: Ctx, name: str, state: testing.State, **params: Any) -> testing.State:
    return ctx.run(ctx.on.action(name, params=params), state)


def rotate(ctx: Ctx, state: testing.State, **params: Any) -> testing.State:
    return run(ctx, 'rotate-password', state, **params)


@pytest.fixture
def settled(ctx: Ctx) -> testing.State:
    """A cluster of one that has answered nova."""
    return hook(ctx, served(asks()))


def test_a_rotation_lets_both_accounts_in_until_its_time_is_over(
    ctx: Ctx, settled: testing.State, rabbits: cluster.Cluster, machine: machines.FakeMachine
):
    before = said(settled)
    out = rotate(ctx, settled, user='nova')
    assert ctx.action_results == {
        'users': 'nova',
        'former-passwords-until': '2027-01-15T09:00:00Z',
    }
    after = said(out)
    assert (after['username'], after['turn']) == ('nova.2', '1')
    assert rabbits.lets_in(ME, 'nova.2', after['password'])
    assert rabbits.lets_in(ME, 'nova', before['password'])
    machine.clock += 3600
    out = hook(ctx, out)
    assert said(out) == after
    assert rabbits.lets_in(ME, 'nova.2', after['password'])
    assert not rabbits.lets_in(ME, 'nova', before['password'])
    # The account stays: whoever is connected stays connected, and it is ready for the next turn.
    assert rabbits.users(ME) == {'nova', 'nova.2'}
    again = said(rotate(ctx, out))
    assert (again['username'], again['turn']) == ('nova', '2')
    assert again['password'] not in (before['password'], after['password'])


def test_a_rotation_that_died_before_its_hook_ended_has_changed_nothing_for_good(
    ctx: Ctx, settled: testing.State, rabbits: cluster.Cluster
):
    rotate(ctx, settled)
    assert rabbits.lets_in(ME, 'nova', said(settled)['password'])
    assert said(hook(ctx, settled)) == said(settled)
    assert rabbits.users(ME) == {'nova'}


def test_a_second_rotation_waits_for_the_first_or_is_forced(
    ctx: Ctx, settled: testing.State, rabbits: cluster.Cluster
):
    out = rotate(ctx, settled)
    with pytest.raises(testing.ActionFailed, match='nova was rotated before, and its password'):
        rotate(ctx, out)
    forced = rotate(ctx, out, **{'overlap-minutes': 0})
    assert not rabbits.lets_in(ME, 'nova.2', said(out)['password'])
    assert rabbits.lets_in(ME, 'nova', said(forced)['password'])


def test_who_cannot_take_another_name_is_named_and_rotated_without_overlap(
    ctx: Ctx, rabbits: cluster.Cluster
):
    settled = hook(ctx, served(asks(taking=False)))
    with pytest.raises(testing.ActionFailed, match='nova/0 cannot take another user name'):
        rotate(ctx, settled)
    for _ in range(2):
        before = said(settled)['password']
        settled = rotate(ctx, settled, **{'overlap-minutes': 0})
        assert not rabbits.lets_in(ME, 'nova', before)
        assert rabbits.lets_in(ME, 'nova', said(settled)['password'])


def test_a_unit_that_has_not_heard_of_a_rotation_does_not_undo_it(
    ctx: Ctx, settled: testing.State, rabbits: cluster.Cluster
):
    out = rotate(ctx, settled, **{'overlap-minutes': 0})
    hook(ctx, dataclasses.replace(settled, leader=False))
    assert rabbits.lets_in(ME, 'nova.2', said(out)['password'])
    assert not rabbits.lets_in(ME, 'nova', said(settled)['password'])


@pytest.mark.parametrize(
    ('params', 'reason'),
    [
        ({'user': 'root'}, "No related application has a user 'root'; there are: nova"),
        ({'overlap-minutes': -1}, 'overlap-minutes is -1: set it from 0 to 10080'),
    ],
)
def test_a_rotation_of_nonsense_is_refused(
    ctx: Ctx, settled: testing.State, params: dict[str, Any], reason: str
):
    with pytest.raises(testing.ActionFailed, match=reason):
        rotate(ctx, settled, **params)


def test_a_rotation_that_is_refused_fails_and_the_old_password_stays(
    ctx: Ctx, settled: testing.State, rabbits: cluster.Cluster
):
    rabbits.refusing = 'import_definitions'
    with pytest.raises(testing.ActionFailed, match='No password was rotated: no import'):
        rotate(ctx, settled)
    assert rabbits.lets_in(ME, 'nova', amqp_users.Keys(SEED).accounts('nova')['nova'])


def test_cluster_status(ctx: Ctx, rabbits: cluster.Cluster):
    rabbits.add(ME, SECOND)
    rabbits.alarms = [{'node': ME, 'resource': 'disk'}]
    run(ctx, 'cluster-status', served())
    assert ctx.action_results == {
        'members': f'{ME} {SECOND}',
        'running': f'{ME} {SECOND}',
        'alarms': f'{ME}:disk',
        'partitions': '{}',
        'versions': '4.0.5',
    }


def test_cluster_status_of_a_node_that_does_not_run_fails_in_one_line(
    ctx: Ctx, rabbits: cluster.Cluster
):
    rabbits.nodes[ME].running = False
    with pytest.raises(testing.ActionFailed, match='unable to perform an operation on node'):
        run(ctx, 'cluster-status', served())


def test_queues_that_nobody_consumes_are_listed(ctx: Ctx, rabbits: cluster.Cluster):
    rabbits.queues = [
        {'name': 'conductor', 'messages': 0, 'consumers': 1},
        {'name': 'notifications.info', 'messages': 7, 'consumers': 0},
    ]
    run(ctx, 'list-unconsumed-queues', served())
    assert ctx.action_results == {'unconsumed-queues': '{"openstack": {"notifications.info": 7}}'}


def test_a_node_is_forgotten(ctx: Ctx, rabbits: cluster.Cluster):
    rabbits.add(ME, SECOND, THIRD)
    rabbits.nodes[THIRD].running = False
    run(ctx, 'forget-cluster-node', served(), node=THIRD)
    assert rabbits.nodes[ME].members == {ME, SECOND}
    for node, reason in (
        (SECOND, 'runs: pause it, or remove its unit'),
        (THIRD, f'is no member: {ME} {SECOND} are'),
        (ME, 'is this unit'),
        ('x; rm -rf /', 'give one of those'),
    ):
        with pytest.raises(testing.ActionFailed, match=reason):
            run(ctx, 'forget-cluster-node', served(), node=node)


def test_pause_and_resume(
    ctx: Ctx, settled: testing.State, rabbits: cluster.Cluster, machine: machines.FakeMachine
):
    out = run(ctx, 'pause', settled)
    assert machine.service('rabbitmq-server') == 'stopped'
    assert ('rabbitmq-upgrade', 'drain') in rabbits.said
    assert out.unit_status == testing.MaintenanceStatus(
        'paused: run the resume action to serve again'
    )
    assert said(out) == said(settled)  # Clients know of the others already.
    rabbits.nodes[ME].running = False
    again = run(ctx, 'pause', hook(ctx, out))
    assert machine.service('rabbitmq-server') == 'stopped'
    rabbits.nodes[ME].running = True
    out = run(ctx, 'resume', again)
    assert machine.service('rabbitmq-server') == 'running'
    assert out.unit_status == testing.ActiveStatus()


def test_a_pause_that_would_cost_a_majority_is_refused_unless_forced(
    ctx: Ctx, settled: testing.State, rabbits: cluster.Cluster, machine: machines.FakeMachine
):
    rabbits.critical = True
    with pytest.raises(testing.ActionFailed, match='3 queues would lose their majority'):
        run(ctx, 'pause', settled)
    assert machine.service('rabbitmq-server') == 'running'
    run(ctx, 'pause', settled, force=True)
    assert machine.service('rabbitmq-server') == 'stopped'
