"""The drain of one unit, as all of its load balancers see it: what to ask of each, in which order, and how far it is.

The words on the wire are those of :mod:`.loadbalancer`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Literal

from . import Relation
from .loadbalancer import Ack, Lifecycle, Reply, read, read_lifecycle

DrainState = Literal['drained', 'unsupported', 'draining', 'timeout', 'queued', 'asked', 'refused']
_WORST_LAST: tuple[DrainState, ...] = (
    'drained', 'unsupported', 'draining', 'timeout', 'queued', 'asked', 'refused',
)  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Drain:
    """How far a drain has come, over all load balancers."""

    state: DrainState
    reason: str = ''
    sessions: int = 0

    @property
    def proceed(self) -> bool:
        """The unit may stop: nothing is sent to it any more, and nothing is under way."""
        return self.state == 'drained'


def next_lifecycle(
    current: Lifecycle | None,
    relations: Iterable[Relation],
    *,
    unit: str,
    paused: bool,
    healthy: bool,
    fresh_token: str,
    wish: Lifecycle | None = None,
) -> Lifecycle:
    """The lifecycle that follows *current*: ready, drain, maintenance, and ready again.

    A paused unit drains, and goes to ``maintenance`` when every load balancer has let it: from
    then on, and not before, it may stop. A unit that is to serve again is ``ready`` once
    *healthy*: its own health check passes locally. *current* is what the unit last wrote
    (:func:`read_lifecycle`), the same on all its relations; it comes back as it is, token and
    all, when nothing is to change. *fresh_token* is any string never used before. *wish* holds
    the reason, deadline and force of a new drain.
    """
    state = current.state if current else 'ready'
    if current and paused and state == 'drain':
        if drain(relations, unit, current).proceed:
            return dataclasses.replace(current, state='maintenance', token=fresh_token)
        if wish and wish.force and not current.force:
            return dataclasses.replace(wish, state='drain', token=fresh_token)
        return current
    if paused and state == 'ready':
        new = wish or Lifecycle(state='drain', token='', reason='paused')
        return dataclasses.replace(new, state='drain', token=fresh_token)
    if current is None or (not paused and state != 'ready' and healthy):
        return Lifecycle(state='ready', token=fresh_token)
    return current


def last_lifecycle(relations: Iterable[Relation]) -> Lifecycle | None:
    """What this unit last wanted: what it wrote to the load balancer that is asked first."""
    said = (read_lifecycle(r.my_data) for r in sorted(relations, key=_turn))
    return next((x for x in said if x), None)


def lifecycle_for(
    relation: Relation, relations: Iterable[Relation], unit: str, lifecycle: Lifecycle
) -> Lifecycle:
    """What is published to the load balancer of *relation*, one of *relations*, when *lifecycle* holds.

    A wish to drain is published in turn, by the load balancers' names: to each once those before it
    have granted it. Told all at once, two load balancers could each grant another unit, and the
    two units would wait for one another for ever.
    """
    if lifecycle.state != 'drain' or lifecycle.force:
        return lifecycle
    before = (r for r in relations if r.app < relation.app and r.units)
    if all(_granted(r, unit, lifecycle) for r in before):
        return lifecycle
    still = dataclasses.replace(lifecycle, state='ready', token=f'before-{lifecycle.token}')
    return read_lifecycle(relation.my_data) or still


def _turn(relation: Relation) -> tuple[str, int]:
    return relation.app, relation.id


def _granted(relation: Relation, unit: str, lifecycle: Lifecycle) -> bool:
    reply = read(relation)
    if reply is None or reply.version < 2:
        return reply is not None
    grant = reply.grants.get(unit)
    return grant is not None and (grant.state, grant.token) == ('granted', lifecycle.token)


def drain(relations: Iterable[Relation], unit: str, lifecycle: Lifecycle) -> Drain:
    """How far the drain that *lifecycle* asks for has come, on every load balancer.

    *relations* are all those of :data:`ENDPOINTS`; without any, nobody sends requests through a
    load balancer and the unit may proceed. In ``maintenance`` the drain is done already.
    """
    if lifecycle.state in ('maintenance', 'gone'):
        return Drain(state='drained')
    relations = tuple(relations)
    # One whose turn has not come says nothing, and one before it has not granted.
    each = [
        _drain_of(relation, unit, lifecycle)
        for relation in relations
        if lifecycle_for(relation, relations, unit, lifecycle).token == lifecycle.token
    ]
    found = max(each, key=lambda d: _WORST_LAST.index(d.state), default=Drain(state='drained'))
    if found.state == 'asked' and (why := _would_refuse(relations, unit, lifecycle)):
        return dataclasses.replace(found, reason=why)
    return found


def in_rotation(relations: Iterable[Relation], unit: str, lifecycle: Lifecycle) -> bool:
    """Every load balancer unit sends requests here again, after a change to ``ready``."""
    return all(
        _acked(reply, unit, lifecycle.token, {'ready'})
        for reply in map(read, relations)
        if reply is not None and reply.version >= 2
    )


def has_clients(relations: Iterable[Relation], unit: str, lifecycle: Lifecycle) -> bool:
    """Some load balancer unit sends requests here, as *lifecycle* has it."""
    replies = (reply for reply in map(read, relations) if reply is not None)
    acks = (of.get(unit) for reply in replies for of in reply.acks.values())
    return any(_is(ack, lifecycle.token, {'ready'}) for ack in acks)


def _drain_of(relation: Relation, unit: str, lifecycle: Lifecycle) -> Drain:
    reply = read(relation)
    if not relation.units:
        return Drain(state='drained')
    if reply is None:
        return Drain(state='asked', reason=f'{relation.app} has not answered')
    if reply.version < 2:
        return Drain(state='unsupported', reason=f'{relation.app} knows no drain')
    token = lifecycle.token
    if reply.lb_units and _acked(reply, unit, token, {'drained', 'forced'}):
        return Drain(state='drained')
    mine = [acks[unit] for acks in reply.acks.values() if unit in acks]
    sessions = sum(a.sessions for a in mine if a.token == token)
    grant = reply.grants.get(unit)
    if (grant is None or grant.token != token) and not any(a.token == token for a in mine):
        return Drain(state='asked', reason=f'{relation.app} has not decided yet')
    if grant is not None and grant.token == token and grant.state == 'refused':
        return Drain(state='refused', reason=f'{relation.app}: {grant.reason}')
    if grant is not None and grant.token == token and grant.state == 'queued':
        return Drain(state='queued', reason=f'{relation.app}: {grant.reason}')
    late = any(a.token == token and a.state == 'timeout' for a in mine)
    return Drain(
        state='timeout' if late else 'draining',
        reason=f'{relation.app}: {sessions} requests under way',
        sessions=sessions,
    )


def _would_refuse(relations: Iterable[Relation], unit: str, lifecycle: Lifecycle) -> str:
    """Which load balancer has said, before it was asked, that it would refuse the drain, and why; '' for none."""
    if lifecycle.force:
        return ''
    for relation in sorted(relations, key=_turn):
        grant = reply.grants.get(unit) if (reply := read(relation)) else None
        if grant and (grant.state, grant.token) == ('refused', ''):
            return f'{relation.app} refuses it as things are: {grant.reason}'
    return ''


def _acked(reply: Reply, unit: str, token: str, states: set[str]) -> bool:
    acks = [reply.acks.get(lb_unit, {}).get(unit) for lb_unit in reply.lb_units]
    return all(_is(ack, token, states) for ack in acks)


def _is(ack: Ack | None, token: str, states: set[str]) -> bool:
    return ack is not None and ack.token == token and ack.state in states
