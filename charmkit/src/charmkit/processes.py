"""Renew the processes of one WSGI application, its neighbours left alone.

``apache2ctl graceful`` renews every process of every service on the machine at once, and each
must load its application again: tens of seconds in which requests wait. A mod_wsgi daemon process
that gets SIGUSR1 ends when it has no request left (``graceful-timeout``), and Apache starts its
successor (mod_wsgi, ``WSGIDaemonProcess``). Taken half by half, the rest keep serving.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pathlib
import signal
import time
from collections.abc import Callable, Iterable

from . import apache

_log = logging.getLogger(__name__)
READY_S = 60.0
"""How long to wait for one successor."""


def recycle(service: str) -> str:
    """Renew the processes of *service*, ``wsgi:NAME``: one half, and the other when that serves.

    Returns '' when all are new, else why the other half was left as it was.
    """
    name = service.removeprefix('wsgi:')
    old = sorted(_of(name))
    if not old:
        return f'{name}: no process shows that it is one of its'
    half = (len(old) + 1) // 2
    for batch in (old[:half], old[half:]):
        before = _of(name)
        for pid in batch:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGUSR1)
        if not _succeeded(name, frozenset(batch), before):
            log = f'{apache.LOGS}/{name}-error.log'
            return (
                f'{name} has no new processes within {READY_S:.0f} s: the others go on as they '
                f'were started; see {log}'
            )
    return ''


def of(services: Iterable[str]) -> frozenset[int]:
    """Process ids of all *services*, each ``wsgi:NAME``."""
    return frozenset[int]().union(*(_of(s.removeprefix('wsgi:')) for s in services))


def await_renewal(services: Iterable[str], old: frozenset[int]) -> None:
    """Wait until all of *old* have ended and every process of *services* serves; no longer than :data:`READY_S`.

    A reload returns at once, and for a moment old processes answer: who asks then hears nothing of the new. Where
    there are no *old* ones, nothing is waited for.
    """
    if not old:
        return
    names = [service.removeprefix('wsgi:') for service in services]

    def renewed() -> bool:
        groups = [_of(name) for name in names]
        new = all(pids and old.isdisjoint(pids) for pids in groups)
        return new and all(_serving(pids) == len(pids) for pids in groups)

    if not _in_time(renewed):
        _log.warning('%s: not all processes are new and serve', ', '.join(names))


def end_idle(service: str) -> None:
    """End those processes of *service* that serve nothing: their successors read its files anew."""
    for pid in _of(service.removeprefix('wsgi:')):
        if not _serving((pid,)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _succeeded(group: str, gone: frozenset[int], before: frozenset[int]) -> bool:
    def succeeded() -> bool:
        now = _of(group)
        return not now & gone and _serving(now - before) >= len(gone)

    return _in_time(succeeded)


def _in_time(done: Callable[[], bool]) -> bool:
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        if done():
            return True
        time.sleep(0.1)
    return False


def _of(group: str, proc: pathlib.Path = pathlib.Path('/proc')) -> frozenset[int]:
    """Process ids of the group *group*: each shows it in the place of its command's name.

    One whose application has loaded ``setproctitle``, as neutron's does, has it for the name of its program too, and
    all of its words in one.
    """
    wanted = apache.shown(group).encode()
    programs = (apache.SERVICE, apache.shown(group)[:15])
    found: set[int] = set()
    for entry in proc.iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            words = (entry / 'cmdline').read_bytes().replace(b'\0', b' ').split()
            if words[:1] == [wanted] and (entry / 'comm').read_text().strip() in programs:
                found.add(int(entry.name))
        except OSError:
            continue  # It has ended meanwhile.
    return frozenset(found)


def _serving(pids: Iterable[int]) -> int:
    """How many have loaded their application: only then does a process start its threads."""
    return sum(_threads(pid) > 2 for pid in pids)


def _threads(pid: int) -> int:
    try:
        return len(list(pathlib.Path(f'/proc/{pid}/task').iterdir()))
    except OSError:
        return 0
