"""Clients that keep asking while something happens, and count what they did not get."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Generator


class Load:
    """What the clients have seen so far."""

    def __init__(self) -> None:
        self.answered = 0
        self.lost: list[str] = []
        self.slowest = 0.0
        self.stop = threading.Event()
        self._lock = threading.Lock()

    def ask(self, host: str, port: int, path: str, keep_alive: bool) -> None:
        """Ask until told to stop; a kept connection that the server closed idle is not a loss."""
        connection = http.client.HTTPConnection(host, port, timeout=30)
        while not self.stop.is_set():
            began = time.monotonic()
            try:
                connection.request('GET', path)
                status = connection.getresponse()
                status.read()
                problem = '' if status.status == http.client.OK else f'status {status.status}'
            except (OSError, http.client.HTTPException) as e:
                problem = repr(e)
                connection.close()
            with self._lock:
                self.answered += not problem
                self.slowest = max(self.slowest, time.monotonic() - began)
                if problem:
                    self.lost.append(problem)
            if not keep_alive:
                connection.close()
            time.sleep(0.01)
        connection.close()


@contextlib.contextmanager
def running(host: str, port: int, path: str = '/', clients: int = 4) -> Generator[Load]:
    """Clients that ask for *path*, half of them with connections that they keep."""
    load = Load()
    threads = [
        threading.Thread(target=load.ask, args=(host, port, path, i % 2 == 0))
        for i in range(clients)
    ]
    for thread in threads:
        thread.start()
    try:
        time.sleep(0.5)
        yield load
        time.sleep(0.5)
    finally:
        load.stop.set()
        for thread in threads:
            thread.join()
