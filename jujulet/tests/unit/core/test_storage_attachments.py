"""Storage is detached from units and attached to others, as far as its machine goes.

Source: ``AttachStorage``, ``DetachStorage``, ``removeStorageAttachmentOps`` and ``validateCharmStorageCountChange`` of
state/storage.go of Juju 3.6; what cannot leave its machine stays on it, and goes with it.
"""

from __future__ import annotations

import dataclasses

import pytest
import simulation
from simulation import FAIL, World

from jujulet.core import charm, consistency, context, indexcheck, model, requests, status

MANY = charm.StorageMeta('data', 'filesystem', minimum=0, maximum=3)
ONE = charm.StorageMeta('data', 'filesystem')
THERE = charm.StorageMeta('data', 'filesystem', minimum=0, location='/srv/data')
ONE_THERE = dataclasses.replace(THERE, minimum=1)


@pytest.fixture
def world() -> World:
    world = World()
    world.deploy(simulation.a_charm('a', storage={'data': MANY}), storage={'data': '2'})
    world.deploy(simulation.a_charm('b', storage={'data': MANY}), to=('0',))
    world.settle()
    world.trace.clear()
    return world


def detach(world: World, *ids: str) -> None:
    world.ask(requests.RemoveStorage(ids=ids, detach=True))


def attach(world: World, unit: str, *ids: str) -> None:
    world.ask(requests.AttachStorage(unit=unit, ids=ids))


def shown(world: World, sid: str = 'data/0') -> dict[str, object]:
    found = status.storage(world.model)
    assert set(found['filesystems']) == {f'0/{s.rpartition("/")[2]}' for s in found['storage']}
    return found['storage'][sid]


def lives(world: World) -> tuple[str, set[str]]:
    """Of the first instance, and of what attaches it and its file system to its unit and machine."""
    found = status.storage(world.model)
    instance, filesystem = found['storage']['data/0'], found['filesystems']['0/0']
    units = [instance['attachments']['units'], filesystem['attachments']['units']]
    attachments = [*units, filesystem['attachments']['machines']]
    assert instance['life'] == filesystem['life']
    return instance['life'], {each['life'] for found in attachments for each in found.values()}


def test_a_charm_hears_of_what_is_detached_and_attached_again(world: World):
    detach(world, 'data/0')
    assert world.model.storage['data/0'].owner == 'a/0'  # Until its charm has let go of it.
    assert lives(world) == ('alive', {'dying'})
    world.settle()
    assert world.names('a/0') == ['data-storage-detaching']
    assert world.model.storage['data/0'].machine == '0'
    assert shown(world)['status']['current'] == 'detached'  # type: ignore[index]
    assert 'attachments' not in shown(world)
    detach(world, 'data/0')
    attach(world, 'a/0', 'data/0')
    world.settle()
    assert lives(world) == ('alive', {'alive'})
    assert world.names('a/0') == ['data-storage-detaching', 'data-storage-attached']
    assert shown(world)['attachments'] == {
        'units': {
            'a/0': {'machine': '0', 'location': '/var/lib/juju/storage/data/0', 'life': 'alive'}
        }
    }


def test_it_goes_to_another_unit_of_the_machine(world: World):
    detach(world, 'data/0', 'data/1')
    world.settle()
    attach(world, 'b/0', 'data/1')
    world.settle()
    assert world.names('b/0') == ['data-storage-attached']
    assert {s.id: s.owner for s in world.model.storage.values()} == {'data/0': '', 'data/1': 'b/0'}


def test_a_unit_that_goes_leaves_its_storage_to_its_machine(world: World):
    world.ask(requests.RemoveUnit(units=('a/0',)))
    world.settle()
    detaching, then = world.names('a/0')[:2], world.names('a/0')[2:]
    assert detaching == ['data-storage-detaching'] * 2
    assert then == ['stop', 'remove']
    assert {s.owner for s in world.model.storage.values()} == {''}
    world.ask(requests.AddUnit(application='b', to=('0',), attach_storage=('data/1',)))
    world.settle()
    assert world.names('b/1')[:2] == ['data-storage-attached', 'install']
    assert world.model.storage['data/1'].owner == 'b/1'


def test_with_its_last_unit_the_machine_goes_and_all_storage_on_it(world: World):
    detach(world, 'data/0')
    world.settle()
    world.ask(requests.RemoveUnit(units=('a/0', 'b/0')))
    world.settle()
    assert world.model.storage == {}
    assert world.model.machines == {}


@pytest.mark.parametrize('kept', [False, True])
def test_storage_is_destroyed_with_a_unit_where_that_is_asked_for(world: World, kept: bool):
    if kept:
        detach(world, 'data/0')
    world.ask(requests.RemoveUnit(units=('a/0',), destroy_storage=True))
    world.settle()
    assert set(world.model.storage) == ({'data/0'} if kept else set())


def test_a_unit_that_is_lost_leaves_nothing_behind(world: World):
    world.ask(requests.RemoveMachine(machines=('0',), force=True))
    world.settle()
    assert world.model.storage == {}


def test_what_is_detached_is_removed_without_a_hook(world: World):
    detach(world, 'data/0')
    world.settle()
    world.trace.clear()
    world.ask(requests.RemoveStorage(ids=('data/0',)))
    world.settle()
    assert set(world.model.storage) == {'data/1'}
    assert world.trace == []


def test_what_no_charm_was_told_of_is_detached_at_once(world: World):
    world.scripts['a'] = lambda _m, c: (
        FAIL if c.hook.kind == 'config-changed' else simulation.Done()
    )
    world.ask(requests.SetConfig(application='a', options={'level': 2}))
    world.settle()
    world.ask(requests.AddStorage(unit='a/0', name='data', directive='1'))
    detach(world, 'data/2')
    assert world.model.storage['data/2'].owner == ''


def test_a_hook_that_failed_tells_nothing_more_of_what_is_another_s(world: World):
    def script(_model: model.Model, found: context.Context) -> simulation.Done:
        return FAIL if found.hook.kind == 'storage-attached' else simulation.Done()

    world.scripts['a'] = script
    world.ask(requests.SetModelConfig(options={'automatically-retry-hooks': 'false'}))
    world.ask(requests.AddStorage(unit='a/0', name='data', directive='1'))
    world.settle()
    assert world.model.units['a/0'].agent.step == 'failed'
    detach(world, 'data/2')
    attach(world, 'b/0', 'data/2')
    world.settle()
    assert world.model.units['a/0'].agent.step == 'idle'
    assert world.model.storage['data/2'].owner == 'b/0'


REFUSED = [
    ('a/0', 'data/9', 'storage instance "data/9" not found'),
    ('b/0', 'data/0', 'cannot attach storage owned by unit a/0 to unit b/0'),
    ('c/0', 'free/0', 'charm c has no storage called free'),
    ('a/1', 'data/1', 'it is on machine 0, which storage of pool "rootfs" cannot leave'),
    ('d/0', 'data/1', 'cannot attach, storage is singular'),
    (
        'e/0',
        'data/1',
        'attaching 1 storage instance brings the total to 3, exceeding the maximum of 2',
    ),
]


@pytest.mark.parametrize(('unit', 'sid', 'said'), REFUSED)
def test_what_cannot_be_attached_is_refused(world: World, unit: str, sid: str, said: str):
    two = dataclasses.replace(MANY, minimum=2, maximum=2)
    world.deploy(simulation.a_charm('c'), to=('0',))
    world.deploy(simulation.a_charm('d', storage={'data': ONE}), to=('0',))
    world.deploy(simulation.a_charm('e', storage={'data': two}), to=('0',))
    world.deploy(simulation.a_charm('f', storage={'free': dataclasses.replace(MANY, name='free')}))
    world.ask(requests.AddUnit(application='a'))
    detach(world, 'data/1')
    world.settle()
    if sid == 'free/0':
        before = world.model.storage['data/1']
        free = dataclasses.replace(before, id='free/0', name='free')
        world.model = dataclasses.replace(
            world.model, storage={**world.model.storage, 'free/0': free}
        )
    with pytest.raises(model.Refused) as refused:
        attach(world, unit, sid)
    assert str(refused.value) == f'cannot attach storage {sid} to unit {unit}: {said}'


@pytest.mark.parametrize(
    ('meta', 'said'),
    [
        (ONE, 'cannot detach, storage is singular'),
        (
            dataclasses.replace(ONE, minimum=2, maximum=3),
            'detaching 1 storage instance brings the total to 1, which is less than the minimum of 2',
        ),
    ],
)
def test_what_a_charm_needs_is_not_detached_from_a_unit_that_lives(
    meta: charm.StorageMeta, said: str
):
    world = World()
    world.deploy(simulation.a_charm('a', storage={'data': meta}))
    world.settle()
    with pytest.raises(model.Refused) as refused:
        detach(world, 'data/0')
    assert str(refused.value) == f'cannot destroy storage attachment data/0:a/0: {said}'
    with pytest.raises(model.Refused, match=r'^storage instance "data/9" not found$'):
        detach(world, 'data/9')


def test_what_a_charm_wants_elsewhere_is_not_attached():
    world = left_behind()
    world.settle()
    elsewhere = dataclasses.replace(THERE, location='/srv/other')
    world.deploy(simulation.a_charm('c', storage={'data': elsewhere}), to=('0',), storage={})
    world.deploy(simulation.a_charm('d', storage={'data': THERE}), to=('0',), storage={})
    with pytest.raises(model.Refused) as refused:
        attach(world, 'c/0', 'data/0')
    assert str(refused.value) == (
        'cannot attach storage data/0 to unit c/0: '
        'it is at /srv/data, charm c wants it at /srv/other, and jujulet does not move it'
    )
    attach(world, 'd/0', 'data/0')
    world.settle()
    assert world.model.storage['data/0'].owner == 'd/0'


def test_storage_is_attached_to_one_new_unit_and_no_more(world: World):
    detach(world, 'data/0')
    world.settle()
    with pytest.raises(model.Refused, match='--attach-storage cannot be used with -n'):
        world.ask(requests.AddUnit(application='a', num_units=2, attach_storage=('data/0',)))
    world.deploy(
        simulation.a_charm('g', storage={'data': ONE}), to=('0',), attach_storage=('data/0',)
    )
    world.settle()
    assert [s.id for s in world.model.storage.values() if s.owner == 'g/0'] == ['data/0']


def left_behind() -> World:
    """An instance at a place of the charm's own, whose unit is another one's neighbour and then gone."""
    world = World()
    world.deploy(simulation.a_charm('b'))
    world.deploy(
        simulation.a_charm('a', storage={'data': THERE}), to=('0',), storage={'data': '1'}
    )
    world.settle()
    world.ask(requests.RemoveUnit(units=('a/0',)))
    return world


@pytest.mark.parametrize('going', [False, True])
def test_a_new_unit_does_not_share_the_folder_of_what_stays(going: bool):
    world = left_behind()
    if not going:
        world.settle()
    with pytest.raises(model.Refused) as refused:
        world.ask(requests.AddUnit(application='a', to=('0',)))
    assert str(refused.value) == (
        'cannot add storage "data" to unit a/1: storage data/0 stays at /srv/data on machine 0: '
        '--attach-storage data/0 gives it to the unit, juju remove-storage data/0 does away with it'
    )
    world.ask(requests.AddUnit(application='a'))  # Another machine is another folder.
    world.settle()
    world.ask(requests.AddUnit(application='a', to=('0',), attach_storage=('data/0',)))
    world.settle()
    assert {s.id: s.owner for s in world.model.storage.values()} == {
        'data/0': 'a/2',
        'data/1': 'a/1',
    }


def test_a_unit_that_is_there_does_not_either():
    world = left_behind()
    world.settle()
    other = simulation.a_charm('c', storage={'data': THERE})
    world.deploy(other, to=('0',), storage={})
    world.settle()
    assert [s for s in world.model.storage.values() if s.owner] == []
    with pytest.raises(model.Refused, match='juju attach-storage c/0 data/0 gives it to the unit'):
        world.ask(requests.AddStorage(unit='c/0', name='data', directive='1'))
    wants = context.Writes(storage={'data': 1})
    world.scripts['c'] = lambda _m, found: simulation.Done(
        wants if found.hook.kind == 'config-changed' else context.Writes()
    )
    world.ask(requests.SetConfig(application='c', options={'level': 2}))
    world.settle()
    assert world.model.units['c/0'].agent.step == 'failed'
    world.ask(requests.RemoveStorage(ids=('data/0',)))
    world.ask(requests.Resolved(units=('c/0',)))
    world.settle()
    assert {s.owner for s in world.model.storage.values()} == {'c/0'}


def test_nor_one_whose_charm_comes_to_want_that_folder():
    world = left_behind()
    world.settle()
    url = world.ask(
        requests.AddCharm(charm=simulation.a_charm('b', digest='2', storage={'data': ONE_THERE}))
    )['url']
    with pytest.raises(model.Refused, match='storage data/0 stays at /srv/data on machine 0'):
        world.ask(requests.Refresh(application='b', charm=url))


@pytest.mark.parametrize(
    ('ids', 'owned'),
    [
        (('data/0', 'data/1'), {'data/0', 'data/1'}),
        (('data/0', 'data/0', 'data/1'), {'data/0', 'data/1'}),
        (('data/1',), {'data/1', 'data/2'}),  # What is lacking is made.
    ],
)
def test_what_a_new_unit_needs_is_counted_once_it_is_all_there(
    world: World, ids: tuple[str, ...], owned: set[str]
):
    detach(world, 'data/0', 'data/1')
    two = dataclasses.replace(MANY, minimum=2, maximum=2)
    world.deploy(simulation.a_charm('e', storage={'data': two}), num_units=0)
    world.settle()
    world.ask(requests.AddUnit(application='e', to=('0',), attach_storage=ids))
    world.settle()
    assert {s.id for s in world.model.storage.values() if s.owner == 'e/0'} == owned
    assert not list(consistency.storage(world.model))


def test_a_new_unit_is_given_no_more_than_its_charm_takes(world: World):
    world.ask(requests.AddStorage(unit='a/0', name='data', directive='1'))
    world.settle()
    detach(world, 'data/0', 'data/1', 'data/2')
    world.settle()
    two = dataclasses.replace(MANY, maximum=2)
    world.deploy(simulation.a_charm('e', storage={'data': two}), num_units=0)
    ids = ('data/0', 'data/1', 'data/2')
    with pytest.raises(model.Refused) as refused:
        world.ask(requests.AddUnit(application='e', to=('0',), attach_storage=ids))
    assert str(refused.value) == (
        'cannot attach storage data/0, data/1, data/2 to unit e/0: '
        'attaching 3 storage instances brings the total to 3, exceeding the maximum of 2'
    )
    world.deploy(simulation.a_charm('f', storage={'data': ONE}), num_units=0)
    with pytest.raises(model.Refused, match='cannot attach, storage is singular'):
        world.ask(requests.AddUnit(application='f', to=('0',), attach_storage=ids))


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        ({'owner': ''}, "on machine '', which is not there"),
        ({'machine': '0'}, 'belongs to a/0 and to no unit of machine 0'),
        ({'owner': '', 'machine': '0'}, 'belongs to nobody, who has it attached'),
        ({'owner': 'x/0'}, "belongs to 'x/0', which is not there"),
    ],
)
def test_impossible_storage_is_found(world: World, changes: dict[str, str], said: str):
    each = dataclasses.replace(world.model.storage['data/0'], **changes)
    broken = dataclasses.replace(world.model, storage={**world.model.storage, 'data/0': each})
    assert any(said in sentence for sentence in consistency.storage(broken))
    assert not list(consistency.storage(world.model))
    assert not list(indexcheck.problems(world.model, world.now))
