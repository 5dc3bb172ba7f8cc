"""What a user takes away, and what ``--force`` adds: units that failed on it go on without it. Source: Juju 3.6."""

from __future__ import annotations

import pytest
import simulation
from simulation import REL, World

from jujulet.core import context, hooks, model, requests

A = simulation.a_charm('a', REL('db', 'requirer', 'sql'), REL('log', 'requirer', 'log'))
B = simulation.a_charm('b', REL('db', 'provider', 'sql'))
C = simulation.a_charm('c', REL('log', 'provider', 'log'))
BROKEN = ['db-relation-departed', 'db-relation-broken']


def failing(*names: str) -> simulation.Script:
    def script(_model: model.Model, found: context.Context) -> simulation.Done:
        return simulation.FAIL if hooks.name(found.hook) in names else simulation.Done()

    return script


def related(world: World, *names: str) -> int:
    """A and B are related; hooks of a's that have these names fail."""
    world.deploy(A, script=failing(*names))
    world.deploy(B)
    rid = world.integrate('a:db', 'b')
    world.settle()
    return rid


def part(world: World, *, force: bool) -> None:
    world.ask(requests.RemoveRelation(a='a', b='b', force=force))
    world.settle()


@pytest.mark.parametrize('force', [False, True])
def test_a_relation_ends_with_its_hooks_whether_forced_or_not(world: World, force: bool):
    related(world)
    part(world, force=force)
    assert world.model.relations == {}
    assert world.names('a/0')[-2:] == world.names('b/0')[-2:] == BROKEN


def test_a_unit_that_failed_on_the_relation_keeps_it_and_force_lets_it_go_on_without(world: World):
    rid = related(world, 'db-relation-changed')
    assert world.model.units['a/0'].agent.step == 'failed'
    part(world, force=False)
    assert world.model.relations[rid].life == 'dying'
    assert world.model.units['a/0'].agent.step == 'failed'
    part(world, force=True)
    assert world.model.relations == {}
    assert world.model.units['a/0'].agent.step == 'idle'
    assert world.names('a/0')[-2:] == BROKEN


def test_force_passes_over_each_hook_that_has_failed_when_it_is_given_again(world: World):
    rid = related(world, *BROKEN)
    part(world, force=True)
    assert world.names('a/0')[-1:] == ['db-relation-departed!']
    part(world, force=True)
    assert world.names('a/0')[-2:] == ['db-relation-departed', 'db-relation-broken!']
    assert rid in world.model.relations
    part(world, force=True)
    assert world.model.relations == {}
    assert world.names('a/0')[-2:] == BROKEN


def test_force_passes_over_no_hook_of_another_relation_and_none_that_is_of_no_relation(
    world: World,
):
    related(world, 'log-relation-created', 'update-status')
    world.deploy(C)
    other = world.integrate('a:log', 'c')
    world.settle()
    assert world.model.units['a/0'].agent.step == 'failed'
    part(world, force=True)
    agent = world.model.units['a/0'].agent
    assert agent.step == 'failed'
    assert agent.hook is not None
    assert agent.hook.relation == other


def test_force_passes_over_no_hook_that_has_not_failed(world: World):
    world.deploy(A)
    world.deploy(B)
    rid = world.integrate('a:db', 'b')
    while not (hook := world.model.units['a/0'].agent.hook) or hook.relation != rid:
        assert world.step()
    step = world.model.units['a/0'].agent.step
    world.ask(requests.RemoveRelation(id=rid, force=True))
    assert world.model.units['a/0'].agent.step == step
    world.settle()
    assert world.model.relations == {}


def test_force_on_one_unit_s_failure_leaves_the_others_to_their_hooks(world: World):
    world.deploy(A, script=failing())
    world.ask(requests.AddUnit(application='a'))
    world.deploy(B)
    world.integrate('a:db', 'b')
    world.settle()
    world.trace.clear()
    world.scripts['a'] = lambda m, found: (
        simulation.FAIL if found.unit == 'a/0' else simulation.Done()
    )
    part(world, force=True)
    part(world, force=True)
    part(world, force=True)
    assert world.model.relations == {}
    assert world.names('a/1') == world.names('a/0') == BROKEN
