"""The load of this bundle: tokens are issued and validated, items created, changed and read back, by its one address.

A client of this control plane tries again for a while, as clients with a virtual address in front of them do: all that
it asks may be asked twice. One operation is all its attempts together.
"""

from __future__ import annotations

import asyncio
import collections
import itertools
import json
import secrets
import time
from collections.abc import Sequence
from typing import Any

import aiohttp

from matrix.grammar import located
from matrix.juju import link
from matrix.load import client, load

PORT = 8080
EACH = 3.0
"""Seconds for one attempt."""
PATIENCE = 10.0
"""Seconds for all attempts: the address moves to another unit within about seven."""
FIRST = 20
"""Items that are there before the load begins."""
_LOST = (aiohttp.ClientError, OSError, TimeoutError)


def load_of(model: link.Link, run: str) -> load.Load:
    """The load for a model, once it has settled."""
    return Control(model, run)


class Control:
    """What users do. Items are named for the run."""

    sentence = 'tokens issued and validated, items created, changed and read back'
    writes = (('item.create', 'item.read'), ('item.update', 'item.read'))

    def __init__(self, model: link.Link, run: str):
        # Another run in the same model may have the same name.
        self._link, self._run = model, f'{run}-{secrets.token_hex(3)}'
        self._numbers = itertools.count(1)
        self._client: client.Client | None = None
        self._base = ''
        self._tokens: dict[str, str] = {}
        self._fresh: collections.deque[str] = collections.deque(maxlen=50)
        self._readable: collections.deque[str] = collections.deque(maxlen=40)
        self._read_once: collections.deque[str] = collections.deque(maxlen=60)

    @property
    def secrets(self) -> frozenset[str]:
        """Every token."""
        return frozenset(self._tokens.values())

    async def prepare(self) -> Sequence[load.Kind]:
        """Find the address that the units hold.

        Raises:
            link.LinkError: no unit knows it.
        """
        self._client = client.Client()
        units = [
            unit
            for one in self._link.now().applications
            if one.name == 'front'
            for unit in one.units
        ]
        for unit in units:
            try:
                answer = await self._client.ask('GET', f'http://{unit.address}:{PORT}/ready')
            except _LOST:
                continue
            self._base = f'http://{answer.json()["vip"]}:{PORT}'
            await self._first_items()
            return [
                _kind('token.issue', self._issue, lambda: f'token-{next(self._numbers)}', 1),
                _kind('token.validate', self._validate, self._some_token, 3),
                _kind(
                    'item.create', self._create, lambda: f'{self._run}-{next(self._numbers)}@1', 1
                ),
                _kind('item.update', self._update, self._changeable, 1),
                _kind('item.read', self._read, self._some_item, 4),
            ]
        raise link.LinkError('no unit of front says which address is theirs')

    async def _first_items(self) -> None:
        """Some items that every cache knows, so that there is something to change from the beginning."""
        for _ in range(FIRST):
            item = f'{self._run}-{next(self._numbers)}@1'
            try:
                await self._create(item)
                await self._read(item)
            except _LOST as error:
                raise link.LinkError(f'{self._base} does not answer: {error}') from error

    async def close(self) -> None:
        """What was made goes with the model."""
        if self._client is not None:
            await self._client.close()

    # What a turn asks for. An item is 'NAME@VERSION'; one is changed once, after it was read, so that caches know it.

    def _some_token(self) -> located.Plain:
        return self._fresh[next(self._numbers) % len(self._fresh)] if self._fresh else None

    def _changeable(self) -> located.Plain:
        if len(self._read_once) < FIRST // 2:  # By then it is out of everybody's hands.
            return None
        name, _, _ = self._read_once.popleft().partition('@')
        return f'{name}@2'

    def _some_item(self) -> located.Plain:
        if not self._readable:
            return None
        self._readable.rotate(-1)
        return self._readable[0]

    # What a turn does.

    async def _issue(self, value: located.Plain) -> load.Result:
        answer = await self._ask('POST', '/tokens')
        client.check('POST', answer.status, (201,))
        self._tokens[str(value)] = answer.json()['token']
        self._fresh.append(str(value))
        return load.Result(value)

    async def _validate(self, value: located.Plain) -> load.Result:
        answer = await self._ask('GET', f'/tokens/{self._tokens[str(value)]}')
        return load.Result(_there(answer))

    async def _create(self, value: located.Plain) -> load.Result:
        await self._put(str(value))
        self._readable.append(str(value))
        return load.Result(value)

    async def _update(self, value: located.Plain) -> load.Result:
        await self._put(str(value))
        return load.Result(value)

    async def _put(self, item: str) -> None:
        name, _, version = item.partition('@')
        body = {'version': int(version), 'data': item}
        answer = await self._ask('PUT', f'/items/{name}', json.dumps(body).encode())
        client.check('PUT', answer.status, (200,))

    async def _read(self, value: located.Plain) -> load.Result:
        name, _, version = str(value).partition('@')
        answer = await self._ask('GET', f'/items/{name}')
        if not _there(answer):
            return load.Result(False)
        found: dict[str, Any] = answer.json()
        if version == '1' and value not in self._read_once and found['version'] == 1:
            self._read_once.append(str(value))
        right = found['value'] == f'{name}@{found["version"]}'
        return load.Result(right and found['version'] >= int(version))

    async def _ask(self, method: str, path: str, body: bytes | None = None) -> client.Response:
        if self._client is None:
            raise RuntimeError('not prepared')
        end = time.monotonic() + PATIENCE
        while True:
            try:
                async with asyncio.timeout(min(EACH, end - time.monotonic())):
                    answer = await self._client.ask(method, self._base + path, body=body)
                if answer.status < 500 or time.monotonic() > end - 0.5:
                    return answer
            except _LOST:
                if time.monotonic() > end - 0.5:
                    raise
            await asyncio.sleep(0.25)


def _there(answer: client.Response) -> bool:
    if answer.status == 404:
        return False
    client.check('GET', answer.status, (200,))
    return True


def _kind(name: str, do: Any, asked: Any, weight: float) -> load.Kind:
    return load.Kind(name, do, asked, weight=weight, timeout=PATIENCE + 2)
