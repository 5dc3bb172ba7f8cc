"""Renew the processes of one WSGI process group, its neighbours left alone.

``apache2ctl graceful`` renews every process of every service on the machine at once, and each
must load its application again: tens of seconds in which requests wait. A mod_wsgi daemon process
that gets SIGUSR1 ends when it has no request left (``graceful-timeout``), and Apache starts its
successor (mod_wsgi, ``WSGIDaemonProcess``). Taken one after the other, the rest keep serving.
"""

from __future__ import annotations

import os
import pathlib
import signal
import time

from . import apache

READY_S = 60.0
"""How long to wait for one successor."""


def recycle(service: str) -> None:
    """Renew the processes of *service*, ``wsgi:NAME``, one after the other.

    Those that do not come back within :data:`READY_S` are Apache's to restart; this goes on.
    """
    name = service.removeprefix('wsgi:')
    old = _of(name)
    for pid in sorted(old):
        before = _of(name)
        try:
            os.kill(pid, signal.SIGUSR1)
        except ProcessLookupError:
            continue
        _await_successor(name, pid, before)


def _await_successor(name: str, pid: int, before: frozenset[int]) -> None:
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        now = _of(name)
        new = now - before
        if pid not in now and any(_serves(p) for p in new):
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
