"""A node is active once servers can be made on it: nova has mapped its host, and placement has what it offers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from charmkit import testing as machines
from ops import testing

from .compute_node import controller, ctx, node, nova, plugin, queue
from .played_nova import UUID, Nova

__all__ = ['ctx', 'node', 'nova']  # fixtures

pytestmark = pytest.mark.timeout(60)

UNMAPPED = 'waiting for nova to map this host to a cell'


@pytest.fixture
def before() -> testing.State:
    relations = {queue(), controller(), plugin(), testing.PeerRelation('peers')}
    return testing.State(leader=True, relations=relations)


def told(state: testing.State) -> dict[str, str]:
    """What the controller was told."""
    (relation,) = state.get_relations('cloud-compute')
    return dict(relation.local_unit_data)


def mapped(state: testing.State, *services: str) -> testing.State:
    """The controller says that it has mapped *services*."""
    (relation,) = state.get_relations('cloud-compute')
    assert isinstance(relation, testing.Relation)
    bag = {**relation.remote_units_data[0], 'mapped_service_ids': ' '.join(services)}
    heard = dataclasses.replace(relation, remote_units_data={0: bag})
    return dataclasses.replace(state, relations={*(state.relations - {relation}), heard})


def later(step: Callable[[Nova], None], questions: int) -> Callable[[Nova], None]:
    """Do *step* before the question of that number."""
    asked: list[Nova] = []

    def before(nova: Nova) -> None:
        asked.append(nova)
        if len(asked) == questions:
            step(nova)

    return before


def test_one_that_is_registered_says_so_and_waits_until_its_host_is_mapped(
    ctx: testing.Context[Any], before: testing.State, nova: Nova, node: machines.FakeMachine
):
    nova.mapped = False
    began = node.clock
    out = ctx.run(ctx.on.config_changed(), before)
    assert out.unit_status == testing.WaitingStatus(UNMAPPED)
    assert told(out)['service_id'] == UUID
    assert node.clock == began  # It is for others to map it: nobody waits for them in a hook.
    nova.mapped = True
    out = mapped(out, UUID)
    out = ctx.run(ctx.on.relation_changed(out.get_relations('cloud-compute')[0]), out)
    assert out.unit_status.name == 'active'
    assert told(out)['service_id'] == UUID


def test_what_comes_by_itself_is_waited_for(
    ctx: testing.Context[Any], before: testing.State, nova: Nova
):
    def comes(played: Nova) -> None:
        played.mapped = played.inventory = True

    nova.mapped = nova.inventory = False
    nova.before = later(comes, 3)
    out = ctx.run(ctx.on.config_changed(), mapped(before, UUID))
    assert out.unit_status.name == 'active'


@pytest.mark.parametrize(
    ('lacks', 'words'),
    [
        ({'services': False}, 'waiting for nova-compute to register with nova: see /var/log/nova'),
        ({'mapped': False}, UNMAPPED),
        ({'state': 'down'}, 'nova takes nova-compute here for down: see /var/log/nova'),
        ({'inventory': False}, 'waiting for placement to have what this host offers'),
        ({'name': 'other'}, UNMAPPED),
        ({'away': True}, 'it is not known whether servers can be made here: GET /os-services'),
    ],
)
def test_what_is_missing_is_said_and_the_wait_has_an_end(
    ctx: testing.Context[Any],
    before: testing.State,
    nova: Nova,
    node: machines.FakeMachine,
    lacks: dict[str, Any],
    words: str,
):
    for name, value in lacks.items():
        setattr(nova, name, value)
    began = node.clock
    out = ctx.run(ctx.on.config_changed(), mapped(before, UUID))
    assert out.unit_status.name == 'waiting'
    assert out.unit_status.message.startswith(words)
    assert 0 < node.clock - began <= 122


def test_where_the_controller_says_nothing_of_it_time_brings_it(
    ctx: testing.Context[Any], before: testing.State, nova: Nova
):
    """Those of other charms discover hosts by themselves."""
    nova.mapped = False
    out = ctx.run(ctx.on.config_changed(), before)
    assert out.unit_status == testing.WaitingStatus(UNMAPPED)
    nova.mapped = True
    assert ctx.run(ctx.on.update_status(), out).unit_status.name == 'active'


def test_one_that_serves_is_asked_for_as_time_passes_and_after_a_start_and_else_not(
    ctx: testing.Context[Any], before: testing.State, nova: Nova, node: machines.FakeMachine
):
    out = ctx.run(ctx.on.config_changed(), before)
    nova.asked.clear()
    ctx.run(ctx.on.config_changed(), out)
    assert nova.asked == []
    ctx.run(ctx.on.update_status(), out)
    assert nova.asked
    nova.asked.clear()
    changed = dataclasses.replace(out, config={'reserved-host-memory': 700})
    ctx.run(ctx.on.config_changed(), changed)
    assert 'restart nova-compute' in node.steps
    assert nova.asked


def test_a_host_that_is_mapped_no_more_is_found_as_time_passes(
    ctx: testing.Context[Any], before: testing.State, nova: Nova
):
    out = ctx.run(ctx.on.config_changed(), before)
    assert out.unit_status.name == 'active'
    nova.mapped = False
    out = ctx.run(ctx.on.update_status(), out)
    assert out.unit_status == testing.WaitingStatus(UNMAPPED)


def test_a_nova_that_does_not_answer_takes_nothing_back_and_holds_nobody(
    ctx: testing.Context[Any], before: testing.State, nova: Nova, node: machines.FakeMachine
):
    out = ctx.run(ctx.on.config_changed(), before)
    nova.away = True
    began = node.clock
    out = ctx.run(ctx.on.update_status(), out)
    assert out.unit_status.name == 'active'
    assert told(out)['service_id'] == UUID
    assert node.clock == began


def test_one_that_is_removed_says_nothing_of_a_service_and_comes_back_with_another(
    ctx: testing.Context[Any], before: testing.State, nova: Nova
):
    out = ctx.run(ctx.on.config_changed(), before)
    out = ctx.run(ctx.on.action('remove-from-cloud'), out)
    assert 'service_id' not in told(out)
    out = ctx.run(ctx.on.config_changed(), mapped(out, UUID))
    assert 'service_id' not in told(out)
    another = UUID.replace('1111', '3333')
    nova.services, nova.mapped, nova.uuid = True, False, another
    out = ctx.run(ctx.on.action('register-to-cloud'), out)
    assert out.unit_status == testing.WaitingStatus(UNMAPPED)
    assert told(out)['service_id'] == another


def test_a_paused_node_asks_nobody(
    ctx: testing.Context[Any], before: testing.State, nova: Nova, node: machines.FakeMachine
):
    nova.services = nova.mapped = False
    out = ctx.run(ctx.on.action('pause'), before)
    nova.asked.clear()
    began = node.clock
    out = ctx.run(ctx.on.update_status(), out)
    assert nova.asked == []
    assert node.clock == began


def test_one_that_does_not_come_up_is_told_as_that(
    ctx: testing.Context[Any], before: testing.State, nova: Nova, node: machines.FakeMachine
):
    node.failing = frozenset({'nova-compute'})
    nova.services = nova.mapped = False
    out = ctx.run(ctx.on.config_changed(), before)
    assert out.unit_status.name == 'blocked'
    assert nova.asked == []
