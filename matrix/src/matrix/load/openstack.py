"""A load on an OpenStack: what its users and services do all day.

Tokens are issued and validated, the catalogue is read, images are created and read back, placement is asked; networks,
ports, servers and volumes come and go (`lasting.py`). Each service is asked on every interface of the catalogue that
can be reached from here, in turn.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import itertools
import json
import time
from collections.abc import Mapping, Sequence

import aiohttp

from matrix.grammar import located
from matrix.juju import link
from matrix.load import (
    addresses,
    client,
    cloud_things,
    lasting,
    load,
    prerequisites,
    spec,
    stock,
    sweep,
)
from matrix.plans import snapshot

_PROBE_S = 5.0
_ACTION_S = 120.0
_INVENTED = 'token.validate of nothing'
_CONTROL = 0.2  # of a turn, how often a token is shown that was never issued
_HELD = 200  # tokens that are kept for validation; the oldest go first
_OLDEST_S = 1800.0  # a token is not used for longer, unless it says that it ends sooner
_MOST_IMAGES = 300
_CONTENT = 1024  # bytes of an image
_TRANSIENT = (aiohttp.ClientError, OSError, TimeoutError, client.UnclearError)


def fits(model: snapshot.Model) -> bool:
    """Whether there is a keystone in the model."""
    return _keystone(model) is not None


@dataclasses.dataclass(frozen=True)
class _Token:
    name: str
    text: str = dataclasses.field(repr=False)
    since: float


@dataclasses.dataclass
class OpenStack:
    """The cloud of a model, as the administrator uses it. What is made is named for the run.

    `pause`: seconds between two looks at what is not ready yet; `things`: which of `spec.CLOUD_THINGS` it uses;
    `closes_within`: seconds for removing all.
    """

    link: link.Link
    run: str
    pause: float = lasting.POLL_S
    things: tuple[str, ...] = ()
    closes_within: float = 120.0

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self._turns: collections.Counter[str] = collections.Counter()
        self._client: client.Client | None = None
        self._password = ''
        self._urls: dict[str, list[str]] = {}
        self._tokens: collections.deque[_Token] = collections.deque(maxlen=_HELD)
        self._images: list[str] = []
        self._begun: set[str] = set()
        self.left: list[load.Left] = []
        self._lasting = lasting.Lasting(self.run, self._service, pause=self.pause)
        self._orphaned: frozenset[str] = frozenset()
        self._things = cloud_things.CloudThings(self.run, self.things, self._service)

    @property
    def sentence(self) -> str:
        """What it does, for people."""
        optional = {'image': 'images created and read back', 'placement': 'placement asked'}
        parts = ['tokens issued and validated', 'the catalogue read']
        parts += [said for kind, said in optional.items() if kind in self._urls]
        if sorts := [f'{one.name}s' for one in self._lasting.stock.sorts]:
            parts.append(f'{", ".join(sorts)} made, looked at and deleted')
        parts += [f'{one} written and read' for one in self.things]
        return ', '.join(parts)

    @property
    def secrets(self) -> frozenset[str]:
        """The administrator's password, and tokens that do not show by their form what they are (fernet's do)."""
        tokens = {one.text for one in self._tokens if not one.text.startswith('gAAAA')}
        return frozenset({self._password, *tokens} - {''})

    @property
    def writes(self) -> tuple[tuple[str, str], ...]:
        """An image that was created can be read."""
        return (('image.create', 'image.read'),) if 'image' in self._urls else ()

    @property
    def models(self) -> dict[str, located.Plain]:
        """The registers and sets that its resources are used as."""
        return self._things.models

    def last_reads(self) -> list[tuple[str, located.Plain]]:
        """Every key of these that was changed, with the kind that reads it."""
        return self._things.last_reads()

    @property
    def nothing(self) -> tuple[tuple[str, str], ...]:
        """Whoever takes a token for valid that was never issued says nothing of those that were."""
        return (('token.validate', _INVENTED),)

    @property
    def keeps(self) -> tuple[tuple[str, str, str], ...]:
        """What lasts in this cloud."""
        return lasting.keeps(self._lasting.stock.sorts)

    @property
    def begun(self) -> bool:
        """Whether there is one of each that stays."""
        return self._lasting.stock.begun

    def held(self) -> Sequence[tuple[str, located.Plain]]:
        """What lasts, and is there."""
        there = (one for one in self._lasting.stock.things if one.state == 'held')
        return [(f'{one.sort}.look', one.name) for one in there]

    async def clear(self, *, within: float) -> located.Plain:
        """Delete what lasts, and look what is left of it."""
        return await sweep.clear(self._lasting, self._orphaned, within=within)

    async def prepare(self) -> Sequence[load.Kind]:
        """Find the cloud and log in.

        Raises:
            link.LinkError: the administrator's password cannot be had, nobody answers, or a service is missing.
            load.Refused: keystone does not take the password.
        """
        self._client = client.Client()
        keystone = _keystone(self.link.now())
        if keystone is None:
            raise link.LinkError('there is no keystone in the model')
        said = await self.link.run_action(
            f'{keystone.name}/leader', 'get-admin-password', {}, within=_ACTION_S
        )
        self._password = str(said.get('password') or said.get('admin-password') or '')
        if not self._password:
            raise link.LinkError(f'{keystone.name} gave no password')
        self._urls = {'identity': await self._first_url(keystone)}
        catalogue = (await self._issue('token-0')).json()['token'].get('catalog', [])
        for service, urls in addresses.catalogue(catalogue).items():
            if reached := await self._reached(urls):
                self._urls[service] = [addresses.versioned(service, url) for url in reached]
        kinds = [
            load.Kind('token.issue', self._do_issue, lambda: f'token-{next(self._numbers)}'),
            load.Kind('token.validate', self._do_validate, self._some_token, weight=2.0),
            load.Kind(_INVENTED, self._do_validate_nothing, self._no_token, weight=_CONTROL),
            load.Kind('catalogue.read', self._do_catalogue),
        ]
        if 'placement' in self._urls:
            kinds.append(load.Kind('placement.read', self._do_placement))
        if 'image' in self._urls:
            kinds.append(load.Kind('image.create', self._do_create, self._new_image, weight=0.3))
            kinds.append(load.Kind('image.read', self._do_read, self._some_image))
        if lacking := self._things.lacks(self._urls):
            service = spec.CLOUD_THINGS[lacking].service
            raise link.LinkError(f'{lacking} needs the service {service}, which does not answer')
        return [*kinds, *await self._things.prepare(), *await self._prepare_lasting()]

    async def _prepare_lasting(self) -> list[load.Kind]:
        at = self._lasting
        sorts = await prerequisites.sorts(self._service, self._urls)
        at.stock = stock.Stock(self.run, sorts)
        at.volumes = prerequisites.volumes(self._urls) or at.volumes
        if not sorts:
            return []
        await prerequisites.create(at)
        before = await sweep.see(at)
        known = {str(one.get('id')) for one in before.servers or ()}
        self._orphaned = (before.allocations or frozenset()) - known
        return at.kinds()

    async def close(self) -> None:
        """Remove what this run made, that of unknown outcome too."""
        if self._client is None:
            return
        try:
            if self._lasting.stock.sorts:
                await sweep.drop(self._lasting)
                await prerequisites.delete(self._lasting)
            own = [cloud_things.image(name) for name in self._begun]
            await cloud_things.remove([*own, *self._things.made()], self._service, self.left)
        finally:
            await self._client.close()

    # What a turn asks for.

    def _some_token(self) -> located.Plain:
        return self._fresh()[next(self._numbers) % len(self._fresh())].name

    def _no_token(self) -> located.Plain:
        return f'matrix-{self.run}-never-{next(self._numbers)}'

    def _new_image(self) -> located.Plain:
        if len(self._begun) >= _MOST_IMAGES:
            return None
        return f'matrix-{self.run}-{next(self._numbers)}'

    def _some_image(self) -> located.Plain:
        return self._images[next(self._numbers) % len(self._images)] if self._images else None

    # What a turn does.

    async def _do_issue(self, value: located.Plain) -> load.Result:
        response = await self._issue(str(value))
        return load.Result(value, request=response.request)

    async def _do_validate(self, value: located.Plain) -> load.Result:
        text = next((one.text for one in self._tokens if one.name == value), '')
        return await self._validated(text, text)

    async def _do_validate_nothing(self, value: located.Plain) -> load.Result:
        did = await self._validated(self._token(), str(value))
        return dataclasses.replace(did, value=did.value is False)

    async def _validated(self, token: str, shown: str) -> load.Result:
        url = f'{self._url("identity")}/auth/tokens'
        response = await self._ask('GET', url, token=token, headers={'X-Subject-Token': shown})
        if response.status in {401, 404}:  # It asks for itself: it is not known here.
            return load.Result(False, request=response.request)
        client.check('GET', response.status, (200,))
        return load.Result(True, request=response.request)

    async def _do_catalogue(self, _: located.Plain) -> load.Result:
        return await self._read(f'{self._url("identity")}/auth/catalog')

    async def _do_placement(self, _: located.Plain) -> load.Result:
        return await self._read(f'{self._url("placement")}/resource_providers')

    async def _do_create(self, value: located.Plain) -> load.Result:
        name, token = str(value), self._token()
        self._begun.add(name)
        asked = {
            'id': cloud_things.image_id(name),
            'name': name,
            'disk_format': 'raw',
            'container_format': 'bare',
        }
        url = f'{self._url("image")}/images'
        response = await self._ask('POST', url, token=token, body=json.dumps(asked).encode())
        client.check('POST', response.status, (201,))
        kind = {'Content-Type': 'application/octet-stream'}
        response = await self._ask(
            'PUT', f'{self._image(name)}/file', token=token, headers=kind, body=_content(name)
        )
        client.check('PUT', response.status, (204,))
        self._images.append(name)
        return load.Result(value, request=response.request)

    async def _do_read(self, value: located.Plain) -> load.Result:
        name = str(value)
        response = await self._ask('GET', f'{self._image(name)}/file', token=self._token())
        if response.status in {204, 404}:
            return load.Result(False, request=response.request)
        client.check('GET', response.status, (200,))
        return load.Result(response.body == _content(name), request=response.request)

    # How it is asked.

    async def _read(self, url: str) -> load.Result:
        response = await self._ask('GET', url, token=self._token())
        client.check('GET', response.status, (200,))
        response.json()
        return load.Result(request=response.request)

    async def _ask(
        self,
        method: str,
        url: str,
        *,
        token: str = '',
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> client.Response:
        if self._client is None:
            raise RuntimeError('not prepared')
        own = {'Content-Type': 'application/json', **({'X-Auth-Token': token} if token else {})}
        return await self._client.ask(method, url, headers={**own, **(headers or {})}, body=body)

    async def _service(
        self,
        service: str,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> client.Response:
        url = self._url(service) + path
        sent = lasting.body_of(body)
        return await self._ask(method, url, token=self._token(), headers=headers, body=sent)

    async def _issue(self, name: str) -> client.Response:
        domain = {'name': 'Default'}
        user = {'name': 'admin', 'domain': domain, 'password': self._password}
        auth = {
            'identity': {'methods': ['password'], 'password': {'user': user}},
            'scope': {'project': {'name': 'admin', 'domain': domain}},
        }
        url = f'{self._url("identity")}/auth/tokens'
        response = await self._ask('POST', url, body=json.dumps({'auth': auth}).encode())
        client.check('POST', response.status, (201,))
        text = response.headers.get('x-subject-token', '')
        if not text:
            raise client.UnclearError('no token in the answer')
        self._tokens.append(_Token(name, text, time.monotonic()))
        return response

    def _url(self, service: str) -> str:
        """The next of a service's addresses."""
        urls = self._urls[service]
        self._turns[service] += 1
        return urls[self._turns[service] % len(urls)]

    def _image(self, name: str) -> str:
        return f'{self._url("image")}/images/{cloud_things.image_id(name)}'

    def _fresh(self) -> list[_Token]:
        now = time.monotonic()
        return [one for one in self._tokens if now - one.since < _OLDEST_S] or [self._tokens[-1]]

    def _token(self) -> str:
        """A token as services see them: some are new, some are older."""
        some = self._fresh()[-20:]
        return some[next(self._numbers) % len(some)].text

    async def _first_url(self, keystone: snapshot.Application) -> list[str]:
        """Where keystone is: what load balancers say that they serve it at, then its own units."""
        candidates = [
            *addresses.frontends(await self._relation_data(keystone)),
            *(f'http://{unit.address}:5000' for unit in keystone.units if unit.address),
        ]
        for url in candidates:
            if reached := await self._reached([url]):
                return [addresses.versioned('identity', one) for one in reached]
        raise link.LinkError(
            f'{keystone.name} answers at none of: {", ".join(candidates) or "(no address)"}'
        )

    async def _relation_data(self, keystone: snapshot.Application) -> object:
        if not keystone.units:
            return None
        unit = keystone.units[0].name
        try:
            return json.loads(await self.link.cli('show-unit', unit, '--format', 'json'))[unit]
        except (ValueError, KeyError):
            return None

    async def _reached(self, urls: Sequence[str]) -> list[str]:
        """Those of some addresses that answer from here."""

        async def responds(url: str) -> bool:
            try:
                async with asyncio.timeout(_PROBE_S):
                    response = await self._ask('GET', f'{url.rstrip("/")}/')
            except _TRANSIENT:
                return False
            return response.status < 500

        found = await asyncio.gather(*(responds(url) for url in urls))
        return [url for url, yes in zip(urls, found, strict=True) if yes]


def _keystone(model: snapshot.Model) -> snapshot.Application | None:
    ranked = [
        one
        for one in model.applications
        if one.name == 'keystone' or one.charm.rsplit('/', 1)[-1].startswith('keystone')
    ]
    return next((one for one in ranked if not one.subordinate and one.units), None)


def _content(name: str) -> bytes:
    return (name.encode() * _CONTENT)[:_CONTENT]
