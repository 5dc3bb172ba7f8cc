"""What the charm put on the machine goes with what it was for: keys above all."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import pytest
from charmkit import testing as machines
from ops import testing

from charms.tests import wheels
from charms.tests.etcd_bags import PLAIN, TLS

from .scenes import KEY, POINTER, later, run

PEMS = [KEY.replace('key', name) for name in ('ca', 'certificate', 'key')]


def there(machine: machines.FakeMachine) -> set[str]:
    """What of the charm's is on the machine, beside the driver's folders."""
    return {path for path in machine.seen.paths if path in (*PEMS, POINTER)}


def without(out: testing.State, endpoint: str) -> testing.State:
    return dataclasses.replace(out, relations={r for r in out.relations if r.endpoint != endpoint})


def test_a_unit_that_is_removed_leaves_nothing(
    ctx: testing.Context[Any], attached: testing.Resource, machine: machines.FakeMachine
):
    before = run(ctx, attached, etcd=TLS)
    assert there(machine) == {*PEMS, POINTER}
    ctx.run(ctx.on.stop(), before)
    assert not there(machine)
    assert machine.steps[-1] == 'run remove networking-calico'


def test_nothing_is_left_without_a_neutron_api_and_it_comes_again(
    ctx: testing.Context[Any], attached: testing.Resource, machine: machines.FakeMachine
):
    before = run(ctx, attached, etcd=TLS)
    alone = ctx.run(ctx.on.config_changed(), without(before, 'neutron-plugin'))
    assert alone.unit_status.name == 'blocked'
    assert not there(machine)
    assert 'run remove networking-calico' in machine.steps
    steps = [*machine.steps]
    again = ctx.run(ctx.on.config_changed(), alone)
    assert machine.steps == steps
    relations = {*again.relations, *before.get_relations('neutron-plugin')}
    out = ctx.run(ctx.on.config_changed(), dataclasses.replace(again, relations=relations))
    assert out.unit_status == testing.ActiveStatus()
    assert there(machine) == {*PEMS, POINTER}


def test_a_key_goes_when_another_etcd_wants_none(
    ctx: testing.Context[Any], attached: testing.Resource, machine: machines.FakeMachine
):
    alone = later(ctx, run(ctx, attached, etcd=TLS), None)
    assert there(machine) == {*PEMS, POINTER}, 'neutron-api goes on with it'
    later(ctx, alone, PLAIN)
    assert there(machine) == {POINTER}


def test_of_older_drivers_the_one_before_alone_is_left(
    ctx: testing.Context[Any], tmp_path: pathlib.Path, machine: machines.FakeMachine
):
    out: testing.State | None = None
    for version in ('3.29.0', '3.29.1', '3.29.2'):
        attached = wheels.resource(tmp_path, wheels.newer(version))
        given = run(ctx, attached) if out is None else out
        out = ctx.run(ctx.on.config_changed(), dataclasses.replace(given, resources={attached}))
    (tidy,) = machine.desired.commands
    kept = [b for a, b in zip(tidy.argv, tidy.argv[1:], strict=False) if a == '-name']
    assert [name.partition('-')[0] for name in kept] == ['3.29.2', '3.29.1']
    assert machine.file(POINTER).strip().endswith(kept[0])


@pytest.mark.parametrize('etcd', [PLAIN, TLS])
def test_the_next_run_changes_nothing(
    ctx: testing.Context[Any],
    attached: testing.Resource,
    machine: machines.FakeMachine,
    etcd: dict[str, str],
):
    before = run(ctx, attached, etcd=etcd)
    machine.steps.clear()
    later(ctx, before, etcd)
    assert not machine.steps
