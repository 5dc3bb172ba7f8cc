"""One run of a unit while two series of RabbitMQ are there: as the server, as who follows it, or as a former server.

Pure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

import amqp_tls
import charmkit
import handing
import node
import succession
from charmkit import host
from charmkit.why import action

SWITCH = handing.SWITCH
DRAIN = 'drain'
DRAIN_S = 1500.0
"""Seconds for which the action that waits for clients does so."""
NOTHING = 'Nothing was handed over'
"""So begins what a switch says that has changed nothing, for sure; ``juju lifecycle`` knows it by these words."""


def refusal(why: charmkit.Why, inputs: charmkit.Inputs) -> str:
    """Why the operator's action is not carried out; '' where it is, or is none of this module's."""
    if action(why, SWITCH):
        wrong = _switch_refused(inputs)
        return f'{NOTHING}: {wrong}' if wrong else ''
    if action(why, DRAIN) and succession.role(inputs) != 'former':
        return 'This unit is no former server: there is nobody whom it hands on'
    return ''


def _switch_refused(inputs: charmkit.Inputs) -> str:
    match succession.role(inputs):
        case 'former':
            return ''
        case 'follower' | 'apart':
            return 'Clients are not on this unit: run it on the one that serves'
        case 'member':
            pass
    newcomers = succession.followers(inputs)
    ready = [u for u in newcomers if inputs.peer_units[u].get(succession.FOLLOWS)]
    others = [u for u in succession.alike(inputs) if u not in newcomers]
    if others:
        return (
            f'{" and ".join(sorted(others))} serve too: remove all units of this base but this one'
        )
    if not newcomers:
        return (
            'No unit of a newer base follows this one: set-application-base and add-unit first, and wait until the '
            'new unit says that it follows'
        )
    first, *more = newcomers
    if more:
        return f'{" and ".join(newcomers)} are of a newer base: remove all but the one that is to take its place'
    if first not in ready:
        return f'{first} is not ready to take over: see its status'
    if not _address(inputs, first):
        return f'{first} has not said its address'
    return amqp_tls.handed_over_without(inputs, first)


def _address(inputs: charmkit.Inputs, unit: str) -> str:
    return inputs.peer_units.get(unit, {}).get(succession.AMQP_HOST, '')


def taken_back(why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Inputs:
    """*inputs*, where the action ``resume`` has a former server serve again."""
    if not action(why, 'resume') or not succession.handed(inputs):
        return inputs
    kept = {k: v for k, v in inputs.my_peer_data.items() if k != succession.HANDED}
    return dataclasses.replace(inputs, my_peer_data=kept)


def apart(inputs: charmkit.Inputs) -> charmkit.Desired:
    """The run of a unit of an older series than that which serves."""
    status = charmkit.Status(
        'blocked',
        f'RabbitMQ {succession.mine(inputs)} does not join {succession.serving(inputs)}: remove this unit '
        f'(juju remove-unit {inputs.site.unit})',
    )
    return charmkit.Desired(
        host=node.desired(inputs, stopped=True),
        unit_data={'peers': succession.unit_data(inputs)},
        version=node.version(inputs),
        status=(status,),
    )


def former(
    why: charmkit.Why, inputs: charmkit.Inputs, to: succession.Handed, app_data: dict[str, str]
) -> charmkit.Desired:
    """The run of a unit that has handed over: its clients are handed on, until none comes by it any more."""
    drains = action(why, DRAIN) is not None
    watch = handing.Watch(DRAIN_S if drains else 0.0)
    here, ports = inputs.site.address_on('amqp'), amqp_tls.decide(inputs).ports
    published = succession.bag_of(inputs, to.to).get(succession.SERVES, '')
    withdrawn: dict[str | int, dict[str, str]] = (
        {relation.id: {} for relation in inputs.of('amqp')} if published else {}
    )
    peers = {**succession.unit_data(inputs), succession.HANDED: succession.write_handed(to)}
    peers.pop(succession.DEFINITIONS, None)
    run = charmkit.Desired(
        host=host.merge(
            node.desired(inputs, stopped=True),
            succession.relay(here, to.address, ports),
        ),
        app_data={'peers': app_data},
        unit_data={'peers': peers, **withdrawn},
        ports=ports,
        version=node.version(inputs),
        tasks=(watch,),
    )
    coming = inputs.seen.get(watch.name)
    if not isinstance(coming, int):
        return run
    clients = f'{coming} connections' if coming > 1 else 'one connection'
    if drains and (coming or not published):
        why_not = (
            f'{clients} are still connected through this unit'
            if coming
            else f'{to.to} serves nobody yet'
        )
        return charmkit.Desired(failure=f'{why_not}: see the relations to {inputs.site.app}')
    if drains:
        run = dataclasses.replace(run, results={'clients': 'none', 'server': to.to})
    elif action(why, SWITCH):
        run = dataclasses.replace(run, results={'server': to.to})
    return dataclasses.replace(
        run, status=(*run.status, *_said(inputs, to, clients, coming, published))
    )


def _said(
    inputs: charmkit.Inputs, to: succession.Handed, clients: str, coming: int, published: str
) -> Iterator[charmkit.Status]:
    words = f'{to.to} has taken over'
    if to.to not in inputs.peer_units:
        yield charmkit.Status(
            'blocked',
            f'{words}, and is not here: if it is gone for good, run resume on this unit',
        )
    elif coming:
        yield charmkit.Status('waiting', f'{words}; still connected through this unit: {clients}')
    elif not published:
        yield charmkit.Status('waiting', f'{words}; clients have not heard of it yet')
    else:
        yield charmkit.Status(
            'maintenance', f'{words}, and no client is connected through this unit: remove it'
        )


def switched(
    why: charmkit.Why, inputs: charmkit.Inputs, serves: charmkit.Desired, app_data: dict[str, str]
) -> charmkit.Desired:
    """The run in which this server hands over; *serves* is what it is else."""
    if to := succession.handed(inputs):
        return former(why, inputs, to, app_data)
    task = handing.HandOver()
    found = inputs.seen.get(task.name)
    if found is None:
        return dataclasses.replace(serves, tasks=(task,))
    if found:
        return charmkit.Desired(failure=f'{NOTHING}: {found}')
    (unit,) = succession.followers(inputs)
    done = former(why, inputs, succession.Handed(unit, _address(inputs, unit)), app_data)
    return done if done.failure else dataclasses.replace(done, tasks=(task, *done.tasks))


def followed(
    inputs: charmkit.Inputs, serves: charmkit.Desired, asking: Iterable[int]
) -> charmkit.Desired:
    """*serves*, the run of a server, and what it is to units of a newer series; *asking* are relations that ask."""
    newcomers = succession.followers(inputs)
    tasks: tuple[charmkit.Task, ...] = (*serves.tasks, handing.Retire())
    peers = {k: v for k, v in serves.unit_data.get('peers', {}).items() if k not in _OF_OTHERS}
    if _took_over(inputs) and all(relation in serves.unit_data for relation in asking):
        peers[succession.SERVES] = 'true'
    if newcomers:
        export = handing.Export()
        tasks = (*tasks, export)
        found = inputs.seen.get(export.name)
        before = inputs.my_peer_data.get(succession.DEFINITIONS)
        if (definitions := found if isinstance(found, str) else before) is not None:
            peers[succession.DEFINITIONS] = definitions
    status = (
        charmkit.Status(
            'active',
            f'{u} (RabbitMQ {succession.said(inputs.peer_units[u])}) '
            f'{"follows" if inputs.peer_units[u].get(succession.FOLLOWS) else "is to follow"}',
        )
        for u in newcomers
    )
    return dataclasses.replace(
        serves,
        unit_data={**serves.unit_data, 'peers': peers},
        tasks=tasks,
        status=(*serves.status, *status),
    )


_OF_OTHERS = (succession.DEFINITIONS, succession.FOLLOWS, succession.SERVES)
"""What a server says of its place among series only while it is in it."""


def _took_over(inputs: charmkit.Inputs) -> bool:
    every = (bag.get(succession.HANDED, '') for bag in inputs.peer_units.values())
    return any(to.to == inputs.site.unit for text in every if (to := succession.read_handed(text)))


def following(
    inputs: charmkit.Inputs, desired: charmkit.Desired, *, member: bool
) -> charmkit.Desired:
    """*desired*, the run of a unit whose broker follows: it answers nobody, and has what the server has."""
    unit_data = {k: v for k, v in desired.unit_data.items() if k == 'peers'}
    peers = dict(unit_data.get('peers', {}))
    sources = {u: b for u, b in inputs.peer_units.items() if succession.DEFINITIONS in b}
    desired = dataclasses.replace(desired, unit_data=unit_data)
    if not member:
        return desired
    if not sources:
        waits = charmkit.Status('waiting', 'waits for what the server has')
        return dataclasses.replace(desired, status=(*desired.status, waits))
    server, bag = min(sources.items())
    task = handing.Import(bag[succession.DEFINITIONS])
    tasks = desired.tasks
    found: object = ''
    if peers.get(succession.FOLLOWS) != task.digest and task.definitions:
        tasks = (*tasks, task)
        found = inputs.seen.get(task.name)
    if found == '':
        peers[succession.FOLLOWS] = task.digest
        words = f'follows {server}; {SWITCH} on {server} has it take over'
        said = charmkit.Status('active', words)
    else:
        said = charmkit.Status('blocked', f'cannot follow {server}: {found}')
    if found is None:
        return dataclasses.replace(desired, tasks=tasks)
    return dataclasses.replace(
        desired,
        tasks=tasks,
        unit_data={**unit_data, 'peers': peers},
        status=(*desired.status, said),
    )
