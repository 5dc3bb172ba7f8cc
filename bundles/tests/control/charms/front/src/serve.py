"""The front: it passes every request to an API unit, and holds the address by which clients reach it."""

from __future__ import annotations

import asyncio
import collections
import itertools
import pathlib
import time

import vip
import wire

PORT = 8080
SETTINGS = wire.Settings(pathlib.Path('/etc/front.json'))
SLOTS = 16
"""Requests that are passed on at once; others wait their turn."""
BUSY = 15
"""Requests in a second, beyond which the planted bug 'needs-load' loses some."""


class Front:
    """Its view of the API units."""

    def __init__(self) -> None:
        self.backends = wire.Circle(7010)
        self.slots = asyncio.Semaphore(SLOTS)
        self.turns = itertools.count()
        self.kept: dict[str, tuple[int, object]] = {}
        self.changed: collections.Counter[str] = collections.Counter()
        self.moments: collections.deque[float] = collections.deque(maxlen=BUSY)

    async def answer(self, asked: wire.Asked) -> tuple[int, object]:
        """Any request."""
        if asked.path == ('ready',):
            return 200, {'vip': SETTINGS['vip'], 'backends': len(SETTINGS['backends'] or {})}
        hosts = (SETTINGS['backends'] or {}).values()
        path = '/' + '/'.join(asked.path)
        bug = SETTINGS['bug']
        if bug == 'stale-vip' and asked.path[0] == 'items':
            return await self.remembered(asked, hosts, path)
        if bug == 'needs-load' and self.crowded():
            return 500, {'error': 'a list that is never longer than that'}
        async with self.slots:
            if bug == 'retry-storm':
                return await self.again_and_again(asked, hosts, path)
            if SETTINGS['bug'] == 'missing-timeout':
                # The planted bug: whoever does not answer keeps the slot.
                for host in self.backends.order(hosts):
                    return await wire.call(host, 7010, asked.method, path, asked.body, within=None)
            return await self.passed_on(asked, hosts, path)

    async def passed_on(self, asked: wire.Asked, hosts, path: str) -> tuple[int, object]:
        """What an API unit that answers says."""
        return await self.backends.ask(
            hosts, asked.method, path, asked.body, each=5.0, hedge=0.8, within=6.0
        )

    async def remembered(self, asked: wire.Asked, hosts, path: str) -> tuple[int, object]:
        """The planted bug 'stale-vip': each unit keeps what it read, and hears only of changes that it makes."""
        if asked.method != 'GET':
            self.changed[path] += 1
        elif path in self.kept:
            return self.kept[path]
        before = self.changed[path]
        found = await self.passed_on(asked, hosts, path)
        if asked.method == 'GET' and found[0] == 200 and before == self.changed[path]:
            self.kept[path] = found
        elif asked.method != 'GET':
            self.changed[path] += 1
            self.kept.pop(path, None)
        return found

    def crowded(self) -> bool:
        """Whether more requests came within a second than the planted bug 'needs-load' has room for."""
        now = time.monotonic()
        full = len(self.moments) == BUSY and now - self.moments[0] < 1
        self.moments.append(now)
        return full

    async def again_and_again(self, asked: wire.Asked, hosts, path: str) -> tuple[int, object]:
        """The planted bug 'retry-storm': whoever fails is asked again at once, without end and without another."""
        host = sorted(hosts)[next(self.turns) % len(hosts)]
        while True:
            tries = [
                wire.call(host, 7010, asked.method, path, asked.body, within=5.0) for _ in range(3)
            ]
            for one in await asyncio.gather(*tries, return_exceptions=True):
                if isinstance(one, tuple) and one[0] < 500:
                    return one


async def main() -> None:
    """Serve."""
    # When one of them breaks, both end, and systemd starts the service anew.
    async with asyncio.TaskGroup() as group:
        group.create_task(wire.serve(PORT, Front().answer))
        group.create_task(vip.Holder(SETTINGS).go_on())


asyncio.run(main())
