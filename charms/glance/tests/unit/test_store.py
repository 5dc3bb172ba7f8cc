"""Images as files: one unit alone may serve them, unless their store is shared."""

from __future__ import annotations

from typing import Any

import pytest
from ops import testing

from charmkit import testing as machines
from charms import conftest as shared


@pytest.fixture
def ctx(machine: machines.FakeMachine) -> testing.Context[Any]:
    return testing.Context(shared.load('glance').GlanceCharm)


def state(unit: int, **options: bool) -> testing.State:
    other = 1 - unit
    relations = {
        shared.database(f'glance/0 glance/{unit}'),
        shared.identity('glance'),
        testing.PeerRelation('peers', peers_data={other: {}}),
    }
    return testing.State(
        leader=True, relations=relations, networks=shared.networks(), config=dict(options)
    )


def test_the_first_unit_serves(ctx: testing.Context[Any]):
    out = ctx.run(ctx.on.config_changed(), state(0))
    assert out.unit_status == testing.ActiveStatus()


def second(unit_state: testing.State) -> tuple[testing.Context[Any], testing.State]:
    ctx = testing.Context(shared.load('glance').GlanceCharm, unit_id=1)
    return ctx, unit_state


def test_the_second_says_that_it_needs_a_shared_store_and_serves_nothing(
    machine: machines.FakeMachine,
):
    ctx, given = second(state(1))
    out = ctx.run(ctx.on.config_changed(), given)
    assert out.unit_status.name == 'blocked'
    assert 'more units need a shared store' in out.unit_status.message
    assert machine.service('apache2') == 'stopped'


def test_with_a_shared_store_the_second_serves(machine: machines.FakeMachine):
    ctx, given = second(state(1, **{'shared-store': True}))
    out = ctx.run(ctx.on.config_changed(), given)
    assert out.unit_status == testing.ActiveStatus()
    assert machine.service('apache2') == 'running'
