"""What is kept with a model follows each change; and what would not be followed is seen."""

from __future__ import annotations

import dataclasses

import pytest
import simulation
from simulation import REL, World

from jujulet.core import affected, indexes, model, operations, requests


def pair() -> World:
    """Two units of one application with peers, related to a third of another; all of it at rest."""
    world = World()
    world.deploy(
        simulation.a_charm('a', REL('peers', 'peer', 'p'), REL('db', 'requirer', 'i')), num_units=2
    )
    world.deploy(simulation.a_charm('b', REL('db', 'provider', 'i')))
    world.integrate('a', 'b')
    world.settle()
    return world


def test_what_changed_is_found_wherever_it_stands():
    before = {n: object() for n in 'abcdef'}
    after = {k: v for k, v in before.items() if k not in 'bd'} | {'f': object(), 'x': object()}
    keys, gone = indexes.changed(before, after)
    assert (sorted(keys), sorted(gone)) == (['f', 'x'], ['b', 'd'])


def test_a_mapping_in_another_order_has_not_changed():
    before = {n: object() for n in 'abc'}
    assert indexes.changed(before, dict(reversed(before.items()))) == ([], [])


@pytest.mark.parametrize('change', ['option', 'unit', 'relation'])
def test_who_has_nothing_to_do_with_a_change_is_not_asked(
    change: str, monkeypatch: pytest.MonkeyPatch
):
    world = pair()
    world.deploy(simulation.a_charm('c'), num_units=3)
    world.settle()
    asked: list[set[str]] = []

    def between(before: model.Model | None, after: model.Model) -> affected.Affected:
        found = real(before, after)
        asked.append(found.units | found.news)
        return found

    real = affected.between
    monkeypatch.setattr(affected, 'between', between)
    world.ask({
        'option': requests.SetConfig(application='b', options={'level': 7}),
        'unit': requests.AddUnit(application='a'),
        'relation': requests.RemoveRelation(a='a', b='b'),
    }[change])  # fmt: skip
    monkeypatch.undo()
    mine = [found for found in asked if not found & {'c/0', 'c/1', 'c/2'}]
    assert mine, 'every look was at all units'
    assert not any('c/0' in found and found != set(world.model.units) for found in asked)


def _nothing(*_: object) -> None:
    pass


LEFT_OUT = (
    '_units',
    '_applications',
    '_relations',
    '_databags',
    '_machines',
    '_change_of_standing',
)


@pytest.mark.parametrize('name', LEFT_OUT)
def test_a_change_that_some_do_not_hear_of_is_seen(name: str, monkeypatch: pytest.MonkeyPatch):
    world = pair()
    world.deploy(
        simulation.a_charm(
            's', REL('up', 'requirer', 'juju-info', scope='container'), subordinate=True
        )
    )
    monkeypatch.setattr(affected, name, _nothing)
    with pytest.raises((AssertionError, KeyError)):
        course(world)


def course(world: World) -> None:
    """A bit of everything."""
    world.integrate('a:juju-info', 's')
    world.settle()
    world.ask(requests.SetConfig(application='a', options={'level': 3}))
    world.settle()
    machine = next(iter(world.model.machines))
    world.lose(machine)
    world.recover()
    hook = operations.RunHook('b/0', world.model.units['b/0'].machine, model.Hook('update-status'))
    world.start(hook)
    world.finish(hook.machine, simulation.writes(unit_settings={1: {'k': 'v'}}))
    world.settle()
    world.ask(requests.RemoveUnit(units=('a/1',)))
    world.settle()
    world.ask(requests.RemoveApplication(applications=('s',)))
    world.settle()


def test_the_same_course_is_well_when_all_hear_of_it():
    world = pair()
    world.deploy(
        simulation.a_charm(
            's', REL('up', 'requirer', 'juju-info', scope='container'), subordinate=True
        )
    )
    course(world)
    assert not any(u.application == 's' for u in world.model.units.values())


def test_models_that_came_of_one_another_may_be_asked_in_any_order():
    world = pair()
    before = world.model
    world.ask(requests.RemoveUnit(units=('a/1',)))
    world.settle()
    after = world.model
    for _ in range(2):
        assert [u.name for u in before.units_of('a')] == ['a/0', 'a/1']
        assert [u.name for u in after.units_of('a')] == ['a/0']
    assert dataclasses.replace(after).indexes is before.indexes
