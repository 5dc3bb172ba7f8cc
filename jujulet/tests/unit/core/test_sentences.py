"""Sentence for sentence, what Juju's agent does with events; each test is one of them.

Source: worker/uniter of Juju 3.6, and documentation.ubuntu.com/juju/3.6/reference/hook.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest
import simulation
from simulation import REL, Done, World

from jujulet.core import (
    charm,
    context,
    hooks,
    lifecycle,
    listings,
    machines,
    model,
    relations,
    requests,
    schedule,
    tasks,
)

PEER = REL('p', 'peer', 'peers')
WANTS = REL('db', 'requirer', 'sql')
GIVES = REL('db', 'provider', 'sql')
HOST = REL('host', 'requirer', 'juju-info', 'container')
A = simulation.a_charm('a', WANTS, actions={'do': charm.Action('do')})
B = simulation.a_charm('b', GIVES)
SUB = simulation.a_charm('s', HOST, subordinate=True)


def related(world: World) -> int:
    """a and b, started and related."""
    world.deploy(A)
    world.deploy(B)
    world.settle()
    rid = world.integrate('a', 'b')
    world.settle()
    world.trace.clear()
    return rid


def says(unit: str, **writes: Mapping[int, Mapping[str, str]]) -> simulation.Script:
    """A charm whose *unit* sets databags in every hook."""

    def script(_model: model.Model, found: context.Context) -> Done:
        return simulation.writes(**writes) if found.unit == unit else Done()

    return script


def failing(*names: str) -> simulation.Script:
    """A charm that fails in the hooks of these names."""

    def script(_model: model.Model, found: context.Context) -> Done:
        return simulation.FAIL if hooks.name(found.hook) in names else Done()

    return script


def test_an_implicit_juju_info_side_gets_no_hooks(world: World):
    world.deploy(A)
    world.deploy(SUB)
    world.integrate('s:host', 'a')
    world.settle()
    assert [n for n in world.names('a/0') if 'relation' in n] == []
    assert 'host-relation-joined' in world.names('s/0')


def test_a_subordinate_is_made_when_its_principal_enters_scope_not_before(world: World):
    world.deploy(A)
    world.deploy(SUB)
    world.integrate('s:host', 'a')
    while not world.model.units['a/0'].agent.installed:
        assert 's/0' not in world.model.units
        world.step()
    assert world.model.units['s/0'].principal == 'a/0'
    assert world.model.units['s/0'].machine == world.model.units['a/0'].machine


def test_a_subordinate_sees_its_own_principal_alone(world: World):
    world.deploy(simulation.a_charm('a', REL('inside', 'provider', 'thing')), num_units=2)
    world.deploy(
        simulation.a_charm('s', REL('inside', 'requirer', 'thing', 'container'), subordinate=True)
    )
    world.integrate('a', 's')
    world.settle()
    for unit in world.model.units_of('s'):
        joined = [
            e.hook.remote_unit
            for e in world.trace
            if e.unit == unit.name and e.hook.kind == 'relation-joined'
        ]
        assert joined == [unit.principal]


def test_a_subordinate_dies_with_its_last_container_relation(world: World):
    world.deploy(A)
    world.deploy(SUB)
    world.integrate('s:host', 'a')
    world.settle()
    world.ask(requests.RemoveRelation(a='s', b='a'))
    world.settle()
    assert world.names('s/0')[-3:] == ['host-relation-broken', 'stop', 'remove']
    assert sorted(world.model.units) == ['a/0']


def test_a_principal_waits_for_its_subordinates(world: World):
    world.deploy(A)
    world.deploy(SUB, script=failing('stop'))
    world.integrate('s:host', 'a')
    world.settle()
    world.ask(requests.RemoveUnit(units=('a/0',)))
    world.settle()
    assert world.names('a/0')[-1] == 'remove'
    assert sorted(world.model.units) == ['a/0', 's/0']
    world.scripts.clear()
    world.ask(requests.Resolved(units=('s/0',)))
    world.settle()
    assert not world.model.units


def test_a_principal_that_comes_back_to_a_relation_waits_until_the_old_subordinate_is_gone(
    world: World,
):
    world.deploy(A)
    world.deploy(SUB, script=failing('stop'))
    world.integrate('s:host', 'a')
    world.settle()
    world.ask(requests.RemoveRelation(a='s', b='a'))
    world.settle()
    world.integrate('s:host', 'a')
    world.settle()
    assert sorted(world.model.units) == ['a/0', 's/0']
    world.scripts.clear()
    world.ask(requests.Resolved(all=True))
    world.settle()
    assert sorted(world.model.units) == ['a/0', 's/1']


def test_many_commits_while_busy_are_one_changed(world: World):
    rid = related(world)
    bag = world.model.relations[rid].units['b/0']
    for n in range(5):
        world.set(_written(world, rid, 'b/0', {'n': str(n)}))
    world.settle()
    assert world.hooks_run('a/0') == ['db-relation-changed b/0']
    assert world.model.relations[rid].units['b/0'].version == bag.version + 5


def _written(world: World, rid: int, unit: str, settings: Mapping[str, str]) -> model.Model:
    """The model after a unit's update-status that wrote settings."""
    op = simulation.operations.RunHook(
        unit, world.model.units[unit].machine, model.Hook('update-status')
    )
    begun, found = lifecycle.begin(world.model, op, 'x', world.now)
    found = dataclasses.replace(found, writes=context.Writes(unit_settings={rid: settings}))
    return lifecycle.finish(begun, found, context.Outcome(0), world.now)


def test_writing_what_is_there_already_tells_nobody(world: World):
    rid = related(world)
    world.set(_written(world, rid, 'b/0', {'k': 'v'}))
    world.settle()
    world.trace.clear()
    world.set(_written(world, rid, 'b/0', {'k': 'v'}))
    world.settle()
    assert world.trace == []


def test_application_changed_comes_before_joined_and_only_if_ever_written(world: World):
    world.deploy(A)
    world.deploy(B, script=says('b/0', application_settings={0: {'k': 'v'}}))
    world.settle()
    world.integrate('a', 'b')
    world.settle()
    told = world.hooks_run('a/0')
    assert told.index('db-relation-changed') < told.index('db-relation-joined b/0')
    assert 'db-relation-changed' not in world.hooks_run('b/0')


def test_a_leader_is_not_told_of_its_own_peer_writes_and_others_are(world: World):
    world.deploy(simulation.a_charm('a', PEER))
    world.settle()
    world.ask(requests.AddUnit(application='a'))
    world.settle()
    world.trace.clear()
    world.scripts['a'] = says('a/0', application_settings={0: {'k': 'v'}})
    world.ask(requests.SetConfig(application='a', options={'level': 7}))
    world.settle()
    assert world.hooks_run('a/0') == ['config-changed']
    assert sorted(world.hooks_run('a/1')) == ['config-changed', 'p-relation-changed']


def test_nothing_of_a_failed_hook_is_kept(world: World):
    rid = related(world)
    bad = Done(
        context.Writes(
            unit_settings={rid: {'k': 'v'}}, state={'s': '1'}, ports=(model.Port('tcp', 80, 80),)
        ),
        context.Outcome(1),
    )
    world.scripts['a'] = lambda _m, _c: bad
    world.ask(requests.SetConfig(application='a', options={'level': 7}))
    world.settle()
    unit = world.model.units['a/0']
    assert 'k' not in world.model.relations[rid].units['a/0'].data
    assert (unit.state, unit.ports) == ({}, ())
    assert unit.agent_status.message == 'hook failed: "config-changed"'


def test_all_of_a_hook_is_kept_when_it_succeeds(world: World):
    rid = related(world)
    good = Done(
        context.Writes(
            unit_settings={rid: {'k': 'v'}}, state={'s': '1'}, ports=(model.Port('tcp', 80, 80),)
        )
    )
    world.scripts['a'] = lambda _m, _c: good
    world.ask(requests.SetConfig(application='a', options={'level': 7}))
    world.settle()
    unit = world.model.units['a/0']
    assert world.model.relations[rid].units['a/0'].data['k'] == 'v'
    assert (unit.state, unit.ports) == ({'s': '1'}, (model.Port('tcp', 80, 80),))


def test_remote_units_are_read_as_first_read_until_the_next_changed(world: World):
    rid = related(world)

    def read() -> str | None:
        changed, data = relations.remote_settings(world.model, 'a/0', rid, 'b/0')
        world.set(changed)
        return (data or {}).get('k')

    assert read() is None
    world.set(_written(world, rid, 'b/0', {'k': 'v'}))
    assert read() is None
    world.settle()
    assert read() == 'v'


def test_settings_of_a_departed_unit_stay_readable(world: World):
    rid = related(world)
    world.ask(requests.AddUnit(application='b'))
    world.settle()
    world.set(_written(world, rid, 'b/0', {'k': 'v'}))
    world.ask(requests.RemoveUnit(units=('b/0',)))
    world.settle()
    assert relations.remote_settings(world.model, 'a/0', rid, 'b/0')[1] is not None
    assert world.hooks_run('a/0')[-1] == 'db-relation-departed b/0'


def test_scope_brings_juju_s_own_settings(world: World):
    rid = related(world)
    address = world.model.machines['0'].addresses[0].ipv4
    assert world.model.relations[rid].units['a/0'].data == {
        'egress-subnets': f'{address}/32',
        'ingress-address': address,
        'private-address': address,
    }


@pytest.mark.parametrize('automatic', [True, False])
def test_a_failed_hook_is_retried_only_if_the_model_says_so(world: World, automatic: bool):
    world.ask(requests.SetModelConfig(options={'automatically-retry-hooks': automatic}))
    world.deploy(A, script=failing('install'))
    world.settle()
    world.pass_time(60)
    assert len(world.names('a/0')) == (4 if automatic else 1)  # After 5, 10 and 20 seconds.


def test_retries_are_never_more_than_five_minutes_apart(world: World):
    world.deploy(A, script=failing('install'))
    world.settle()
    world.pass_time(3600)
    gap = world.model.units['a/0'].agent.retry_at - world.now
    assert gap <= lifecycle.LAST_RETRY * 1.1


def test_resolved_without_retry_goes_on_as_if_the_hook_had_run(world: World):
    world.deploy(A, script=failing('install'))
    world.settle()
    world.ask(requests.Resolved(units=('a/0',), retry=False))
    world.scripts.clear()
    world.settle()
    assert world.names('a/0') == ['install', 'leader-elected', 'config-changed', 'start']


def test_resolved_runs_the_failed_hook_again(world: World):
    world.deploy(A, script=failing('install'))
    world.settle()
    world.scripts.clear()
    world.ask(requests.Resolved(units=('a/0',)))
    world.settle()
    assert world.names('a/0')[:2] == ['install!', 'install']


def test_resolved_refuses_a_unit_that_is_well(world: World):
    world.deploy(A)
    with pytest.raises(model.Refused, match='unit "a/0" is not in an error state'):
        world.ask(requests.Resolved(units=('a/0',)))


def test_actions_run_while_a_hook_has_failed_and_the_error_stays(world: World):
    related(world)
    world.ask(requests.SetModelConfig(options={'automatically-retry-hooks': False}))
    world.scripts['a'] = failing('config-changed')
    world.ask(requests.SetConfig(application='a', options={'level': 7}))
    world.settle()
    result = world.ask(requests.Run(receivers=('a/0',), action='do'))
    world.settle()
    assert world.model.tasks[result['tasks']['a/0']].status == 'completed'
    assert world.model.units['a/0'].agent_status.current == 'error'


def test_changes_coalesce_while_a_unit_is_in_error(world: World):
    rid = related(world)
    world.scripts['a'] = failing('config-changed')
    world.ask(requests.SetConfig(application='a', options={'level': 7}))
    world.settle()
    for n in range(3):
        world.set(_written(world, rid, 'b/0', {'n': str(n)}))
    world.scripts.clear()
    world.ask(requests.Resolved(all=True))
    world.settle()
    assert world.hooks_run('a/0')[1:] == ['config-changed', 'db-relation-changed b/0']


def test_a_refresh_runs_upgrade_charm_then_config_changed(world: World):
    related(world)
    newer = dataclasses.replace(A, digest='newer')
    url = world.ask(requests.AddCharm(charm=newer))['url']
    world.ask(requests.Refresh(application='a', charm=url))
    world.settle()
    assert world.names('a/0') == ['upgrade-charm', 'config-changed']
    assert world.model.units['a/0'].agent.deployed == url == 'local:a-1'


def test_a_refresh_waits_for_a_unit_in_error_unless_forced(world: World):
    related(world)
    world.scripts['a'] = failing('config-changed')
    world.ask(requests.SetModelConfig(options={'automatically-retry-hooks': False}))
    world.ask(requests.SetConfig(application='a', options={'level': 7}))
    world.settle()
    url = world.ask(requests.AddCharm(charm=dataclasses.replace(A, digest='newer')))['url']
    world.ask(requests.Refresh(application='a', charm=url))
    world.settle()
    assert world.model.units['a/0'].agent.deployed == 'local:a-0'
    world.ask(requests.Refresh(application='a', charm=url, force_units=True))
    world.settle()
    assert world.model.units['a/0'].agent.deployed == url
    world.scripts.clear()
    world.ask(requests.Resolved(all=True))
    world.settle()
    assert 'upgrade-charm' not in world.names('a/0')


def test_a_new_resource_is_told_by_upgrade_charm(world: World):
    meta = charm.ResourceMeta('data', filename='data.txt')
    world.deploy(simulation.a_charm('a', resources={'data': meta}))
    world.settle()
    world.trace.clear()
    world.ask(
        requests.AttachResource(application='a', resource=model.Resource('data', 'x', 'digest', 3))
    )
    world.settle()
    assert world.names('a/0') == ['upgrade-charm', 'config-changed']
    assert world.model.applications['a'].resources['data'].filename == 'data.txt'


def test_trust_and_config_are_told_by_config_changed_and_the_same_again_is_not(world: World):
    related(world)
    world.ask(requests.Trust(application='a'))
    world.settle()
    world.ask(requests.SetConfig(application='a', options={'level': '5'}))
    world.settle()
    world.ask(requests.SetConfig(application='a', options={'level': 5}))
    world.settle()
    assert world.names('a/0') == ['config-changed', 'config-changed']


def test_update_status_comes_every_five_minutes_or_as_set(world: World):
    related(world)
    world.pass_time(3600)
    assert 9 <= len(world.names('a/0')) <= 16
    world.trace.clear()
    world.ask(requests.SetModelConfig(options={'update-status-hook-interval': '10s'}))
    world.pass_time(300)
    assert 24 <= len(world.names('a/0')) <= 40
    assert set(world.names('a/0')) == {'update-status'}


@pytest.mark.parametrize('seed', range(8))
def test_a_new_interval_of_update_status_begins_at_once(seed: int):
    """However much of the old one had passed, and however long it was to be."""
    world = simulation.World(seed=seed)
    related(world)
    world.ask(requests.SetModelConfig(options={'update-status-hook-interval': '1s'}))
    world.pass_time(1.3)
    assert world.names('a/0')[:1] == ['update-status']
    world.ask(requests.SetModelConfig(options={'update-status-hook-interval': '60m'}))
    world.trace.clear()
    world.pass_time(2800)
    assert world.names('a/0') == []
    world.pass_time(1600)
    assert world.names('a/0') == ['update-status']


def test_update_status_does_not_show_executing(world: World):
    related(world)
    world.now = schedule.wake_at(world.model, world.now) or 0
    world.step()
    assert [e[0].hook.kind for e in world.running.values()] == ['update-status']
    assert {u.agent_status.current for u in world.model.units.values()} == {'idle'}


def test_agents_show_executing_as_soon_as_they_have_work(world: World):
    related(world)
    world.ask(requests.SetConfig(application='a', options={'level': 7}))
    status = world.model.units['a/0'].agent_status
    assert (status.current, status.message) == ('executing', 'running config-changed hook')


def test_the_workload_is_maintenance_at_install_and_unknown_after_start(world: World):
    world.deploy(A)
    seen: list[tuple[str, str]] = []
    while world.step():
        status = world.model.units['a/0'].workload
        seen.append((status.current, status.message))
    assert list(dict.fromkeys(seen)) == [
        ('waiting', 'installing agent'),
        ('waiting', 'agent initializing'),
        ('maintenance', 'installing charm software'),
        ('unknown', ''),
    ]


def test_a_leader_whose_machine_is_down_loses_office_after_a_minute(world: World):
    world.deploy(A, num_units=2)
    world.settle()
    leader = world.model.applications['a'].leader
    other = next(u for u in world.model.units if u != leader)
    world.trace.clear()
    world.lose(world.model.units[leader].machine)
    world.pass_time(50)
    assert world.model.applications['a'].leader == leader
    world.pass_time(20)
    assert world.names(other) == ['leader-elected']
    world.set(machines.restarted(world.model, world.model.units[leader].machine, world.now))
    world.trace.clear()
    world.settle()
    assert 'leader-settings-changed' in world.names(leader)


def test_a_leader_that_is_removed_is_followed_at_once(world: World):
    world.deploy(A, num_units=2)
    world.settle()
    leader = world.model.applications['a'].leader
    other = next(u for u in world.model.units if u != leader)
    world.trace.clear()
    world.ask(requests.RemoveUnit(units=(leader,)))
    world.settle()
    assert world.names(other) == ['leader-elected']


def test_a_reboot_brings_an_extra_start(world: World):
    related(world)
    world.lose('0')
    world.set(machines.restarted(world.model, '0', world.now))
    world.settle()
    assert world.names('a/0') == ['start']


def test_juju_reboot_restarts_the_machine_after_the_hook(world: World):
    related(world)
    world.scripts['a'] = lambda _m, c: Done(
        context.Writes(reboot='after' if c.hook.kind == 'config-changed' else '')
    )
    world.ask(requests.SetConfig(application='a', options={'level': 7}))
    world.settle()
    assert world.names('a/0') == ['config-changed', 'start']
    assert world.model.machines['0'].boots == 2


def test_juju_reboot_now_runs_the_same_hook_again_behind_the_start(world: World):
    related(world)
    now = Done(context.Writes(reboot='now'), context.Outcome(143, killed=True))
    done: list[Done] = [now]
    world.scripts['a'] = lambda _m, _c: done.pop() if done else Done()
    world.ask(requests.SetConfig(application='a', options={'level': 7}))
    world.settle()
    assert world.names('a/0') == ['config-changed!', 'start', 'config-changed']


def test_storage_is_attached_before_install_and_detached_first_of_all(world: World):
    store = charm.StorageMeta('data', location='/srv')
    world.deploy(simulation.a_charm('a', PEER, storage={'data': store}), num_units=1)
    world.settle()
    assert world.names('a/0')[:2] == ['data-storage-attached', 'install']
    assert world.model.storage['data/0'].location == '/srv'
    world.trace.clear()
    world.ask(requests.RemoveUnit(units=('a/0',)))
    world.settle()
    assert world.names('a/0') == ['data-storage-detaching', 'stop', 'remove']
    assert not world.model.storage


def test_storage_that_a_charm_adds_comes_after_the_hook(world: World):
    store = charm.StorageMeta('data', minimum=0, maximum=-1)
    world.deploy(simulation.a_charm('a', storage={'data': store}))
    world.settle()
    assert not world.model.storage
    world.scripts['a'] = lambda _m, c: Done(
        context.Writes(storage={'data': 2} if c.hook.kind == 'config-changed' else {})
    )
    world.trace.clear()
    world.ask(requests.SetConfig(application='a', options={'level': 7}))
    world.settle()
    assert world.names('a/0') == [
        'config-changed',
        'data-storage-attached',
        'data-storage-attached',
    ]


@pytest.mark.parametrize(
    ('done', 'names'),
    [
        (Done(), ['data-storage-attached', 'data-storage-detaching']),
        (simulation.FAIL, ['data-storage-attached!']),
    ],
    ids=['told', 'failed'],
)
def test_storage_that_is_removed_while_its_charm_is_told_of_it_goes_in_order(
    world: World, done: Done, names: list[str]
):
    store = charm.StorageMeta('data', minimum=0, maximum=-1)
    world.deploy(simulation.a_charm('a', storage={'data': store}))
    world.settle()
    world.trace.clear()
    (sid,) = world.ask(requests.AddStorage(unit='a/0', name='data', directive='1'))['storage']
    while not world.running:
        world.step()
    world.ask(requests.RemoveStorage(ids=(sid,), force=True))
    assert sid in world.model.storage
    world.finish('0', done)
    world.settle()
    assert world.names('a/0') == names
    assert not world.model.storage
    assert not world.model.units['a/0'].agent.storage_attached


def test_force_lets_a_unit_go_whose_hooks_fail(world: World):
    world.deploy(A, script=lambda _m, _c: simulation.FAIL)
    world.settle()
    world.ask(requests.RemoveUnit(units=('a/0',)))
    world.settle()
    assert 'a/0' in world.model.units
    world.ask(requests.RemoveUnit(units=('a/0',), force=True))
    world.settle()
    assert not world.model.units
    assert not world.model.machines


def test_force_lets_a_unit_go_whose_machine_is_down(world: World):
    related(world)
    world.lose('0')
    world.ask(requests.RemoveUnit(units=('a/0',)))
    world.settle()
    assert 'a/0' in world.model.units
    world.ask(requests.RemoveUnit(units=('a/0',), force=True))
    world.settle()
    assert 'a/0' not in world.model.units


def test_a_unit_that_was_never_there_goes_without_a_hook(world: World):
    world.deploy(A)
    world.ask(requests.RemoveUnit(units=('a/0',)))
    assert not world.model.units
    world.settle()
    assert (world.trace, dict(world.model.machines)) == ([], {})


def test_a_machine_goes_with_its_last_unit_only(world: World):
    world.deploy(A)
    world.deploy(B, to=('0',))
    world.settle()
    world.ask(requests.RemoveUnit(units=('a/0',)))
    world.settle()
    assert list(world.model.machines) == ['0']
    assert world.model.machines['0'].exclusive is False
    world.ask(requests.RemoveApplication(applications=('b',)))
    world.settle()
    assert not world.model.machines


def test_hooks_that_were_interrupted_run_again_without_an_error(world: World):
    world.deploy(A)
    while not world.running:
        world.step()
    world.crash()
    assert world.model.units['a/0'].agent_status.current == 'executing'
    world.settle()
    assert world.names('a/0')[:2] == ['install!', 'install']


def test_an_action_that_was_interrupted_has_failed(world: World):
    related(world)
    task = world.ask(requests.Run(receivers=('a/0',), action='do'))['tasks']['a/0']
    world.step()
    world.crash()
    assert world.model.tasks[task].status == 'failed'
    assert world.model.tasks[task].message == 'action terminated'
    world.settle()
    assert world.trace[-1].name == 'action'


def test_an_action_s_results_are_kept_whatever_its_exit(world: World):
    related(world)
    bad = Done(
        context.Writes(),
        context.Outcome(1, stdout=b'OUT'),
        context.ActionResult({'a': {'b': 'c'}}),
    )
    world.scripts['a'] = lambda _m, _c: bad
    task = world.ask(requests.Run(receivers=('a/leader',), action='do'))['tasks']['a/0']
    world.settle()
    found = world.model.tasks[task]
    assert (found.status, found.message) == ('failed', 'exit status 1')
    assert found.results == {'a': {'b': 'c'}, 'return-code': 1, 'stdout': 'OUT'}


def test_output_that_is_no_text_is_base64(world: World):
    related(world)
    world.scripts['a'] = lambda _m, _c: Done(outcome=context.Outcome(0, stdout=b'\xff'))
    task = world.ask(requests.Exec(command='x', units=('a/0',)))['tasks']['a/0']
    world.settle()
    results = world.model.tasks[task].results
    assert (results['stdout'], results['stdout-encoding']) == ('/w==', 'base64')


def test_a_command_that_fails_is_completed_all_the_same(world: World):
    related(world)
    world.scripts['a'] = lambda _m, _c: Done(outcome=context.Outcome(3))
    task = world.ask(requests.Exec(command='exit 3', units=('a/0',)))['tasks']['a/0']
    world.settle()
    assert world.model.tasks[task].status == 'completed'
    assert world.model.tasks[task].results['return-code'] == 3


def test_a_task_that_is_cancelled_never_runs(world: World):
    related(world)
    task = world.ask(requests.Run(receivers=('a/0',), action='do'))['tasks']['a/0']
    world.ask(requests.CancelTask(ids=(task,)))
    world.settle()
    assert world.trace == []
    assert world.model.tasks[task].status == 'cancelled'


def test_a_running_task_that_is_cancelled_is_aborted(world: World):
    related(world)
    task = world.ask(requests.Run(receivers=('a/0',), action='do'))['tasks']['a/0']
    world.step()
    world.ask(requests.CancelTask(ids=(task,)))
    assert world.model.tasks[task].status == 'aborting'
    world.finish('0', simulation.KILLED)
    assert world.model.tasks[task].status == 'aborted'


def test_an_application_that_goes_takes_its_relations_and_machines(world: World):
    rid = related(world)
    world.ask(requests.RemoveApplication(applications=('b',)))
    world.settle()
    assert world.hooks_run('b/0') == [
        'db-relation-departed a/0',
        'db-relation-broken',
        'stop',
        'remove',
    ]
    assert world.hooks_run('a/0') == ['db-relation-departed b/0', 'db-relation-broken']
    assert rid not in world.model.relations
    assert list(world.model.machines) == ['0']


def test_a_model_that_is_destroyed_by_force_runs_no_hook(world: World):
    related(world)
    world.ask(requests.DestroyModel(force=True))
    assert not world.model.units
    world.settle()
    assert (world.trace, world.model.life) == ([], 'dead')


def test_the_order_of_relations_is_up_to_the_seed():
    orders: set[tuple[str, ...]] = set()
    for seed in range(8):
        world = World(seed=seed)
        many = [REL(f'r{n}', 'requirer', 'sql') for n in range(3)]
        world.deploy(simulation.a_charm('a', *many))
        world.deploy(B)
        for endpoint in many:
            world.integrate(f'a:{endpoint.name}', 'b')
        world.settle()
        orders.add(tuple(n for n in world.names('a/0') if n.endswith('created')))
    assert len(orders) > 1


def test_a_dying_unit_departs_from_everyone_then_breaks_then_stops(world: World):
    related(world)
    world.ask(requests.AddUnit(application='b'))
    world.settle()
    world.trace.clear()
    world.ask(requests.RemoveUnit(units=('a/0',)))
    world.settle()
    assert world.hooks_run('a/0') == [
        'db-relation-departed b/0',
        'db-relation-departed b/1',
        'db-relation-broken',
        'stop',
        'remove',
    ]


def test_others_hear_that_a_unit_departs_as_soon_as_it_is_dying(world: World):
    related(world)
    world.scripts['a'] = failing('db-relation-departed')
    world.ask(requests.RemoveUnit(units=('a/0',)))
    world.settle()
    assert 'a/0' in world.model.units
    assert world.hooks_run('b/0') == ['db-relation-departed a/0']


def test_peers_depart_and_are_never_broken(world: World):
    world.deploy(simulation.a_charm('a', PEER), num_units=2)
    world.settle()
    world.trace.clear()
    world.ask(requests.RemoveUnit(units=('a/0',)))
    world.settle()
    assert world.hooks_run('a/0') == ['p-relation-departed a/1', 'stop', 'remove']
    assert world.hooks_run('a/1')[0] == 'p-relation-departed a/0'


@pytest.mark.parametrize('crash_at', range(14))
def test_a_crash_in_any_hook_loses_none_and_repeats_only_that_one(crash_at: int):
    def course(*, crash: bool) -> list[str]:
        world = World()
        begun = 0

        def run() -> None:
            nonlocal begun
            while world.step():
                if world.running and not any(e.began == world.ticks for e in world.trace):
                    begun += 1
                    if crash and begun == crash_at:
                        world.crash()

        world.deploy(simulation.a_charm('a', PEER))
        run()
        url = world.ask(requests.AddCharm(charm=simulation.a_charm('a', PEER, digest='2')))['url']
        world.ask(requests.Refresh(application='a', charm=url))
        run()
        world.ask(requests.RemoveApplication(applications=('a',)))
        run()
        return [n for n in world.names('a/0') if not n.endswith('!')]

    assert course(crash=True) == course(crash=False)


def test_nothing_is_due_on_a_machine_on_which_a_hook_runs(world: World):
    related(world)
    world.deploy(simulation.a_charm('c'), to=('0',))
    world.ask(requests.SetConfig(application='a', options={'level': 7}))
    while '0' not in world.running:
        world.step()
    everything = schedule.due(world.model, frozenset(), world.now)
    assert [o for o in everything if getattr(o, 'machine', '0') == '0'] == []


def test_old_operations_are_forgotten_and_those_that_wait_are_not(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tasks, 'KEPT', 3)
    related(world)
    for _ in range(6):
        world.ask(requests.Run(receivers=('a/0',), action='do'))
    assert len(world.model.operations) == 6
    world.settle()
    world.ask(requests.Run(receivers=('a/0',), action='do'))
    assert len(world.model.operations) == 3
    assert len(world.model.tasks) == 3


def test_a_hook_of_a_unit_that_is_gone_ends_nothing_of_the_next_one_of_its_name(world: World):
    world.deploy(A)
    while not world.running:
        world.step()
    old = world.running.pop('0')[1]
    world.ask(requests.RemoveApplication(applications=('a',), force=True))
    world.ask(requests.RemoveMachine(machines=('0',), force=True))
    world.set(machines.gone(world.model, '0', world.now))
    world.deploy(A)
    while not world.running:
        world.step()
    before = world.model
    ended = lifecycle.finish(before, old, context.Outcome(137, killed=True), world.now)
    assert ended.units == before.units
    assert lifecycle.interrupted(before, 'a/0', world.now, old.id) is before
    world.settle()
    assert world.names('a/0') == ['install', 'leader-elected', 'config-changed', 'start']


def test_what_a_unit_has_reported_is_listed_by_kind(world: World):
    world.deploy(A)
    world.settle()
    both = listings.status_log(world.model, 'a/0')
    agent = listings.status_log(world.model, 'a/0', kind='juju-unit')
    workload = listings.status_log(world.model, 'a/0', kind='workload')
    assert {row['type'] for row in both} == {'juju-unit', 'workload'}
    assert len(agent) + len(workload) == len(both)
    assert listings.status_log(world.model, 'a/0', limit=2) == both[-2:]
    (application,) = listings.status_log(world.model, 'a')
    assert application['type'] == 'application'
    with pytest.raises(model.Refused, match=r'^unit "b/0" not found$'):
        listings.status_log(world.model, 'b/0')
    first, *lines = listings.status_log_table(both, colour=False).splitlines()
    assert first.split() == ['Time', 'Type', 'Status', 'Message']
    for row, line in zip(both, lines, strict=True):
        assert line.startswith(row['since'])
        rest = line.removeprefix(row['since']).split(maxsplit=2)
        assert rest[:2] == [row['type'], row['status']]
        assert (rest[2].strip() if rest[2:] else '') == row['message']


@pytest.mark.parametrize(
    ('outcome', 'kept'),
    [
        (context.Outcome(0), True),
        (context.Outcome(1), False),
        (context.Outcome(0, killed=True), False),
        (context.Outcome(0, missing=True), False),
    ],
)
def test_what_an_action_asked_for_is_kept_only_if_it_ended_well(
    world: World, outcome: context.Outcome, kept: bool
):
    rid = related(world)

    def acts(_now: model.Model, found: context.Context) -> Done:
        asked = context.Writes(unit_settings={rid: {'k': 'v'}})
        return Done(asked, outcome) if found.hook.kind == 'action' else Done()

    world.scripts['a'] = acts
    world.ask(requests.Run(receivers=('a/0',), action='do'))
    world.settle()
    assert ('k' in world.model.relations[rid].units['a/0'].data) is kept


def test_an_application_that_is_not_there_is_not_removed(world: World):
    world.deploy(A)
    with pytest.raises(
        model.Refused, match=r'^removing application b failed: application "b" not'
    ):
        world.ask(requests.RemoveApplication(applications=('a', 'b')))
    assert world.model.applications['a'].life == 'alive'
