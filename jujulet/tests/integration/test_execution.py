"""`juju run` and `juju exec`: results, failures, exceptions, time-outs, and who is not there."""

from __future__ import annotations

import pathlib

import jubilant
import pytest

from .conftest import CHARMS


@pytest.fixture(scope='module', autouse=True)
def deployed(juju: jubilant.Juju) -> None:
    juju.deploy(CHARMS / 'testdb', config={'testoption': 'on'})
    juju.wait(jubilant.all_active, delay=0.2)


@pytest.mark.parametrize('unit', ['testdb/0', 'testdb/leader'])
def test_an_action_answers(juju: jubilant.Juju, unit: str):
    task = juju.run(unit, 'do-thing', {'param1': 'two'})
    assert task.success
    assert task.results == {
        'thing': 'done', 'config': {'testoption': 'on'}, 'params': {'param1': 'two'},
    }  # fmt: skip
    assert task.return_code == 0
    assert 'thinking of two' in task.log[0]


def test_defaults_of_parameters_reach_the_charm(juju: jubilant.Juju):
    assert juju.run('testdb/0', 'do-thing').results['params'] == {'param1': 'one'}


def test_an_action_that_fails_says_why(juju: jubilant.Juju):
    with pytest.raises(jubilant.TaskError) as caught:
        juju.run('testdb/0', 'do-thing', {'error': 'no thanks'})
    task = caught.value.task
    assert (task.status, task.message, task.return_code) == ('failed', 'no thanks', 0)


def test_an_action_that_raises_fails_with_its_trace(juju: jubilant.Juju):
    with pytest.raises(jubilant.TaskError) as caught:
        juju.run('testdb/0', 'do-thing', {'exception': 'ouch'})
    task = caught.value.task
    assert (task.status, task.return_code) == ('failed', 1)
    assert 'ouch' in task.stderr


def test_waiting_for_an_action_ends_in_time(juju: jubilant.Juju):
    with pytest.raises(TimeoutError):
        juju.run('testdb/0', 'do-thing', {'sleep': 1.5}, wait=0.001)


def test_an_action_or_unit_that_there_is_not(juju: jubilant.Juju):
    with pytest.raises(ValueError, match='action'):
        juju.run('testdb/0', 'no-such-action')
    with pytest.raises(ValueError, match='unit'):
        juju.run('testdb/42', 'do-thing')


def test_a_parameter_of_another_type_is_refused(juju: jubilant.Juju):
    with pytest.raises((jubilant.CLIError, ValueError, jubilant.TaskError)):
        juju.run('testdb/0', 'do-thing', {'param1': 7})


@pytest.mark.parametrize('unit', ['testdb/0', 'testdb/leader'])
def test_a_command_runs_where_the_charm_runs(juju: jubilant.Juju, unit: str):
    task = juju.exec('echo foo; echo bar >&2; pwd; is-leader', unit=unit)
    out = task.stdout.splitlines()
    assert (task.return_code, task.stderr) == (0, 'bar\n')
    assert (out[0], out[2]) == ('foo', 'True')
    assert pathlib.PurePath(out[1]).name == 'charm'


def test_arguments_are_kept_apart(juju: jubilant.Juju):
    assert juju.exec('echo', 'a  b', '$HOME', unit='testdb/0').stdout == 'a  b $HOME\n'


def test_a_command_that_fails_gives_its_exit_code(juju: jubilant.Juju):
    with pytest.raises(jubilant.TaskError) as caught:
        juju.exec('echo said; exit 7', unit='testdb/0')
    assert (caught.value.task.return_code, caught.value.task.stdout) == (7, 'said\n')


def test_waiting_for_a_command_ends_in_time(juju: jubilant.Juju):
    with pytest.raises(TimeoutError):
        juju.exec('sleep 1.5', unit='testdb/0', wait=0.001)


def test_a_command_on_a_machine(juju: jubilant.Juju):
    assert juju.exec('echo there', machine=0).stdout == 'there\n'


def test_what_is_piped_in_arrives(juju: jubilant.Juju):
    assert juju.cli('ssh', 'testdb/0', 'cat', stdin='hello\n') == 'hello\n'


def test_a_file_goes_there_and_back(juju: jubilant.Juju, tmp_path: pathlib.Path):
    (tmp_path / 'a').write_text('content')
    there = juju.exec('mktemp -d', unit='testdb/0').stdout.strip()
    juju.scp(tmp_path / 'a', f'testdb/0:{there}/b')
    juju.scp(f'testdb/0:{there}/b', tmp_path / 'c')
    assert (tmp_path / 'c').read_text() == 'content'
