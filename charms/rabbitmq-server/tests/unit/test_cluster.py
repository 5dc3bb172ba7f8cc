"""Members that join, leave and come back."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import charmkit
import pytest
from charmkit import testing as machines
from ops import testing

from . import cluster
from .test_charm import (
    HERE,
    ME,
    NODES,
    SECOND,
    THIRD,
    asks,
    ctx,
    hook,
    machine,
    members,
    mine,
    rabbits,
    said,
    served,
    unit,
)

__all__ = ('HERE', 'ctx', 'machine', 'rabbits')
Ctx = testing.Context[Any]


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch, rabbits: cluster.Cluster) -> Ctx:
    """The second unit, on a machine of its own."""
    fake = machines.FakeMachine(shell=rabbits.of(SECOND))
    monkeypatch.setattr(charmkit.Charm, 'machine', fake)
    return unit(1)


def test_a_unit_joins_who_is_a_member(second: Ctx, rabbits: cluster.Cluster):
    rabbits.add(ME)
    out = hook(second, served(asks(), leader=False, peers={0: members(ME)}))
    assert rabbits.nodes[ME].members == {ME, SECOND}
    assert mine(out)['members'] == members(ME, SECOND)
    assert out.unit_status == testing.ActiveStatus()
    # Its clients are answered at once: it adds what is missing.
    assert said(out)['hostname'] == '10.1.0.5'
    assert rabbits.users(ME) == {'guest', 'nova'}


def test_a_unit_waits_for_a_member(second: Ctx, rabbits: cluster.Cluster):
    out = hook(second, served(asks(), leader=False, peers={0: ''}))
    assert out.unit_status == testing.WaitingStatus('waiting for a member of the cluster to join')
    assert 'password' not in said(out)
    assert 'members' not in mine(out)
    assert rabbits.said == []


def test_a_unit_that_cannot_join_says_why_and_runs_on(second: Ctx, rabbits: cluster.Cluster):
    rabbits.add(ME)
    rabbits.refusing = 'join_cluster'
    state = served(leader=False, peers={0: members(ME)})
    out = hook(second, state)
    assert out.unit_status == testing.BlockedStatus(
        'RabbitMQ refused: no join_cluster today advice'
    )
    assert rabbits.nodes[SECOND].app
    rabbits.refusing = ''
    assert hook(second, state).unit_status == testing.ActiveStatus()


def test_a_founder_that_was_removed_is_no_founder_when_only_time_has_passed(
    second: Ctx, rabbits: cluster.Cluster
):
    state = served(founder='rabbitmq-server/0')
    out = second.run(second.on.config_changed(), state)
    assert out.get_relations('peers')[0].local_app_data['founder'] == 'rabbitmq-server/0'
    assert out.unit_status.name == 'waiting'
    out = hook(second, out)
    assert out.get_relations('peers')[0].local_app_data['founder'] == 'rabbitmq-server/1'
    assert out.unit_status == testing.ActiveStatus()


def test_a_founder_that_is_there_stays_it_whoever_leads(second: Ctx):
    out = hook(second, served(peers={0: ''}))
    assert out.get_relations('peers')[0].local_app_data['founder'] == 'rabbitmq-server/0'
    assert out.unit_status.name == 'waiting'


def departed(ctx: Ctx, state: testing.State, departing: int) -> testing.State:
    peer = state.get_relations('peers')[0]
    event = ctx.on.relation_departed(peer, remote_unit=departing, departing_unit=departing)
    return ctx.run(event, state)


def test_the_leader_forgets_who_was_removed(ctx: Ctx, rabbits: cluster.Cluster):
    rabbits.add(ME, SECOND, THIRD)
    rabbits.nodes[THIRD].running = False
    departed(ctx, served(me=members(ME), peers={1: members(ME)}), 2)
    assert rabbits.nodes[ME].members == {ME, SECOND}


def test_who_is_merely_away_is_not_forgotten(ctx: Ctx, rabbits: cluster.Cluster):
    rabbits.add(ME, SECOND, THIRD)
    rabbits.nodes[THIRD].running = False
    hook(ctx, served(me=members(ME), peers={1: members(ME)}))
    assert rabbits.nodes[ME].members == {ME, SECOND, THIRD}


def test_a_leader_elected_later_forgets_whom_it_saw_go(ctx: Ctx, rabbits: cluster.Cluster):
    rabbits.add(ME, SECOND, THIRD)
    rabbits.nodes[THIRD].running = False
    out = departed(ctx, served(me=members(ME), peers={1: members(ME)}, leader=False), 2)
    assert THIRD in rabbits.nodes[ME].members
    hook(ctx, dataclasses.replace(out, leader=True))
    assert THIRD not in rabbits.nodes[ME].members


def test_a_unit_that_is_removed_leaves_and_does_not_come_back(
    second: Ctx, rabbits: cluster.Cluster
):
    rabbits.add(ME, SECOND)
    state = served(asks(), leader=False, me=members(ME), peers={0: members(ME, SECOND)})
    settled = hook(second, state)
    peer = settled.get_relations('peers')[0]
    event = second.on.relation_departed(peer, remote_unit=0, departing_unit=1)
    out = second.run(event, settled)
    assert rabbits.nodes[ME].members == {ME}
    # What other hooks there are meanwhile does not take it back.
    out = hook(second, out)
    assert rabbits.nodes[ME].members == {ME}
    out = second.run(second.on.stop(), out)
    fake = cast('machines.FakeMachine', charmkit.Charm.machine)
    assert fake.service('rabbitmq-server') == 'stopped'


def test_who_was_forgotten_while_away_starts_anew(
    ctx: Ctx, rabbits: cluster.Cluster, machine: machines.FakeMachine
):
    rabbits.add(SECOND, THIRD)
    state = served(me=members(*NODES[:3]), peers={1: members(SECOND, THIRD), 2: ''})
    rabbits.nodes[ME].running = False
    machine.failing = frozenset({'rabbitmq-server'})  # It disagrees with the others, and ends.
    out = hook(ctx, state)
    assert rabbits.nodes[SECOND].members == {ME, SECOND, THIRD}
    assert rabbits.nodes[ME].running
    assert out.unit_status == testing.ActiveStatus(
        'rabbitmq-server was started again: the cluster had forgotten this unit'
    )


def test_who_does_not_start_and_is_a_member_yet_keeps_its_data(
    ctx: Ctx, rabbits: cluster.Cluster, machine: machines.FakeMachine
):
    """The twin: it is the cluster's word that counts."""
    rabbits.add(ME, SECOND, THIRD)
    rabbits.nodes[ME].running = False
    machine.failing = frozenset({'rabbitmq-server'})
    out = hook(ctx, served(me=members(ME), peers={1: members(SECOND, THIRD)}))
    assert not rabbits.nodes[ME].running
    assert out.unit_status.name == 'blocked'


def test_who_lost_its_data_is_told_what_to_do(second: Ctx, rabbits: cluster.Cluster):
    rabbits.add(ME, SECOND)
    rabbits.nodes[SECOND] = cluster.Node({SECOND})
    out = hook(second, served(leader=False, peers={0: members(ME, SECOND)}))
    assert out.unit_status == testing.BlockedStatus(
        f'what {SECOND} had of the cluster is gone: run forget-cluster-node node={SECOND} on another unit'
    )


@pytest.mark.parametrize('joined', [False, True])
def test_a_hook_that_died_while_it_joined_is_made_good(
    second: Ctx, rabbits: cluster.Cluster, joined: bool
):
    if joined:
        rabbits.add(ME, SECOND)
    else:
        rabbits.add(ME)
    rabbits.nodes[SECOND].app = False
    out = hook(second, served(asks(), leader=False, peers={0: members(ME)}))
    assert rabbits.nodes[ME].members == {ME, SECOND}
    assert rabbits.up(ME) == {ME, SECOND}
    assert out.unit_status.name == 'active'


def test_units_join_one_after_the_other_as_the_leader_says(ctx: Ctx, rabbits: cluster.Cluster):
    state = served(me=members(ME), turn='', peers={1: '', 2: ''})
    (peer,) = state.get_relations('peers')
    assert isinstance(peer, testing.PeerRelation)
    for waiting, turn in (((2, 1), 1), ((2,), 2)):
        bags = {
            n: {**bag, **({'waits': 'true'} if n in waiting else {})}
            for n, bag in peer.peers_data.items()
        }
        now = dataclasses.replace(peer, peers_data=cast('Any', bags))
        out = hook(ctx, dataclasses.replace(state, relations={now}))
        assert out.get_relations('peers')[0].local_app_data['next'] == f'rabbitmq-server/{turn}'


@pytest.mark.parametrize('turn', ['', 'rabbitmq-server/2'])
def test_a_unit_waits_for_its_turn_and_says_so(second: Ctx, rabbits: cluster.Cluster, turn: str):
    rabbits.add(ME)
    out = hook(second, served(leader=False, turn=turn, peers={0: members(ME)}))
    assert rabbits.nodes[ME].members == {ME}
    assert mine(out)['waits'] == 'true'


def test_a_unit_waits_until_it_knows_where_all_members_are(second: Ctx, rabbits: cluster.Cluster):
    rabbits.add(ME, THIRD)
    out = hook(second, served(leader=False, peers={0: members(ME, THIRD)}))
    assert rabbits.nodes[ME].members == {ME, THIRD}
    assert out.unit_status.name == 'waiting'
    out = hook(second, served(leader=False, peers={0: members(ME, THIRD), 2: ''}))
    assert rabbits.nodes[ME].members == {ME, SECOND, THIRD}
    assert 'waits' not in mine(out)
