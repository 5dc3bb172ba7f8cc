"""Small messages over HTTP, asked and answered. Every question has a time limit, and one connection of its own."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import pathlib
import time
from collections.abc import Awaitable, Callable, Iterable


class NoAnswerError(Exception):
    """Nobody answered in time, or what came was no answer: what was asked may have happened or not."""


class Settings:
    """What the charm wrote down for the service; read anew when it changed."""

    def __init__(self, path: pathlib.Path):
        self._path, self._seen = path, 0
        self._values: dict = {}

    def __getitem__(self, key: str):
        with contextlib.suppress(OSError, ValueError):
            stamp = self._path.stat().st_mtime_ns
            if stamp != self._seen:
                self._values, self._seen = json.loads(self._path.read_text()), stamp
        return self._values.get(key)


@dataclasses.dataclass(frozen=True)
class Asked:
    """A request: its method, its path in parts, and its body as data."""

    method: str
    path: tuple[str, ...]
    body: object


async def call(
    host: str,
    port: int,
    method: str,
    path: str,
    body: object = None,
    *,
    within: float | None,
    source: str | None = None,
) -> tuple[int, object]:
    """Ask, and give status and body of the answer.

    Raises:
        NoAnswerError: there was none within so many seconds.
    """
    try:
        async with asyncio.timeout(within):
            local = (source, 0) if source else None
            reader, writer = await asyncio.open_connection(host, port, local_addr=local)
            try:
                data = json.dumps(body).encode()
                head = f'{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n'
                writer.write(f'{head}Content-Length: {len(data)}\r\n\r\n'.encode() + data)
                await writer.drain()
                first, answer = await _message(reader)
                return int(first.split()[1]), answer
            finally:
                writer.close()
    except (OSError, EOFError, ValueError, IndexError, TimeoutError) as error:
        raise NoAnswerError(f'{host}:{port}: {type(error).__name__} {error}') from error


async def _message(reader: asyncio.StreamReader) -> tuple[str, object]:
    head = (await reader.readuntil(b'\r\n\r\n')).decode('latin-1')
    first, *lines = head.split('\r\n')
    length = next(
        (v for k, _, v in (x.partition(':') for x in lines) if k.lower() == 'content-length'), '0'
    )
    data = await reader.readexactly(int(length))
    return first, json.loads(data) if data else None


async def serve(port: int, answer: Callable[[Asked], Awaitable[tuple[int, object]]]) -> None:
    """Answer for ever. An answer that breaks is a 500, and the service goes on."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(10):
                first, body = await _message(reader)
            method, path, _ = first.split()
            try:
                status, said = await answer(Asked(method, tuple(path.strip('/').split('/')), body))
            except NoAnswerError as error:
                status, said = 503, {'error': str(error)}
            except Exception as error:
                status, said = 500, {'error': f'{type(error).__name__}: {error}'}
                print(f'{first}: {said["error"]}', flush=True)
            data = json.dumps(said).encode()
            head = (
                f'HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nConnection: close\r\n'
            )
            writer.write(f'{head}Content-Length: {len(data)}\r\n\r\n'.encode() + data)
            await writer.drain()
        except (OSError, EOFError, ValueError, TimeoutError, asyncio.LimitOverrunError):
            pass  # Who asked has gone, or never spoke HTTP.
        finally:
            writer.close()

    server = await asyncio.start_server(one, '0.0.0.0', port, backlog=256)  # noqa: S104
    async with server:
        await server.serve_forever()


class Circle:
    """Servers that can each answer. One that failed is asked last for a while, so few wait for it."""

    REST = 4.0

    def __init__(self, port: int):
        self._port, self._turn = port, 0
        self._failed: dict[str, float] = {}

    def order(self, hosts: Iterable[str]) -> list[str]:
        """Whom to ask first, second …: in turn, those that failed of late at the end."""
        known = sorted(hosts)
        self._turn += 1
        start = self._turn % len(known) if known else 0
        since = time.monotonic() - self.REST
        return sorted(
            known[start:] + known[:start], key=lambda one: self._failed.get(one, 0) > since
        )

    async def ask(
        self,
        hosts: Iterable[str],
        method: str,
        path: str,
        body: object = None,
        *,
        each: float,
        hedge: float,
        within: float,
    ) -> tuple[int, object]:
        """The first answer that is not a 5xx. Only for what may be done twice.

        Args:
            each: seconds that one server has.
            hedge: after so many seconds the next one is asked as well.
            within: seconds for all of it; every server is asked twice at most.
        """
        order = self.order(hosts)
        queue, running, last = order * 2, {}, 'nobody to ask'
        end = time.monotonic() + within
        try:
            while queue or running:
                if queue:
                    if not running and len(queue) == len(order):
                        await asyncio.sleep(0.3)  # All have failed once: they may be starting.
                    host = queue.pop(0)
                    running[asyncio.create_task(self._one(host, method, path, body, each))] = host
                left = end - time.monotonic()
                if left <= 0:
                    break
                wait = min(left, hedge if queue else left)
                done, _ = await asyncio.wait(running, timeout=wait, return_when='FIRST_COMPLETED')
                for task in done:
                    host = running.pop(task)
                    status, answer = task.result()
                    if status < 500:
                        self._failed.pop(host, None)
                        return status, answer
                    self._failed[host], last = time.monotonic(), f'{host}: {answer}'
                if not done:
                    self._failed.update(dict.fromkeys(running.values(), time.monotonic()))
            raise NoAnswerError(f'no answer: {last}')
        finally:
            for task in running:
                task.cancel()

    async def _one(
        self, host: str, method: str, path: str, body: object, each: float
    ) -> tuple[int, object]:
        try:
            return await call(host, self._port, method, path, body, within=each)
        except NoAnswerError as error:
            return 599, str(error)


def keep(path: pathlib.Path, text: str) -> None:
    """Write a file so that after a crash it holds either all of the old or all of the new."""
    aside = path.with_name(path.name + '.new')
    with aside.open('w') as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
