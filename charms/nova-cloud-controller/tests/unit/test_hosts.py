"""The controller maps a compute node as soon as it says that nova has its service, and says so to all."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from charmkit import testing as machines
from charmkit.machine import Finished
from ops import testing

from charms import conftest as shared

from .test_databags import NAME, computes, state

pytestmark = pytest.mark.timeout(60)

A, B = (f'{n * 8}-2222-4333-8444-555555555555' for n in '12')
DISCOVER = ('nova-manage', 'cell_v2', 'discover_hosts', '--by-service')
MAPPED = 'mapped_service_ids'


@pytest.fixture
def ctx(machine: machines.FakeMachine) -> testing.Context[Any]:
    return testing.Context(shared.load(NAME).NovaCloudControllerCharm)


def node(number: int, service: str = '') -> dict[str, str]:
    return {'hostname': f'node-{number}', **({'service_id': service} if service else {})}


def told(out: testing.State) -> str | None:
    (relation,) = out.get_relations('cloud-compute')
    assert isinstance(relation, testing.Relation)
    assert relation.local_unit_data['auth_host'] == '10.0.0.6'
    return relation.local_unit_data.get(MAPPED)


def saying(before: testing.State, **bags: dict[str, str]) -> testing.State:
    """Compute nodes say *bags* now."""
    (relation,) = before.get_relations('cloud-compute')
    assert isinstance(relation, testing.Relation)
    units = {int(name[1:]): bag for name, bag in bags.items()}
    now = dataclasses.replace(relation, remote_units_data=units)
    return dataclasses.replace(before, relations={*(before.relations - {relation}), now})


def discovered(machine: machines.FakeMachine) -> int:
    return machine.programs.count(DISCOVER)


def test_a_node_is_mapped_once_it_has_a_service_and_each_once(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    out = ctx.run(ctx.on.config_changed(), state(computes(u0=node(0))))
    assert (discovered(machine), told(out)) == (0, None)
    out = ctx.run(ctx.on.config_changed(), saying(out, u0=node(0, A)))
    assert (discovered(machine), told(out)) == (1, A)
    out = ctx.run(ctx.on.config_changed(), out)
    assert (discovered(machine), told(out)) == (1, A)
    out = ctx.run(ctx.on.config_changed(), saying(out, u0=node(0, A), u1=node(1, B)))
    assert (discovered(machine), told(out)) == (2, f'{A} {B}')
    assert out.unit_status.name == 'active'


def test_one_that_left_the_cloud_and_comes_back_is_mapped_again(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    out = ctx.run(ctx.on.config_changed(), state(computes(u0=node(0, A))))
    out = ctx.run(ctx.on.config_changed(), saying(out, u0=node(0)))
    assert told(out) is None
    out = ctx.run(ctx.on.config_changed(), saying(out, u0=node(0, B)))
    assert (discovered(machine), told(out)) == (2, B)


def test_two_that_discover_at_once_do_not_stop_it(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    answers = iter([Finished(2, 'ERROR: Duplicate host mapping was encountered'), Finished(0)])

    def shell(argv: tuple[str, ...], _: str) -> Finished:
        return next(answers) if argv == DISCOVER else Finished(0)

    machine.shell = shell
    out = ctx.run(ctx.on.config_changed(), state(computes(u0=node(0, A))))
    assert told(out) == A
    assert out.unit_status.name == 'active'


def test_what_is_not_mapped_is_not_said_to_be_and_is_tried_again(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    def shell(argv: tuple[str, ...], _: str) -> Finished:
        return Finished(1, 'no database\n') if argv == DISCOVER else Finished(0)

    machine.shell = shell
    out = ctx.run(ctx.on.config_changed(), state(computes(u0=node(0, A))))
    assert told(out) is None
    assert out.unit_status == testing.WaitingStatus(
        'new compute nodes are not mapped to a cell: discover_hosts ended with 1: no database'
    )
    machine.shell = None
    out = ctx.run(ctx.on.update_status(), out)
    assert told(out) == A
    assert out.unit_status.name == 'active'


def test_one_leader_alone_does_it_and_the_next_one_does_it_for_itself(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    out = ctx.run(ctx.on.config_changed(), state(computes(u0=node(0, A))))
    before = discovered(machine)
    other = dataclasses.replace(out, leader=False)
    out = ctx.run(ctx.on.config_changed(), other)
    assert (discovered(machine), told(out)) == (before, None)
    out = ctx.run(ctx.on.leader_elected(), dataclasses.replace(out, leader=True))
    assert (discovered(machine), told(out)) == (before + 1, A)


@pytest.mark.parametrize('said', ['x', 'not-a-uuid', f'{A} {B}', f'{A}\n'])
def test_a_service_that_is_none_is_passed_over(
    ctx: testing.Context[Any], machine: machines.FakeMachine, said: str
):
    out = ctx.run(ctx.on.config_changed(), state(computes(u0=node(0, said))))
    assert (discovered(machine), told(out)) == (0, None)
    assert out.unit_status.name == 'active'
