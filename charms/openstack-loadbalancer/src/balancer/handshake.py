"""Who may drain: the lock that the load balancer's leader keeps over the units behind it.

A unit asks with a token; it is granted, queued or refused. A grant is given only while enough
others stay ready (``min-ready``) and few enough drain at once, and it is held until every load
balancer unit sends requests to the unit again. Its lease keeps the lock from being held for ever
by a unit that died: the lock is then free for others, and the unit stays drained.

Grants and the members (the load balancer units whose acknowledgement counts) live in one databag,
the peers' application data, so that each load balancer unit sees both as of one moment. A unit
serves no client before it is a member: it cannot have missed a grant that others acted on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from charmkit.relations import loadbalancer, unit_order, wire


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lock:
    """The leader's decision on one unit's wish to drain. Times in seconds of the leader's clock."""

    token: str
    state: str
    """``granted``, ``queued`` or ``refused``."""
    since: float
    """When it was first asked for; then, when it was granted or last renewed."""
    position: int = 0
    reason: str = ''
    beat: int = 0
    expired: bool = False
    """The lease ran out: others may drain, and this unit stays drained."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Candidate:
    """A unit behind the load balancer."""

    unit: str
    services: frozenset[str]
    lifecycle: loadbalancer.Lifecycle | None
    """What holds for it: its own word, or the operator's. None: it knows no drain, and serves."""
    up: bool = True
    """Its servers pass their checks."""

    @property
    def state(self) -> str:
        """The lifecycle's state."""
        return self.lifecycle.state if self.lifecycle else 'ready'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Policy:
    """What a grant must keep to."""

    min_ready: Mapping[str, int] = dataclasses.field(default_factory=dict[str, int])
    """By service; 1 where it is silent."""
    max_concurrent: int = 1
    """Grants at once, for each service."""
    lease_s: float = 1800.0


def decide(
    candidates: Iterable[Candidate],
    locks: Mapping[str, Lock],
    acks: Mapping[str, Mapping[str, loadbalancer.Ack]],
    members: Iterable[str],
    policy: Policy,
    now: float,
) -> dict[str, Lock]:
    """The locks that follow *locks*.

    *acks* are by load balancer unit, then by unit behind it. *now* is the leader's clock: leases
    are measured by it alone, so clocks of different machines are never compared (:func:`adopted`).
    """
    units = {c.unit: c for c in candidates}
    members = tuple(members)
    out: dict[str, Lock] = {}
    for unit, lock in locks.items():
        if unit in units and lock.state == 'granted':
            kept = _kept(units[unit], lock, acks, members, policy, now)
            if kept:
                out[unit] = kept
    asking = [
        (_asked_since(locks.get(c.unit), c.lifecycle, now), unit_order(c.unit), c, c.lifecycle)
        for c in units.values()
        if c.lifecycle is not None and c.state == 'drain' and c.unit not in out
    ]
    position = 0
    for since, _, c, lifecycle in sorted(asking, key=lambda a: a[:2]):
        state, reason = 'granted', 'forced'
        if not lifecycle.force:
            state, reason = _verdict(c, units.values(), out, acks, members, policy)
        if state == 'queued':
            position += 1
        out[c.unit] = Lock(
            token=lifecycle.token,
            state=state,
            since=now if state == 'granted' else since,
            position=position if state == 'queued' else 0,
            reason=reason,
            beat=lifecycle.beat,
        )
    return out


def standing(candidates: Iterable[Candidate], policy: Policy) -> dict[str, str]:
    """By unit: why its drain would be refused if it were asked for now; no word of those that would not be."""
    units = tuple(candidates)
    return {c.unit: short for c in units if (short := _short(c, units, policy))}


def adopted(locks: Mapping[str, Lock], *, now: float, own: bool) -> dict[str, Lock]:
    """*locks* as the leader's clock has them, which says *now*; *own*: they are of this clock already.

    A leader that takes over from another one, and one whose clock was set back, begin each lease anew: compared with
    another clock it could end at once, or never. Who asked first stays first.
    """
    if own and all(lock.since <= now for lock in locks.values()):
        return dict(locks)
    last = max((lock.since for lock in locks.values()), default=now)
    return {
        unit: dataclasses.replace(
            lock, since=now if lock.state == 'granted' else now + lock.since - last
        )
        for unit, lock in locks.items()
    }


def ready(
    candidate: Candidate,
    locks: Mapping[str, Lock],
    acks: Mapping[str, Mapping[str, loadbalancer.Ack]],
    members: Iterable[str],
) -> bool:
    """Every load balancer unit says that it sends requests to *candidate*, as of its last word."""
    lock = locks.get(candidate.unit)
    if not candidate.up or (lock is not None and lock.state == 'granted'):
        return False
    if candidate.lifecycle is None:
        return True
    if candidate.state not in ('ready', 'drain'):
        return False
    mine = [acks.get(m, {}).get(candidate.unit) for m in members]
    return all(a and a.state == 'ready' and a.token == candidate.lifecycle.token for a in mine)


def _kept(
    c: Candidate,
    lock: Lock,
    acks: Mapping[str, Mapping[str, loadbalancer.Ack]],
    members: tuple[str, ...],
    policy: Policy,
    now: float,
) -> Lock | None:
    """*lock*, renewed or expired; None when the unit is back in rotation everywhere."""
    if c.lifecycle is None:
        return None
    if c.state == 'ready':
        mine = [acks.get(m, {}).get(c.unit) for m in members]
        if all(a and a.token == c.lifecycle.token and a.state == 'ready' for a in mine):
            return None
    token = lock.token
    if c.state == 'drain' and c.lifecycle.token != token:
        # It asks anew while it is out already: that takes nothing from those that are ready.
        return dataclasses.replace(
            lock, token=c.lifecycle.token, since=now, beat=c.lifecycle.beat, expired=False
        )
    if c.lifecycle.beat != lock.beat:
        return dataclasses.replace(lock, since=now, beat=c.lifecycle.beat, expired=False)
    if now - lock.since >= policy.lease_s + c.lifecycle.deadline_s:
        return dataclasses.replace(lock, expired=True)
    return lock


def _asked_since(lock: Lock | None, lifecycle: loadbalancer.Lifecycle, now: float) -> float:
    return lock.since if lock is not None and lock.token == lifecycle.token else now


def _short(c: Candidate, everyone: Iterable[Candidate], policy: Policy) -> str:
    """Of which service too few units would be left without *c*, in words; '' where enough are there."""
    others = [o for o in everyone if o.unit != c.unit]
    for service in sorted(c.services):
        left, least = sum(service in o.services for o in others), policy.min_ready.get(service, 1)
        if left < least:
            return f'{service} would have {left} of {least} units left'
    return ''


def _verdict(
    c: Candidate,
    everyone: Iterable[Candidate],
    locks: Mapping[str, Lock],
    acks: Mapping[str, Mapping[str, loadbalancer.Ack]],
    members: tuple[str, ...],
    policy: Policy,
) -> tuple[str, str]:
    everyone = tuple(everyone)
    if short := _short(c, everyone, policy):
        return 'refused', short
    others = [o for o in everyone if o.unit != c.unit]
    waits = ''
    for service in sorted(c.services):
        behind = [o for o in others if service in o.services]
        least = policy.min_ready.get(service, 1)
        draining = [
            o.unit
            for o in behind
            if o.unit in locks and locks[o.unit].state == 'granted' and not locks[o.unit].expired
        ]
        able = [o for o in behind if ready(o, locks, acks, members)]
        if len(draining) >= policy.max_concurrent:
            waits = waits or f'waits for {", ".join(sorted(draining, key=unit_order))}'
        elif len(able) < least:
            waits = waits or f'{service} would have {len(able)} of {least} units ready'
    return ('queued', waits) if waits else ('granted', '')


def dump(locks: Mapping[str, Lock]) -> str:
    """The wire format of *locks*, in the peers' application data."""
    return wire.dump({unit: dataclasses.asdict(lock) for unit, lock in locks.items()})


def load(text: str) -> dict[str, Lock]:
    """What :func:`dump` wrote."""
    return {unit: _lock(data) for unit, data in wire.objects(wire.load_object(text))}


def _lock(data: Mapping[str, Any]) -> Lock:
    return Lock(
        token=wire.text(data.get('token')),
        state=wire.text(data.get('state')),
        since=float(data.get('since') or 0.0),
        position=wire.number(data.get('position')),
        reason=wire.text(data.get('reason')),
        beat=wire.number(data.get('beat')),
        expired=bool(data.get('expired')),
    )
