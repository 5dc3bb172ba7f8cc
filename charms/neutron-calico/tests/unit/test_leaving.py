"""What the charm put on the machine goes with it: keys above all, and what the agent has started."""

from __future__ import annotations

from typing import Any

import pytest
from charmkit import testing as machines
from ops import testing

from charms.tests.etcd_bags import PLAIN, TLS

from .scenes import AGENT, CONF, KEY, POINTER, UNIT, later, run

PEMS = [KEY.replace('key', name) for name in ('ca', 'certificate', 'key')]
PROGRAM = '/usr/local/bin/calico-dhcp-agent'


def there(machine: machines.FakeMachine) -> set[str]:
    """What of the charm's is on the machine, beside the agent's folder."""
    return {*machine.seen.paths} & {*PEMS, POINTER, CONF, UNIT, PROGRAM}


def test_a_unit_that_is_removed_leaves_nothing(
    ctx: testing.Context[Any], attached: testing.Resource, machine: machines.FakeMachine
):
    before = run(ctx, attached, etcd=TLS)
    assert there(machine) == {*PEMS, POINTER, CONF, UNIT, PROGRAM}
    machine.steps.clear()
    ctx.run(ctx.on.stop(), before)
    assert not there(machine)
    assert machine.steps[0] == f'stop {AGENT}'
    assert machine.steps[-2:] == [
        'run remove networking-calico',
        f'run end what {AGENT} has started',
    ]


def test_one_that_never_ran_is_removed_without_ado(
    ctx: testing.Context[Any], attached: testing.Resource, machine: machines.FakeMachine
):
    before = run(ctx, attached, etcd=None)
    machine.steps.clear()
    ctx.run(ctx.on.stop(), before)
    assert not [step for step in machine.steps if step.startswith('run ')]


def test_a_key_goes_when_another_etcd_wants_none(
    ctx: testing.Context[Any], attached: testing.Resource, machine: machines.FakeMachine
):
    alone = later(ctx, run(ctx, attached, etcd=TLS), None)
    assert {*PEMS} <= there(machine), 'the agent goes on with it'
    assert later(ctx, alone, PLAIN).unit_status == testing.ActiveStatus()
    assert not {*PEMS} & there(machine)


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
