"""This node as the cloud has it: whether it takes servers, whether it is there at all, and the actions for that. Pure.

Whether it takes servers is nova's to know: it keeps that over restarts and upgrades, and is asked. That it was taken
out of the cloud nova cannot know, since it has no record of it then: the unit remembers, and does not start the
daemon, which would register itself again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import charmkit
from charmkit import host, keystone
from nova_service import (
    BINARY,
    DISABLED,
    ENABLED,
    LOOK,
    REMOVED,
    Change,
    List,
    ProbeService,
    ServiceState,
)

MEMORY = 'in-cloud'
"""In the unit's memory: ``disabled`` or ``removed`` by an action, else nothing."""
GONE = 'Unit was removed from the cloud'
"""The status, as Charmed OpenStack's nova-compute has it."""
IDENTITY = '/var/lib/nova/compute_id'
Ordinary = Callable[[charmkit.Inputs], charmkit.Desired]
"""What the unit is to be when nobody asks for anything."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Node:
    """Who this node is."""

    name: str
    """The host, as nova calls it."""
    identity: keystone.Identity | None
    """Nova's account; None while the controller has not published it."""


# A hook.


def removed(inputs: charmkit.Inputs) -> bool:
    """Whether the unit is to stay out of the cloud."""
    return inputs.memory.get(MEMORY) == REMOVED


def machine(inputs: charmkit.Inputs) -> host.Host:
    """A node that is out of the cloud comes back as another one.

    Since 2023.1 nova-compute keeps the UUID of its node in a file. With it nova would take up the record that it has
    deleted, which says that the host is mapped to a cell already, and it would be mapped to none.
    """
    return host.Host(absent=(host.Absent(path=IDENTITY),) if removed(inputs) else ())


def tasks(node: Node, inputs: charmkit.Inputs) -> tuple[charmkit.Task, ...]:
    """Where an action has disabled it, nova is asked whether it still is: others may have enabled it."""
    if inputs.memory.get(MEMORY) != DISABLED or node.identity is None:
        return ()
    return (ProbeService(node.name, node.identity),)


def memory(inputs: charmkit.Inputs) -> Mapping[str, Any]:
    """Nothing of its being disabled, once nova says that it is not; while nova says nothing it stays as it was."""
    return {MEMORY: _state(inputs)}


def notes(inputs: charmkit.Inputs) -> tuple[charmkit.Status, ...]:
    """That it is not what nodes are for."""
    match _state(inputs):
        case 'removed':
            return (charmkit.Status('blocked', f'{GONE}: register-to-cloud brings it back'),)
        case 'disabled':
            return (charmkit.Status('active', 'disabled: no new servers come here'),)
        case _:
            return ()


def _state(inputs: charmkit.Inputs) -> str:
    """``disabled``, ``removed`` or nothing, as this run has it."""
    kept, seen = str(inputs.memory.get(MEMORY, '')), inputs.seen.get(LOOK)
    changed = f'service {DISABLED}' in inputs.seen  # Since it was looked at.
    back = isinstance(seen, ServiceState) and seen.enabled and not changed
    return '' if back else kept


# The actions.

ACTIONS = (
    'disable',
    'enable',
    'remove-from-cloud',
    'register-to-cloud',
    'node-name',
    'instance-count',
    'list-compute-nodes',
)


def run_action(
    why: charmkit.Action, node: Node, inputs: charmkit.Inputs, ordinary: Ordinary
) -> charmkit.Desired:
    """What the action of :data:`ACTIONS` does."""
    if why.name == 'node-name':
        return charmkit.Desired(read_only=True, results={'node-name': node.name})
    if why.name == 'register-to-cloud':
        return _registered(inputs, ordinary)
    if node.identity is None:
        return _fails('Nova is not known yet: cloud-compute has published no account')
    if why.name == 'list-compute-nodes':
        return _listed(List(node.identity), node, inputs)
    look = ProbeService(node.name, node.identity)
    if why.name == 'instance-count':
        return _counted(look, inputs)
    if removed(inputs):
        return _fails(f'{GONE}: run register-to-cloud first')
    seen = inputs.seen.get(look.name)
    if not isinstance(seen, ServiceState):
        return _with(ordinary(inputs), look)
    if trouble := _unknown(node.name, seen):
        return _fails(trouble)
    if why.name == 'remove-from-cloud':
        return _removed(look, seen, inputs, ordinary)
    return _changed(why, look, seen, inputs, ordinary)


def _unknown(name: str, seen: ServiceState) -> str:
    """Why nova says nothing of the node; '' when it does."""
    if seen.refused:
        return f'Nova does not report on {name}: {seen.refused}'
    return '' if seen.service else f'Nova has no service on {name}: see the status of this unit'


def _changed(
    why: charmkit.Action,
    look: ProbeService,
    seen: ServiceState,
    inputs: charmkit.Inputs,
    ordinary: Ordinary,
) -> charmkit.Desired:
    """Enable or disable it."""
    enable = why.name == 'enable'
    if seen.enabled == enable:
        how = 'enabled' if enable else f'disabled ({seen.reason or "no reason given"})'
        return _fails(f'{look.host} is {how} already')
    change = Change(look.identity, seen.service, ENABLED if enable else DISABLED)
    if refused := inputs.seen.get(change.name):
        return _fails(f'Nova refuses: {refused}')
    desired = _with(_as(ordinary, inputs, '' if enable else DISABLED), look, change)
    return dataclasses.replace(desired, results={'status': change.to, 'node-name': look.host})


def _removed(
    look: ProbeService, seen: ServiceState, inputs: charmkit.Inputs, ordinary: Ordinary
) -> charmkit.Desired:
    """Hold new servers off, see that none is there, stop the daemon, and have nova forget it: in this order.

    Nova's record goes last: a daemon that runs would register itself again at once.
    """
    if seen.servers:
        return _fails(_occupied(seen))
    hold = Change(look.identity, seen.service, DISABLED)
    held = (hold,) if seen.enabled else ()  # Who disabled it has said why: that stays.
    again = dataclasses.replace(look, name='service again')
    forget = Change(look.identity, seen.service, REMOVED)
    if refused := inputs.seen.get(hold.name):
        return _fails(f'Nova refuses: {refused}')
    then = inputs.seen.get(again.name)
    if not isinstance(then, ServiceState):
        return _with(ordinary(inputs), look, *held, again)
    if then.refused or then.servers:
        why = _occupied(then) if then.servers else f'Nova does not report: {then.refused}'
        return _fails(f'{why}. It is disabled now: enable it, or run this again')
    every = (look, *held, again, forget)
    if refused := inputs.seen.get(forget.name):
        back = _as(ordinary, inputs, DISABLED)
        if _waits_for_daemon(back, inputs):
            return _with(back, *every)
        return _fails(f'Nova refuses: {refused}. It is disabled now: enable it, or run this again')
    desired = _with(_as(ordinary, inputs, REMOVED), *every)
    return dataclasses.replace(desired, results={'message': GONE, 'node-name': look.host})


def _waits_for_daemon(back: charmkit.Desired, inputs: charmkit.Inputs) -> bool:
    """Whether the daemon, which was stopped, is to be brought up first."""
    wanted = any(s.name == BINARY and s.state == 'running' for s in back.host.services)
    return wanted and BINARY not in {**inputs.started, **inputs.failed}


def _registered(inputs: charmkit.Inputs, ordinary: Ordinary) -> charmkit.Desired:
    if not removed(inputs):
        return _fails('This unit was not removed from the cloud: there is nothing to bring back')
    said = (
        'nova-compute registers itself, as one that takes servers: openstack compute service list'
    )
    return dataclasses.replace(_as(ordinary, inputs, ''), results={'message': said})


def _counted(look: ProbeService, inputs: charmkit.Inputs) -> charmkit.Desired:
    seen = inputs.seen.get(look.name)
    if not isinstance(seen, ServiceState):
        return charmkit.Desired(read_only=True, tasks=(look,))
    if seen.refused:
        return _fails(f'Nova does not report on {look.host}: {seen.refused}')
    results = {'instance-count': str(len(seen.servers))}
    return charmkit.Desired(read_only=True, tasks=(look,), results=results)


def _listed(every: List, node: Node, inputs: charmkit.Inputs) -> charmkit.Desired:
    found = inputs.seen.get(every.name)
    if isinstance(found, ServiceState):
        return _fails(f'Nova does not list its nodes: {found.refused}')
    results = {'node-name': node.name, 'compute-nodes': str(found)} if found else {}
    return charmkit.Desired(read_only=True, tasks=(every,), results=results)


_SHOWN = 5


def _occupied(seen: ServiceState) -> str:
    names = ', '.join(seen.servers[:_SHOWN]) + (', …' if len(seen.servers) > _SHOWN else '')
    return (
        f'This unit cannot be removed from the cloud: {len(seen.servers)} servers are on it ({names}). '
        'Migrate them to another compute node, or delete them'
    )


def _as(ordinary: Ordinary, inputs: charmkit.Inputs, what: str) -> charmkit.Desired:
    """What the unit is to be as one that has come to *what*, which it remembers from now on."""
    desired = ordinary(dataclasses.replace(inputs, memory={**inputs.memory, MEMORY: what}))
    return dataclasses.replace(desired, memory={**desired.memory, MEMORY: what})


def _with(desired: charmkit.Desired, *tasks: charmkit.Task) -> charmkit.Desired:
    return dataclasses.replace(desired, tasks=(*desired.tasks, *tasks))


def _fails(words: str) -> charmkit.Desired:
    return charmkit.Desired(failure=words)
