"""Clients that ask one thing over and over, and remember when each answer came.

Plain sockets: a client costs a tenth of a millisecond for each request, so what is measured is the service's.
"""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import statistics
import threading
import time
from collections.abc import Generator

PATIENCE_S = 30.0


@dataclasses.dataclass
class Seen:
    """What came back so far. Times are of the monotonic clock, in seconds."""

    answers: list[tuple[float, float]] = dataclasses.field(
        default_factory=list[tuple[float, float]]
    )
    """When each came, and how long it took."""
    failed: list[str] = dataclasses.field(default_factory=list[str])
    """Why the others did not."""

    def rate(self, since: float, until: float) -> float:
        """Answers a second between two times."""
        return sum(since <= at < until for at, _ in list(self.answers)) / (until - since)

    def median_ms(self, since: float) -> float:
        """How long an answer takes, of those that came after *since*."""
        return statistics.median(took for at, took in list(self.answers) if at >= since) * 1000


@contextlib.contextmanager
def asking(
    address: str,
    port: int,
    path: str,
    token: str,
    *,
    clients: int = 4,
    keep: bool = True,
    headers: tuple[str, ...] = (),
) -> Generator[Seen]:
    """Clients that GET *path* until the block ends, on connections that they *keep* if the server does.

    *headers* are further ones, ``Name: value``.
    """
    seen, stop = Seen(), threading.Event()
    lines = (
        f'GET {path} HTTP/1.1',
        f'Host: {address}:{port}',
        f'X-Auth-Token: {token}',
        f'Connection: {"keep-alive" if keep else "close"}',
        *headers,
    )
    request = '\r\n'.join((*lines, '', '')).encode()
    threads = [
        threading.Thread(target=_ask, args=(address, port, request, seen, stop))
        for _ in range(clients)
    ]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _ask(address: str, port: int, request: bytes, seen: Seen, stop: threading.Event) -> None:
    kept: socket.socket | None = None
    while not stop.is_set():
        began = time.monotonic()
        try:
            if kept is None:
                kept = socket.create_connection((address, port), timeout=PATIENCE_S)
                kept.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            kept.sendall(request)
            status, stays = _answer(kept)
            if status != 200:
                raise ValueError(f'status {status}')
            seen.answers.append((time.monotonic(), time.monotonic() - began))
        except (OSError, EOFError, ValueError) as error:
            seen.failed.append(repr(error))
            stays = False
            time.sleep(0.05)
        if not stays and kept is not None:
            kept.close()
            kept = None
    if kept is not None:
        kept.close()


def _answer(sock: socket.socket) -> tuple[int, bool]:
    """Read one answer: its status, and whether the connection stays."""
    data = b''
    while b'\r\n\r\n' not in data:
        data += _more(sock)
    head, _, body = data.partition(b'\r\n\r\n')
    first, *lines = head.decode('latin-1').lower().split('\r\n')
    fields = dict(line.split(': ', 1) for line in lines if ': ' in line)
    status = int(first.split()[1])
    length = fields.get('content-length')
    if length is None:
        with contextlib.suppress(EOFError):
            while True:
                _more(sock)
        return status, False
    left = int(length) - len(body)
    while left > 0:
        left -= len(_more(sock))
    return status, fields.get('connection') != 'close'


def _more(sock: socket.socket) -> bytes:
    data = sock.recv(65536)
    if not data:
        raise EOFError
    return data
