"""What each server should be doing on this unit's haproxy, what to tell it, and what to answer.

After a reload the old workers go on with what they had begun, and know nothing of what the new
one is told. So everything is sent to every worker, and a server is drained only when the requests of
all workers have ended.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Literal

from charmkit.relations import loadbalancer

from . import handshake

Want = Literal['ready', 'drain', 'maint']
ServerKey = tuple[str, str]
"""A backend's name and a server's name: what haproxy's commands name a server by."""

# The bits of srv_admin_state (haproxy's management guide, `show servers state`).
FORCED_MAINT = 0x01
CONFIG_MAINT = 0x04
FORCED_DRAIN = 0x08


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServerState:
    """One server as one worker sees it."""

    admin: int
    up: bool
    sessions: int
    """Requests under way and queued."""
    check_done: bool = True
    """Its first check has ended: haproxy calls it up until then."""
    handshake: str = ''
    """Why its last check found no TLS to trust, in haproxy's words; '' where that is not why it failed."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Worker:
    """One haproxy process; all but one are old, and finish what they began."""

    pid: int
    current: bool
    servers: Mapping[ServerKey, ServerState]


def believed(worker: Worker, ready: frozenset[ServerKey]) -> Worker:
    """*worker*, in which those that no check has seen yet are as they were said to be before: *ready*, or not up."""
    servers = {
        p: s if s.check_done else dataclasses.replace(s, up=p in ready)
        for p, s in worker.servers.items()
    }
    return dataclasses.replace(worker, servers=servers)


def want(lifecycle: loadbalancer.Lifecycle | None, lock: handshake.Lock | None) -> Want:
    """What a unit's servers should be doing; a drain needs a grant with the same token."""
    if lifecycle is None or lifecycle.state == 'ready':
        return 'ready'
    if lifecycle.state == 'maintenance':
        return 'maint'
    if lifecycle.state == 'gone':
        return 'drain'
    granted = lock is not None and lock.state == 'granted' and lock.token == lifecycle.token
    return 'drain' if granted else 'ready'


def commands(wants: Mapping[ServerKey, Want], worker: Worker) -> tuple[str, ...]:
    """What to tell *worker* so that its servers do what is wanted; nothing when they do."""
    return tuple(
        f'set server {backend}/{server} state {wanted}'
        for (backend, server), wanted in wants.items()
        if (backend, server) in worker.servers
        and not _does(worker.servers[backend, server], wanted)
    )


def cuts(keys: Iterable[ServerKey], worker: Worker) -> tuple[str, ...]:
    """What ends at once all that is under way on *keys*."""
    return tuple(
        f'shutdown sessions server {backend}/{server}'
        for backend, server in keys
        if worker.servers.get((backend, server), _NONE).sessions
    )


_NONE = ServerState(admin=0, up=False, sessions=0)


def _does(server: ServerState, wanted: Want) -> bool:
    maint, drain = server.admin & FORCED_MAINT, server.admin & FORCED_DRAIN
    if wanted == 'maint':
        return bool(maint)
    return not maint and bool(drain) == (wanted == 'drain')


def sessions(keys: Iterable[ServerKey], workers: Iterable[Worker]) -> int:
    """Requests under way on *keys*, over all workers."""
    keys = tuple(keys)
    return sum(w.servers[p].sessions for w in workers for p in keys if p in w.servers)


def out(keys: Iterable[ServerKey], workers: Iterable[Worker]) -> bool:
    """No worker sends another request to any of *keys*."""
    keys = tuple(keys)
    return all(
        w.servers[p].admin & (FORCED_MAINT | FORCED_DRAIN)
        for w in workers
        for p in keys
        if p in w.servers
    )


def serves(backend: str, workers: Iterable[Worker]) -> bool:
    """Some server of *backend* gets requests.

    One that was out of rotation when haproxy was reloaded bears the mark of that (:data:`CONFIG_MAINT`) until the next
    reload, though it is back.
    """
    return any(
        s.up and _does(s, 'ready')
        for w in workers
        if w.current
        for (name, _), s in w.servers.items()
        if name == backend
    )


def ack(
    lifecycle: loadbalancer.Lifecycle,
    lock: handshake.Lock | None,
    keys: Iterable[ServerKey],
    workers: Iterable[Worker],
    since_s: float,
) -> loadbalancer.Ack:
    """This load balancer unit's answer to *lifecycle*.

    ``ready`` says that requests are sent there, also to a unit whose wish to drain is queued.
    *since_s* is how many seconds ago this unit began to drain it, by its own clock.
    """
    keys, workers = tuple(keys), tuple(workers)
    wanted = want(lifecycle, lock)
    if wanted == 'ready':
        now = [w.servers[p] for w in workers if w.current for p in keys if p in w.servers]
        # One that is nowhere in rotation is not ready, however well it may be.
        well = bool(now) and all(s.up and _does(s, 'ready') for s in now)
        return loadbalancer.Ack(token=lifecycle.token, state='ready' if well else 'down')
    count = sessions(keys, workers)
    late = since_s >= lifecycle.deadline_s
    if out(keys, workers) and count == 0:
        forced = late and lifecycle.on_deadline == 'force'
        state = 'forced' if forced else 'drained'
    else:
        state = 'timeout' if late else 'draining'
    return loadbalancer.Ack(token=lifecycle.token, state=state, sessions=count)


def to_cut(lifecycle: loadbalancer.Lifecycle, wanted: Want, since_s: float) -> bool:
    """The deadline is over, and the unit asked for what is left to be cut off."""
    late = since_s >= lifecycle.deadline_s
    return wanted == 'drain' and late and lifecycle.on_deadline == 'force'
