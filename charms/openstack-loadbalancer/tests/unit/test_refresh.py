"""A refresh of the charm: what was in force before stays in force, though it would be refused if it were set anew."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from balancer import behaviour, option_limits, options, run, validation
from charmkit import testing as machines
from charmkit.proxy import haproxy
from ops import testing

from .test_charm import ctx, keystone, machine, state, told
from .test_ports import set_to

__all__ = ['ctx', 'machine']  # fixtures

BEYOND = [
    ('maxconn', 50, 'maxconn is not a number from 100 to 1000000: 50', 'maxconn 50'),
    ('forwarded-from', '0.0.0.0/0', 'forwarded-from: 0.0.0.0/0 is everybody', '0.0.0.0/0'),
    ('proxy-protocol-from', '::/0', 'proxy-protocol-from: ::/0 is everybody', '::/0'),
    (
        'service-options',
        'identity: {timeouts: {queue: 500ms}}',
        'service-options identity timeouts queue is shorter than a second: 500ms',
        'timeout queue 500ms',
    ),
    (
        'service-options',
        'identity: {maxconn: {frontend: 10}}',
        'service-options identity maxconn frontend is not a number from 16 to 1000000: 10',
        'maxconn 10\n',
    ),
    (
        'service-options',
        'identity: {exposure: {max-body: 1024}}',
        'service-options identity exposure max-body is not a number from 4096 to 1099511627776: 1024',
        'gt 1024 }',
    ),
    (
        'service-options',
        'identity: {exposure: {denied-paths: {public: ["/"]}}}',
        'service-options identity exposure denied-paths has /, which is all of it',
        '',
    ),
]
"""Options, values that older versions took, what is wrong with each, and what haproxy has of it."""


def from_before(
    now: testing.State, name: str, value: object, *, own: bool = True
) -> testing.State:
    """*now* with *value* as what an older version has kept as the last good one, on this unit and among the peers."""
    (stored,) = (s for s in now.stored_states if 'memory' in s.content)
    memory = json.loads(str(stored.content['memory']))
    memory[run.OPTIONS] = {**memory[run.OPTIONS], name: value} if own else {}
    kept = dataclasses.replace(stored, content={**stored.content, 'memory': json.dumps(memory)})
    peers = now.get_relation(1000)
    data = peers.local_app_data
    shared = json.dumps({**json.loads(data['options']), name: value})
    peers = dataclasses.replace(peers, local_app_data={**data, 'options': shared})
    return dataclasses.replace(
        now,
        config={name: value},
        stored_states={kept, *(now.stored_states - {stored})},
        relations={peers, *(r for r in now.relations if r.id != 1000)},
    )


@pytest.mark.parametrize('own', [True, False])
@pytest.mark.parametrize(('name', 'value', 'wrong', 'there'), BEYOND)
def test_what_an_older_version_took_stays_in_force_and_is_named(
    ctx: Any,
    machine: machines.FakeMachine,
    name: str,
    value: object,
    wrong: str,
    there: str,
    own: bool,
) -> None:
    r = keystone()
    first = ctx.run(ctx.on.config_changed(), state(r))
    out = ctx.run(ctx.on.upgrade_charm(), from_before(first, name, value, own=own))
    for now in (out, ctx.run(ctx.on.update_status(), out)):
        assert now.unit_status.name == 'blocked'
        assert now.unit_status.message.startswith(f'option {wrong}')
        assert now.unit_status.message.endswith('; it is in force')
        assert told(now, r, 'frontends') == told(first, r, 'frontends')
        text = machine.file(haproxy.CONFIG)
        assert '\nbackend keystone' in text
        assert there in text
    right = ctx.run(ctx.on.config_changed(), set_to(out))
    assert right.unit_status == testing.ActiveStatus('1 frontend')
    assert not there or there not in machine.file(haproxy.CONFIG)


@pytest.mark.parametrize(('name', 'value', 'wrong', 'there'), BEYOND)
def test_set_anew_it_is_refused(
    ctx: Any, machine: machines.FakeMachine, name: str, value: object, wrong: str, there: str
) -> None:
    first = ctx.run(ctx.on.config_changed(), state(keystone()))
    before = machine.file(haproxy.CONFIG)
    out = ctx.run(ctx.on.config_changed(), dataclasses.replace(first, config={name: value}))
    assert out.unit_status.message.startswith(f'option {wrong}')
    assert out.unit_status.message.endswith('; its last good value is in force')
    assert machine.file(haproxy.CONFIG) == before


@pytest.mark.parametrize(('name', 'value', 'wrong', 'there'), BEYOND)
@pytest.mark.parametrize('form', [True, False])
def test_beside_one_that_is_wrong_too_the_one_from_before_stays(
    ctx: Any,
    machine: machines.FakeMachine,
    name: str,
    value: object,
    wrong: str,
    there: str,
    form: bool,
) -> None:
    """*form*: the new one has the right form, and is beyond the limits as well."""
    r = keystone()
    first = ctx.run(ctx.on.config_changed(), state(r))
    old = ctx.run(ctx.on.upgrade_charm(), from_before(first, name, value))
    before = machine.file(haproxy.CONFIG)
    if isinstance(value, int):
        other: object = 51 if form else -1
    else:
        other = f'{value} ' if form else '{'
    out = ctx.run(ctx.on.config_changed(), dataclasses.replace(old, config={name: other}))
    assert out.unit_status.name == 'blocked'
    assert out.unit_status.message.endswith('; its last good value is in force')
    assert machine.file(haproxy.CONFIG) == before
    assert told(out, r, 'frontends')


def test_a_relation_that_asks_for_as_much_is_served(
    ctx: Any, machine: machines.FakeMachine
) -> None:
    asks = {
        'timeouts': {'queue': '500ms'},
        'maxconn': {'frontend': 10},
        'exposure': {'max-body': 1024, 'denied-paths': {'admin': ['/']}},
    }
    out = ctx.run(ctx.on.config_changed(), state(keystone(changes=asks)))
    assert out.unit_status == testing.ActiveStatus('1 frontend')
    assert 'timeout queue 500ms' in machine.file(haproxy.CONFIG)


@pytest.mark.parametrize(
    ('data', 'said'),
    [
        ({'maxconn': {'frontend': 15}}, 'x maxconn frontend is not a number from 16 to 1000000: 15'),
        ({'timeouts': {'client': '999ms'}}, 'x timeouts client is shorter than a second: 999ms'),
        ({'timeouts': {'server': '1ms'}}, 'x timeouts server is shorter than a second: 1ms'),
        ({'timeouts': {'tunnel': '999ms'}}, 'x timeouts tunnel is shorter than a second: 999ms'),
        ({'exposure': {'max-body': 4095}}, 'x exposure max-body is not a number from 4096 to 1099511627776: 4095'),
        ({'exposure': {'denied-paths': {'admin': ['/a', '/']}}}, 'x exposure denied-paths has /, which is all of it'),
        ({'maxconn': {'frontend': 16, 'server': 1}}, ''),
        ({'timeouts': {'client': '1s', 'server': '1000ms', 'queue': '1s', 'tunnel': '1s'}}, ''),
        ({'exposure': {'max-body': 4096, 'denied-paths': {'public': ['/a/']}}}, ''),
        ({}, ''),
    ],
)  # fmt: skip
def test_limits_of_a_service(data: dict[str, Any], said: str) -> None:
    found = behaviour.overridden(behaviour.UNKNOWN, data, 'x', operator=True)
    try:
        behaviour.within_limits(found, 'x')
        assert not said
    except validation.InvalidError as e:
        assert str(e) == said


def test_every_limit_is_that_of_an_option_and_no_default_is_beyond_it() -> None:
    plain = options.read({}, {})
    for name in options.NAMES:
        option_limits.check(name, options.parsed(name, plain.raw[name]))
    assert not option_limits.NAMES - {*options.NAMES}


@pytest.mark.parametrize('n', [0, 100, 1_000_000])
def test_connections_within_the_limits(n: int) -> None:
    assert options.read({'maxconn': n}, {}).problems == ()
