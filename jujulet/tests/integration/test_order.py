"""The order of events, as units really saw it: rules, not golden lists, as Juju leaves some to chance."""

from __future__ import annotations

import jubilant
import pytest

from . import records
from .conftest import CHARMS
from .records import Event
from .waiting import settle

START = ['install', 'leader-elected', 'config-changed', 'start']


def index(events: list[Event], hook: str, **fields: str) -> int:
    """Where the first such event is; fails if there is none."""
    for place, event in enumerate(events):
        if event.hook == hook and all(getattr(event, k) == v for k, v in fields.items()):
            return place
    raise AssertionError(f'no {hook} {fields} in {records.hooks(events)}')


def test_one_unit_starts(juju: jubilant.Juju):
    juju.deploy(CHARMS / 'recorder', 'alone')
    settle(juju, jubilant.all_active)
    events = records.read(juju, 'alone/0')
    assert records.hooks(events) == ['install', 'ring-relation-created', *START[1:]]
    assert all(e.words['home'] == 'unset' for e in events)
    assert len({e.words['context'] for e in events}) == len(events)


def test_peers_meet(juju: jubilant.Juju):
    juju.deploy(CHARMS / 'recorder', 'peers', num_units=3)
    settle(juju, jubilant.all_active)
    for number in range(3):
        events = records.read(juju, f'peers/{number}')
        names = records.hooks(events)
        assert names[0] == 'install'
        assert names.index('ring-relation-created') < names.index('start')
        elected = 'leader-elected' if events[-1].leader else 'leader-settings-changed'
        assert names.index(elected) < names.index('config-changed') < names.index('start')
        assert names[names.index('config-changed') + 1] == 'start'
        for other in {0, 1, 2} - {number}:
            joined = index(events, 'ring-relation-joined', remote_unit=f'peers/{other}')
            assert names.index('start') < joined
            assert events[joined + 1].hook == 'ring-relation-changed'
            assert events[joined + 1].remote_unit == f'peers/{other}'
            assert f'peers/{other}' in events[joined].members


def test_two_applications_meet(juju: jubilant.Juju):
    juju.deploy(CHARMS / 'recorder', 'left')
    juju.deploy(CHARMS / 'recorder', 'right', num_units=2)
    settle(juju, jubilant.all_active)
    juju.integrate('left:out', 'right:in')
    settle(juju)
    events = records.read(juju, 'left/0')
    created = index(events, 'out-relation-created')
    assert events[created].remote_app == 'right'
    assert events[created].remote_unit == ''
    assert events[created].members == ()
    for unit in ('right/0', 'right/1'):
        joined = index(events, 'out-relation-joined', remote_unit=unit)
        assert created < joined
        assert (events[joined + 1].hook, events[joined + 1].remote_unit) == (
            'out-relation-changed', unit,
        )  # fmt: skip


def test_the_applications_word_comes_before_its_units(juju: jubilant.Juju):
    juju.config('left', {'note': 'said'})
    settle(juju)
    juju.add_unit('right')
    settle(juju, lambda s: 'right/2' in s.apps['right'].units and jubilant.all_active(s))
    events = records.read(juju, 'right/2')
    said = index(events, 'in-relation-changed', remote_unit='')
    assert said < index(events, 'in-relation-joined', remote_unit='left/0')


def test_nothing_said_twice(juju: jubilant.Juju):
    juju.run('right/0', 'clear')
    juju.config('left', {'note': 'same'})
    settle(juju)
    juju.config('left', {'note': 'same'})
    settle(juju)
    changed = [e for e in records.read(juju, 'right/0') if e.hook == 'in-relation-changed']
    assert sorted(e.remote_unit for e in changed) == ['', 'left/0']


def test_a_unit_leaves(juju: jubilant.Juju):
    juju.run('left/0', 'clear')
    juju.run('right/0', 'clear')
    juju.remove_unit('right/1')
    settle(juju, lambda s: 'right/1' not in s.apps['right'].units)
    for unit, hook in (('left/0', 'out-relation-departed'), ('right/0', 'ring-relation-departed')):
        events = records.read(juju, unit)
        left = events[index(events, hook, remote_unit='right/1')]
        assert left.departing == 'right/1'
        assert 'right/1' not in left.members


def test_a_relation_ends(juju: jubilant.Juju):
    juju.run('left/0', 'clear')
    juju.remove_relation('left:out', 'right:in')
    settle(juju, lambda s: not s.apps['left'].relations.get('out'))
    events = records.read(juju, 'left/0')
    names = records.hooks(events)
    assert set(names) == {'out-relation-departed', 'out-relation-broken'}
    assert names[-1] == 'out-relation-broken'
    assert names.count('out-relation-broken') == 1
    assert events[-1].remote_unit == ''
    assert events[-1].members == ()


def test_a_hook_that_fails_holds_the_unit_until_resolved(juju: jubilant.Juju):
    juju.model_config({'automatically-retry-hooks': False})
    juju.run('alone/0', 'clear')
    juju.config('alone', {'fail': 'config-changed'})
    unit = settle(juju, lambda s: jubilant.any_error(s, 'alone')).apps['alone'].units['alone/0']
    assert unit.workload_status.message == 'hook failed: "config-changed"'
    assert unit.juju_status.current == 'idle'
    assert juju.exec('echo well', unit='alone/0').stdout == 'well\n'
    juju.cli('resolved', 'alone/0')
    settle(juju, lambda s: jubilant.any_error(s, 'alone'))
    juju.config('alone', {'fail': ''})
    juju.cli('resolved', 'alone/0')
    settle(juju, lambda s: jubilant.all_active(s, 'alone'))
    assert records.hooks(records.read(juju, 'alone/0')).count('config-changed') >= 3


def test_a_failed_hook_leaves_nothing_said(juju: jubilant.Juju):
    """The databag of the peers is written in config-changed, which fails: nobody may see it."""
    leader = next(n for n, u in juju.status().apps['peers'].units.items() if u.leader)
    juju.config('peers', {'note': 'unsaid', 'fail': 'config-changed'})
    settle(juju, lambda s: jubilant.all_error(s, 'peers'))
    bag = juju.exec(f'relation-get -r $(relation-ids ring) - {leader}', unit=leader).stdout
    assert 'unsaid' not in bag
    juju.config('peers', {'fail': ''})
    for unit in juju.status().apps['peers'].units:
        juju.cli('resolved', unit)
    settle(juju, lambda s: jubilant.all_active(s, 'peers'))
    assert (
        'unsaid'
        in juju.exec(f'relation-get -r $(relation-ids ring) - {leader}', unit=leader).stdout
    )


def test_storage_comes_before_install(juju: jubilant.Juju):
    juju.deploy(CHARMS / 'recorder', 'stored', storage={'data': 'rootfs,1G,2'})
    settle(juju, jubilant.all_active)
    names = records.hooks(records.read(juju, 'stored/0'))
    assert names[:3] == ['data-storage-attached', 'data-storage-attached', 'install']


def test_update_status_comes_by_itself(juju: jubilant.Juju):
    juju.run('alone/0', 'clear')
    juju.model_config({'update-status-hook-interval': '1s'})
    juju.wait(
        lambda s: 'update-status' in records.hooks(records.read(juju, 'alone/0')),
        delay=0.5, successes=1, timeout=20,
    )  # fmt: skip
    juju.model_config(reset='update-status-hook-interval')


@pytest.mark.parametrize('kind', ['force', 'gently'])
def test_all_of_it_goes(juju: jubilant.Juju, kind: str):
    name = 'left' if kind == 'force' else 'right'
    juju.remove_application(name, force=kind == 'force')
    settle(juju, lambda s: name not in s.apps)
