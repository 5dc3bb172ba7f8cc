"""Answers ``/healthcheck`` for every API on the machine, in a process of its own. Installed as it is.

It asks the API itself, over loopback, and hands the answer on. One that is busy does not answer
in time, and is well: as long as it has answered before and its processes do work (their CPU
time grows), or have answered within :data:`STUCK_S`. So a service whose threads are all taken by slow
clients stays in rotation, and one that hangs does not.

What Apache tells it (:func:`charmkit.apache.desired`): ``CHARM_GROUP``, the process group that
serves the API, and ``CHARM_PORT``.
"""

from __future__ import annotations

import dataclasses
import http.client
import pathlib
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

ALIVE = '/.alive'
"""Where the API itself answers, to who asks on loopback."""
ASK_S = 3.0
"""How long it may take; less than a load balancer waits."""
FRESH_S = 0.5
"""For how long an answer is handed out again."""
STUCK_S = 60.0
"""Without an answer or work for so long it hangs."""
_SHOWN = 16
_QUIET = 'sends no answer'


@dataclasses.dataclass
class Api:
    """What is known of one API."""

    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)
    asked: float = -1e9
    status: int = 503
    said: str = ''
    good: bool = False
    """It has answered well, and not badly since."""
    moved: float = 0.0
    """When it was last seen to answer or to work."""
    ticks: int = 0


_apis: dict[str, Api] = {}


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer one check; 404 to who comes by another way than ``/healthcheck``."""
    group = str(environ.get('CHARM_GROUP', ''))
    if group:
        status, said = look(_apis.setdefault(group, Api()), group, int(environ['CHARM_PORT']))
    else:
        status, said = http.client.NOT_FOUND, 'Not Found'
    body = f'{said}\n'.encode()
    reason = http.client.responses.get(status, 'Unknown')
    fields = [('Content-Type', 'text/plain'), ('Content-Length', str(len(body)))]
    start_response(f'{status} {reason}', fields)
    return [body]


def look(
    api: Api,
    group: str,
    port: int,
    ask: Callable[[int], int] | None = None,
    work: Callable[[str], int] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[int, str]:
    """The status to answer, and a word on it; *ask* gives the API's own, 0 for none in time."""
    with api.lock:
        if clock() - api.asked >= FRESH_S:
            status = (ask or _ask)(port)
            now = clock()
            ticks = (work or _work)(group)
            if status or ticks != api.ticks:
                api.moved, api.ticks = now, ticks
            api.status, api.said = _judge(api, status, now)
            api.good = api.status == http.client.OK
            api.asked = now
        return api.status, api.said


def _judge(api: Api, status: int, now: float) -> tuple[int, str]:
    if status == http.client.OK:
        return status, 'OK'
    if status:
        return status, f'answers {status}'
    if api.good and now - api.moved < STUCK_S:
        return http.client.OK, 'OK, and busy'
    return http.client.SERVICE_UNAVAILABLE, _QUIET


def _ask(port: int) -> int:
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=ASK_S)
    try:
        connection.request('GET', ALIVE)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def _work(group: str) -> int:
    """CPU time that the processes of *group* have used, in clock ticks (proc(5), ``stat``)."""
    wanted, total = group[:_SHOWN].encode(), 0
    for entry in pathlib.Path('/proc').iterdir():
        if entry.name.isdecimal():
            try:
                if (entry / 'cmdline').read_bytes().split(b'\0')[0].strip() == wanted:
                    fields = (entry / 'stat').read_text().rpartition(')')[2].split()
                    total += int(fields[11]) + int(fields[12])
            except OSError:
                continue  # It has ended meanwhile.
    return total
