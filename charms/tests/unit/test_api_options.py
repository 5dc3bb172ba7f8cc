"""What an operator types into an API charm's options, and what becomes of it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from charmkit import testing as machines
from ops import testing

from charms import conftest as shared


@pytest.fixture
def ctx(machine: machines.FakeMachine) -> testing.Context[Any]:
    return testing.Context(shared.load('placement').PlacementCharm)


def state(**options: Any) -> testing.State:
    related = {
        shared.database('placement/0'),
        shared.identity('placement'),
        testing.PeerRelation('peers'),
    }
    given = {name.replace('_', '-'): value for name, value in options.items()}
    return testing.State(leader=True, relations=related, networks=shared.networks(), config=given)


def told(out: testing.State) -> dict[str, str]:
    data = out.get_relations('identity-service')[0].local_unit_data
    return {k: v for k, v in data.items() if k.endswith('_url') or k == 'region'}


def changed(out: testing.State, **options: Any) -> testing.State:
    given = {name.replace('_', '-'): value for name, value in options.items()}
    return dataclasses.replace(out, config={**out.config, **given})


@pytest.mark.parametrize(
    ('name', 'bad'),
    [
        ('os-public-hostname', 'cloud.example:443'),
        ('os-public-hostname', 'https://cloud.example'),
        ('region', ''),
        ('vip', '10.99.0.9'),
        ('vip', 'nonsense'),
    ],
)
def test_what_is_bad_changes_nothing_of_what_was_told(
    ctx: testing.Context[Any], name: str, bad: str
):
    out = ctx.run(ctx.on.config_changed(), state(os_public_hostname='good.example', region='West'))
    before = told(out)
    assert before['public_url'] == 'http://good.example:8778'
    assert before['region'] == 'West'
    after = ctx.run(ctx.on.config_changed(), changed(out, **{name: bad}))
    assert told(after) == before
    assert isinstance(after.unit_status, testing.BlockedStatus)
    assert f'option {name}: ' in after.unit_status.message
    again = ctx.run(ctx.on.update_status(), after)
    assert told(again) == before, 'the last good one is kept for longer than one hook'


@pytest.mark.parametrize(
    ('name', 'bad'), [('os-public-hostname', 'a b'), ('region', 'a b'), ('vip', '10.99.0.9')]
)
def test_what_is_bad_from_the_beginning_is_told_to_nobody(
    ctx: testing.Context[Any], name: str, bad: str
):
    out = ctx.run(ctx.on.config_changed(), state(**{name: bad}))
    assert told(out) == {}
    assert f'option {name}: ' in out.unit_status.message
    mended = ctx.run(
        ctx.on.config_changed(), changed(out, **{name: 'West' if name == 'region' else ''})
    )
    assert told(mended)['public_url'] == 'http://203.0.113.2:8778'
    assert mended.unit_status == testing.ActiveStatus()


def test_processes_that_cannot_be_are_not_written(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    out = ctx.run(ctx.on.config_changed(), state(workers=3))
    bad = ctx.run(ctx.on.config_changed(), changed(out, workers=-1))
    site = machine.file('/etc/apache2/sites-enabled/placement-api.conf')
    assert 'processes=3 ' in site
    assert bad.unit_status == testing.BlockedStatus(
        'option workers: -1 will not do, 3 stays in force; wanted: a whole number from 0 to 64'
    )
    assert machine.service('apache2') == 'running'


def test_policy_and_configuration_and_origins_reach_the_service(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    ctx.run(
        ctx.on.config_changed(),
        state(
            policy_overrides='placement:traits:list: role:reader\n',
            config_flags='[DEFAULT]\nmax_header_line = 32768\n# A remark.\n',
            cors_allowed_origins='https://a.example https://b.example',
        ),
    )
    rules = json.loads(machine.file('/etc/placement/policy.d/charm.yaml'))
    assert rules == {'placement:traits:list': 'role:reader'}
    text = machine.file('/etc/placement/placement.conf')
    assert 'max_header_line = 32768\n' in text
    assert 'policy_dirs = /etc/placement/policy.d\n' in text
    assert 'allowed_origin = https://a.example,https://b.example\n' in text


@pytest.mark.parametrize(
    ('option', 'bad', 'why'),
    [
        (
            'config-flags',
            '[database]\nconnection = sqlite://',
            "connection in [database] is the charm's own",
        ),
        ('config-flags', 'key = value', 'line 1 is neither'),
        ('config-flags', '[DEFAULT]\nno value here', 'line 2 is neither'),
        ('policy-overrides', '- a list', 'no map of names to values'),
        ('policy-overrides', 'a: {b: c}', 'the check of a is not a text'),
        ('policy-overrides', 'a: "b', 'line 1 is not YAML'),
    ],
)
def test_text_that_will_not_do_says_where(
    ctx: testing.Context[Any], machine: machines.FakeMachine, option: str, bad: str, why: str
):
    out = ctx.run(ctx.on.config_changed(), state(**{option: bad}))
    assert isinstance(out.unit_status, testing.BlockedStatus)
    assert out.unit_status.message.startswith(f'option {option}: ')
    assert why in out.unit_status.message
    assert machine.service('apache2') == 'running'


def test_the_policy_goes_when_its_option_is_empty_again(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    out = ctx.run(ctx.on.config_changed(), state(policy_overrides='a: "@"'))
    assert '/etc/placement/policy.d/charm.yaml' in machine.seen.paths
    ctx.run(ctx.on.config_changed(), changed(out, policy_overrides=''))
    assert '/etc/placement/policy.d/charm.yaml' not in machine.seen.paths
    assert machine.steps[-1] == 'recycle wsgi:placement-api'
