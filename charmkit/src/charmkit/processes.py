"""Renew the processes of one WSGI application, its neighbours left alone.

``apache2ctl graceful`` renews every process of every service on the machine at once, and each
must load its application again: tens of seconds in which requests wait. A mod_wsgi daemon process
that gets SIGUSR1 ends when it has no request left (``graceful-timeout``), and Apache starts its
successor (mod_wsgi, ``WSGIDaemonProcess``). Taken half by half, the rest keep serving.

The process that answers ``/healthcheck`` goes first. Where it does not come up, or does not answer 200
with what it has read, the others go on as they are: they still have the old configuration.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import pathlib
import signal
import time
from collections.abc import Iterable
from urllib.parse import urlsplit

from . import apache

READY_S = 60.0
"""How long to wait for one successor."""
PROVEN_S = 20.0
"""How long the health of one that has come up may take to be good."""
_ANSWER_S = 5.0


def recycle(service: str, probe: str = '') -> str:
    """Renew the processes of *service*, ``wsgi:NAME``: first its health's, one half, the other half.

    *probe* is the URL of its health, that is answered by the health process; without one that is
    not looked at. Returns '' when all are new and good, else why the rest were left as they were.
    """
    name = service.removeprefix('wsgi:')
    trial = pathlib.Path(apache.unproven(name))
    trial.touch()
    if why := _renew(apache.health_group(name), 1) or (_proven(probe) if probe else ''):
        return f'{name} {why}: its processes go on as they were started; {_log_of(name)}'
    trial.unlink(missing_ok=True)
    if why := _renew(name, 2):
        return f'{name} {why}: the other half goes on as it was started; {_log_of(name)}'
    return ''


def _renew(group: str, batches: int) -> str:
    """Renew a process group in so many *batches*, each once the one before it serves; or why not."""
    old = sorted(_of(group))
    some = -(-len(old) // batches) or 1
    for first in range(0, len(old), some):
        batch = frozenset(old[first : first + some])
        before = _of(group)
        for pid in batch:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGUSR1)
        if not _succeeded(group, batch, before):
            return f'has no new processes within {READY_S:.0f} s'
    return ''


def _succeeded(group: str, gone: frozenset[int], before: frozenset[int]) -> bool:
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        now = _of(group)
        if not now & gone and _serving(now - before) >= len(gone):
            return True
        time.sleep(0.1)
    return False


def _proven(probe: str) -> str:
    """Wait for a 200 at *probe*; what came instead."""
    end = time.monotonic() + PROVEN_S
    while (said := _ask(probe)) and time.monotonic() < end:
        time.sleep(0.5)
    return said and f'{said} to its health check as it is configured now'


def _ask(url: str) -> str:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or '', parts.port, timeout=_ANSWER_S)
    try:
        connection.request('GET', parts.path)
        answer = connection.getresponse()
        return '' if answer.status == http.client.OK else f'answers {answer.status}'
    except (OSError, http.client.HTTPException) as e:
        return f'does not answer ({e})'
    finally:
        connection.close()


def _log_of(name: str) -> str:
    return f'see {apache.LOGS}/{name}-error.log'


def _of(group: str) -> frozenset[int]:
    """Process ids of the group *group*: each shows it in the place of its command's name."""
    wanted = group[: apache.NAME_SHOWN].encode()
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


def _serving(pids: Iterable[int]) -> int:
    """How many have loaded their application: only then does a process start its threads."""
    return sum(_threads(pid) > 2 for pid in pids)


def _threads(pid: int) -> int:
    try:
        return len(list(pathlib.Path(f'/proc/{pid}/task').iterdir()))
    except OSError:
        return 0
