"""How one look at haproxy leads to the next: acknowledgements, grants, and whether to wait a little longer. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from charmkit.relations import loadbalancer

from . import handshake, reply, rotation
from .decision import Decision, RunInputs, decide
from .tasks import DrainProgress, HaproxyState, Servers

_POLL_S = 0.1
_MOST_LOOKS = 500
Acks = Mapping[str, loadbalancer.Ack]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settled:
    """Where the looks of a run have come to."""

    decision: Decision
    acks: Acks
    course: DrainProgress
    look: int
    at: float
    """When the last of them was; seconds since the epoch."""
    workers: tuple[rotation.Worker, ...]
    mark: str
    """Of the configuration that haproxy has."""


def first(now: Decision, drains: Mapping[str, tuple[str, float]], at: float) -> Servers:
    """The first look at haproxy, *at* so many seconds since the epoch; *drains* are those of earlier runs."""
    course = DrainProgress(drains=_noted(now, drains, at), began=at)
    cut = _cut(now, course, at)
    course = dataclasses.replace(course, cut=frozenset(cut))
    return Servers(wants=now.wants, cut=cut, course=course)


def following(known: RunInputs, seen: HaproxyState, *, wait_s: float) -> Servers | Settled:
    """What comes after a look: another, while what is wanted has changed or something is about to end; else the end.

    *known* is as it was when the run began; *wait_s* is how long to wait for ends, in seconds.
    """
    course = seen.course
    now = decide(known if course.locks is None else dataclasses.replace(known, locks=course.locks))
    said = reply.read_member(known.inputs.my_peer_data).acks
    ready = frozenset(
        key
        for unit, keys in now.servers.items()
        if unit in said and said[unit].state == 'ready'
        for key in keys
    )
    workers = tuple(rotation.believed(w, ready) for w in seen.workers)
    acks, idle = _acks(now, workers, course, seen.at)
    after, locks = _granted(known, now, acks, workers, seen.at)
    if seen.look == 0:
        course = dataclasses.replace(course, began=seen.at)
    course = dataclasses.replace(
        course,
        locks=locks if locks is not None else course.locks,
        idle=idle,
        drains=_noted(after, course.drains, seen.at),
    )
    late = seen.at - course.began > wait_s
    cut = _cut(after, course, seen.at)
    # A deadline that was over by this look, and not by the one before, is not left to the next run.
    over = rotation.sessions({*cut} - course.cut, workers) > 0
    if seen.look < _MOST_LOOKS and (
        after.wants != now.wants or (_waits(after, acks) and not late) or over
    ):
        return Servers(
            wants=after.wants,
            cut=cut,
            look=seen.look + 1,
            pause_s=_POLL_S,
            course=dataclasses.replace(course, cut=course.cut | {*cut}),
        )
    return Settled(
        decision=after,
        acks=acks,
        course=course,
        look=seen.look,
        at=seen.at,
        workers=workers,
        mark=seen.mark,
    )


def _granted(
    known: RunInputs,
    now: Decision,
    acks: Acks,
    workers: tuple[rotation.Worker, ...],
    at: float,
) -> tuple[Decision, dict[str, handshake.Lock] | None]:
    """On the leader, the decision that follows from what is acknowledged, and the locks that it has changed."""
    inputs = known.inputs
    if not inputs.site.leader:
        return now, None
    others = {u: m.acks for u, m in known.others.items()}
    locks = handshake.decide(
        candidates(now, workers),
        now.locks,
        {**others, inputs.site.unit: acks},
        now.members,
        policy(now),
        at,
    )
    if locks == now.locks:
        return now, None
    return decide(dataclasses.replace(known, locks=locks)), locks


def policy(now: Decision) -> handshake.Policy:
    """What a grant must keep to, as the options have it."""
    return handshake.Policy(
        min_ready=now.layout.min_ready(),
        max_concurrent=now.opts.max_concurrent,
        lease_s=now.opts.lease_s,
    )


def candidates(
    now: Decision, workers: Iterable[rotation.Worker]
) -> tuple[handshake.Candidate, ...]:
    """The units behind, as the leader sees them: those that are served, and nobody else."""
    health, services = up(now, workers), now.layout.services()
    return tuple(
        handshake.Candidate(
            unit=unit,
            services=services[unit],
            lifecycle=lifecycle,
            up=health.get(unit, True),
        )
        for unit, lifecycle in now.lifecycles.items()
    )


def up(now: Decision, workers: Iterable[rotation.Worker]) -> dict[str, bool]:
    """Whether each unit's servers pass their checks on this unit's haproxy."""
    current = [w for w in workers if w.current]
    return {
        unit: all(w.servers[k].up for w in current for k in keys if k in w.servers)
        for unit, keys in now.servers.items()
    }


def due(
    now: Decision, course: DrainProgress, gone: Iterable[float], *, began: float, looked: float
) -> float:
    """When the charm must look again though nothing happens (seconds since the epoch); 0: never.

    *gone* is until when what has departed is served, as of when the run *began*. What was decided by looks at haproxy
    is as of when the last one *looked*.
    """
    times: list[float] = []
    for unit, (_, since) in course.drains.items():
        lifecycle = now.lifecycles.get(unit)
        if lifecycle is not None:
            times.append(since + lifecycle.deadline_s)
    for unit, lock in now.locks.items():
        lifecycle = now.lifecycles.get(unit)
        if lifecycle is not None and lock.state == 'granted' and not lock.expired:
            times.append(lock.since + now.opts.lease_s + lifecycle.deadline_s)
    ahead = (*(t for t in times if t > looked), *(t for t in gone if t > began))
    return min(ahead, default=0)


def _waits(now: Decision, acks: Acks) -> bool:
    """Something may still come to its end here: a drain, or a unit's return."""
    for unit, ack in acks.items():
        lock = now.locks.get(unit)
        if lock is None or lock.state != 'granted':
            continue
        if ack.state == 'draining' or (ack.state == 'down' and not lock.expired):
            return True
    return False


def _noted(
    now: Decision, drains: Mapping[str, tuple[str, float]], at: float
) -> dict[str, tuple[str, float]]:
    since: dict[str, tuple[str, float]] = {}
    for unit, keys in now.servers.items():
        lifecycle = now.lifecycles.get(unit)
        if lifecycle and any(now.wants[k] == 'drain' for k in keys):
            before = drains.get(unit)
            known = before is not None and before[0] == lifecycle.token
            since[unit] = before if before and known else (lifecycle.token, at)
    return since


def _cut(now: Decision, course: DrainProgress, at: float) -> tuple[rotation.ServerKey, ...]:
    return tuple(
        key
        for unit, keys in now.servers.items()
        for key in keys
        if (lifecycle := now.lifecycles.get(unit))
        and rotation.to_cut(lifecycle, now.wants[key], _age(unit, course, at))
    )


def _age(unit: str, course: DrainProgress, at: float) -> float:
    found = course.drains.get(unit)
    return max(0.0, at - found[1]) if found else 0.0


def _acks(
    now: Decision, workers: tuple[rotation.Worker, ...], course: DrainProgress, at: float
) -> tuple[dict[str, loadbalancer.Ack], dict[str, int]]:
    """The acknowledgements; a server must be seen idle twice to count as drained.

    A request that was given to a server in the moment of the drain shows on the second look.
    """
    out: dict[str, loadbalancer.Ack] = {}
    idle: dict[str, int] = {}
    for unit, lifecycle in now.lifecycles.items():
        if lifecycle is None:
            continue
        keys = now.servers.get(unit, ())
        ack = rotation.ack(lifecycle, now.locks.get(unit), keys, workers, _age(unit, course, at))
        if ack.state in ('drained', 'forced'):
            idle[unit] = course.idle.get(unit, 0) + 1
            if idle[unit] < 2:
                ack = dataclasses.replace(ack, state='draining')
        out[unit] = ack
    return out, idle
