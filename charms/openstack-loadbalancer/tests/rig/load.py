"""Load from many clients, each one request after the other; every request is accounted for.

A client never repeats a request. It thinks a little between two, and does not look whether its
connection was closed meanwhile, as many do not: only so does it show who closes too early. What gets no
answer, or a status of 500 and above, is lost.

usage: load.py '{"url": [ADDRESS, PORT], "clients": 8, "requests": 10000, "keep_alive": true,
                 "post": 0.5, "slow_ms": 0, "slow_share": 0.0, "stop_file": ""}'
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import random
import statistics
import sys
import time
from typing import Any


@dataclasses.dataclass
class Tally:
    sent: int = 0
    lost: dict[str, int] = dataclasses.field(default_factory=dict[str, int])
    served_by: dict[str, int] = dataclasses.field(default_factory=dict[str, int])
    seconds: list[float] = dataclasses.field(default_factory=list[float])

    def lose(self, method: str, why: str) -> None:
        key = f'{method} {why}'
        self.lost[key] = self.lost.get(key, 0) + 1


class Client:
    def __init__(self, plan: dict[str, Any], tally: Tally, seed: int):
        self.plan, self.tally = plan, tally
        self.random = random.Random(seed)  # noqa: S311
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def run(self) -> None:
        plan = self.plan
        while not self._over():
            if think := plan.get('think_ms', 0):
                await asyncio.sleep(self.random.random() * think * 2 / 1000)
            self.tally.sent += 1
            method = 'POST' if self.random.random() < plan.get('post', 0) else 'GET'
            slow = self.random.random() < plan.get('slow_share', 0)
            path = f'/slow/{plan["slow_ms"]}' if slow else '/'
            began = time.monotonic()
            try:
                async with asyncio.timeout(30):
                    status, body = await self._request(method, path)
            except (OSError, EOFError, ValueError, TimeoutError) as e:
                self.tally.lose(method, type(e).__name__)
                self._close()
                continue
            self.tally.seconds.append(time.monotonic() - began)
            if status >= 500:
                self.tally.lose(method, str(status))
            else:
                name = body.decode(errors='replace')
                self.tally.served_by[name] = self.tally.served_by.get(name, 0) + 1
        self._close()

    def _over(self) -> bool:
        stop = self.plan.get('stop_file')
        if stop:
            # At least so many, and until told to stop.
            return self.tally.sent >= self.plan['requests'] and os.path.exists(stop)
        return self.tally.sent >= self.plan['requests']

    async def _request(self, method: str, path: str) -> tuple[int, bytes]:
        keep = self.plan['keep_alive']
        address, port = self.plan['url']
        if self.reader is None or self.writer is None:
            self._close()
            self.reader, self.writer = await asyncio.open_connection(address, port)
        body = b'x' * 100 if method == 'POST' else b''
        host = f'[{address}]' if ':' in address else address
        head = (
            f'{method} {path} HTTP/1.1\r\nHost: {host}:{port}\r\n'
            f'Connection: {"keep-alive" if keep else "close"}\r\nContent-Length: {len(body)}\r\n\r\n'
        )
        self.writer.write(head.encode() + body)
        answer = await self.reader.readuntil(b'\r\n\r\n')
        lines = answer.decode('latin-1').split('\r\n')
        fields = {k.lower(): v for k, _, v in (line.partition(': ') for line in lines[1:])}
        got = await self.reader.readexactly(int(fields['content-length']))
        if not keep or fields.get('connection', '').lower() == 'close':
            self._close()
        return int(lines[0].split(' ')[1]), got

    def _close(self) -> None:
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


async def main(plan: dict[str, Any]) -> dict[str, Any]:
    tally = Tally()
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for i in range(plan['clients']):
            group.create_task(Client(plan, tally, i).run())
    took = time.monotonic() - began
    ordered = sorted(tally.seconds)
    return {
        'sent': tally.sent,
        'lost': sum(tally.lost.values()),
        'why': tally.lost,
        'served_by': tally.served_by,
        'seconds': round(took, 2),
        'per_second': round(tally.sent / took),
        'median_ms': round(statistics.median(ordered) * 1000, 3) if ordered else None,
        'p99_ms': round(ordered[int(len(ordered) * 0.99)] * 1000, 3) if ordered else None,
    }


if __name__ == '__main__':
    print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
