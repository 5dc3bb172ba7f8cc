"""Registers and sets made of a cloud's resources: a right cloud passes, a stale or forgetful one is seen."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import pathlib
import urllib.parse
from collections.abc import Mapping
from typing import Any

import linked
import pytest
from chronicle import Line, trial_of

from matrix.grammar import located, problem
from matrix.history import journal
from matrix.judge import histories, verdict
from matrix.juju import link
from matrix.load import client, cloud_things, discover, load, openloop, openstack, spec
from matrix.plans import snapshot

WANTED = (*spec.CLOUD_THINGS,)
Reply = tuple[int, Any]


@dataclasses.dataclass
class Cloud:
    """Glance and keystone, as much of them as is asked for. `stale`: reads show what was there two changes before."""

    stale: bool = False
    forgets: bool = False
    status: int = 0
    images: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict[str, Any])
    projects: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict[str, Any])
    before: dict[str, list[Reply]] = dataclasses.field(default_factory=dict[str, list[Reply]])
    count: int = 0

    async def ask(
        self,
        service: str,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> client.Response:
        self.count += 1
        reply: Reply = (self.status, {})
        if not self.status:
            reply = self.answer(service, method, path, body, headers or {})
        return client.Response(reply[0], {}, json.dumps(reply[1]).encode())

    def answer(
        self, service: str, method: str, path: str, body: Any, headers: Mapping[str, str]
    ) -> Reply:
        at = urllib.parse.urlsplit(path)
        words = at.path.strip('/').split('/')
        some = self.images if service == 'image' else self.projects
        assert words[0] == ('images' if service == 'image' else 'projects')
        match method, len(words):
            case 'POST', 1:
                return self._make(service, body)
            case 'GET', 1:
                asked = dict(urllib.parse.parse_qsl(at.query))
                listed = [one for one in some.values() if asked['tag'] in one['tags']]
                return self._shown(asked['tag'], (200, {'images': listed[: int(asked['limit'])]}))
            case _ if words[1] not in some:
                return 404, {}
            case 'DELETE', _:
                del some[words[1]]
                return 204, {}
            case 'PATCH', _:
                return self._change(service, some[words[1]], body, headers)
            case _:
                one = {**some[words[1]]}
                return self._shown(
                    words[1], (200, one if service == 'image' else {'project': one})
                )

    def _shown(self, key: str, reply: Reply) -> Reply:
        seen = self.before.setdefault(key, [])
        if not seen or seen[-1] != reply:
            seen.append(reply)
        return seen[max(0, len(seen) - 3)] if self.stale else reply

    def _make(self, service: str, body: Any) -> Reply:
        if service == 'identity':
            key = f'project-{len(self.projects)}'
            self.projects[key] = {'id': key, 'description': '', **body['project']}
            return 201, {'project': self.projects[key]}
        if not (self.forgets and self.count % 5 == 0 and body['tags']):
            self.images[body['id']] = {**body}
        return 201, body

    def _change(
        self, service: str, one: dict[str, Any], body: Any, headers: Mapping[str, str]
    ) -> Reply:
        if self.forgets and self.count % 5 == 0:
            return 200, one
        if service == 'identity':
            one |= body['project']
        else:
            assert headers['Content-Type'] == 'application/openstack-images-v2.1-json-patch'
            [change] = body
            assert change['op'] == 'add'
            one[change['path'].strip('/')] = change['value']
        return 200, one


async def _used(cloud: Cloud, rounds: int) -> tuple[Line, cloud_things.CloudThings]:
    things = cloud_things.CloudThings('r1', WANTED, cloud.ask)
    kinds = await things.prepare()
    turns = openloop.Turns(kinds)
    written: list[journal.What] = [
        journal.Note('load', {'kinds': [], 'rate': 1, 'models': things.models})
    ]
    for number in range(rounds):
        for kind in kinds:
            if (asked := kind.asked()) is None:
                continue  # There are enough.
            taken = (kind, asked)
            beside = turns.beside(*taken)
            some = [taken, *([] if beside is None else [beside])]
            for n, (one, asked) in enumerate(some):
                name = f'{number}.{kind.name}.{n}'
                written.append(journal.Operation(name, one.name, 'invoke', value=asked))
            for n, (one, asked) in enumerate(some):
                did = await one.do(asked)
                name = f'{number}.{kind.name}.{n}'
                written.append(journal.Operation(name, one.name, 'ok', value=did.value))
    return [(n / 100, one) for n, one in enumerate(written)], things


def _judged(cloud: Cloud, rounds: int = 130) -> dict[str, verdict.Outcome]:
    line, _ = asyncio.run(_used(cloud, rounds))
    of = trial_of(line)
    found = histories.named(of)
    assert not histories.wrong(found)
    return {name: histories.history(of, name, said).outcome for name, said in found.items()}


def test_a_right_cloud_passes() -> None:
    assert _judged(Cloud()) == dict.fromkeys(WANTED, verdict.Outcome.PASS)


@pytest.mark.parametrize('cloud', [Cloud(stale=True), Cloud(forgets=True)])
def test_a_stale_and_a_forgetful_cloud_are_seen(cloud: Cloud) -> None:
    assert _judged(cloud) == dict.fromkeys(WANTED, verdict.Outcome.FAIL)


def test_all_that_was_made_is_removed() -> None:
    async def go() -> Cloud:
        cloud = Cloud()
        _, things = await _used(cloud, 20)
        assert cloud.images
        assert cloud.projects
        await cloud_things.remove(things.made(), cloud.ask, left)
        return cloud

    left: list[load.Left] = []
    cloud = asyncio.run(go())
    assert (cloud.images, cloud.projects, left) == ({}, {}, [])


def test_what_is_not_removed_is_named_with_the_reason() -> None:
    made = [cloud_things.image(name) for name in ('a', 'b')]
    left: list[load.Left] = []

    async def asked(
        service: str,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> client.Response:
        if path.endswith(cloud_things.image_id('b')):
            await asyncio.sleep(3600)
        return client.Response(409, {}, b'')

    async def go() -> None:
        async with asyncio.timeout(0.05):
            await cloud_things.remove(made, asked, left)

    with pytest.raises(TimeoutError):
        asyncio.run(go())
    assert [str(one) for one in left] == [
        'image a on the image service: http 409',
        'image b on the image service: there was no time to delete it',
    ]


def test_a_cloud_is_not_filled_with_images_however_long_the_load_runs() -> None:
    cloud = Cloud()
    _, things = asyncio.run(_used(cloud, 800))
    assert 400 < len(cloud.images) < 500
    assert len(things.made()) == len(cloud.images) + len(cloud.projects)


@pytest.mark.parametrize(
    ('status', 'raised'), [(403, load.Refused), (500, link.LinkError), (503, load.Refused)]
)
def test_what_cannot_be_made_ends_the_load_with_a_sentence(
    status: int, raised: type[Exception]
) -> None:
    things = cloud_things.CloudThings('r1', WANTED, Cloud(status=status).ask)
    with pytest.raises(raised, match=f'http {status}'):
        asyncio.run(things.prepare())


@pytest.mark.parametrize(('status', 'raised'), [(409, load.Refused), (500, client.UnclearError)])
def test_a_change_is_refused_or_of_unknown_outcome(status: int, raised: type[Exception]) -> None:
    async def go() -> None:
        cloud = Cloud()
        kinds = await cloud_things.CloudThings('r1', WANTED, cloud.ask).prepare()
        cloud.status = status
        for kind in kinds:
            if not kind.name.endswith('.read'):
                with pytest.raises(raised):
                    await kind.do(kind.asked())

    asyncio.run(go())


def test_a_resource_that_is_gone_reads_as_nothing() -> None:
    async def go() -> list[located.Plain]:
        cloud = Cloud()
        kinds = await cloud_things.CloudThings('r1', ('image-property',), cloud.ask).prepare()
        cloud.images.clear()
        reads = [one for one in kinds if one.name.endswith('.read')]
        return [(await one.do(one.asked())).value for one in reads]

    assert asyncio.run(go()) == [None]


# What a suite says.


def _read(text: str) -> spec.Spec:
    return spec.read(located.load(text, 'tests/test.yaml'))


def test_a_suite_names_what_is_used() -> None:
    said = _read('openstack: {things: [image-property, project-description]}')
    assert (said.use, said.openstack) == ('openstack', ('image-property', 'project-description'))
    assert _read('use: openstack').openstack == ()


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('openstack: yes', "'openstack' is a mapping"),
        ('openstack: {thing: []}', "did you mean 'things'?"),
        ('openstack: {things: [image-propery]}', "did you mean 'image-property'?"),
        ('openstack: {things: [image-names, image-names]}', "has 'image-names' twice"),
        ('openstack: {things: [{a: b}]}', "'things' has words, this is"),
        (
            '{http: [http://h/], openstack: {things: [image-names]}}',
            "'openstack' and 'http' do not go",
        ),
        (
            '{use: auto, openstack: {things: [image-names]}}',
            "'openstack' and 'use: auto' do not go",
        ),
    ],
)
def test_what_cannot_be_used_is_refused(text: str, said: str) -> None:
    with pytest.raises(problem.RefusedError) as refused:
        _read(text)
    assert said in str(refused.value)


def test_the_load_of_a_cloud_is_told_what_is_used() -> None:
    async def go() -> object:
        at = linked.Linked(snapshot.Model((linked.one_unit('keystone'),)))
        said = _read('openstack: {things: [image-names]}')
        return await discover.find(at, bundle=pathlib.Path('none'), said=said, run='r')

    found = asyncio.run(go())
    assert isinstance(found, openstack.OpenStack)
    assert found.things == ('image-names',)
    assert [*found.models] == ['image-names']


def test_a_cloud_without_the_service_is_no_place_for_it() -> None:
    async def ask(*_: object, **__: object) -> client.Response:
        raise AssertionError

    things = cloud_things.CloudThings('r1', ('project-description', 'image-names'), ask)
    assert things.lacks({'identity': [], 'image': []}) == ''
    assert things.lacks({'identity': []}) == 'image-names'
