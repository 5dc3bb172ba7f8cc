"""Registers and sets that are made of a cloud's resources: a property of images, a description of projects, names.

What is asked of them `asking.py` decides; requests go the way of all others of the OpenStack load.

Interfaces: Image service API v2 (Update image: JSON patch of version 2.1; List images: filter by tag), Identity API v3
(Projects).
"""

from __future__ import annotations

import asyncio
import dataclasses
import urllib.parse
import uuid
from collections.abc import Mapping, Sequence

from matrix.grammar import located
from matrix.juju import link
from matrix.load import asking, client, lasting, load, outcome, spec

_WEIGHT = 0.5
_PATCH = {'Content-Type': 'application/openstack-images-v2.1-json-patch'}
_PROPERTY = 'matrix_value'
_GONE = (202, 204, 404)
_MOST_NAMES = 4 * asking.KEYS * asking.MOST
"""Images that are made for their names; a cloud is not filled with them, however long the load runs."""

_SOME = 8  # requests at once when all is removed


@dataclasses.dataclass(frozen=True)
class Made:
    """A resource of this run's: what it is, its name, and where it is deleted."""

    what: str
    name: str
    service: str
    path: str


def image(name: str) -> Made:
    """An image that was made by its name."""
    return Made('image', name, 'image', f'/images/{image_id(name)}')


async def remove(some: Sequence[Made], ask: lasting.Ask, left: list[load.Left]) -> None:
    """Delete resources, a few at once; what was not seen to go is added to `left`, with the reason."""
    gate = asyncio.Semaphore(_SOME)
    why = dict.fromkeys(some, 'there was no time to delete it')

    async def one(what: Made) -> None:
        async with gate:
            try:
                response = await ask(what.service, 'DELETE', what.path)
                client.check('DELETE', response.status, _GONE)
            except (*lasting.TRANSIENT_STATUSES, load.Refused) as error:
                why[what] = outcome.word(error)
                return
        del why[what]

    try:
        async with asyncio.TaskGroup() as group:
            for what in some:
                group.create_task(one(what))
    finally:
        left += [
            load.Left(one.what, one.name, f'the {one.service} service', why[one])
            for one in some
            if one in why
        ]


class CloudThings:
    """Those of `spec.CLOUD_THINGS` that are wanted; `ask` asks a service. What is made is named for the run."""

    def __init__(self, run: str, wanted: Sequence[str], ask: lasting.Ask) -> None:
        self._ask = ask
        self._things = {
            name: asking.Thing(f'matrix-{run}-{name}', spec.CLOUD_THINGS[name].kind)
            for name in wanted
        }
        self._projects: dict[str, str] = {}  # ids by key, which keystone chooses
        self._images: set[str] = set()  # names of all that may be there

    @property
    def models(self) -> dict[str, located.Plain]:
        """What is said of them, as `judge.histories` reads it."""
        return {
            name: thing.model({does: f'{name}.{does}' for does in thing.does})
            for name, thing in self._things.items()
        }

    def lacks(self, services: Mapping[str, object]) -> str:
        """The first that is wanted and whose service the cloud has not; '' where there is none."""
        return next(
            (name for name in self._things if spec.CLOUD_THINGS[name].service not in services), ''
        )

    def last_reads(self) -> list[tuple[str, located.Plain]]:
        """Every key that was changed, with the kind that reads it."""
        things = self._things.items()
        return [(f'{name}.read', one) for name, thing in things for one in thing.last_reads()]

    async def prepare(self) -> list[load.Kind]:
        """Make the images and projects that are registers.

        Raises:
            load.Refused: one is refused.
            link.LinkError: nobody knows whether one was made.
        """
        makes = {'image-property': self._make_image, 'project-description': self._make_project}
        for name, thing in self._things.items():
            for key in thing.keys if name in makes else ():
                try:
                    await makes[name](key)
                except lasting.TRANSIENT_STATUSES as error:
                    raise link.LinkError(f'{key} was not made: {outcome.word(error)}') from error
        return [
            self._kind(name, thing, does)
            for name, thing in self._things.items()
            for does in _able(thing)
        ]

    def made(self) -> list[Made]:
        """All that may be there, that of unknown outcome too."""
        projects = (
            Made('project', name, 'identity', f'/projects/{one}')
            for name, one in self._projects.items()
        )
        return [*map(image, sorted(self._images)), *projects]

    def _kind(self, name: str, thing: asking.Thing, does: str) -> load.Kind:
        async def do(value: located.Plain) -> load.Result:
            said = value if isinstance(value, dict) else {}
            did = await self._do(name, does, {key: str(one) for key, one in said.items()})
            thing.learn(does, said, did.value)
            return did

        def beside(value: located.Plain) -> tuple[str, located.Plain] | None:
            able = [one for one in _able(thing) if not self._full(name, one)]
            found = thing.beside(does, value, able)
            return None if found is None else (f'{name}.{found[0]}', found[1])

        return load.Kind(
            f'{name}.{does}', do, lambda: self._asked(name, thing, does), _WEIGHT, beside=beside
        )

    def _full(self, name: str, does: str) -> bool:
        return (name, does) == ('image-names', 'add') and len(self._images) >= _MOST_NAMES

    def _asked(self, name: str, thing: asking.Thing, does: str) -> located.Plain:
        return None if self._full(name, does) else thing.asked(does)

    async def _do(self, name: str, does: str, said: Mapping[str, str]) -> load.Result:
        match name, does:
            case 'image-property', 'write':
                change = [{'op': 'add', 'path': f'/{_PROPERTY}', 'value': said['value']}]
                path = f'/images/{image_id(said["key"])}'
                response = await self._ask('image', 'PATCH', path, change, _PATCH)
                client.check('PATCH', response.status, (200,))
            case 'image-property', _:
                path = f'/images/{image_id(said["key"])}'
                return await self._read('image', path, _PROPERTY)
            case 'image-names', 'add':
                response = await self._make_image(said['value'], said['key'])
            case 'image-names', _:
                return await self._names(said['key'])
            case 'project-description', 'write':
                path = f'/projects/{self._projects[said["key"]]}'
                change = {'project': {'description': said['value']}}
                response = await self._ask('identity', 'PATCH', path, change)
                client.check('PATCH', response.status, (200,))
            case _:
                path = f'/projects/{self._projects[said["key"]]}'
                return await self._read('identity', path, 'description', 'project')
        return load.Result(True, request=response.request)

    async def _read(
        self, service: str, path: str, field: str, within: str | None = None
    ) -> load.Result:
        """A field of a resource; None where it is empty, or the resource is gone."""
        response = await self._ask(service, 'GET', path)
        if response.status == 404:
            return load.Result(None, request=response.request)
        client.check('GET', response.status, (200,))
        found = response.json()
        value = (found[within] if within else found).get(field)
        return load.Result(value or None, request=response.request)

    async def _names(self, tag: str) -> load.Result:
        asked = urllib.parse.urlencode({'tag': tag, 'limit': 10 * asking.MOST})
        response = await self._ask('image', 'GET', f'/images?{asked}')
        client.check('GET', response.status, (200,))
        names = [str(one['name']) for one in response.json()['images']]
        return load.Result([*sorted(names)], request=response.request)

    async def _make_image(self, name: str, *tags: str) -> client.Response:
        self._images.add(name)
        asked = {
            'id': image_id(name),
            'name': name,
            'tags': [*tags],
            'disk_format': 'raw',
            'container_format': 'bare',
        }
        response = await self._ask('image', 'POST', '/images', asked)
        client.check('POST', response.status, (201,))
        return response

    async def _make_project(self, key: str) -> client.Response:
        asked = {'project': {'name': key, 'domain_id': 'default'}}
        response = await self._ask('identity', 'POST', '/projects', asked)
        client.check('POST', response.status, (201,))
        self._projects[key] = str(response.json()['project']['id'])
        return response


def _able(thing: asking.Thing) -> list[str]:
    """What can be done to it: no interface of these compares."""
    return [does for does in thing.does if does != 'cas']


def image_id(name: str) -> str:
    """The id of an image that is to be made, by its name."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))
