"""Events come in Juju's order, and the rules that say so notice when they do not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import order
import pytest
import simulation
from simulation import REL, World

from jujulet.core import requests

PEER = REL('p', 'peer', 'peers')
WANTS = REL('db', 'requirer', 'sql')
GIVES = REL('db', 'provider', 'sql')


def test_a_single_unit_goes_from_install_to_start(world: World):
    world.deploy(simulation.a_charm('a'))
    world.settle()
    assert world.names('a/0') == ['install', 'leader-elected', 'config-changed', 'start']


def test_peers_hear_of_one_another_after_their_start(world: World):
    world.deploy(simulation.a_charm('a', PEER))
    world.settle()
    world.ask(requests.AddUnit(application='a'))
    world.settle()
    assert world.hooks_run('a/1') == [
        'install',
        'p-relation-created',
        'leader-settings-changed',
        'config-changed',
        'start',
        'p-relation-joined a/0',
        'p-relation-changed a/0',
    ]


def test_juju_4_has_no_leader_settings(world: World):
    world.model = dataclasses.replace(world.model, juju_version='4.0.15')
    world.deploy(simulation.a_charm('a'))
    world.settle()
    world.ask(requests.AddUnit(application='a'))
    world.settle()
    assert world.names('a/1') == ['install', 'config-changed', 'start']


def busy_world(seed: int) -> World:
    """Many things asked for at once, hooks of many machines interleaved by chance."""
    world, chance = World(seed=seed), simulation.dice(seed)
    world.deploy(simulation.a_charm('a', PEER, WANTS), num_units=3)
    world.deploy(simulation.a_charm('b', GIVES), num_units=2)
    world.deploy(
        simulation.a_charm(
            's', REL('host', 'requirer', 'juju-info', 'container'), subordinate=True
        )
    )
    world.integrate('a', 'b')
    world.integrate('s:host', 'a')
    wishes: list[Callable[[], object]] = [
        lambda: world.ask(requests.RemoveUnit(units=('a/1',))),
        lambda: world.ask(requests.AddUnit(application='b')),
        lambda: world.ask(
            requests.SetConfig(application='a', options={'level': chance.randrange(9)})
        ),
        lambda: world.ask(requests.RemoveRelation(a='a', b='b')),
        lambda: world.ask(requests.RemoveApplication(applications=('a',))),
    ]
    for wish in wishes:
        for _ in range(chance.randrange(60)):
            world.step(chance)
        wish()
    world.settle(chance=chance)
    return world


@pytest.mark.parametrize('seed', range(12))
def test_no_rule_is_broken_however_events_interleave(seed: int):
    assert order.broken_rules(busy_world(seed).trace) == []


def test_a_torn_down_application_leaves_nothing_but_the_others():
    world = busy_world(1)
    assert sorted(world.model.applications) == ['b', 's']
    assert [u for u in world.model.units if u.startswith('s/')] == []
    assert len(world.model.machines) == 3


@pytest.fixture(scope='module')
def whole() -> list[order.Event]:
    """A trace in which everything happens: storage, refresh, actions, leaving."""
    world = World()
    store = simulation.charm.StorageMeta('data', location='/srv')
    world.deploy(simulation.a_charm('a', PEER, WANTS, storage={'data': store}))
    world.deploy(simulation.a_charm('b', GIVES))
    world.integrate('a', 'b')
    world.settle()
    world.ask(requests.AddUnit(application='a'))
    world.settle()
    newer = world.ask(
        requests.AddCharm(
            charm=simulation.a_charm('a', PEER, WANTS, digest='2', storage={'data': store})
        )
    )
    world.ask(requests.Refresh(application='a', charm=newer['url']))
    world.settle()
    world.ask(requests.RemoveApplication(applications=('a', 'b')))
    world.settle()
    assert order.broken_rules(world.trace) == []
    return world.trace


Sabotage = Callable[[list[order.Event]], list[order.Event]]


def _find(trace: list[order.Event], name: str, unit: str = 'a/0') -> int:
    return next(i for i, e in enumerate(trace) if e.name == name and e.unit == unit)


def _swap(one: str, other: str) -> Sabotage:
    """Two hooks of a/0 in each other's place."""

    def change(trace: list[order.Event]) -> list[order.Event]:
        i, j = _find(trace, one), _find(trace, other)
        out = list(trace)
        a, b = trace[i], trace[j]
        out[i] = dataclasses.replace(b, began=a.began, ended=a.ended)
        out[j] = dataclasses.replace(a, began=b.began, ended=b.ended)
        return out

    return change


def _without(name: str) -> Sabotage:
    return lambda trace: [e for e in trace if (e.unit, e.name) != ('a/0', name)]


def _altered(name: str, **changes: object) -> Sabotage:
    def change(trace: list[order.Event]) -> list[order.Event]:
        i = _find(trace, name)
        altered = dataclasses.replace(trace[i], **changes)  # pyright: ignore[reportArgumentType]
        return [*trace[:i], altered, *trace[i + 1 :]]

    return change


def _undeparted(trace: list[order.Event]) -> list[order.Event]:
    i = _find(trace, 'p-relation-departed')
    hook = dataclasses.replace(trace[i].hook, departing_unit='')
    return [*trace[:i], dataclasses.replace(trace[i], hook=hook), *trace[i + 1 :]]


@pytest.mark.parametrize(
    ('rule', 'sabotage'),
    [
        (order.install_comes_first, _swap('install', 'leader-elected')),
        (order.relations_are_created_before_start, _swap('p-relation-created', 'start')),
        (order.leadership_is_told_before_config, _swap('leader-elected', 'start')),
        (order.start_follows_config_at_once, _swap('start', 'db-relation-joined')),
        (order.config_follows_upgrade_at_once, _swap('upgrade-charm', 'stop')),
        (order.relation_hooks_wait_for_start, _swap('start', 'stop')),
        (order.relations_go_their_way, _swap('db-relation-joined', 'db-relation-broken')),
        (order.relations_go_their_way, _without('db-relation-created')),
        (order.relations_go_their_way, _altered('db-relation-joined', members=())),
        (order.changed_follows_joined, _without('db-relation-changed')),
        (order.only_installed_units_join, _altered('install', ended=10**9)),
        (order.the_departing_unit_is_named, _undeparted),
        (order.teardown_is_in_order, _swap('stop', 'remove')),
        (order.storage_detaches_before_relations_end, _swap('data-storage-detaching', 'stop')),
        (order.a_machine_does_one_thing, _altered('install', ended=10**9)),
        (order.leaders_alone_are_elected, _altered('leader-elected', leader=False)),
    ],
)  # fmt: skip
def test_each_rule_notices_its_own_breach(
    whole: list[order.Event], rule: order.Rule, sabotage: Sabotage
):
    assert list(rule(sabotage(whole)))


def test_every_rule_has_a_sabotaged_twin():
    marks = test_each_rule_notices_its_own_breach.pytestmark  # type: ignore[attr-defined]
    tried = {values[0] for mark in marks for values in mark.args[1]}
    assert tried == set(order.RULES)
