"""The front: it passes every request to an API unit, and holds the address by which clients reach it."""

from __future__ import annotations

import asyncio
import pathlib

import vip
import wire

PORT = 8080
SETTINGS = wire.Settings(pathlib.Path('/etc/front.json'))
SLOTS = 16
"""Requests that are passed on at once; others wait their turn."""


class Front:
    """Its view of the API units."""

    def __init__(self) -> None:
        self.backends = wire.Circle(7010)
        self.slots = asyncio.Semaphore(SLOTS)

    async def answer(self, asked: wire.Asked) -> tuple[int, object]:
        """Any request."""
        if asked.path == ('ready',):
            return 200, {'vip': SETTINGS['vip'], 'backends': len(SETTINGS['backends'] or {})}
        hosts = (SETTINGS['backends'] or {}).values()
        path = '/' + '/'.join(asked.path)
        async with self.slots:
            if SETTINGS['bug'] == 'missing-timeout':
                # The planted bug: whoever does not answer keeps the slot.
                for host in self.backends.order(hosts):
                    return await wire.call(host, 7010, asked.method, path, asked.body, within=None)
            return await self.backends.ask(
                hosts, asked.method, path, asked.body, each=5.0, hedge=0.8, within=6.0
            )


async def main() -> None:
    """Serve."""
    # When one of them breaks, both end, and systemd starts the service anew.
    async with asyncio.TaskGroup() as group:
        group.create_task(wire.serve(PORT, Front().answer))
        group.create_task(vip.Holder(SETTINGS).go_on())


asyncio.run(main())
