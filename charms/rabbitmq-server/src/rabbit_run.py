"""One run of the charm: the node, its place in the cluster, the accounts, then the answers; and the actions. Pure."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator

import amqp_tls
import amqp_users
import asking
import broker
import charmkit
import membership
import node
import rabbit_actions
import succession
import succession_run
from charmkit import rolling, rotation
from charmkit.relations import rabbitmq, wire
from charmkit.why import action

FOUNDER = 'founder'
MEMBERS = node.MEMBERS
WAITS = 'waits'
"""In a unit's data on the peer relation: its node runs, and is in no cluster yet."""
NEXT = 'next'
"""In the application's data there: the unit that may join now."""
DEPARTED = 'departed'
"""In the unit's memory: units whose removal it was notified of."""
PAUSED = 'paused'
REMOVING = 'leaving'
"""In the unit's memory: it is being removed, and is not to come back."""


def run(why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
    """What follows from *why* this run is and from *inputs*."""
    if why.removing:
        return charmkit.Desired(host=node.desired(inputs, stopped=True))
    if refused := succession_run.refusal(why, inputs):
        return charmkit.Desired(failure=refused)
    inputs = succession_run.taken_back(why, inputs)
    match why:
        case charmkit.Action(name='cluster-status'):
            return rabbit_actions.cluster_status(inputs)
        case charmkit.Action(name='list-unconsumed-queues'):
            return rabbit_actions.unconsumed_queues(inputs)
        case charmkit.Action(name='forget-cluster-node'):
            return rabbit_actions.forgotten(str(why.params['node']), inputs)
        case charmkit.Action(name='rotate-password'):
            return _rotated(why, inputs)
        case charmkit.Action(name='pause'):
            return _paused(why, inputs)
        case charmkit.Hook() if inputs.memory.get(REMOVING) or why.subject == inputs.site.unit:
            # It is this unit that is removed.
            return charmkit.Desired(
                host=node.desired(inputs),
                tasks=(broker.LeaveCluster(membership.node(inputs.site.unit)),),
                memory={REMOVING: True},
            )
        case charmkit.Action(name=succession_run.SWITCH):
            return succession_run.switched(why, inputs, _served(why, inputs), _peers(why, inputs))
        case _:
            return _served(why, inputs)


# The cluster.


def founder(inputs: charmkit.Inputs, why: charmkit.Why) -> str:
    """The unit that is to be the first member: the first leader says, and only time may show that it is gone."""
    if succession.role(inputs) == 'follower':
        return inputs.peers.get(succession.SUCCESSOR, '')
    return _recorded(inputs, why)


def _recorded(inputs: charmkit.Inputs, why: charmkit.Why) -> str:
    recorded = inputs.peers.get(FOUNDER, '')
    if not inputs.site.leader:
        return recorded
    here = {inputs.site.unit, *inputs.peer_units}
    # A new leader has not been told of all others yet; when nothing has happened but time, it has.
    gone = recorded not in here and not _members(inputs) and why.time_passes
    return inputs.site.unit if not recorded or gone else recorded


def _members(inputs: charmkit.Inputs) -> dict[str, frozenset[str]]:
    """The members that each other unit sees, by its node; of those that are members."""
    said = {
        u: wire.texts(wire.load_array(bag.get(MEMBERS, '')))
        for u, bag in succession.alike(inputs).items()
    }
    return {membership.node(u): frozenset(every) for u, every in said.items() if every}


def departed(why: charmkit.Why, inputs: charmkit.Inputs) -> list[str]:
    """Units that were removed, as this one was notified; one that is there again is not."""
    there = (inputs.site.unit, *inputs.peer_units)
    return rolling.departed(why, inputs.memory.get(DEPARTED, []), there)


def _want(why: charmkit.Why, inputs: charmkit.Inputs) -> membership.Want:
    return membership.Want(
        me=membership.node(inputs.site.unit),
        founder=founder(inputs, why) == inputs.site.unit,
        settled=bool(inputs.my_peer_data.get(MEMBERS)),
        others=_members(inputs),
        departed=frozenset(map(membership.node, departed(why, inputs))),
        leader=inputs.site.leader,
        known=frozenset(map(membership.node, (inputs.site.unit, *inputs.peer_units))),
        turn=bool(inputs.my_peer_data.get(MEMBERS)) or inputs.peers.get(NEXT) == inputs.site.unit,
    )


def _next(inputs: charmkit.Inputs) -> str:
    """Whose turn it is to join."""
    bags = {**inputs.peer_units, inputs.site.unit: inputs.my_peer_data}
    return rolling.whose(
        (u for u, bag in bags.items() if bag.get(WAITS)), inputs.peers.get(NEXT, '')
    )


# A hook.


def _served(why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
    return amqp_tls.beside(_serving(why, inputs), amqp_tls.decide(inputs), inputs)


def _serving(why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
    if to := succession.handed(inputs):
        return succession_run.former(why, inputs, to, _peers(why, inputs))
    if succession.role(inputs) == 'apart':
        return succession_run.apart(inputs)
    paused = bool(inputs.memory.get(PAUSED, False)) and not action(why, 'resume')
    found = asking.asked(inputs)
    peers = _peers(why, inputs)
    desired = charmkit.Desired(
        host=node.desired(inputs, stopped=paused),
        app_data={'peers': peers},
        unit_data={'peers': _my_peer_data(inputs)},
        secrets=node.secrets(inputs),
        ports=amqp_tls.decide(inputs).ports,
        version=node.version(inputs),
        memory={
            asking.REQUESTS: asking.kept(found),
            DEPARTED: departed(why, inputs),
            PAUSED: paused,
        },
        results={'status': 'running'} if action(why, 'resume') else {},
        status=(*_refusals(found), *_before(inputs, paused=paused)),
    )
    if paused or not node.secret(inputs, 'seed'):
        return desired
    rotations = rotation.of(why, inputs, found.users)
    held = amqp_users.keys(node.secret(inputs, 'seed'), rotations, inputs.now)
    ttl_ms = 1000 * int(inputs.options.get('notification-ttl', 3600))
    converge = broker.Converge(
        cluster=_want(why, inputs),
        accounts=amqp_users.desired(found.every, held, ttl_ms),
        settings=node.settings(inputs),
    )
    desired = dataclasses.replace(desired, tasks=(converge,))
    report = inputs.seen.get(broker.CONVERGE)
    if not isinstance(report, broker.Report):
        return desired
    desired = _reported(desired, report, held, found, inputs)
    if succession.role(inputs) == 'follower':
        return succession_run.following(inputs, desired, member=report.member)
    ask = [relation for relation, requests in found.requests.items() if requests]
    return succession_run.followed(inputs, desired, ask)


def _peers(why: charmkit.Why, inputs: charmkit.Inputs) -> dict[str, str]:
    kept = {k: v for k, v in inputs.peers.items() if k == rotation.KEY}
    keys = inputs.peers.get(node.KEYS) or charmkit.state.secret_uri(node.KEYS)
    first = _recorded(inputs, why)
    said = succession.app_data(inputs, first, WAITS)
    return {FOUNDER: first, node.KEYS: keys, NEXT: _next(inputs), **said, **kept}


def _my_peer_data(inputs: charmkit.Inputs) -> dict[str, str]:
    kept = {k: v for k, v in inputs.my_peer_data.items() if k in (MEMBERS, WAITS)}
    return {**succession.unit_data(inputs), **kept}


def _before(inputs: charmkit.Inputs, *, paused: bool) -> Iterator[charmkit.Status]:
    if paused:
        yield charmkit.Status('maintenance', 'paused: run the resume action to serve again')
    elif not node.secret(inputs, 'seed'):
        yield charmkit.Status('waiting', 'waiting for the secret of the cluster')


def _refusals(found: asking.Asked) -> Iterator[charmkit.Status]:
    for r in found.refusals:
        yield charmkit.Status('blocked', f'refused {r.unit}: {r.reason}')


def _reported(
    desired: charmkit.Desired,
    report: broker.Report,
    held: amqp_users.Keys,
    found: asking.Asked,
    inputs: charmkit.Inputs,
) -> charmkit.Desired:
    """With the answers that hold. Where one does not, what was said before stays said, and the status says why."""
    members = (
        json.dumps(sorted(report.here.members)) if report.member and report.here.members else ''
    )
    mine = _my_peer_data(inputs)
    if members:
        mine = {**succession.unit_data(inputs), MEMBERS: members}
    if report.here.is_reachable and not report.member:
        mine = {**mine, WAITS: 'true'}
    address, tls = inputs.site.address_on('amqp'), amqp_tls.decide(inputs)
    responses = {
        relation: rabbitmq.response(
            address, requests, {r: held.account(r) for r in requests}, ca=tls.published
        )
        for relation, requests in found.requests.items()
        if report.member
        and tls.holds
        and all(amqp_users.holds(r, held, report.accounts) for r in requests)
    }
    return dataclasses.replace(
        desired,
        unit_data={**desired.unit_data, 'peers': mine, **responses},
        status=(*desired.status, *statuses(report, inputs)),
    )


def statuses(report: broker.Report, inputs: charmkit.Inputs) -> Iterator[charmkit.Status]:
    """What the operator should know of the cluster."""
    here, me = report.here, membership.node(inputs.site.unit)
    if not here.is_reachable and not inputs.failed:
        yield charmkit.Status(
            'blocked', 'rabbitmq-server does not answer: see journalctl -u rabbitmq-server'
        )
    if here.is_reachable and inputs.failed:
        yield charmkit.Status(
            'active', 'rabbitmq-server was started again: the cluster had forgotten this unit'
        )
    if report.lost:
        yield charmkit.Status(
            'blocked',
            f'what {me} had of the cluster is gone: run forget-cluster-node node={me} on another unit',
        )
    elif here.is_reachable and not report.member and not report.refused:
        yield charmkit.Status('waiting', 'waiting for a member of the cluster to join')
    if report.refused:
        yield charmkit.Status('blocked', f'RabbitMQ refused: {report.refused[:300]}')
    yield from _alarms(here)
    yield from _absent(here, {inputs.site.unit, *inputs.peer_units})


def _alarms(here: membership.ClusterStatus) -> Iterator[charmkit.Status]:
    for alarm in sorted(here.alarms, key=lambda a: (a.node, a.resource)):
        yield charmkit.Status(
            'blocked', f'{alarm.node} is short of {alarm.resource}: publishers have to wait'
        )
    for name, lost in sorted(here.partitions.items()):
        yield charmkit.Status(
            'blocked', f'the cluster is split: {name} has lost {" ".join(sorted(lost))}'
        )


def _absent(here: membership.ClusterStatus, units: Iterable[str]) -> Iterator[charmkit.Status]:
    nodes = {membership.node(u) for u in units}
    down = sorted(here.members - here.up)
    if down and 2 * len(here.up) <= len(here.members):
        yield charmkit.Status('blocked', f'no majority: {" ".join(down)} do not run')
    for name in down:
        if name in nodes:
            yield charmkit.Status('active', f'{name} does not run')
        else:
            yield charmkit.Status(
                'active',
                f'{name} does not run and has no unit here: forget-cluster-node node={name}',
            )


# Actions.


def _paused(why: charmkit.Action, inputs: charmkit.Inputs) -> charmkit.Desired:
    task = broker.Drain(force=bool(why.params.get('force', False)))
    said = inputs.seen.get(task.name)
    if said:
        return charmkit.Desired(failure=f'Not paused: {said} (force=true pauses it all the same)')
    desired = _served(why, inputs)
    already = bool(inputs.memory.get(PAUSED))
    if said is None and not already:
        return dataclasses.replace(desired, tasks=(task,))
    return dataclasses.replace(
        desired,
        host=node.desired(inputs, stopped=True),
        tasks=() if already else (task,),
        memory={**desired.memory, PAUSED: True},
        status=(*_before(inputs, paused=True),),
        results={'status': 'paused'},
    )


def _rotation_refused(rotate: charmkit.Action, inputs: charmkit.Inputs) -> str:
    if not inputs.site.leader:
        return 'Only the leader can: `juju status` shows which unit it is'
    if not node.secret(inputs, 'seed'):
        return 'There are no passwords yet'
    found = asking.asked(inputs)
    before = rotation.read(inputs.peers.get(rotation.KEY, ''))
    if refused := rotation.refusal(rotate, found.users, before, inputs.now):
        return refused
    chosen = rotation.chosen(rotate, found.users)
    fixed = sorted({r.unit for r in found.every if r.user in chosen and not r.takes_username})
    if fixed and rotation.overlap_min(rotate):
        return (
            f'{" ".join(fixed)} cannot take another user name, so two passwords cannot be in force at once: '
            'new connections fail until their next hook, with overlap-minutes=0'
        )
    return ''


def _rotated(why: charmkit.Action, inputs: charmkit.Inputs) -> charmkit.Desired:
    if refused := _rotation_refused(why, inputs):
        return charmkit.Desired(failure=refused)
    desired = _served(why, inputs)
    report = inputs.seen.get(broker.CONVERGE)
    if inputs.failed or (
        isinstance(report, broker.Report) and (report.refused or not report.member)
    ):
        said = report.refused if isinstance(report, broker.Report) else ''
        return charmkit.Desired(
            failure=f'No password was rotated: {said or "the server does not run"}'
        )
    return rotation.recorded(desired, why, inputs, asking.asked(inputs).users)
