"""An application may have units of two bases: `juju set-application-base`, and all that follows from it.

Source: apiserver/facades/client/application/updatebase.go, state.Application.UpdateApplicationBase of Juju 3.6.
"""

from __future__ import annotations

import dataclasses

import pytest
import simulation
from hypothesis import given
from hypothesis import strategies as st
from simulation import REL, World

from jujulet.core import charm, export, layers, model, requests, status

TWELVE, THIRTEEN, NOBLE = (
    charm.Base('debian', '12'),
    charm.Base('debian', '13'),
    charm.Base('ubuntu', '24.04'),
)
HOST = REL('host', 'requirer', 'juju-info', 'container')
A = dataclasses.replace(
    simulation.a_charm('a', REL('p', 'peer', 'peers')), builds={'debian@12': 'a-1'}
)
SUB = simulation.a_charm('s', HOST, subordinate=True)


def rebased(base: str = 'debian@13', *, force: bool = False) -> requests.SetApplicationBase:
    return requests.SetApplicationBase(application='a', base=base, force=force)


@pytest.fixture
def related(world: World) -> World:
    """A principal, with a subordinate on its one unit."""
    world.deploy(A)
    world.deploy(SUB)
    world.integrate('s:host', 'a')
    world.settle()
    return world


def bases(world: World, application: str = 'a') -> list[str]:
    return [str(world.model.machines[u.machine].base) for u in world.model.units_of(application)]


def test_only_units_to_come_are_of_the_new_base(world: World):
    world.deploy(A)
    world.settle()
    world.trace.clear()
    before = world.model
    assert world.ask(rebased()) == {'applications': ['a']}
    world.settle()
    assert world.model.units == before.units
    assert world.model.machines == before.machines
    assert world.names('a/0') == []
    world.ask(requests.AddUnit(application='a', num_units=2))
    assert bases(world) == ['debian@12', 'debian@13', 'debian@13']


def test_status_shows_the_base_of_units_to_come_and_each_machine_s_own(world: World):
    world.deploy(A)
    world.ask(rebased())
    world.ask(requests.AddUnit(application='a'))
    world.settle()
    shown = status.status(world.model, world.now, lambda _: None)
    assert shown['applications']['a']['base'] == {'name': 'debian', 'channel': '13'}
    assert {i: m['base']['channel'] for i, m in shown['machines'].items()} == {
        '0': '12',
        '1': '13',
    }


def test_the_subordinates_of_its_units_get_it_too_and_stay_where_they_are(related: World):
    assert related.ask(rebased()) == {'applications': ['a', 's']}
    assert related.model.applications['s'].base == THIRTEEN
    related.ask(requests.AddUnit(application='a'))
    related.settle()
    assert bases(related, 's') == ['debian@12', 'debian@13']
    assert 'host-relation-joined' in related.names('s/1')


def test_the_same_base_again_changes_nothing(related: World):
    before = related.model
    related.ask(rebased('debian@12'))
    assert related.model is before


@pytest.mark.parametrize(
    ('request_', 'text'),
    [
        (requests.SetApplicationBase(application='zz', base='debian@13'), '^application "zz" not found$'),
        (
            requests.SetApplicationBase(application='s', base='debian@13'),
            '^"s" is a subordinate application, update-series not supported$',
        ),
        (
            rebased('ubuntu@24.04'),
            '^base "ubuntu@24.04" not supported by charm "a", supported bases are: debian@12$',
        ),
        (rebased('beos@5'), '^base "beos@5" is not known; known: '),
        (rebased('beos@5', force=True), '^base "beos@5" is not known; known: '),
        (rebased('thirteen'), '^base "thirteen" not valid'),
    ],
)  # fmt: skip
def test_it_is_refused_in_juju_s_words(
    related: World, request_: requests.SetApplicationBase, text: str
):
    before = related.model
    with pytest.raises(model.Refused, match=text):
        related.ask(request_)
    assert related.model is before


def test_a_subordinate_that_cannot_follow_holds_its_principal(world: World):
    world.deploy(dataclasses.replace(A, bases=(TWELVE, NOBLE)))
    world.deploy(SUB)
    world.integrate('s:host', 'a')
    world.settle()
    before = world.model
    text = (
        'updating application base: base "ubuntu@24.04" not supported by charm, the charm supported bases are: '
        'debian@12'
    )
    with pytest.raises(model.Refused, match=f'^{text}$'):
        world.ask(rebased('ubuntu@24.04'))
    assert world.model is before
    world.ask(rebased('ubuntu@24.04', force=True))
    assert {world.model.applications[name].base for name in 'as'} == {NOBLE}


def test_force_takes_a_base_that_the_charm_does_not_name(world: World):
    world.deploy(A)
    world.ask(rebased('ubuntu@24.04', force=True))
    world.ask(requests.AddUnit(application='a'))
    assert bases(world) == ['debian@12', 'ubuntu@24.04']


def test_an_application_that_goes_gets_no_base(world: World):
    world.deploy(A)
    world.settle()
    world.ask(requests.RemoveApplication(applications=('a',)))
    with pytest.raises(model.Refused, match='application "a" is not alive'):
        world.ask(rebased())


def test_a_new_unit_does_not_go_on_a_machine_of_the_old_base(world: World):
    world.deploy(A)
    world.ask(rebased())
    text = 'cannot assign unit "a/1" to machine 0: base does not match: unit has "debian@13", machine has "debian@12"'
    with pytest.raises(model.Refused, match=text):
        world.ask(requests.AddUnit(application='a', to=('0',)))
    world.ask(requests.AddMachine(base='debian@13'))
    world.ask(requests.AddUnit(application='a', to=('1',)))
    assert bases(world) == ['debian@12', 'debian@13']


def test_the_office_passes_to_the_new_base_when_the_old_units_go(world: World):
    world.deploy(A, num_units=2)
    world.settle()
    world.ask(rebased())
    world.ask(requests.AddUnit(application='a', num_units=2))
    world.settle()
    assert world.model.applications['a'].leader in ('a/0', 'a/1')
    for old in ('a/0', 'a/1'):
        world.ask(requests.RemoveUnit(units=(old,)))
        world.settle()
    leader = world.model.applications['a'].leader
    assert leader in ('a/2', 'a/3')
    assert 'leader-elected' in world.names(leader)
    assert bases(world) == ['debian@13', 'debian@13']
    assert set(world.model.machines) == {'2', '3'}


def test_a_refresh_reaches_the_units_of_both_bases(world: World):
    world.deploy(A)
    world.ask(rebased())
    world.ask(requests.AddUnit(application='a'))
    world.settle()
    world.trace.clear()
    newer = dataclasses.replace(A, digest='b-2', builds={'debian@13': 'b-2', 'debian@12': 'a-2'})
    url = world.ask(requests.AddCharm(charm=newer))['url']
    world.ask(requests.Refresh(application='a', charm=url))
    world.settle()
    assert [world.names(f'a/{n}')[0] for n in (0, 1)] == ['upgrade-charm', 'upgrade-charm']
    found = world.model.charm_of('a')
    assert (found.digest_on(TWELVE), found.digest_on(THIRTEEN)) == ('a-2', 'b-2')


def test_what_was_made_for_another_base_of_the_same_files_is_the_same_charm(world: World):
    world.deploy(A)
    more = dataclasses.replace(A, builds={'debian@12': 'a-1', 'debian@13': 'b-1'})
    assert world.ask(requests.AddCharm(charm=more)) == {'url': 'local:a-0'}
    assert world.model.charm_of('a').digests == {'a-1', 'b-1'}
    again = dataclasses.replace(A, digest='b-1', builds={'debian@13': 'b-1'})
    assert world.ask(requests.AddCharm(charm=again)) == {'url': 'local:a-0'}
    assert world.model.charm_of('a').digest == 'a-1'


def test_install_layers_are_told_apart_by_base_and_by_what_is_unpacked_there(world: World):
    world.deploy(A, num_units=2)
    world.ask(rebased())
    world.ask(requests.AddUnit(application='a', num_units=2))
    keys = [layers.family(world.model, u.name) for u in world.model.units_of('a')]
    assert keys[0] == keys[1] != keys[2] == keys[3]
    more = dataclasses.replace(A, builds={'debian@13': 'b-1'})
    world.ask(requests.AddCharm(charm=more))
    assert layers.family(world.model, 'a/0') == keys[0]
    assert layers.family(world.model, 'a/2') != keys[2]


def test_install_layers_are_told_apart_by_the_memory_that_hooks_see(world: World):
    world.deploy(A, num_units=2)
    before = layers.family(world.model, 'a/0')
    machine = world.model.machines['0']
    limited = dataclasses.replace(machine, constraints={'mem': 1024, 'cores': 2})
    world.model = dataclasses.replace(world.model, machines={**world.model.machines, '0': limited})
    assert layers.family(world.model, 'a/0') != before
    assert layers.family(world.model, 'a/1') == before


def test_a_layer_is_that_of_an_application_deployed_on_the_new_base_at_once(world: World):
    ready = dataclasses.replace(A, builds={'debian@12': 'a-1', 'debian@13': 'b-1'})
    world.deploy(ready)
    world.ask(rebased())
    world.ask(requests.AddUnit(application='a'))
    other = World()
    fresh = dataclasses.replace(A, digest='b-1', builds={'debian@13': 'b-1'})
    other.deploy(fresh, base='debian@13')
    assert layers.family(world.model, 'a/1') == layers.family(other.model, 'a/0')


def test_a_bundle_has_the_base_of_the_application_and_of_every_machine(world: World):
    world.deploy(A)
    world.ask(rebased())
    world.ask(requests.AddUnit(application='a'))
    found = export.bundle(world.model)
    assert found['applications']['a']['base'] == 'debian@13/stable'
    assert found['applications']['a']['to'] == ['0', '1']
    assert {i: m['base'] for i, m in found['machines'].items()} == {
        '0': 'debian@12/stable', '1': 'debian@13/stable',
    }  # fmt: skip


@given(
    st.lists(
        st.one_of(
            st.sampled_from(['debian@12', 'debian@13', 'ubuntu@24.04']),
            st.integers(1, 3),
            st.just('remove'),
        ),
        max_size=12,
    )
)
def test_whatever_the_course_a_unit_is_of_the_base_that_its_application_had_when_it_was_added(
    course: list[str | int],
):
    world = World()
    world.deploy(dataclasses.replace(A, bases=(TWELVE, NOBLE)))
    now, expected = 'debian@12', {'a/0': 'debian@12'}
    for step in course:
        if step == 'remove':
            if len(expected) > 1:
                gone = min(expected, key=lambda name: int(name.partition('/')[2]))
                world.ask(requests.RemoveUnit(units=(gone,)))
                del expected[gone]
        elif isinstance(step, int):
            added = world.ask(requests.AddUnit(application='a', num_units=step))['units']
            expected |= dict.fromkeys(added, now)
        else:
            world.ask(rebased(step))
            now = step
    world.settle()
    assert {
        u.name: str(world.model.machines[u.machine].base) for u in world.model.units.values()
    } == expected
    assert str(world.model.applications['a'].base) == now


def test_a_refresh_can_bring_another_base(world: World):
    world.deploy(A)
    newer = dataclasses.replace(A, digest='b-2', builds={'debian@13': 'b-2'})
    url = world.ask(requests.AddCharm(charm=newer))['url']
    refused = requests.Refresh(application='a', charm=url, base='ubuntu@24.04')
    with pytest.raises(model.Refused, match=r'base "ubuntu@24\.04" not supported by charm'):
        world.ask(refused)
    assert world.model.applications['a'].base == TWELVE
    world.ask(requests.Refresh(application='a', charm=url, base='debian@13'))
    world.ask(requests.AddUnit(application='a'))
    assert bases(world) == ['debian@12', 'debian@13']
    with pytest.raises(model.Refused, match='base "beos@5" is not known'):
        world.ask(dataclasses.replace(refused, base='beos@5', force_base=True))
    world.ask(dataclasses.replace(refused, force_base=True))
    assert world.model.applications['a'].base == NOBLE
