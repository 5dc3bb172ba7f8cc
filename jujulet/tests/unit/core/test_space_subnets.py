"""Spaces of several subnets, and subnets that go to another space.

Sources: cmd/juju/space/{space,move}.go, apiserver/facades/client/spaces/integrity.go of Juju 3.6, and move_test.go.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import simulation
from simulation import REL, World

from jujulet.controller import subnets
from jujulet.core import adoption, consistency, listings, model, requests, status, topology

A = simulation.a_charm('a', REL('db', 'provider', 'sql'))
SMALL = ('10.1.0.0/30', '10.2.0.0/30', 'fd01::/64')
"""Each has room for one machine: its hosts are the gateway and another."""


@pytest.fixture
def world() -> World:
    world = World()
    world.ask(requests.AddSpace(name='db', cidrs=SMALL))
    return world


def deployed(world: World, units: int = 2, **more: Any) -> World:
    world.deploy(A, bindings={'': 'db'}, num_units=units, **more)
    world.settle()
    return world


def test_subnets_are_filled_one_after_the_other(world: World):
    deployed(world)
    found = [m.addresses[0] for m in world.model.machines.values()]
    assert [(a.ipv4, a.ipv6) for a in found] == [('10.1.0.2', 'fd01::2'), ('10.2.0.2', '')]
    with pytest.raises(model.Refused, match=r'no address left in 10\.1\.0\.0/30, fd01::/64, 10'):
        world.ask(requests.AddUnit(application='a'))


def test_a_full_subnet_costs_a_machine_nothing(world: World):
    world.ask(requests.AddSpace(name='wide', cidrs=('10.8.0.0/24', '10.7.0.0/24')))
    world.deploy(A, bindings={'': 'wide'}, num_units=245)
    before = world.model
    assert before.sequences['address:wide'] == 245
    for number in range(2):
        world.ask(requests.AddUnit(application='a'))
        assert world.model.machines[str(245 + number)].addresses[0].ipv4 == f'10.7.0.{10 + number}'
    changed = {k for k, v in world.model.sequences.items() if before.sequences.get(k) != v}
    assert changed == {'address:wide--2', 'machine'}


def test_an_address_that_is_free_again_waits_for_its_turn(world: World):
    world.ask(requests.AddSpace(name='few', cidrs=('10.8.0.0/29',)))
    world.deploy(A, bindings={'': 'few'}, num_units=3)
    world.settle()
    world.ask(requests.RemoveUnit(units=('a/0',)))
    world.settle()
    world.ask(requests.AddUnit(application='a', num_units=3))
    found = [m.addresses[0].ipv4 for m in world.model.machines.values()]
    assert found == ['10.8.0.3', '10.8.0.4', '10.8.0.5', '10.8.0.6', '10.8.0.2']


def test_each_is_shown_and_has_a_network_of_its_own(world: World):
    deployed(world)
    row = next(s for s in listings.spaces(world.model)['spaces'] if s['name'] == 'db')
    assert list(row['subnets']) == ['10.1.0.0/30', 'fd01::/64', '10.2.0.0/30']
    assert [s.network for s in world.model.spaces['db'].subnets] == ['db', 'db--2']
    shown = status.machine(world.model, world.model.machines['1'])
    assert shown['network-interfaces']['eth0']['gateway'] == '10.2.0.1'


def test_a_space_whose_subnets_are_chosen_gets_another_when_it_is_full(world: World):
    world.ask(requests.AddSpace(name='own', cidrs=('10.3.0.0/30',), grows=True))
    asked: list[list[str]] = []

    def choose(taken: object) -> tuple[str, str]:
        asked.append(list(taken))  # type: ignore[call-overload]
        return f'10.4.{len(asked)}.0/30', f'fd04:{len(asked)}::/64'

    charm = requests.AddCharm(charm=A)
    wanted = requests.Deploy(charm='local:a-0', application='a', num_units=3, bindings={'': 'own'})
    grown, _ = subnets.grown(world.model, 0.0, choose, charm)
    grown, _ = subnets.grown(grown, 0.0, choose, wanted)
    assert list(consistency.problems(grown)) == []
    assert [m.addresses[0].ipv4 for m in grown.machines.values()] == [
        '10.3.0.2', '10.4.1.2', '10.4.2.2',
    ]  # fmt: skip
    assert '10.4.1.0/30' in asked[1]
    given = requests.Deploy(charm='local:a-0', application='b', num_units=3, bindings={'': 'db'})
    with pytest.raises(model.Refused, match='no address left'):
        subnets.grown(grown, 0.0, choose, given)


def test_a_subnet_goes_to_another_space_with_all_of_its_network(world: World):
    before = world.model
    said = world.ask(requests.MoveSubnets(name='alpha', cidrs=('10.1.0.0/30',)))
    moved = [('db', 'alpha', '10.1.0.0/30'), ('db', 'alpha', 'fd01::/64')]
    assert [(m['from'], m['to'], m['cidr']) for m in said['moved']] == moved
    after = world.model.spaces
    assert after['db'].cidrs == ('10.2.0.0/30',)
    assert after['alpha'].cidrs == (*before.spaces['alpha'].cidrs, '10.1.0.0/30', 'fd01::/64')
    assert after['db'].belongs == before.spaces['db'].belongs
    world.ask(requests.MoveSubnets(name='db', cidrs=('10.1.0.0/30',)))
    assert set(world.model.spaces['db'].cidrs) == set(SMALL)


def test_what_goes_nowhere_is_as_it_was(world: World):
    deployed(world)
    before = world.model.spaces
    world.ask(requests.MoveSubnets(name='db', cidrs=('10.1.0.0/30',)))
    assert world.model.spaces == before


def test_a_space_without_subnets_takes_no_machine_and_one_in_again(world: World):
    world.ask(requests.MoveSubnets(name='alpha', cidrs=SMALL))
    assert world.model.spaces['db'].subnets == ()
    with pytest.raises(model.Refused, match='has no subnet: juju move-to-space db CIDR'):
        deployed(world)
    world.ask(requests.MoveSubnets(name='db', cidrs=SMALL[:1]))
    deployed(world, 1)
    assert world.model.machines['0'].addresses[0].ipv4 == '10.1.0.2'


def test_networks_never_share_a_name_whatever_spaces_are_called(world: World):
    world.ask(requests.RenameSpace(name='db', new='fe'))
    world.ask(requests.MoveSubnets(name='alpha', cidrs=('10.1.0.0/30',)))
    world.ask(requests.AddSpace(name='db', cidrs=('10.5.0.0/24', '10.6.0.0/24')))
    found = world.model.spaces
    networks = [s.network for space in found.values() for s in space.subnets]
    assert len(networks) == len(set(networks)) == 5
    assert len({space.belongs for space in found.values()}) == 3
    assert found['fe'].belongs == 'db'


REFUSED = [
    (('no', '10.1.0.0/30'), 1, 'cannot update space "no": determining affected networks: '
     'space with name "no" not found'),
    (('alpha', '10.77.0.0/24', '10.1.0.0/30'), 1,
     'error getting subnet tags for 10.1.0.0/30,10.77.0.0/24'),
    (('alpha', 'noCIDR'), 2, 'invalid arguments specified: "noCIDR" is not a valid CIDR'),
    (('alpha', '10.1.0.0/16', '10.1.0.1/16'), 2,
     'invalid arguments specified: subnet "10.1.0.1/16" overlaps with "10.1.0.0/16"'),
    (('alpha', '10.1.0.0/16', '10.1.0.0/16'), 2,
     'invalid arguments specified: duplicate subnet "10.1.0.0/16" specified'),
    (('alpha',), 2, 'invalid arguments specified: CIDRs required but not provided'),
]  # fmt: skip


@pytest.mark.parametrize(('words', 'code', 'said'), REFUSED)
def test_what_cannot_be_moved_is_refused_in_juju_s_words(
    world: World, words: tuple[str, ...], code: int, said: str
):
    before = world.model
    with pytest.raises(model.Refused) as refused:
        world.ask(requests.MoveSubnets(name=words[0], cidrs=words[1:]))
    assert (str(refused.value), refused.value.code) == (said, code)
    assert world.model is before


def test_a_move_that_breaks_a_binding_names_the_units(world: World):
    deployed(world)
    with pytest.raises(model.Refused) as refused:
        world.ask(requests.MoveSubnets(name='alpha', cidrs=('10.2.0.0/30',)))
    assert str(refused.value) == (
        'cannot update space "alpha": moving subnet(s) to space "alpha" violates endpoint binding '
        ':db for application "a"\n\tunits not connected to the space: a/1'
    )


@pytest.mark.parametrize(
    ('named', 'said'),
    [
        ('db', 'db\n\tunits not connected to the space: a/0'),
        ('db,^alpha', '^alpha, db'),
        (['db', '^alpha'], '^alpha, db'),
    ],
)
def test_a_move_that_breaks_a_constraint_names_it_first(world: World, named: object, said: str):
    deployed(world, 1, constraints={'spaces': named})
    with pytest.raises(model.Refused) as refused:
        world.ask(requests.MoveSubnets(name='alpha', cidrs=('10.1.0.0/30',)))
    assert str(refused.value) == (
        'cannot update space "alpha": moving subnet(s) to space "alpha" violates space constraints '
        f'for application "a": {said}'
    )


def test_a_network_with_a_machine_in_it_stays_by_force_too(world: World):
    deployed(world)
    wanted = requests.MoveSubnets(name='alpha', cidrs=('10.2.0.0/30',), force=True)
    with pytest.raises(model.Refused, match='in the subnet is machine 1: a network keeps its'):
        world.ask(wanted)
    world.ask(requests.RemoveUnit(units=('a/1',)))
    world.settle()
    world.ask(wanted)
    assert '10.2.0.0/30' in world.model.spaces['alpha'].cidrs


def test_machines_that_are_taken_up_know_together_what_their_space_had(world: World):
    deployed(world)
    whole = world.model.spaces['db']
    before = dataclasses.replace(whole, more=())
    found = [
        adoption.Found(
            '663cb8aa-0000-4000-8000-000000663cb8',
            m.id,
            m.base,
            addresses=m.addresses,
            spaces=(s,),
        )
        for m, s in zip(world.model.machines.values(), (before, whole), strict=True)
    ]
    for order in (found, found[::-1]):
        (taken,) = adoption.adopted({}, order, 0.0).values()
        assert taken.spaces['db'].subnets == whole.subnets
        assert list(consistency.machines(taken)) == []


def test_an_address_is_in_the_subnet_that_holds_it(world: World):
    space = world.model.spaces['db']
    assert topology.subnet_of(space, model.Address('db', '10.2.0.2')).ipv4 == '10.2.0.0/30'
    assert topology.subnet_of(space, model.Address('db', '', 'fd01::9')).ipv4 == '10.1.0.0/30'
    with pytest.raises(LookupError, match=r'no subnet with 10\.9\.9\.9'):
        topology.subnet_of(space, model.Address('db', '10.9.9.9'))


def test_a_space_that_is_removed_takes_its_subnets_along(world: World):
    world.ask(requests.RemoveSpace(name='db'))
    assert not set(SMALL) & set(world.model.spaces['alpha'].cidrs)
