"""Images as files: one unit alone may serve them, unless their store is shared."""

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
    return testing.Context(shared.load('glance').GlanceCharm)


def state(
    unit: int, *stores: testing.SubordinateRelation, leader: bool = True, **options: bool
) -> testing.State:
    relations = {
        shared.database(f'glance/0 glance/{unit}'),
        shared.identity('glance'),
        testing.PeerRelation('peers', peers_data={1 - unit: {}}),
        *stores,
    }
    given = {name.replace('_', '-'): value for name, value in options.items()}
    return testing.State(
        leader=leader, relations=relations, networks=shared.networks(), config=given
    )


def store(**says: str) -> testing.SubordinateRelation:
    """A subordinate on the unit, and what it says."""
    return testing.SubordinateRelation(
        'shared-store', remote_app_name='filesystem-client', remote_unit_data=says
    )


def test_the_first_unit_serves(ctx: testing.Context[Any]):
    out = ctx.run(ctx.on.config_changed(), state(0))
    assert out.unit_status == testing.ActiveStatus()


@pytest.fixture
def second(machine: machines.FakeMachine) -> testing.Context[Any]:
    return testing.Context(shared.load('glance').GlanceCharm, unit_id=1)


def test_the_second_says_that_it_needs_a_shared_store_and_serves_nothing(
    second: testing.Context[Any], machine: machines.FakeMachine
):
    out = second.run(second.on.config_changed(), state(1))
    assert out.unit_status == testing.BlockedStatus(
        'images are files on glance/0: more units need a shared store (relation shared-store)'
    )
    assert machine.service('apache2') == 'stopped'


def test_with_a_store_that_is_mounted_the_second_serves(
    second: testing.Context[Any], machine: machines.FakeMachine
):
    out = second.run(second.on.config_changed(), state(1, store(mounted='true')))
    assert out.unit_status == testing.ActiveStatus()
    assert machine.service('apache2') == 'running'


@pytest.mark.parametrize('says', [{}, {'mounted': 'false'}])
@pytest.mark.parametrize('unit', [0, 1])
def test_until_a_store_that_is_related_is_mounted_nobody_serves(
    machine: machines.FakeMachine, unit: int, says: dict[str, str]
):
    """Else what is uploaded meanwhile would be on this unit alone, and hidden by the mount."""
    ctx = testing.Context(shared.load('glance').GlanceCharm, unit_id=unit)
    out = ctx.run(ctx.on.config_changed(), state(unit, store(**says)))
    assert out.unit_status == testing.WaitingStatus(
        'waiting for shared-store to grant /var/lib/glance/images'
    )
    assert machine.service('apache2') == 'stopped'


def test_a_store_that_goes_away_takes_the_unit_out_of_service(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    out = ctx.run(ctx.on.config_changed(), state(0, store(mounted='true')))
    assert machine.service('apache2') == 'running'
    (mounted,) = out.get_relations('shared-store')
    gone = dataclasses.replace(
        out, relations={*(out.relations - {mounted}), store(mounted='false')}
    )
    ctx.run(ctx.on.config_changed(), gone)
    assert machine.service('apache2') == 'stopped'


@pytest.mark.parametrize('leader', [True, False])
def test_the_leader_says_where_to_mount_it(ctx: testing.Context[Any], leader: bool):
    out = ctx.run(ctx.on.config_changed(), state(0, store(), leader=leader))
    (asked,) = out.get_relations('shared-store')
    said = {k: json.loads(v) for k, v in asked.local_app_data.items()}
    wanted = {'mountpoint': '/var/lib/glance/images', 'read_only': False}
    flags = dict.fromkeys(('nodev', 'noexec', 'nosuid'), True)
    assert said == ({**wanted, **flags} if leader else {})


def test_who_has_mounted_one_himself_says_so(
    second: testing.Context[Any], machine: machines.FakeMachine
):
    out = second.run(second.on.config_changed(), state(1, store_is_shared=True))
    assert out.unit_status == testing.ActiveStatus()
    assert machine.service('apache2') == 'running'
