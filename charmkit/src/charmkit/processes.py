"""Renew the processes of one WSGI process group, its neighbours left alone.

``apache2ctl graceful`` renews every process of every service on the machine at once, and each
must load its application again: tens of seconds in which requests wait. A mod_wsgi daemon process
that gets SIGUSR1 ends when it has no request left (``graceful-timeout``), and Apache starts its
successor (mod_wsgi, ``WSGIDaemonProcess``). Taken half by half, the rest keep serving.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import time

from . import apache

READY_S = 60.0
"""How long to wait for one successor."""


def recycle(service: str) -> None:
    """Renew the processes of *service*, ``wsgi:NAME``: one half, and the other when that serves.

    Those that do not come back within :data:`READY_S` are Apache's to restart; this goes on.
    """
    name = service.removeprefix('wsgi:')
    old = sorted(_of(name))
    half = (len(old) + 1) // 2
    for batch in (old[:half], old[half:]):
        before = _of(name)
        for pid in batch:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGUSR1)
        _await_successors(name, frozenset(batch), before)


def _await_successors(name: str, gone: frozenset[int], before: frozenset[int]) -> None:
    end = time.monotonic() + READY_S
    while gone and time.monotonic() < end:
        now = _of(name)
        if not now & gone and sum(map(_serves, now - before)) >= len(gone):
            return
        time.sleep(0.1)


def _of(name: str) -> frozenset[int]:
    """Process ids of the group *name*: each shows it in the place of its command's name."""
    wanted = name[: apache.NAME_SHOWN].encode()
    found: set[int] = set()
    for entry in pathlib.Path('/proc').iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            shown = (entry / 'cmdline').read_bytes().split(b'\0')[0].strip()
            if shown == wanted and (entry / 'comm').read_text().strip() == apache.SERVICE:
                found.add(int(entry.name))
        except OSError:
            continue  # It has ended meanwhile.
    return frozenset(found)


def _serves(pid: int) -> bool:
    """Whether a process has loaded its application: only then does it start its threads."""
    try:
        return len(list(pathlib.Path(f'/proc/{pid}/task').iterdir())) > 2
    except OSError:
        return False
