"""Units go where they are told, and machines are in the spaces that they need."""

from __future__ import annotations

import dataclasses

import order
import pytest
import simulation
from simulation import REL, World

from jujulet.core import addresses, export, model, requests

SQL = REL('db', 'provider', 'sql')
A = simulation.a_charm('a', SQL)


@pytest.fixture
def world() -> World:
    world = World()
    for n, name in enumerate(('dmz', 'admin'), 1):
        world.ask(requests.AddSpace(name=name, cidrs=(f'10.{n}.0.0/24', f'fd0{n}::/64')))
    return world


def spaces(world: World, machine: str) -> list[str]:
    return [a.space for a in world.model.machines[machine].addresses]


def test_every_unit_has_a_machine_of_its_own(world: World):
    world.deploy(A, num_units=3)
    assert [u.machine for u in world.model.units_of('a')] == ['0', '1', '2']


def test_a_machine_is_in_the_default_space_with_a_fixed_address(world: World):
    world.deploy(A)
    before = world.model.machines['0'].addresses
    assert before == (model.Address('alpha', '10.9.0.10', 'fd00::a', before[0].mac),)
    world.settle()
    world.lose('0')
    world.recover()
    assert world.model.machines['0'].addresses == before


@pytest.mark.parametrize(
    ('bindings', 'constraints', 'expected'),
    [
        ({}, {}, ['alpha']),
        ({'': 'dmz'}, {}, ['dmz']),
        ({'db': 'dmz'}, {}, ['alpha', 'dmz']),
        ({'': 'dmz', 'db': 'admin'}, {}, ['dmz', 'admin']),
        ({}, {'spaces': ['dmz', '^admin']}, ['dmz']),
        ({}, {'spaces': 'dmz,admin'}, ['admin', 'dmz']),
        ({'': 'alpha'}, {'spaces': ['dmz']}, ['alpha', 'dmz']),
    ],
)
def test_bindings_and_constraints_decide_the_spaces(
    world: World, bindings: dict[str, str], constraints: dict[str, object], expected: list[str]
):
    world.deploy(A, bindings=bindings, constraints=constraints)
    assert spaces(world, '0') == expected


def test_an_endpoint_uses_the_address_of_its_space(world: World):
    world.deploy(A, bindings={'': 'dmz', 'db': 'admin'})
    found = [addresses.address(world.model, 'a/0', e) for e in ('', 'db')]
    assert [a.ipv4 if a else None for a in found] == ['10.1.0.10', '10.2.0.10']


def test_addresses_are_not_soon_used_again(world: World):
    world.deploy(A, num_units=2)
    world.settle()
    world.ask(requests.RemoveUnit(units=('a/0',)))
    world.settle()
    world.ask(requests.AddUnit(application='a'))
    assert world.model.machines['2'].addresses[0].ipv4 == '10.9.0.12'


def test_a_space_that_is_full_is_refused():
    world = World()
    world.ask(requests.AddSpace(name='tiny', cidrs=('10.1.0.0/29',)))
    with pytest.raises(model.Refused, match='space "tiny" has no address left'):
        world.deploy(A, bindings={'': 'tiny'}, num_units=9)


def test_several_units_share_a_machine(world: World):
    world.deploy(A)
    world.deploy(simulation.a_charm('b'), to=('0',))
    world.settle()
    assert [u.machine for u in world.model.units.values()] == ['0', '0']
    assert list(order.a_machine_does_one_thing(world.trace)) == []


@pytest.mark.parametrize('to', ['a/0', 'a', '0'])
def test_a_unit_goes_beside_another(world: World, to: str):
    world.deploy(A)
    world.deploy(simulation.a_charm('b'), to=(to,))
    assert world.model.units['b/0'].machine == '0'


@pytest.mark.parametrize('to', ['new', 'lxd', 'lxd:0', 'lxd:a/0'])
def test_a_container_on_a_machine_is_a_machine_of_its_own(world: World, to: str):
    world.deploy(A)
    world.deploy(simulation.a_charm('b'), to=(to,))
    assert world.model.units['b/0'].machine == '1'


def test_more_units_than_directives_get_machines(world: World):
    world.ask(requests.AddMachine(base='debian@12'))
    world.deploy(A, num_units=3, to=('0',))
    assert [u.machine for u in world.model.units_of('a')] == ['0', '1', '2']


def test_a_machine_of_another_base_is_refused(world: World):
    world.ask(requests.AddMachine(base='debian@13'))
    with pytest.raises(
        model.Refused, match='base does not match: unit has "debian@12", machine has "debian@13"'
    ):
        world.deploy(A, to=('0',))


def test_a_machine_that_lacks_a_space_is_refused(world: World):
    world.ask(requests.AddMachine(base='debian@12'))
    with pytest.raises(model.Refused, match='machine is not in space "dmz"'):
        world.deploy(A, to=('0',), bindings={'db': 'dmz'})


def test_binding_is_refused_where_a_machine_lacks_the_space(world: World):
    world.deploy(A)
    with pytest.raises(model.Refused, match='which is not in space "dmz"'):
        world.ask(requests.Bind(application='a', bindings={'db': 'dmz'}))


def test_binding_is_told_by_config_changed_and_changes_the_databag(world: World):
    world.deploy(A, constraints={'spaces': ['alpha', 'dmz']}, bindings={'': 'alpha'})
    world.deploy(simulation.a_charm('b', REL('db', 'requirer', 'sql')))
    rid = world.integrate('a', 'b')
    world.settle()
    world.trace.clear()
    world.ask(requests.Bind(application='a', bindings={'db': 'dmz'}))
    world.settle()
    assert world.names('a/0') == ['config-changed']
    assert world.model.relations[rid].units['a/0'].data['ingress-address'] == '10.1.0.10'
    assert world.names('b/0') == ['db-relation-changed']


def test_the_model_s_default_base_is_used_where_the_charm_allows_it(world: World):
    world.ask(requests.SetModelConfig(options={'default-base': 'debian@13'}))
    world.deploy(dataclasses.replace(simulation.a_charm('b'), bases=()))
    world.deploy(simulation.a_charm('packed'))
    world.ask(requests.SetModelConfig(options={'default-base': 'ubuntu@24.04'}))
    world.deploy(simulation.a_charm('c'))
    bases = [str(m.base) for m in world.model.machines.values()]
    assert bases == ['debian@13', 'debian@12', 'debian@12']


def test_a_machine_that_is_removed_by_force_takes_its_units(world: World):
    world.deploy(A)
    world.settle()
    world.ask(requests.RemoveMachine(machines=('0',), force=True))
    world.settle()
    assert not world.model.units
    assert not world.model.machines


def test_no_two_machines_of_a_space_have_the_same_address_of_hardware(world: World):
    world.deploy(A, num_units=3)
    found = [a.mac for m in world.model.machines.values() for a in m.addresses]
    assert len(set(found)) == 3


def test_an_exported_bundle_binds_as_the_application_does(world: World):
    world.deploy(A, bindings={'': 'dmz', 'db': 'admin'})
    exported = export.bundle(world.model)['applications']['a']
    assert exported['bindings'] == {'': 'dmz', 'db': 'admin'}
