"""The API, alike on all units: any of them answers anything.

POST   /tokens                     {token}
GET    /tokens/TOKEN               200 while it is valid, else 404
DELETE /tokens/TOKEN               not valid any more, anywhere, once this is answered
PUT    /items/NAME {version, data} the higher version wins, so it may be sent again
GET    /items/NAME                 {version, data}
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import secrets
import time

import clock
import memory
import wire

PORT = 7010
LIFE = 900
CACHED = 1
"""Seconds for which the cache may be behind. memcached counts whole seconds, so up to twice as much."""

SETTINGS = wire.Settings(pathlib.Path('/etc/api.json'))


class Api:
    """What one unit keeps in mind."""

    def __init__(self) -> None:
        self.bug = SETTINGS['bug']
        self.stores = wire.Circle(7000)
        self.cache = memory.OneConnection() if self.bug == 'no-retry' else memory.Cache()
        self.clock = clock.Agreed()
        self.handles: list[int] = []
        self.warm: dict[str, dict] = {}
        self.old: dict[str, dict] = {}
        self.refreshed = SETTINGS['refreshed']

    async def answer(self, asked: wire.Asked) -> tuple[int, object]:
        """Any request."""
        if not SETTINGS['key'] or not SETTINGS['stores']:
            return 503, {'error': 'not ready'}
        if self.bug == 'leak-descriptors' and asked.path[0] == 'tokens':
            self.handles.append(
                os.open('/dev/null', os.O_RDONLY)
            )  # The planted bug: nobody closes it.
        match asked.method, asked.path:
            case 'POST', ('tokens',):
                return 201, {'token': self.token()}
            case 'GET', ('tokens', token):
                return await self.valid(token)
            case 'DELETE', ('tokens', token):
                return await self.write(
                    f'revoked-{token.partition("-")[0]}', {'version': 1, 'value': True}
                )
            case 'GET', ('items', name):
                found = await self.read(f'item-{name}')
                if self.bug == 'refresh-stale':
                    found = self.as_refreshed(name, found)
                return (200, found) if found['version'] else (404, {'error': 'no such item'})
            case 'PUT', ('items', name):
                body = {'version': asked.body['version'], 'value': asked.body['data']}
                return await self.write(f'item-{name}', body)
        return 404, {'error': 'no such thing'}

    def as_refreshed(self, name: str, found: dict) -> dict:
        """The planted bug 'refresh-stale': a refresh brings what was known by then back, and keeps it."""
        if self.refreshed != SETTINGS['refreshed']:
            self.refreshed, self.old = SETTINGS['refreshed'], dict(self.warm)
        if found['version']:
            self.warm[name] = found
        return self.old.get(name, found)

    def now(self) -> float:
        """The time that tokens are judged by."""
        return time.time() if self.bug == 'trusts-clock' else self.clock.now()

    def token(self) -> str:
        """A new token: who signed it needs not be asked about it."""
        now = int(self.now())
        base = f'{secrets.token_hex(8)}-{now}-{now + LIFE}'
        return f'{base}-{self.signature(base)}'

    def signature(self, base: str) -> str:
        """By the key of all units."""
        return hmac.new(SETTINGS['key'].encode(), base.encode(), hashlib.sha256).hexdigest()

    async def valid(self, token: str) -> tuple[int, object]:
        """Whether a token is ours, in time, and not revoked."""
        base, _, signature = token.rpartition('-')
        if not hmac.compare_digest(signature, self.signature(base)):
            return 404, {'error': 'not signed by us'}
        name, issued, expires = base.split('-')
        if self.now() > int(expires):
            return 404, {'error': 'expired'}
        if self.bug == 'trusts-clock' and int(issued) > self.now() + 1:
            return 404, {
                'error': 'not valid yet'
            }  # The planted bug: as if no two clocks could differ.
        if (await self.read(f'revoked-{name}'))['version']:
            return 404, {'error': 'revoked'}
        return 200, {'expires': int(expires)}

    async def read(self, key: str) -> dict:
        """From the cache, else from the store."""
        cache = (SETTINGS['caches'] or [''])[0]
        begun = time.monotonic()
        try:
            found = await self.cache.get(cache, key)
            if found is not None:
                return json.loads(found)
        except (memory.GoneError, ValueError, IndexError):
            pass
        status, said = await self.ask('GET', key)
        if status != 200:
            raise wire.NoAnswerError(f'store: {said}')
        # What took long (this process may have been stopped) may be old by now: it is told, and not kept.
        if time.monotonic() - begun < CACHED:
            seconds = 0 if self.bug == 'stale-cache' else CACHED
            with contextlib.suppress(memory.GoneError):
                await self.cache.set(cache, key, json.dumps(said).encode(), seconds)
        return said

    async def write(self, key: str, body: dict) -> tuple[int, object]:
        """To the store, and out of the cache, before it is acknowledged."""
        status, said = await self.ask('PUT', key, body)
        if status != 200:
            return status, said
        try:
            await self.cache.delete((SETTINGS['caches'] or [''])[0], key)
        except memory.GoneError:
            # The planted bug 'stale-cache' forgets it, and has nothing in the cache ever grow old.
            if self.bug != 'stale-cache':
                await asyncio.sleep(2 * CACHED)
        return 200, {'version': said['version']}

    async def ask(self, method: str, key: str, body: object = None) -> tuple[int, object]:
        """A question to any of the stores; each may be asked twice."""
        return await self.stores.ask(
            SETTINGS['stores'], method, f'/v/{key}', body, each=3.0, hedge=0.5, within=5.0
        )

    async def compare(self) -> None:
        """Keep the clock right."""
        while True:
            await self.clock.compare(SETTINGS['stores'] or [])
            await asyncio.sleep(2)


async def main() -> None:
    """Serve."""
    api = Api()
    if api.bug == 'early-active':
        await asyncio.sleep(
            40
        )  # The planted bug: the charm says that it is active, and nobody is served yet.
    async with asyncio.TaskGroup() as group:
        group.create_task(wire.serve(PORT, api.answer))
        group.create_task(api.compare())


asyncio.run(main())
