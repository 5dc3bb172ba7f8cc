"""What lasts in a cloud: networks, ports, servers, volumes and attachments are made, looked at and let go.

Which of them, and when, `stock.py` decides. Here is how services are asked. A server runs from an image of one
kibibyte, so it never boots: what is kept to is what the cloud says of it, not what a guest does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import aiohttp

from matrix.grammar import located
from matrix.load import client, load, stock

VOLUMES = ('volumev3', 'block-storage')
"""What cinder is called in catalogues."""

NETWORK = stock.Sort('network', most=2)
PORT = stock.Sort('port', ('network',), most=3)
SERVER = stock.Sort('server', ('network',), most=2)
VOLUME = stock.Sort('volume', most=2)
ATTACHMENT = stock.Sort('attachment', ('server', 'volume'), most=2, alone=frozenset({'volume'}))

TRANSIENT_STATUSES = (aiohttp.ClientError, OSError, TimeoutError, client.UnclearError)
TIMEOUT_S = 30.0
"""Seconds for a single answer, where nobody else has a limit."""

POLL_S = 2.0
_WORK_S: Mapping[str, float] = {
    'network': 60,
    'port': 60,
    'server': 240,
    'volume': 120,
    'attachment': 150,
}
_LOOK_S = 30.0
_USABLE = frozenset({'available', 'in-use', 'reserved', 'attaching', 'detaching'})

Facts = dict[str, located.Plain]


class Ask(Protocol):
    """Asks a service of the catalogue; the path follows its URL, the body is sent as JSON."""

    async def __call__(
        self,
        service: str,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> client.Response:
        """The answer, whatever its status."""
        ...


def keeps(sorts: Sequence[stock.Sort]) -> tuple[tuple[str, str, str], ...]:
    """For each sort the kinds of operation that make one, look at it, and let it go."""
    return tuple((f'{n}.create', f'{n}.look', f'{n}.delete') for n in (one.name for one in sorts))


class Lasting:
    """What one run has made, and the services that it asks.

    `image` and `flavor` are what servers are made of; `pause` are seconds between two looks at what is not ready yet.
    """

    def __init__(
        self, run: str, ask: Ask, volumes: str = VOLUMES[0], *, pause: float = POLL_S
    ) -> None:
        self.stock = stock.Stock(run, ())
        self.ours: dict[str, str] = {}
        """Names of all that ever was, by the service's id."""
        self.busy = 0
        """Operations that are not over."""
        self.image = self.flavor = ''
        self.ask = ask
        self.volumes = volumes
        self.pause = pause
        self._makes: dict[str, Callable[[stock.Thing], Awaitable[Facts]]] = {
            'network': self._make_network,
            'port': self._make_port,
            'server': self._make_server,
            'volume': self._make_volume,
            'attachment': self._make_attachment,
        }
        self._looks: dict[str, Callable[[stock.Thing], Awaitable[Facts | None]]] = {
            'network': self._look_network,
            'port': self._look_port,
            'server': self._look_server,
            'volume': self._look_volume,
            'attachment': self._look_attachment,
        }

    def kinds(self) -> list[load.Kind]:
        """Kinds of operation, three for each sort."""
        return [kind for sort in self.stock.sorts for kind in self._kinds(sort.name)]

    def _kinds(self, sort: str) -> tuple[load.Kind, ...]:
        def name(of: Callable[[stock.Stock, str], stock.Thing | None]) -> located.Plain:
            found = of(self.stock, sort)
            return found.name if found else None

        async def make(value: located.Plain) -> load.Result:
            return await self._make(sort, str(value))

        async def let_go(value: located.Plain) -> load.Result:
            return await self._let_go(str(value))

        async def look(value: located.Plain) -> load.Result:
            return await self._look(str(value))

        work = _WORK_S[sort]
        return (
            load.Kind(f'{sort}.create', make, lambda: name(stock.to_make), 1.0, work),
            load.Kind(f'{sort}.look', look, lambda: name(stock.to_look), 0.5, _LOOK_S),
            load.Kind(f'{sort}.delete', let_go, lambda: name(stock.to_let_go), 0.2, work),
        )

    # The three operations.

    async def _make(self, sort: str, name: str) -> load.Result:
        thing = stock.to_make(self.stock, sort)
        if thing is None or thing.name != name:
            raise load.Refused('nothing to stand on')
        self.stock = stock.begin(self.stock, thing)
        self.busy += 1
        try:
            facts = await self._makes[sort](thing)
        except load.Refused:
            # What has an id was accepted, and failed after that.
            accepted = self.stock.thing(name).key
            self.stock = stock.become(self.stock, name, 'unsure' if accepted else 'gone')
            raise
        except BaseException:
            self.stock = stock.become(self.stock, name, 'unsure')
            raise
        finally:
            self.busy -= 1
        self.stock = stock.become(self.stock, name, 'held')
        return load.Result(facts)

    async def _look(self, name: str) -> load.Result:
        thing = self.stock.thing(name)
        self.busy += 1
        try:
            facts = await self._looks[thing.sort](thing)
        finally:
            self.busy -= 1
        self.stock = stock.looked(self.stock, name)
        return load.Result(False if facts is None else facts)

    async def _let_go(self, name: str) -> load.Result:
        thing = self.stock.thing(name)
        self.stock = stock.become(self.stock, name, 'going')
        service, path = self._place(thing)
        self.busy += 1
        try:
            response = await self.ask(service, 'DELETE', path)
            if response.status == 404:
                self.stock = stock.become(self.stock, name, 'gone')
            client.check('DELETE', response.status, (200, 202, 204))
            await self._until(lambda: self._is_gone(thing))
        except load.Refused:
            if self.stock.thing(name).state == 'going':
                self.stock = stock.become(self.stock, name, 'held')
            raise
        except BaseException:
            self.stock = stock.become(self.stock, name, 'unsure')
            raise
        finally:
            self.busy -= 1
        self.stock = stock.become(self.stock, name, 'gone')
        return load.Result(True)

    def _place(self, thing: stock.Thing) -> tuple[str, str]:
        """The service that has it, and the path to it."""
        if thing.sort == 'attachment':
            server, volume = self._keys(thing)
            return 'compute', f'/servers/{server}/os-volume_attachments/{volume}'
        service = {'server': 'compute', 'volume': self.volumes}.get(thing.sort, 'network')
        return service, f'/{thing.sort}s/{thing.key}'

    def _keys(self, thing: stock.Thing) -> list[str]:
        return [self.stock.thing(one).key for one in thing.on]

    async def _is_gone(self, thing: stock.Thing) -> bool:
        facts = await self._looks[thing.sort](thing)
        if thing.sort == 'attachment' and facts is not None:
            return facts.get('nova') is False and facts.get('status') == 'available'
        return facts is None

    async def _until(self, there: Callable[[], Awaitable[bool]]) -> None:
        """Wait; that somebody does not answer meanwhile is for those who look. The operation has a limit."""
        while True:
            with contextlib.suppress(*TRANSIENT_STATUSES, load.Refused):
                async with asyncio.timeout(TIMEOUT_S):
                    if await there():
                        return
            await asyncio.sleep(self.pause)

    # How each sort is made, and what is seen of it.

    async def _post(
        self, thing: stock.Thing, service: str, path: str, body: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Make it; what the service answers, the one thing in it."""
        response = await self.ask(service, 'POST', path, body)
        client.check('POST', response.status, (200, 201, 202))
        made: dict[str, Any] = next(iter(response.json().values()))
        if not self.stock.thing(thing.name).key:
            key = str(made['id'])
            self.stock = stock.become(self.stock, thing.name, 'making', key)
            if thing.sort != 'attachment':  # That has no id of its own, but the volume's.
                self.ours[key] = thing.name
        return made

    async def _get(self, service: str, path: str) -> dict[str, Any] | None:
        """What is at a path; None where nothing is."""
        response = await self.ask(service, 'GET', path)
        if response.status == 404:
            return None
        client.check('GET', response.status, (200,))
        return response.json()

    async def _settled(self, thing: stock.Thing, wanted: str) -> Facts:
        """What is seen of it once it has a status, and all else. load.Refused: it has ended in another."""
        known = self.stock.thing(thing.name)
        found: Facts = {}

        async def there() -> bool:
            found.clear()
            found.update(await self._looks[thing.sort](known) or {})
            status = str(found.get('status'))
            # A server that is ACTIVE and has no address is not what was asked for.
            return (status == wanted and all(found.values())) or status.lower().startswith('error')

        await self._until(there)
        if found.get('status') != wanted:
            raise load.Refused(f'{thing.sort} is {found.get("status")}')
        return found

    async def _make_network(self, thing: stock.Thing) -> Facts:
        made = await self._post(thing, 'network', '/networks', {'network': {'name': thing.name}})
        number = int(thing.name.rpartition('-')[2]) % 200
        subnet = {
            'name': thing.name,
            'network_id': made['id'],
            'ip_version': 4,
            'cidr': f'192.168.{number + 20}.0/24',
        }
        await self._post(thing, 'network', '/subnets', {'subnet': subnet})
        return await self._settled(thing, 'ACTIVE')

    async def _look_network(self, thing: stock.Thing) -> Facts | None:
        found = await self._get('network', f'/networks/{thing.key}')
        if found is None:
            return None
        one = found['network']
        return {'status': one['status'], 'subnets': _words(one['subnets'])}

    async def _make_port(self, thing: stock.Thing) -> Facts:
        [network] = self._keys(thing)
        asked = {'name': thing.name, 'network_id': network}
        await self._post(thing, 'network', '/ports', {'port': asked})
        facts = await self._look_port(self.stock.thing(thing.name))
        if facts is None:
            raise client.UnclearError('not there')
        return facts

    async def _look_port(self, thing: stock.Thing) -> Facts | None:
        found = await self._get('network', f'/ports/{thing.key}')
        if found is None:
            return None
        one = found['port']
        return {'addresses': _addresses(one), 'mac': one['mac_address']}

    async def _make_server(self, thing: stock.Thing) -> Facts:
        [network] = self._keys(thing)
        asked = {
            'name': thing.name,
            'imageRef': self.image,
            'flavorRef': self.flavor,
            'networks': [{'uuid': network}],
        }
        await self._post(thing, 'compute', '/servers', {'server': asked})
        return await self._settled(thing, 'ACTIVE')

    async def _look_server(self, thing: stock.Thing) -> Facts | None:
        """Its status and addresses as nova has them, and the addresses that neutron has for it."""
        found = await self._get('compute', f'/servers/{thing.key}')
        if found is None:
            return None
        one = found['server']
        ports = await self._get('network', f'/ports?device_id={thing.key}') or {'ports': []}
        return {
            'status': one['status'],
            'addresses': _words(
                each['addr'] for some in one['addresses'].values() for each in some
            ),
            'ports': _words(each for port in ports['ports'] for each in _addresses(port)),
        }

    async def _make_volume(self, thing: stock.Thing) -> Facts:
        asked = {'volume': {'name': thing.name, 'size': 1}}
        await self._post(thing, self.volumes, '/volumes', asked)
        return await self._settled(thing, 'usable')

    async def _look_volume(self, thing: stock.Thing) -> Facts | None:
        found = await self._get(self.volumes, f'/volumes/{thing.key}')
        if found is None:
            return None
        one = found['volume']
        said = str(one['status'])
        # What is attached to a server and what is not is as well; that it stays attached, its attachment shows.
        return {'status': 'usable' if said in _USABLE else said, 'size': one['size']}

    async def _make_attachment(self, thing: stock.Thing) -> Facts:
        server, volume = self._keys(thing)
        path = f'/servers/{server}/os-volume_attachments'
        await self._post(thing, 'compute', path, {'volumeAttachment': {'volumeId': volume}})
        return await self._settled(thing, 'in-use')

    async def _look_attachment(self, thing: stock.Thing) -> Facts | None:
        """What nova says of it and what cinder does, who has the data."""
        server, volume = self._keys(thing)
        of_nova = await self._get('compute', f'/servers/{server}/os-volume_attachments/{volume}')
        of_cinder = await self._get(self.volumes, f'/volumes/{volume}')
        if of_cinder is None:
            return None
        one = of_cinder['volume']
        servers = _words(each['server_id'] for each in one['attachments'])
        return {'status': one['status'], 'nova': of_nova is not None, 'cinder': servers}


def _addresses(port: Mapping[str, Any]) -> list[located.Plain]:
    return _words(one['ip_address'] for one in port['fixed_ips'])


def _words(some: Iterable[object]) -> list[located.Plain]:
    return [*sorted(map(str, some))]


def body_of(value: object) -> bytes | None:
    """What is sent: bytes as they are, all else as JSON."""
    return value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
