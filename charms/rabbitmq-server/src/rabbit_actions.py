"""Actions that ask the broker, or tell it one thing, and change nothing of what the charm keeps. Pure."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, cast

import broker
import charmkit
import membership
from charmkit.machine import Finished
from charmkit.relations import wire

_STATUS = broker.Ask(('cluster_status', '--formatter', 'json'))
_VHOSTS = broker.Ask(('-q', 'list_vhosts', 'name', '--formatter', 'json'), name='vhosts')


def cluster_status(inputs: charmkit.Inputs) -> charmkit.Desired:
    """Members, those that run, alarms, partitions and versions, as this unit's node sees them."""
    found = inputs.seen.get(_STATUS.name)
    desired = charmkit.Desired(tasks=(_STATUS,), read_only=True)
    if not isinstance(found, Finished):
        return desired
    seen = membership.parse_status(found.output)
    if found.status or not seen.is_reachable:
        return charmkit.Desired(failure=_last(found.output))
    return dataclasses.replace(
        desired,
        results={
            'members': ' '.join(sorted(seen.members)),
            'running': ' '.join(sorted(seen.up)),
            'alarms': ' '.join(sorted(f'{a.node}:{a.resource}' for a in seen.alarms)) or 'none',
            'partitions': json.dumps(
                {k: list(v) for k, v in seen.partitions.items()}, sort_keys=True
            ),
            'versions': ' '.join(sorted(seen.versions)),
        },
    )


def _last(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip() not in ('', 'Error:')]
    return lines[0].strip()[:400] if lines else 'rabbitmqctl said nothing'


def unconsumed_queues(inputs: charmkit.Inputs) -> charmkit.Desired:
    """The queues that nobody reads, by virtual host, with the number of messages in each."""
    listed = inputs.seen.get(_VHOSTS.name)
    if not isinstance(listed, Finished):
        return charmkit.Desired(tasks=(_VHOSTS,), read_only=True)
    if listed.status:
        return charmkit.Desired(failure=_last(listed.output))
    vhosts = [str(v['name']) for v in _rows(listed.output) if 'name' in v]
    columns = ('name', 'messages', 'consumers', '--formatter', 'json')
    tasks = [
        broker.Ask(('-q', 'list_queues', '-p', v, *columns), name=f'queues {v}') for v in vhosts
    ]
    results: dict[str, str] = {}
    for vhost, task in zip(vhosts, tasks, strict=True):
        found = inputs.seen.get(task.name)
        if not isinstance(found, Finished):
            continue
        if found.status:
            return charmkit.Desired(failure=_last(found.output))
        idle = {
            str(q['name']): q.get('messages')
            for q in _rows(found.output)
            if q.get('consumers') == 0
        }
        results[vhost] = json.dumps(idle, sort_keys=True)
    queues = {v: json.loads(text) for v, text in results.items() if text != '{}'}
    return charmkit.Desired(
        tasks=(_VHOSTS, *tasks),
        read_only=True,
        results={'unconsumed-queues': json.dumps(queues, sort_keys=True)} if results else {},
    )


def _rows(said: str) -> list[dict[str, Any]]:
    """The array that RabbitMQ prints, over several lines."""
    start = said.find('[')
    rows = wire.load_array(said[start:]) if start >= 0 else []
    return [cast('dict[str, Any]', r) for r in rows if isinstance(r, dict)]


def forgotten(name: str, inputs: charmkit.Inputs) -> charmkit.Desired:
    """Take the node *name*, which is not to come back, out of the cluster."""
    if not membership.unit(name):
        return charmkit.Desired(
            failure=f'node is {name[:80]!r}: give one of those that cluster-status calls members'
        )
    if name == membership.node(inputs.site.unit):
        return charmkit.Desired(failure=f'{name} is this unit: run it on another one')
    task = broker.Forget(name)
    found = inputs.seen.get(task.name)
    if found:
        return charmkit.Desired(failure=str(found))
    return charmkit.Desired(tasks=(task,), read_only=True, results={'forgotten': name})
