"""The OpenStack load against a small server that speaks as keystone, glance and placement do."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import cloudstage
import linked
import pytest
from aiohttp import web

from matrix.history import journal, redact
from matrix.juju import link
from matrix.load import load, openloop, openstack
from matrix.plans import snapshot

PASSWORD = 'right-one'
_INNER = {
    'compute': '/compute',
    'network': '/network/v2.0',
    'volumev3': '/volume',
    'placement': '/placement',
}


@dataclasses.dataclass
class Cloud:
    """A cloud on one port: what it knows, and what is wrong with it."""

    tokens: set[str] = dataclasses.field(default_factory=set[str])
    images: dict[str, bytes] = dataclasses.field(default_factory=dict[str, bytes])
    asked: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter[str])
    port: int = 0
    forgets_tokens: bool = False
    takes_every_token: bool = False
    loses_images: bool = False
    inner: cloudstage.Cloud | None = None
    """Nova, neutron, cinder and their placement."""

    async def handle(self, request: web.BaseRequest) -> web.Response:
        path, method = request.path.rstrip('/'), request.method
        for service, prefix in _INNER.items() if self.inner else ():
            if path.startswith(f'{prefix}/') and request.headers.get('X-Auth-Token'):
                assert self.inner is not None
                body = json.loads(await request.read() or b'null')
                rest = str(request.rel_url).removeprefix(prefix)
                status, said = self.inner.answer(service, method, rest, body)
                return web.json_response(said, status=status)
        self.asked[f'{method} {path.rpartition("/")[0]}'] += 1
        token = request.headers.get('X-Auth-Token', '')
        if path in {'', '/v3', '/v2', '/placement'}:
            return web.json_response({})
        if path == '/v3/auth/tokens' and method == 'POST':
            return await self._issue(request)
        if token not in self.tokens:
            return web.Response(status=401)
        if path == '/v3/auth/tokens':
            forgotten = self.forgets_tokens and len(self.tokens) > 3
            issued = request.headers['X-Subject-Token'] in self.tokens or self.takes_every_token
            return web.Response(status=404 if forgotten or not issued else 200)
        if path == '/v3/auth/catalog':
            return web.json_response({'catalog': []})
        if path == '/placement/resource_providers':
            return web.json_response({'resource_providers': []})
        return await self._image(request, path.split('/'))

    async def _issue(self, request: web.BaseRequest) -> web.Response:
        user = (await request.json())['auth']['identity']['password']['user']
        if user['password'] != 'right-one':
            return web.Response(status=401)
        token = f'gAAAAAB-token-{len(self.tokens)}-0123456789'
        self.tokens.add(token)
        services = {'identity': '/v3', 'image': '', 'placement': '/placement'}
        if self.inner:
            services |= {'compute': '/compute', 'network': '/network', 'volumev3': '/volume'}
        catalogue = [
            {
                'type': kind,
                'endpoints': [
                    {'interface': 'public', 'url': f'http://127.0.0.1:{self.port}{path}'},
                    {'interface': 'internal', 'url': 'http://127.0.0.1:1/nobody'},
                ],
            }
            for kind, path in services.items()
        ]
        headers = {'X-Subject-Token': token, 'x-openstack-request-id': 'req-1'}
        return web.json_response({'token': {'catalog': catalogue}}, status=201, headers=headers)

    async def _image(self, request: web.BaseRequest, path: list[str]) -> web.Response:
        if request.method == 'POST':
            self.images[(await request.json())['id']] = b''
            return web.Response(status=201)
        name = path[3]
        if request.method == 'DELETE':
            return web.Response(status=204 if self.images.pop(name, None) is not None else 404)
        if request.method == 'PUT':
            self.images[name] = b'' if self.loses_images else await request.read()
            return web.Response(status=204)
        return web.Response(body=self.images.get(name), status=200 if name in self.images else 404)


def _model(password: str = PASSWORD, frontend: str = '') -> linked.Linked:
    unit: Any = {'relation-info': []}
    if frontend:
        said = {'keystone': {'public': {'url': frontend}}}
        unit = {'relation-info': [{'application-data': {'frontends': json.dumps(said)}}]}
    return linked.Linked(
        snapshot.Model((linked.one_unit('keystone'),)),
        {'get-admin-password': {'password': password}} if password else {},
        {'show-unit': json.dumps({'keystone/0': unit})},
    )


def _run(cloud: Cloud, seconds: float = 1.0, password: str = PASSWORD) -> list[journal.What]:
    written: list[journal.What] = []

    async def go() -> None:
        runner = web.ServerRunner(web.Server(cloud.handle))
        await runner.setup()
        await web.TCPSite(runner, '127.0.0.1', 0).start()
        cloud.port = runner.addresses[0][1]
        at = _model(password, f'http://127.0.0.1:{cloud.port}')
        what = openstack.OpenStack(at, 'r1', pause=0.02)
        try:
            async with openloop.clients(what, write=written.append, seed=1) as them:
                task = asyncio.create_task(them.run(rate=60))
                await asyncio.sleep(seconds)
                await them.read_back(within=5)
                await them.clear(within=3)
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                assert 'right-one' in what.secrets
        finally:
            await runner.cleanup()

    asyncio.run(go())
    return written


def _ended(written: Sequence[journal.What]) -> collections.Counter[tuple[str, str, str]]:
    return collections.Counter(
        (one.kind, one.phase, str(one.value) if one.kind != 'token.issue' else '')
        for one in written
        if isinstance(one, journal.Operation) and one.phase != 'invoke'
    )


def test_everything_that_a_cloud_does_is_asked_of_it_and_what_was_made_is_removed() -> None:
    cloud = Cloud()
    written = _run(cloud)
    kinds = {kind for kind, _, _ in _ended(written)}
    assert kinds == {
        'token.issue', 'token.validate', 'token.validate of nothing', 'catalogue.read', 'placement.read',
        'image.create', 'image.read',
    }  # fmt: skip
    assert {phase for _, phase, _ in _ended(written)} == {'ok'}
    assert _ended(written)['token.validate', 'ok', 'False'] == 0
    assert _ended(written)['token.validate of nothing', 'ok', 'False'] == 0
    assert _ended(written)['image.read', 'ok', 'True'] > 0
    assert cloud.images == {}
    assert any(one.request == 'req-1' for one in written if isinstance(one, journal.Operation))


def test_no_token_and_no_password_is_written() -> None:
    written = _run(Cloud(), 0.3)
    text = ''.join(
        journal.to_line(journal.Entry(n, 0, '', what), redact.Secrets())
        for n, what in enumerate(written, 1)
    )
    assert 'right-one' not in text
    assert 'gAAAAAB' not in text
    assert '"value": "token-' in text


def test_a_token_that_is_forgotten_is_an_answer_of_no() -> None:
    assert _ended(_run(Cloud(forgets_tokens=True), 0.5))['token.validate', 'ok', 'False'] > 0


def test_a_cloud_that_takes_every_token_is_found_by_one_that_nobody_issued() -> None:
    ended = _ended(_run(Cloud(takes_every_token=True), 1.0))
    assert ended['token.validate of nothing', 'ok', 'False'] > 0
    assert ended['token.validate of nothing', 'ok', 'True'] == 0


def test_an_image_whose_content_is_gone_is_not_found() -> None:
    assert _ended(_run(Cloud(loses_images=True), 1.0))['image.read', 'ok', 'False'] > 0


def test_a_wrong_password_is_refused_and_a_missing_one_is_said() -> None:
    with pytest.raises(load.Refused, match='http 401'):
        _run(Cloud(), 0.1, password='wrong-one')
    with pytest.raises(link.LinkError, match='get-admin-password'):
        _run(Cloud(), 0.1, password='')


def test_a_keystone_that_nobody_reaches_is_named_with_where_it_was_looked_for() -> None:
    async def go() -> None:
        what = openstack.OpenStack(_model(frontend='http://127.0.0.1:1'), 'r1')
        try:
            await what.prepare()
        finally:
            await what.close()

    with pytest.raises(
        link.LinkError, match=r'at none of: http://127.0.0.1:1, http://127.0.0.1:5000'
    ):
        asyncio.run(go())


def test_a_keystone_of_any_name_is_found_by_its_charm() -> None:
    other = dataclasses.replace(linked.one_unit('identity'), charm='keystone')
    assert openstack.fits(snapshot.Model((other,)))
    assert not openstack.fits(snapshot.Model((linked.one_unit('mysql'),)))


def test_where_servers_can_run_what_lasts_is_made_and_nothing_is_left_of_it() -> None:
    inner = cloudstage.Cloud()
    cloud = Cloud(inner=inner)
    written = _run(cloud, 1.5)
    ended = _ended(written)
    for sort in cloudstage.EVERYTHING:
        assert any(kind == f'{sort.name}.create' for kind, phase, _ in ended if phase == 'ok')
    [said] = [one.value for one in written if isinstance(one, journal.Note) and one.kind == 'left']
    assert isinstance(said, dict)
    assert said['left'] == said['unseen'] == []
    assert said['asked'] == ['network', 'compute', 'placement', 'volumev3']
    assert not (inner.servers or inner.volumes or inner.networks or cloud.images)
    [load_] = [
        one.value for one in written if isinstance(one, journal.Note) and one.kind == 'load'
    ]
    assert isinstance(load_, dict)
    assert ['server.create', 'server.look', 'server.delete'] in load_['keeps']  # pyright: ignore[reportOperatorIssue]
    assert str(load_['sentence']).endswith(
        'networks, ports, servers, volumes, attachments made, looked at and deleted'
    )


def test_a_load_that_is_cut_off_removes_what_lasts_as_far_as_it_goes() -> None:
    inner = cloudstage.Cloud()

    async def go() -> None:
        cloud = Cloud(inner=inner)
        runner = web.ServerRunner(web.Server(cloud.handle))
        await runner.setup()
        await web.TCPSite(runner, '127.0.0.1', 0).start()
        cloud.port = runner.addresses[0][1]
        what = openstack.OpenStack(_model(frontend=f'http://127.0.0.1:{cloud.port}'), 'r1')
        try:
            async with openloop.clients(what, write=lambda _: None, seed=1) as them:
                task = asyncio.create_task(them.run(rate=60))
                await asyncio.sleep(0.8)
                assert inner.servers
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        finally:
            await runner.cleanup()

    asyncio.run(go())
    assert not (inner.servers or inner.volumes or inner.networks)
