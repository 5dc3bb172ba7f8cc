"""A load on any HTTP endpoints: those that the bundle names, or what its open ports answer."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import re
from collections.abc import Sequence

import aiohttp

from matrix.grammar import located, surroundings
from matrix.juju import link
from matrix.load import client, load, places, registers, spec
from matrix.plans import snapshot

_PROBE_S = 3.0
_CONTROL = 0.1  # of the reads of an endpoint: how many more look for what was never written


@dataclasses.dataclass
class Http:
    """Requests to endpoints. `run` is the run's id: it is part of every key that is written."""

    endpoints: tuple[spec.Endpoint, ...]
    link: link.Link
    run: str
    secrets: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self._keys: dict[str, list[str]] = {}
        self._turns: dict[str, int] = {}
        self._client: client.Client | None = None
        self._registers = registers.Registers(self.run, self._ask)

    @property
    def sentence(self) -> str:
        """What it does, for people."""
        return f'HTTP requests: {", ".join(one.name for one in self.endpoints)}'

    @property
    def writes(self) -> tuple[tuple[str, str], ...]:
        """Endpoints that write, each with the one that reads back what it wrote."""
        return tuple((one.reads, one.name) for one in self.endpoints if one.reads)

    @property
    def models(self) -> dict[str, located.Plain]:
        """The registers that endpoints write and read."""
        return registers.models(self.endpoints)

    def last_reads(self) -> list[tuple[str, located.Plain]]:
        """Every key of a register that was changed, with the endpoint that reads it."""
        return self._registers.last_reads()

    @property
    def nothing(self) -> tuple[tuple[str, str], ...]:
        """Kinds that read back, each with the kind that reads what was never written: one that finds it, lies."""
        return tuple((one.name, _of_nothing(one)) for one in self.endpoints if one.reads)

    async def prepare(self) -> Sequence[load.Kind]:
        """One kind for each endpoint, and one for each that reads back: of what was never written.

        Raises:
            load.Refused: an endpoint names a unit or application that is not there.
        """
        self._client = client.Client()
        for one in self.endpoints:
            self._address(one, self.link.now())
        reading = [one for one in self.endpoints if one.reads]
        return [*map(self._kind, self.endpoints), *map(self._control, reading)]

    async def close(self) -> None:
        """Close the connections; what was written goes with the model."""
        if self._client is not None:
            await self._client.close()

    def _kind(self, endpoint: spec.Endpoint) -> load.Kind:
        if endpoint.register:
            return self._registers.kind(endpoint)
        asked = (
            (lambda: self._known_key(endpoint.reads))
            if endpoint.reads
            else (lambda: self._new_key(endpoint))
            if '{key}' in endpoint.url + endpoint.body
            else (lambda: self._whom(endpoint))
        )

        async def do(value: located.Plain) -> load.Result:
            return await self._do(endpoint, str(value))

        return load.Kind(endpoint.name, do, asked, endpoint.weight, endpoint.timeout)

    def _control(self, endpoint: spec.Endpoint) -> load.Kind:
        async def do(value: located.Plain) -> load.Result:
            did = await self._do(endpoint, str(value))
            return dataclasses.replace(did, value=did.value is False)

        def never_written() -> located.Plain:
            known = self._keys.get(endpoint.reads)
            return f'{self.run}-never-{next(self._numbers)}' if known else None

        weight = endpoint.weight * _CONTROL
        return load.Kind(_of_nothing(endpoint), do, never_written, weight, endpoint.timeout)

    def _known_key(self, write: str) -> located.Plain:
        keys = self._keys.get(write)
        return keys[next(self._numbers) % len(keys)] if keys else None

    def _new_key(self, endpoint: spec.Endpoint) -> str:
        return f'{self.run}-{next(self._numbers)}'

    def _whom(self, endpoint: spec.Endpoint) -> str:
        """The unit that is asked, so that the journal shows who was; '' where it is an address of the bundle's."""
        place = surroundings.PLACE.search(endpoint.url.replace('{key}', ''))
        if place is None:
            return ''
        units = places.units(place[1], self.link.now())
        return units[next(self._numbers) % len(units)].name if units else ''

    def _address(self, endpoint: spec.Endpoint, model: snapshot.Model, whom: str = '') -> str:
        """The URL for one request.

        Raises:
            load.Refused: there is nobody at that name.
        """

        def one(place: re.Match[str]) -> str:
            if place[1] == 'key':
                return place[0]
            units = places.units(place[1], model)
            chosen = [unit for unit in units if unit.name == whom] or units
            if not chosen:
                raise load.Refused(f'no address of {place[1]}')
            turn = self._turns[endpoint.name] = self._turns.get(endpoint.name, -1) + 1
            return places.literal(chosen[turn % len(chosen)].address)

        return surroundings.PLACE.sub(one, endpoint.url)

    async def _ask(
        self, endpoint: spec.Endpoint, key: str, body: str | None, whom: str = ''
    ) -> client.Response:
        if self._client is None:
            raise RuntimeError('not prepared')
        url = self._address(endpoint, self.link.now(), whom).replace('{key}', key)
        data = None if body is None else body.encode()
        return await self._client.ask(
            endpoint.method, url, headers=dict(endpoint.headers), body=data
        )

    async def _do(self, endpoint: spec.Endpoint, value: str) -> load.Result:
        keyed = bool(endpoint.reads) or '{key}' in endpoint.url + endpoint.body
        key, whom = (value, '') if keyed else ('', value)
        body = endpoint.body.replace('{key}', key) if endpoint.body else None
        response = await self._ask(endpoint, key, body, whom)
        if endpoint.reads:
            return self._read(endpoint, key, response)
        client.check(endpoint.method, response.status, endpoint.expect)
        if keyed:
            self._keys.setdefault(endpoint.name, []).append(key)
        return load.Result(value or None, request=response.request)

    def _read(self, endpoint: spec.Endpoint, key: str, response: client.Response) -> load.Result:
        if response.status in {404, 410}:
            return load.Result(False, request=response.request)
        client.check(endpoint.method, response.status, endpoint.expect)
        written = next((one for one in self.endpoints if one.name == endpoint.reads), None)
        expected = written.body.replace('{key}', key).encode() if written else b''
        return load.Result(expected in response.body, request=response.request)


def _of_nothing(endpoint: spec.Endpoint) -> str:
    return f'{endpoint.name} of nothing'


async def discover(model: link.Link) -> tuple[spec.Endpoint, ...]:
    """An endpoint for each open TCP port of an application that speaks HTTP, by asking one of its units."""
    now = model.now()
    ports = {
        (unit.application, port.removesuffix('/tcp')): unit.address
        for application in now.applications
        for unit in application.units
        for port in unit.ports
        if port.endswith('/tcp') and port.removesuffix('/tcp').isdigit() and unit.address
    }
    asker = client.Client()
    try:
        found = await asyncio.gather(
            *(_probe(asker, app, port, address) for (app, port), address in sorted(ports.items()))
        )
    finally:
        await asker.close()
    return tuple(one for one in found if one is not None)


async def _probe(
    asker: client.Client, application: str, port: str, address: str
) -> spec.Endpoint | None:
    scheme = 'https' if port == '443' else 'http'
    try:
        async with asyncio.timeout(_PROBE_S):
            response = await asker.ask('GET', f'{scheme}://{places.literal(address)}:{port}/')
    except (aiohttp.ClientError, OSError, TimeoutError, client.UnclearError):
        return None
    if response.status >= 500:
        return None
    url = f'{scheme}://{{{application}}}:{port}/'
    # Whatever it says now (401, 404) is its answer; another one later is not.
    return spec.Endpoint(f'get {application}:{port}', url, expect=(response.status,))
