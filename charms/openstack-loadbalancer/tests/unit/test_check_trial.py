"""A check that no unit passes takes no service away: it is tried on the units before haproxy has it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from charmkit import testing as machines
from charmkit.machine import HttpRequest, HttpResponse
from charmkit.proxy import haproxy
from ops import testing

from .test_charm import ctx, keystone, machine, state, told
from .test_ports import set_to

__all__ = ['ctx', 'machine']  # fixtures

STAYS = 'its last good value is in force'


def serving(**by_path: int) -> Callable[[HttpRequest], HttpResponse]:
    """Units that answer each path (``healthcheck`` for ``/healthcheck``) so, and all others with 404."""

    def web(request: HttpRequest) -> HttpResponse:
        assert request.url.startswith('http://10.9.0.')
        host = request.headers['Host']
        status = by_path.get(request.url.rpartition(':4990/')[2] or 'root', 404)
        return HttpResponse(status if host in ('keystone', 'api.example') else 400, 'no such host')

    return web


@pytest.mark.parametrize(
    ('check', 'said'),
    [
        ('path: /healtcheck', 'GET /healtcheck (keystone/0 answers 404)'),
        ('expect: ["204"]', 'GET /healthcheck (keystone/0 answers 200)'),
        ('expect: [201-299, 300]', 'GET /healthcheck (keystone/0 answers 200)'),
        ('method: HEAD, path: /v3', 'HEAD /v3 (keystone/0 answers 404)'),
        ('host: other.example', 'GET /healthcheck (keystone/0 answers 400)'),
        ('port: 81', 'GET /healthcheck (keystone/0 does not answer: refused)'),
    ],
)
def test_a_check_that_no_unit_passes_is_named_and_the_last_good_one_stays(
    ctx: Any, machine: machines.FakeMachine, check: str, said: str
) -> None:
    r = keystone()
    first = ctx.run(ctx.on.config_changed(), state(r))
    before = machine.file(haproxy.CONFIG)
    there = serving(healthcheck=200)
    machine.web = lambda q: HttpResponse(0, 'refused') if ':81/' in q.url else there(q)
    out = ctx.run(
        ctx.on.config_changed(), set_to(first, service_options=f'identity: {{check: {{{check}}}}}')
    )
    assert out.unit_status == testing.BlockedStatus(
        f'option service-options: no unit of keystone passes the check {said}; {STAYS}'
    )
    assert machine.file(haproxy.CONFIG) == before
    assert told(out, r, 'frontends')
    again = ctx.run(ctx.on.update_status(), out)
    assert again.unit_status == out.unit_status, 'it is told as long as it stands there'
    right = ctx.run(ctx.on.config_changed(), set_to(again, service_options=''))
    assert right.unit_status == testing.ActiveStatus('1 frontend')


@pytest.mark.parametrize(
    'check',
    ['path: /', 'path: /, expect: [200-399]', 'host: api.example', 'interval-ms: 500', 'fall: 1'],
)
def test_a_check_that_a_unit_passes_is_in_force(
    ctx: Any, machine: machines.FakeMachine, check: str
) -> None:
    first = ctx.run(ctx.on.config_changed(), state(keystone()))
    before = machine.file(haproxy.CONFIG)
    machine.web = serving(healthcheck=200, root=200)
    wanted = f'keystone: {{check: {{{check}}}}}'
    out = ctx.run(ctx.on.config_changed(), set_to(first, service_options=wanted))
    assert out.unit_status == testing.ActiveStatus('1 frontend')
    assert machine.file(haproxy.CONFIG) != before


def test_where_no_unit_passes_the_one_in_force_either_the_new_one_is_taken(
    ctx: Any, machine: machines.FakeMachine
) -> None:
    first = ctx.run(ctx.on.config_changed(), state(keystone()))
    machine.web = serving()
    wanted = 'identity: {check: {path: /nope}}'
    out = ctx.run(ctx.on.config_changed(), set_to(first, service_options=wanted))
    assert out.unit_status == testing.ActiveStatus('1 frontend')
    assert 'uri /nope ' in machine.file(haproxy.CONFIG)


def test_a_unit_that_is_out_is_not_asked_and_all_else_of_the_option_waits_with_it(
    ctx: Any, machine: machines.FakeMachine
) -> None:
    r = keystone(states=('maintenance', 'ready'))
    first = ctx.run(ctx.on.config_changed(), state(r))
    asked: list[str] = []

    def web(request: HttpRequest) -> HttpResponse:
        asked.append(request.url)
        return serving(healthcheck=200)(request)

    machine.web = web
    wanted = 'identity: {check: {path: /nope}, timeouts: {server: 7s}}'
    out = ctx.run(ctx.on.config_changed(), set_to(first, service_options=wanted))
    assert 'keystone/1 answers 404' in out.unit_status.message
    assert {url.partition(':4990')[0] for url in asked} == {'http://10.9.0.2'}
    assert 'timeout server 7000ms' not in machine.file(haproxy.CONFIG)
    mended = dataclasses.replace(
        out, config={'service-options': 'identity: {timeouts: {server: 7s}}'}
    )
    ctx.run(ctx.on.config_changed(), mended)
    assert 'timeout server 7000ms' in machine.file(haproxy.CONFIG)
