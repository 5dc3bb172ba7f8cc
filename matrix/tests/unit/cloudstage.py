"""A cloud in memory that makes networks, ports, servers, volumes and attachments, and can be told to do it wrong.

`ask` is what `lasting.Lasting` asks with. `Kept` is a load of what lasts alone; `run` runs it, and gives its journal.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import json
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

from enginestage import on_virtual_clock

from matrix.grammar import located
from matrix.history import journal
from matrix.load import client, lasting, load, openloop, stock, sweep

EVERYTHING = (
    lasting.NETWORK, lasting.PORT, lasting.SERVER, lasting.VOLUME, lasting.ATTACHMENT,
)  # fmt: skip

Reply = tuple[int, Any]


@dataclasses.dataclass
class Cloud:
    """What it has, and `wrong`: words for what it does not do as it should.

    forgets-server, moves-server, stops-server, forgets-port, drops-subnet, breaks-volume, detaches: what it has
    changes once it was looked at often enough. leaks-allocation, leaks-port, leaks-attachment: a deleted server leaves
    it. keeps-server, keeps-volume: it cannot be deleted. fails-server: a new one ends in ERROR. no-address: it has
    none. no-placement: it does not answer.
    """

    wrong: frozenset[str] = frozenset()
    servers: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict[str, Any])
    ports: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict[str, Any])
    networks: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict[str, Any])
    volumes: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict[str, Any])
    attachments: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict[str, Any])
    allocations: set[str] = dataclasses.field(default_factory=set[str])
    asked: list[str] = dataclasses.field(default_factory=list[str])
    looks: int = 0

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)

    async def ask(
        self,
        service: str,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> client.Response:
        """As a service would."""
        await asyncio.sleep(0)
        self.asked.append(f'{service} {method} {path}')
        status, said = self.answer(service, method, path, body)
        return client.Response(status, {}, json.dumps(said).encode())

    def answer(self, service: str, method: str, path: str, body: Any = None) -> Reply:
        """Status and body."""
        if service == 'placement' and 'no-placement' in self.wrong:
            return 503, {}
        at = urllib.parse.urlsplit(path)
        words = at.path.strip('/').split('/')
        self.looks += method == 'GET' and len(words) > 1
        if service == 'placement':
            return self._placement(words)
        if 'os-volume_attachments' in words:
            return self._attachment(method, words, body)
        if words[-1] == 'action':
            return self._action(words, body)
        if words[0] in {'os-services', 'subnets', 'images', 'flavors'}:
            return self._ground(method, words, body)
        return self._thing(method, at, words, body)

    def _thing(
        self, method: str, at: urllib.parse.SplitResult, words: Sequence[str], body: Any
    ) -> Reply:
        some: dict[str, dict[str, Any]] = getattr(self, words[0])
        if method == 'POST':
            return self._make(words[0].removesuffix('s'), some, next(iter(body.values())))
        if len(words) == 1 or words[1] == 'detail':
            device = dict(urllib.parse.parse_qsl(at.query)).get('device_id')
            listed = [one for one in some.values() if device in (None, one.get('device_id'))]
            return 200, {words[0]: listed}
        if words[1] not in some:
            return 404, {}
        if method == 'DELETE':
            return self._delete(words[0].removesuffix('s'), some, words[1])
        self._spoil()
        one = some.get(words[1])
        return (404, {}) if one is None else (200, {words[0].removesuffix('s'): one})

    def _make(self, sort: str, some: dict[str, dict[str, Any]], asked: dict[str, Any]) -> Reply:
        key = f'{sort}-id-{next(self._numbers)}'
        some[key] = one = {'id': key, 'status': 'ACTIVE', **asked}
        match sort:
            case 'network':
                one['subnets'] = []
            case 'port':
                address = f'192.168.1.{next(self._numbers)}'
                one |= {'fixed_ips': [{'ip_address': address}], 'mac_address': key}
            case 'server':
                network = asked['networks'][0]['uuid']
                port = {'network_id': network, 'device_id': key, 'name': ''}
                _, made = self._make('port', self.ports, port)
                addresses = [{'addr': each['ip_address']} for each in made['port']['fixed_ips']]
                one['addresses'] = {'net': addresses if 'no-address' not in self.wrong else []}
                one['status'] = 'ERROR' if 'fails-server' in self.wrong else 'ACTIVE'
                self.allocations.add(key)
            case _:
                one |= {'status': 'available', 'attachments': []}
        return 202, {sort: one}

    def _delete(self, sort: str, some: dict[str, dict[str, Any]], key: str) -> Reply:
        if f'keeps-{sort}' in self.wrong:
            return 409, {}
        if sort == 'network' and any(one['network_id'] == key for one in self.ports.values()):
            return 409, {}
        if sort == 'server':
            if 'leaks-allocation' not in self.wrong:
                self.allocations.discard(key)
            for name, port in [*self.ports.items()]:
                if port.get('device_id') == key and 'leaks-port' not in self.wrong:
                    del self.ports[name]
            for name, one in [*self.attachments.items()]:
                if one['instance'] == key:
                    self._detach(name)
        del some[key]
        return 204, {}

    def _detach(self, name: str) -> None:
        one = self.attachments[name]
        if one['volume_id'] in self.volumes:
            self.volumes[one['volume_id']] |= {'status': 'available', 'attachments': []}
        if 'leaks-attachment' not in self.wrong:
            del self.attachments[name]

    def _attachment(self, method: str, words: Sequence[str], body: Any) -> Reply:
        server = words[1]
        if method == 'POST':
            volume = body['volumeAttachment']['volumeId']
            name = f'attachment-id-{next(self._numbers)}'
            self.attachments[name] = {'id': name, 'instance': server, 'volume_id': volume}
            said = {'status': 'in-use', 'attachments': [{'server_id': server}]}
            self.volumes[volume] |= said
            return 200, {'volumeAttachment': {'id': volume}}
        volume = words[3]
        found = [
            name
            for name, one in self.attachments.items()
            if (one['instance'], one['volume_id']) == (server, volume)
            and self.volumes.get(volume, {}).get('attachments')
        ]
        if not found:
            return 404, {}
        if method == 'DELETE':
            self._detach(found[0])
            return 202, {}
        self._spoil()
        return 200, {'volumeAttachment': {'id': volume}}

    def _ground(self, method: str, words: Sequence[str], body: Any) -> Reply:
        if words[0] == 'subnets':
            key = f'subnet-{next(self._numbers)}'
            self.networks[body['subnet']['network_id']]['subnets'].append(key)
            return 201, {'subnet': {'id': key}}
        if words[0] == 'os-services':
            return 200, {'services': [{'state': 'up'}]}
        made = {('images', 'POST'): 201, ('flavors', 'POST'): 200}
        return made.get((words[0], method), 204), {}

    def _action(self, words: Sequence[str], body: Mapping[str, Any]) -> Reply:
        if 'os-force_delete' in body:
            self.volumes.pop(words[1], None)
        if 'os-resetState' in body:
            self.wrong -= {'keeps-server'}
        return 202, {}

    def _placement(self, words: Sequence[str]) -> Reply:
        if len(words) == 1:
            return 200, {'resource_providers': [{'uuid': 'node'}]}
        return 200, {'allocations': dict.fromkeys(self.allocations, 1)}

    def _spoil(self) -> None:
        """What goes wrong after some looks."""
        if self.looks < 40:
            return
        if 'forgets-server' in self.wrong:
            self.servers.clear()
        some: dict[str, dict[str, Any]]
        for word, (name, values) in _SPOILT.items():
            if word in self.wrong:
                some = getattr(self, name)
                for one in some.values():
                    one |= values


_SPOILT: dict[str, tuple[str, dict[str, Any]]] = {
    'moves-server': ('servers', {'addresses': {'net': []}}),
    'stops-server': ('servers', {'status': 'SHUTOFF'}),
    'forgets-port': ('ports', {'fixed_ips': []}),
    'drops-subnet': ('networks', {'subnets': []}),
    'breaks-volume': ('volumes', {'status': 'error'}),
    'detaches': ('volumes', {'status': 'available', 'attachments': []}),
}


@dataclasses.dataclass
class Kept:
    """A load of what lasts alone."""

    cloud: Cloud
    sorts: tuple[stock.Sort, ...] = EVERYTHING
    secrets: frozenset[str] = frozenset()
    writes: tuple[tuple[str, str], ...] = ()
    sentence: str = 'what lasts'
    before: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.at = lasting.Lasting('r1', self.cloud.ask)

    @property
    def keeps(self) -> tuple[tuple[str, str, str], ...]:
        return lasting.keeps(self.sorts)

    @property
    def begun(self) -> bool:
        return self.at.stock.begun

    def held(self) -> Sequence[tuple[str, located.Plain]]:
        there = (one for one in self.at.stock.things if one.state == 'held')
        return [(f'{one.sort}.look', one.name) for one in there]

    async def prepare(self) -> Sequence[load.Kind]:
        self.at.stock = stock.Stock('r1', self.sorts)
        return self.at.kinds()

    async def clear(self, *, within: float) -> located.Plain:
        return await sweep.clear(self.at, self.before, within=within)

    async def close(self) -> None:
        await sweep.drop(self.at)


def run(cloud: Cloud, *, seconds: float = 150, within: float = 60) -> journal.Journal:
    """What a run with this cloud writes, from the first operation to the look at what is left."""
    written: list[tuple[float, journal.What]] = []

    async def go() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()

        def write(what: journal.What) -> None:
            written.append((loop.time() - began, what))

        async with openloop.clients(Kept(cloud), write=write, seed=1) as them:
            task = asyncio.create_task(them.run(rate=10))
            await asyncio.sleep(seconds)
            await them.look_back(within=30)
            await them.clear(within=within)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    on_virtual_clock(go())
    return journal.Journal(
        tuple(journal.Entry(n, at, '', what) for n, (at, what) in enumerate(written, 1))
    )
