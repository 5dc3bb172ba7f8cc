"""One run carried out: rounds until nothing is left to do, and what goes wrong is told to the next round."""

from __future__ import annotations

import dataclasses

import pytest
from charmkit import drive, host, relations, state, testing
from charmkit.machine import Machine
from charmkit.why import Action, Hook, Why

INPUTS = state.Inputs(site=relations.Site(unit='demo/0', leader=True, address='10.0.0.2'))
HOOK = Hook('config-changed')


def config(content: str) -> host.File:
    return host.File(path='/etc/demo.conf', content=content, notify=('demo',), check=('true',))


def machine_with(content: str) -> host.Host:
    service = host.SystemdService('demo', on_change='reload')
    return host.Host(files=(config(content),), services=(service,))


def always(desired: state.Desired) -> drive.RunFunction:
    def run(_: Why, __: state.Inputs) -> state.Desired:
        return desired

    return run


@dataclasses.dataclass(frozen=True)
class Count:
    """A task that says what it was given."""

    value: int
    name: str = 'count'

    def carry_out(self, machine: Machine) -> int:
        machine.sleep(1)
        return self.value


def test_a_run_that_wants_nothing_does_nothing():
    machine = testing.FakeMachine()
    driven = drive.drive(machine, always(state.Desired()), HOOK, INPUTS)
    assert driven.steps == ()
    assert machine.steps == []


def test_the_run_hears_why_and_the_same_clock_in_every_round():
    heard: list[tuple[Why, float]] = []

    def run(why: Why, inputs: state.Inputs) -> state.Desired:
        heard.append((why, inputs.now))
        return state.Desired(tasks=(Count(1),))

    action = Action('pause', {'reason': 'a test'}, '7')
    drive.drive(testing.FakeMachine(), run, action, dataclasses.replace(INPUTS, now=5.0))
    assert len(heard) > 2
    assert set(map(str, heard)) == {str((action, 5.0))}


def test_a_task_is_carried_out_once_and_its_result_decides_the_next_round():
    def run(_: Why, inputs: state.Inputs) -> state.Desired:
        found = inputs.seen.get('count')
        return state.Desired(tasks=(Count(1),), version=str(found))

    machine = testing.FakeMachine()
    driven = drive.drive(machine, run, HOOK, INPUTS)
    assert driven.desired.version == '1'
    assert machine.clock == testing.FakeMachine().clock + 1


def test_another_task_of_the_same_name_is_carried_out_too():
    def run(_: Why, inputs: state.Inputs) -> state.Desired:
        return state.Desired(tasks=(Count(2 if 'count' in inputs.seen else 1),))

    assert drive.drive(testing.FakeMachine(), run, HOOK, INPUTS).inputs.seen == {'count': 2}


def test_a_run_that_always_wants_another_task_is_a_bug_and_ends():
    def run(_: Why, inputs: state.Inputs) -> state.Desired:
        found = inputs.seen.get('count', 0)
        assert isinstance(found, int)
        return state.Desired(tasks=(Count(found + 1),))

    with pytest.raises(RuntimeError, match='still wants something else'):
        drive.drive(testing.FakeMachine(), run, HOOK, INPUTS)


def test_versions_that_an_installation_brought_decide_again():
    def run(_: Why, inputs: state.Inputs) -> state.Desired:
        version = inputs.versions.get('demo-api', 'none')
        return state.Desired(
            host=host.Host(packages=frozenset({'demo-api'})), version=f'{version}'
        )

    driven = drive.drive(testing.FakeMachine(), run, HOOK, INPUTS)
    assert driven.desired.version == '1.0-1'
    assert driven.inputs.versions_before == {}


def test_a_file_that_is_refused_leaves_the_service_alone_and_is_told():
    machine = testing.FakeMachine()
    drive.drive(machine, always(state.Desired(host=machine_with('good'))), HOOK, INPUTS)
    machine.steps.clear()
    machine.refusing = lambda f: 'no such word: bad' if f.content == 'bad' else ''
    driven = drive.drive(machine, always(state.Desired(host=machine_with('bad'))), HOOK, INPUTS)
    assert machine.steps == ['write /etc/demo.conf']
    assert driven.inputs.refused == {'/etc/demo.conf': 'no such word: bad'}
    assert machine.seen.paths['/etc/demo.conf'] == config('good').stamp


def test_what_was_refused_is_taken_up_once_it_is_accepted():
    machine = testing.FakeMachine()
    drive.reconcile(machine, machine_with('good'))
    machine.refusing = lambda f: 'busy' if f.content == 'new' else ''
    drive.reconcile(machine, machine_with('new'))
    machine.refusing = lambda _: ''
    machine.steps.clear()
    drive.reconcile(machine, machine_with('new'))
    assert machine.steps == ['write /etc/demo.conf', 'reload demo']


def test_other_news_of_a_service_goes_on_beside_a_refused_file():
    def both(content: str) -> host.Host:
        other = host.File(path='/etc/other.conf', content=content, notify=('demo',))
        return host.merge(machine_with(content), host.Host(files=(other,)))

    machine = testing.FakeMachine()
    drive.reconcile(machine, both('good'))
    machine.steps.clear()
    machine.refusing = lambda f: 'no' if f.path == '/etc/demo.conf' else ''
    drive.reconcile(machine, both('bad'))
    assert machine.steps == ['write /etc/demo.conf', 'write /etc/other.conf', 'reload demo']


def test_a_service_that_does_not_read_a_refused_file_is_not_held_up_by_it():
    def two(content: str, version: str) -> host.Host:
        other = host.SystemdService('other', version=version)
        return host.merge(machine_with(content), host.Host(services=(other,)))

    machine = testing.FakeMachine()
    drive.reconcile(machine, two('good', '1'))
    machine.steps.clear()
    machine.refusing = lambda f: 'no' if f.content == 'bad' else ''
    drive.reconcile(machine, two('bad', '2'))
    assert machine.steps == ['write /etc/demo.conf', 'restart other']


def test_the_run_can_leave_out_what_was_refused():
    def run(_: Why, inputs: state.Inputs) -> state.Desired:
        return state.Desired(host=machine_with('good' if inputs.refused else 'bad'))

    machine = testing.FakeMachine(refusing=lambda f: 'no' if f.content == 'bad' else '')
    driven = drive.drive(machine, run, HOOK, INPUTS)
    assert machine.steps[-1] == 'start demo'
    assert driven.inputs.refused == {'/etc/demo.conf': 'no'}


def test_a_service_that_does_not_come_up_is_told_and_tried_once_a_run():
    machine = testing.FakeMachine(failing=frozenset({'demo'}))
    driven = drive.drive(machine, always(state.Desired(host=machine_with('good'))), HOOK, INPUTS)
    assert driven.inputs.failed == {'demo': 'it is to fail'}
    assert machine.steps.count('start demo') == 1
    assert 'demo' not in driven.inputs.started


def test_what_a_command_that_failed_was_to_make_ready_is_not_started_and_it_is_tried_once_a_run():
    machine = testing.FakeMachine(failing=frozenset({'migrate'}))
    migrate = host.Command(name='migrate', argv=('x',), key='1', may_fail=True)
    wanted = dataclasses.replace(machine_with('good'), commands=(migrate,))

    def run(_: Why, inputs: state.Inputs) -> state.Desired:
        return state.Desired(host=wanted, version=inputs.unrun.get('migrate', ''))

    driven = drive.drive(machine, run, HOOK, INPUTS)
    assert driven.desired.version == 'it is to fail'
    assert (machine.steps.count('run migrate'), 'start demo' in machine.steps) == (1, False)
    assert driven.inputs.failed == {}
    machine.failing = frozenset()
    driven = drive.drive(machine, run, HOOK, INPUTS)
    assert (driven.desired.version, machine.steps[-2:]) == ('', ['run migrate', 'start demo'])


def test_a_service_whose_first_file_is_refused_is_not_started_without_it():
    machine = testing.FakeMachine(refusing=lambda _: 'no')
    driven = drive.drive(machine, always(state.Desired(host=machine_with('bad'))), HOOK, INPUTS)
    assert machine.steps == ['write /etc/demo.conf']
    assert driven.inputs.refused == {'/etc/demo.conf': 'no'}


def test_a_service_that_was_down_starts_with_the_file_before_the_refused_one():
    machine = testing.FakeMachine()
    drive.reconcile(machine, machine_with('good'))
    machine.seen = dataclasses.replace(machine.seen, active=frozenset())
    machine.refusing = lambda f: 'no' if f.content == 'bad' else ''
    drive.reconcile(machine, machine_with('bad'))
    assert machine.steps[-1] == 'start demo'


def test_how_a_service_was_brought_up_is_told():
    driven = drive.drive(
        testing.FakeMachine(),
        always(state.Desired(host=machine_with('good'))),
        HOOK,
        INPUTS,
    )
    assert driven.inputs.started == {'demo': 'start'}


def test_an_action_that_fails_changes_nothing():
    machine = testing.FakeMachine()
    wanted = state.Desired(host=machine_with('good'), failure='not now')
    driven = drive.drive(machine, always(wanted), Action('backup'), INPUTS)
    assert driven.desired.failure == 'not now'
    assert machine.steps == []


def test_an_action_that_only_looks_leaves_the_machine_alone_and_has_its_tasks():
    machine = testing.FakeMachine()
    wanted = state.Desired(host=machine_with('good'), tasks=(Count(3),), read_only=True)
    driven = drive.drive(machine, always(wanted), Action('list'), INPUTS)
    assert driven.inputs.seen == {'count': 3}
    assert machine.steps == []


def test_a_unit_that_leaves_has_no_tasks_any_more():
    wanted = state.Desired(host=machine_with('good'), tasks=(Count(3),))
    driven = drive.drive(testing.FakeMachine(), always(wanted), Hook('stop'), INPUTS)
    assert driven.inputs.seen == {}
    assert driven.inputs.started == {'demo': 'start'}


def test_packages_are_upgraded_once_for_each_action():
    def wanted(key: str) -> host.Host:
        return host.Host(
            packages=frozenset({'demo-api'}), upgrade=host.Upgrade(packages=('demo-api',), key=key)
        )

    machine = testing.FakeMachine()
    drive.reconcile(machine, wanted('1'))
    machine.version = '2.0-1'
    assert drive.reconcile(machine, wanted('1')).steps == ()
    assert drive.reconcile(machine, wanted('2')).versions == {'demo-api': '2.0-1'}


def test_a_unit_that_remembers_no_versions_looks_before_it_decides():
    machine = testing.FakeMachine(seen=host.Observed(packages={'demo': '1.0'}))
    heard: list[tuple[dict[str, str], dict[str, str]]] = []

    def run(_: Why, inputs: state.Inputs) -> state.Desired:
        heard.append((dict(inputs.versions), dict(inputs.versions_before)))
        return state.Desired(host=host.Host(packages=frozenset({'demo'})))

    drive.drive(machine, run, HOOK, INPUTS)
    assert heard == [({}, {}), ({'demo': '1.0'}, {'demo': '1.0'})]
    heard.clear()
    drive.drive(machine, run, HOOK, dataclasses.replace(INPUTS, versions={'demo': '0.9'}))
    assert heard == [
        ({'demo': '0.9'}, {'demo': '0.9'}),
        ({'demo': '1.0'}, {'demo': '0.9'}),
    ]
