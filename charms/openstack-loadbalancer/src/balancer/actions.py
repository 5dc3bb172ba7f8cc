"""What the operator's actions change, when they fail, and what they say. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, cast

from charmkit import Action, Desired, Inputs, Status, Why, state
from charmkit.relations import loadbalancer, wire

from . import decision, handshake, publish, reply, standby, stats, tasks

LOOKS = frozenset({'list-backends', 'show-grants', 'stats'})
"""Actions that change nothing."""
_OF_SELF = ('drain-self', 'resume-self')
_LEADERS = frozenset(
    {'drain-backend', 'resume-backend', 'release-grant', 'exclude-unit', 'include-unit'}
)


def orders(why: Why) -> decision.Orders:
    """What an action changes on the leader."""
    if not isinstance(why, Action):
        return decision.Orders()
    unit = str(why.params.get('unit', ''))
    match why.name:
        case 'drain-backend':
            return decision.Orders(hold={unit: _hold(why)})
        case 'resume-backend':
            return decision.Orders(resume=frozenset({unit}))
        case 'release-grant':
            return decision.Orders(release=frozenset({unit}))
        case 'exclude-unit':
            return decision.Orders(exclude=frozenset({unit}))
        case 'include-unit':
            return decision.Orders(include=frozenset({unit}))
        case _:
            return decision.Orders()


def _hold(why: Action) -> loadbalancer.Lifecycle:
    force = bool(why.params.get('force', False))
    return loadbalancer.Lifecycle(
        state='drain',
        token=f'operator-{why.id}',
        reason='the operator',
        deadline_s=int(why.params.get('deadline', 300)),
        on_deadline='force' if force else 'wait',
        force=force,
    )


def wish(why: Why, memory: Mapping[str, Any], *, out: bool) -> standby.Wish:
    """What the operator wants of this unit; *out*: it was to be out of service until now."""
    if isinstance(why, Action) and why.name in _OF_SELF:
        forced = bool(why.params.get('force', False))
        return standby.wish(memory, out=why.name == 'drain-self', forced=forced)
    return standby.wish(memory, out=out, forced=None)


def refused(why: Action, inputs: Inputs, now: decision.Decision) -> str:
    """Why an action cannot do what it is for, as far as that is known beforehand; '' when it can."""
    if why.name == 'drain-self' and now.stays:
        return f'{standby.NOBODY}: clients would reach nobody (force=true does it all the same)'
    if why.name not in _LEADERS:
        return ''
    if not inputs.site.leader:
        return 'Only the leader can do this: run it on the unit APPLICATION/leader.'
    unit = str(why.params.get('unit', ''))
    members = {inputs.site.unit, *inputs.peer_units}
    before = wire.load_object(inputs.peers.get('holds', ''))
    locks = handshake.load(inputs.peers.get('locks', ''))
    excluded = wire.texts(wire.load_array(inputs.peers.get('excluded', '')))
    match why.name:
        case 'drain-backend' if unit not in now.servers:
            return f'{unit} is not served here; there are: {_listed(now.servers)}'
        case 'resume-backend' if unit not in before:
            return f'drain-backend has taken out no {unit}, but: {_listed(before)}'
        case 'release-grant' if unit not in locks:
            return f'{unit} has no grant; there are grants of: {_listed(locks)}'
        case 'exclude-unit' if unit not in members:
            return f'{unit} is no unit of this load balancer; there are: {_listed(members)}'
        case 'exclude-unit' if unit in excluded:
            return f'{unit} is excluded already'
        case 'include-unit' if unit not in excluded:
            return f'{unit} is not excluded; excluded are: {_listed(excluded)}'
        case _:
            return ''


def outcome(
    why: Why, now: decision.Decision, statuses: Iterable[Status]
) -> tuple[str, dict[str, str]]:
    """Why an action has failed ('' when it has not), and what it says."""
    if not isinstance(why, Action):
        return '', {}
    unit = str(why.params.get('unit', ''))
    match why.name:
        case 'drain-backend' | 'resume-backend' | 'release-grant':
            lock = now.locks.get(unit)
            said = f'{lock.state} {lock.reason}'.strip() if lock else 'none'
            if why.name == 'drain-backend' and lock and lock.state == 'refused':
                return f'{unit} may not be drained: {lock.reason} (force does it all the same)', {}
            return '', {'unit': unit, 'grant': said}
        case 'exclude-unit' | 'include-unit':
            return '', {'excluded': ' '.join(sorted(now.excluded)) or 'none'}
        case _ if why.name in _OF_SELF:
            return '', {'status': state.summary(statuses).message}
        case _:
            return '', {}


def looked(why: Action, inputs: Inputs, now: decision.Decision) -> Desired:
    """What an action that changes nothing looks at, and what it says."""
    match why.name:
        case 'show-grants':
            return Desired(read_only=True, results=_grants(now))
        case 'list-backends':
            found = inputs.seen.get('look')
            if isinstance(found, tasks.Unreachable):
                return Desired(failure=found.reason)
            if not isinstance(found, tuple):
                return Desired(read_only=True, tasks=(tasks.ProbeHaproxy(),))
            rows = publish.backends(now, cast('tuple[Any, ...]', found))
            results = {'backends': publish.table(rows), 'json': wire.dump(rows)}
            return Desired(read_only=True, results=results, tasks=(tasks.ProbeHaproxy(),))
        case _:
            return _statistics(why, inputs)


def _grants(now: decision.Decision) -> dict[str, str]:
    lines = [f'{u}: {lock.state} {lock.reason}'.rstrip() for u, lock in now.locks.items()]
    return {'grants': '\n'.join(lines) or 'none', 'json': handshake.dump(now.locks)}


def _statistics(why: Action, inputs: Inputs) -> Desired:
    bags = {unit: reply.read_member(bag).metrics for unit, bag in inputs.peer_units.items()}
    task = tasks.Statistics({u: where for u, where in bags.items() if where}, inputs.site.unit)
    seen = inputs.seen.get(task.name)
    if not isinstance(seen, tuple):
        return Desired(read_only=True, tasks=(task,))
    found, missing = cast('tuple[Mapping[str, str], tuple[str, ...]]', seen)
    lines = stats.merged(found)
    as_json = why.params.get('format') == 'json'
    text = wire.dump([dataclasses.asdict(x) for x in lines]) if as_json else stats.table(lines)
    results = {'stats': text, **({'missing': '; '.join(missing)} if missing else {})}
    return Desired(read_only=True, tasks=(task,), results=results)


def _listed(names: Iterable[str]) -> str:
    return ', '.join(sorted(names)) or 'none'
