"""The edge to this unit's haproxy: bring its servers to what is wanted, and see how far it is."""

from __future__ import annotations

import dataclasses
import json
import logging
import pathlib
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping

from charmkit import run
from charmkit.relations import loadbalancer

from . import decision, handshake, rotation, runtime

_log = logging.getLogger(__name__)
_POLL_S = 0.1
Acks = Mapping[str, loadbalancer.Ack]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Drains:
    """Since when each unit is being drained, by this unit's clock; kept between hooks."""

    since: Mapping[str, tuple[str, float]] = dataclasses.field(
        default_factory=dict[str, tuple[str, float]]
    )
    """By unit: the token, and seconds since the epoch."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settled:
    """Where :func:`settle` has come to."""

    decision: decision.Decision
    acks: Acks
    drains: Drains
    workers: tuple[rotation.Worker, ...]


def settle(
    first: decision.Decision,
    decide: Callable[[Acks, tuple[rotation.Worker, ...], decision.Decision], decision.Decision],
    drains: Drains,
    said: Acks,
    *,
    wait_s: float,
) -> Settled:
    """Bring every worker to what is wanted, and wait up to *wait_s* for drains to end.

    *said* is what this unit acknowledged before.

    *decide* gives the next decision when acknowledgements have changed: on the leader, new grants.

    Raises:
        runtime.UnreachableError: when haproxy does not answer.
    """
    end = time.monotonic() + wait_s
    now, quiet = first, dict[str, int]()
    while True:
        drains = _noted(now, drains)
        _tell(now, runtime.workers())
        # Looked at after all was told: what is still sent to a server must show.
        workers = _seen(now, said)
        _cut(now, workers, drains)
        acks, quiet = _acks(now, workers, drains, quiet)
        following = decide(acks, workers, now)
        pending = following.wants != now.wants or _waits(following, acks)
        now = following
        if not pending or time.monotonic() > end:
            break
        time.sleep(_POLL_S)
    runtime.save_states()
    return Settled(decision=now, acks=acks, drains=drains, workers=workers)


def _seen(now: decision.Decision, said: Acks) -> tuple[rotation.Worker, ...]:
    ready = frozenset(
        p
        for u, places in now.places.items()
        if u in said and said[u].state == 'ready'
        for p in places
    )
    return tuple(rotation.believed(w, ready) for w in runtime.workers())


def _waits(now: decision.Decision, acks: Acks) -> bool:
    """Something may still come to its end here: a drain, or a unit's return."""
    for unit, ack in acks.items():
        lock = now.locks.get(unit)
        if lock is None or lock.state != 'granted':
            continue
        if ack.state == 'draining' or (ack.state == 'down' and not lock.expired):
            return True
    return False


def _noted(now: decision.Decision, drains: Drains) -> Drains:
    since: dict[str, tuple[str, float]] = {}
    for unit, places in now.places.items():
        lifecycle = now.lifecycles.get(unit)
        if lifecycle and any(now.wants[p] == 'drain' for p in places):
            before = drains.since.get(unit)
            known = before is not None and before[0] == lifecycle.token
            since[unit] = before if before and known else (lifecycle.token, time.time())
    return Drains(since=since)


def _tell(now: decision.Decision, workers: tuple[rotation.Worker, ...]) -> None:
    for worker in workers:
        commands = rotation.commands(now.wants, worker)
        for command in commands:
            _log.info('worker %d: %s', worker.pid, command)
        runtime.tell(worker.pid, commands)


def _cut(now: decision.Decision, workers: tuple[rotation.Worker, ...], drains: Drains) -> None:
    for unit, places in now.places.items():
        lifecycle = now.lifecycles.get(unit)
        if lifecycle and any(
            rotation.to_cut(lifecycle, now.wants[p], _age(unit, drains)) for p in places
        ):
            for worker in workers:
                runtime.tell(worker.pid, rotation.cuts(places, worker))


def _age(unit: str, drains: Drains) -> float:
    found = drains.since.get(unit)
    return max(0.0, time.time() - found[1]) if found else 0.0


def _acks(
    now: decision.Decision,
    workers: tuple[rotation.Worker, ...],
    drains: Drains,
    quiet: Mapping[str, int],
) -> tuple[dict[str, loadbalancer.Ack], dict[str, int]]:
    """The acknowledgements; a server must be seen idle twice to count as drained.

    A request that was given to a server in the moment of the drain shows on the second look.
    """
    out: dict[str, loadbalancer.Ack] = {}
    idle: dict[str, int] = {}
    for unit, lifecycle in now.lifecycles.items():
        if lifecycle is None:
            continue
        places = now.places.get(unit, ())
        ack = rotation.ack(lifecycle, now.locks.get(unit), places, workers, _age(unit, drains))
        if ack.state in ('drained', 'forced'):
            idle[unit] = quiet.get(unit, 0) + 1
            if idle[unit] < 2:
                ack = dataclasses.replace(ack, state='draining')
        out[unit] = ack
    return out, idle


def up(now: decision.Decision, workers: tuple[rotation.Worker, ...]) -> dict[str, bool]:
    """Whether each unit's servers pass their checks on this unit's haproxy."""
    current = [w for w in workers if w.current]
    return {
        unit: all(w.servers[p].up for w in current for p in places if p in w.servers)
        for unit, places in now.places.items()
    }


def candidates(
    now: decision.Decision, workers: tuple[rotation.Worker, ...]
) -> tuple[handshake.Candidate, ...]:
    """The units behind, as the leader sees them."""
    health = up(now, workers)
    services: dict[str, set[str]] = {}
    for request in now.requests:
        for server in request.servers:
            services.setdefault(server.unit, set()).add(server.service)
    return tuple(
        handshake.Candidate(
            unit=unit,
            services=frozenset(services.get(unit, ())),
            lifecycle=lifecycle,
            up=health.get(unit, True),
        )
        for unit, lifecycle in now.lifecycles.items()
    )


def objection(text: str) -> str:
    """What haproxy itself says against a configuration; empty when it takes it."""
    with tempfile.NamedTemporaryFile('w', suffix='.cfg') as f:
        pathlib.Path(f.name).chmod(0o600)
        f.write(text)
        f.flush()
        done = subprocess.run(
            ['haproxy', '-c', '-q', '-f', f.name], capture_output=True, text=True, check=False
        )
    if not done.returncode:
        return ''
    alerts = [line for line in done.stderr.splitlines() if 'ALERT' in line]
    return (alerts or [done.stderr.strip() or 'it would not say why'])[0][:200]


def reload() -> None:
    """Have haproxy take up its configuration once more. Raises run.CommandError."""
    run.program('systemctl', 'reload', 'haproxy')


def interface_names() -> dict[str, str]:
    """The name of the network interface that has each address."""
    try:
        done = run.program('ip', '-j', 'address', 'show')
    except (run.CommandError, FileNotFoundError):
        return {}
    return {a['local']: i['ifname'] for i in json.loads(done) for a in i['addr_info']}
