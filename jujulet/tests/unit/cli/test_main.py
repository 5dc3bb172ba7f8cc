"""Errors, exit codes, help, models and their names."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import fakes
import pytest

from jujulet.cli import commands, home, main, shells
from jujulet.core import machines


@pytest.mark.parametrize(
    ('argv', 'code', 'text'),
    [
        (['foo'], 1, 'ERROR juju: "foo" is not a juju command. See "juju --help".'),
        (['statsu'], 1, 'Did you mean:\n\tstatus'),
        (['status', '--nope'], 2, 'ERROR option provided but not defined: --nope'),
        (['status', '--format'], 2, 'ERROR option needs an argument: --format'),
        (['status', '--format', 'xml'], 2, 'unknown format "xml"'),
        (['status', '--watch', 'soon'], 2, 'invalid value "soon" for option --watch'),
        (['deploy'], 2, 'ERROR no charm or bundle specified'),
        (['integrate', 'a'], 2, 'ERROR a relation must involve two applications'),
        (['whoami', 'x'], 2, 'ERROR unrecognized args: ["x"]'),
        (['run', 'a/0'], 2, 'ERROR no action specified'),
        (['run', 'x y', 'do'], 2, 'ERROR invalid unit or action name "x y"'),
        (['run', 'a/0', 'do', 'x'], 2, 'must be of the form key.key.key...=value'),
        (['run', 'a/0', 'do', 'X=1'], 2, 'lowercase alphanumeric'),
        (['exec', 'true'], 2, 'ERROR You must specify a target'),
        (['exec', '--unit', 'a/0'], 2, 'ERROR no commands specified'),
        (['add-unit', 'nope'], 1, 'ERROR application "nope" not found'),
        (['show-unit', 'nope'], 2, 'ERROR invalid unit name "nope"'),
        (['show-unit', 'nope/0'], 1, 'ERROR unit "nope/0" not found'),
        (['resolved'], 2, 'ERROR no unit specified'),
        (['status', '-m', 'nope'], 1, 'ERROR model local:admin/nope not found'),
        (['status', '-m', 'other:t'], 1, 'ERROR controller other not found'),
        (['deploy', './nope'], 1, 'ERROR no charm was found at "./nope"'),
        (['deploy', 'postgresql', '--offline'], 1, '"postgresql" is not here'),
        (
            ['config', 'a', '--file', '/nope.yaml'],
            1,
            'ERROR /nope.yaml: no such file or directory',
        ),
        (['set-model-constraints', 'zz=1'], 2, 'ERROR unknown constraint "zz"'),
        (['debug-log', '--level', 'LOUD'], 2, 'level value "LOUD" is not one of'),
        (['upgrade-machine', '0', 'prepare', 'debian@13'], 1, 'replace its units: juju set-app'),
        (['add-machine', 'ssh:x@y'], 2, 'cannot add machine "ssh:x@y"'),
        (['wait-for', 'cow', 'x'], 2, 'unknown subcommand "cow"'),
        (['wait-for', 'unit', 'x/0', '--query', 'a =='], 2, 'it ends too early'),
        (['wait-for', 'unit', 'x/0', '--timeout', '0.01s'], 1, 'timed out waiting for unit "x/0"'),
        (['add-secret', 'x'], 2, 'ERROR missing secret value or filename'),
        (['add-cloud', 'x'], 2, 'ERROR --file is required'),
        (['consume', 'nodot'], 2, 'ERROR offer URL has invalid form'),
    ],
)
def test_a_mistake_is_one_clear_error(model: fakes.Juju, argv: list[str], code: int, text: str):
    reply = model.run(*argv)
    assert (reply.code, reply.out) == (code, '')
    assert text in reply.err
    assert reply.err.startswith('ERROR ')
    for telling in ('timed out', '(not found)', 'task failed', 'already exists'):
        assert telling in text or telling not in reply.err


def test_every_command_explains_itself(juju: fakes.Juju):
    for name in commands.TABLE:
        reply = juju(name, '--help')
        assert reply.out.startswith(f'Usage: juju {name} [options]'), name
        assert 'Summary:' in reply.out
        assert juju('help', name).out == reply.out
    assert juju('deploy', '-h').out == juju('deploy', '--help').out


def test_help_lists_all_commands(juju: fakes.Juju):
    listed = {line.split()[0] for line in juju('help', 'commands').out.splitlines()}
    assert set(commands.TABLE) | set(commands.ALIASES) == listed
    assert 'jujulet env' in juju().out


def test_errors_leave_standard_output_alone_and_data_standard_error(model: fakes.Juju):
    reply = model('status', '--format', 'json')
    assert reply.err == ''
    assert reply.json['model']['name'] == 't'
    assert 'relations' not in reply.json


def test_a_model_is_found_by_flag_environment_and_focus(
    juju: fakes.Juju, monkeypatch: pytest.MonkeyPatch
):
    assert 'No selected model' in juju.run('status').err
    juju('add-model', 'one')
    juju('add-model', 'two', '--no-switch')

    def shown(*argv: str) -> str:
        return juju('status', '--format', 'json', *argv).json['model']['name']

    assert shown() == 'one'
    for name in ('two', 'admin/two', 'local:two', 'local:admin/two'):
        assert shown('-m', name) == 'two'
    assert juju('--model', 'two', 'status', '--format', 'json').json['model']['name'] == 'two'
    monkeypatch.setenv('JUJU_MODEL', 'two')
    assert shown() == 'two'
    assert shown('-m', 'one') == 'one'
    monkeypatch.delenv('JUJU_MODEL')
    juju('switch', 'local:admin/two')
    assert shown() == 'two'
    juju('switch', '-')
    assert juju('switch').out == 'local:admin/one\n'
    juju('destroy-model', 'one', '--no-prompt')
    assert 'No selected model' in juju.run('status').err


def test_a_bootstrapped_controllers_name_leads_here(model: fakes.Juju):
    model('bootstrap', 'localhost', 'ctl')
    assert model('status', '-m', 'ctl:admin/t', '--format', 'json').json['model']['name'] == 't'
    assert 'already exists' in model.run('bootstrap', 'localhost', 'ctl').err
    assert 'ctl' in model('controllers').out


def test_what_destroys_asks_first(
    model: fakes.Juju, charm: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    model('deploy', str(charm), 'a')
    replies = iter(['n\n', 'y\n', 'wrong\n', 't\n', ''])
    monkeypatch.setattr('sys.stdin.readline', lambda: next(replies), raising=False)
    assert model.run('remove-application', 'a').code == 1
    assert 'a' in model.world().model.applications
    model('remove-application', 'a')
    assert 'a' not in model.world().model.applications
    assert model.run('destroy-model', 't').err.endswith('ERROR aborted\n')
    assert model.controller.worlds
    model('destroy-model', 't')
    assert not model.controller.worlds


def test_what_is_remembered_is_private(model: fakes.Juju, tmp_path: pathlib.Path):
    kept = tmp_path / 'data' / 'client.json'
    assert kept.stat().st_mode & 0o777 == 0o600
    assert home.read()['model'] == 'admin/t'


def test_a_plugin_is_run_for_an_unknown_command(tmp_path: pathlib.Path):
    program = tmp_path / 'juju-hello'
    program.write_text('#!/bin/sh\necho "hello $JUJU_MODEL $@"\nexit 7\n')
    program.chmod(0o755)
    found = subprocess.run(
        [sys.executable, '-m', 'jujulet.cli.main', 'hello', '-m', 'x', '--flag', 'y z'],
        env={'PATH': f'{tmp_path}:/usr/bin:/bin', 'JUJULET_DATA': str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stdout) == (7, 'hello x -m x --flag y z\n')


def test_status_starts_without_what_it_does_not_need():
    code = (
        'import sys; from jujulet.cli import commands, main; commands.find("status");'
        'print(sorted(m for m in sys.modules if m in {"yaml", "jsonschema", "asyncio", "subprocess",'
        '"jujulet.core.model", "jujulet.codec", "jujulet.charmdir", "difflib", "tempfile"}))'
    )
    found = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True
    )
    assert found.stdout == '[]\n'


def test_the_shim_is_called_juju_and_jujulet_and_stays_clear_of_snaps(
    juju: fakes.Juju, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    assert juju('env').out == f'export PATH={tmp_path}/data/bin:"$PATH"\n'
    folder = tmp_path / 'data' / 'bin'
    for shim in ('juju', 'jujulet'):
        found = subprocess.run(
            [folder / shim, 'version'], capture_output=True, text=True, check=True
        )
        assert found.stdout.startswith('3.6.12-')
    assert sorted(p.name for p in folder.iterdir()) == ['juju', 'jujulet']
    monkeypatch.setenv('JUJULET_DATA', str(tmp_path / 'snap' / 'x'))
    assert '/snap/' in juju.run('env').err


def test_a_name_can_stand_for_a_charm(
    model: fakes.Juju, charm: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    model('alias', 'ubuntu', str(charm))
    model('deploy', 'ubuntu')
    assert 'tiny' in model.world().model.applications
    model('alias', 'ubuntu', '--remove')
    assert model.run('deploy', 'ubuntu', 'b').code == 1
    monkeypatch.setenv('JUJULET_CHARMS', f'other=/nope:ubuntu={charm}')
    model('deploy', 'ch:ubuntu', 'b')
    assert 'nothing is' not in model.run('deploy', 'ubuntu', 'c').err
    assert 'where nothing is' in model.run('deploy', 'other', 'd').err


@pytest.mark.parametrize(
    ('words', 'target', 'command'),
    [
        ('a/0', 'a/0', ''),
        ('root@a/0 ls -l', 'root@a/0', 'ls -l'),
        ('0 -i key -o A=b -q echo -n x', '0', 'echo -n x'),
        ('0 -- -x', '0', '-x'),
        ('0 -L8080:x:80 -N', '0', ''),
    ],
)
def test_ssh_tells_options_from_the_command(words: str, target: str, command: str):
    assert shells.split_ssh(tuple(words.split())) == (target, command.split())


def test_the_log_is_filtered_before_it_is_counted(model: fakes.Juju):
    assert model('debug-log', '--level', 'WARNING').out == (
        'unit-b-0: 00:16:41 ERROR unit.b/0.juju-log oh no\n'
    )
    assert 'hello' in model('debug-log', '--include', 'a/0', '--limit', '1').out
    assert model('debug-log', '--exclude', 'unit-*').out == ''
    assert model('debug-log', '--include-module', 'unit.b/0').out.count('\n') == 1
    assert '1970-01-01 00:16:41.500' in model('debug-log', '--date', '--ms').out


def test_a_bundle_is_deployed_and_again_changes_nothing(
    model: fakes.Juju, charm: pathlib.Path, tmp_path: pathlib.Path
):
    bundle = tmp_path / 'bundle.yaml'
    bundle.write_text(
        f'default-base: debian@12\n'
        f'applications:\n'
        f'  a: {{charm: ./{charm.name}, num_units: 2, options: {{greet: yo}}}}\n'
        f'  b: {{charm: ./{charm.name}, num_units: 1, to: ["0"]}}\n'
        f'machines: {{"0": }}\n'
        f'relations: [["a:db", "b:sink"]]\n'
    )
    dry = model('deploy', str(bundle), '--dry-run')
    assert dry.out.startswith('Changes to deploy bundle:\n- ')
    assert model.world().model.applications == {}
    model('deploy', str(bundle))
    world = model.world()
    assert set(world.model.units) == {'a/0', 'a/1', 'b/0'}
    before = world.model
    assert 'No changes to apply.' in model('deploy', str(bundle)).err
    assert world.model.units == before.units
    overlay = tmp_path / 'overlay.yaml'
    overlay.write_text('applications: {a: {options: {greet: over}}}\n')
    model('deploy', str(bundle), '--overlay', str(overlay))
    assert world.model.applications['a'].options['greet'] == 'over'
    exported = tmp_path / 'exported.yaml'
    model('export-bundle', '--filename', str(exported))
    assert 'greet: over' in exported.read_text()


def test_a_bad_bundle_says_where(model: fakes.Juju, tmp_path: pathlib.Path):
    bundle = tmp_path / 'bad.yaml'
    bundle.write_text('applications:\n  a: [x\n')
    reply = model.run('deploy', str(bundle))
    assert reply.code == 1
    assert f'{bundle}:' in reply.err
    assert model.world().model.applications == {}


def test_the_environment_may_say_where_models_are_made(
    juju: fakes.Juju, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv('JUJULET_CLOUD', 'processes')
    assert "'a' model on processes/" in juju('add-model', 'a').err
    assert "'b' model on localhost/" in juju('add-model', 'b', 'localhost').err


def test_a_dry_run_removes_nothing(model: fakes.Juju, charm: pathlib.Path):
    model('deploy', str(charm), 'a', '-n', '2')
    before = model.world().model
    gone = '- will remove unit a/0\n- will remove unit a/1\n'
    assert (
        model('remove-application', 'a', '--dry-run').out == 'will remove application a\n' + gone
    )
    assert model('remove-unit', 'a/1', '--dry-run').out == 'will remove unit a/1\n'
    assert model('remove-machine', '0', '--dry-run').out.endswith('- will remove unit a/0\n')
    assert model.run('remove-unit', 'a/7', '--dry-run').code == 1
    assert model.run('remove-machine', '0', '--keep-instance', '--no-prompt').code == 1
    assert model.world().model is before


def test_show_unit_can_be_narrowed(model: fakes.Juju, charm: pathlib.Path):
    model('deploy', str(charm), 'a')
    model('deploy', str(charm), 'b', '-n', '2')
    model('integrate', 'a:db', 'b:sink')

    def related(*argv: str) -> list[set[str]]:
        shown = model('show-unit', 'a/0', '--format', 'json', *argv).json['a/0']
        return [set(r.get('related-units', {})) for r in shown.get('relation-info', [])]

    assert related() == [{'b/0', 'b/1'}]
    assert related('--related-unit', 'b/1') == [{'b/1'}]
    assert related('--endpoint', 'sink') == []
    assert related('--app') == [set()]


def test_a_machine_that_could_not_be_made_is_tried_again(model: fakes.Juju):
    model.controller.frozen = True
    model('add-machine')
    world = model.world()
    assert 'not in an error state' in model.run('retry-provisioning', '0').err
    world.set(machines.failed(world.model, '0', 'no space left', world.now))
    shown = model('machines').out
    assert 'down' in shown
    assert 'no space left' in shown
    assert model.run('retry-provisioning').code == 2
    model('retry-provisioning', '--all')
    world.settle()
    assert (
        model('machines', '--format', 'json').json['machines']['0']['juju-status']['current']
        == 'started'
    )


def test_a_folder_of_charms_is_packed_at_once(juju: fakes.Juju, tmp_path: pathlib.Path):
    (tmp_path / 'notes.txt').touch()
    fakes.charm_folder(tmp_path / 'a', 'a')
    fakes.charm_folder(tmp_path / 'b', 'b')
    found = [str(path) for path in sorted(tmp_path.iterdir())]
    packed = juju('pack', *found, '-o', str(tmp_path / 'out')).out.split()
    assert [pathlib.Path(p).name.partition('_')[0] for p in packed] == ['a', 'b']
    assert all(pathlib.Path(p).is_file() for p in packed)
    refused = juju.run('pack', found[-1], found[-1], '-o', str(tmp_path / 'out'))
    assert refused.err == f'ERROR no charm folder in {found[-1]} {found[-1]}\n'


def test_two_who_remember_at_once_both_are_remembered(juju: fakes.Juju):
    code = 'from jujulet.cli import home, main; import sys; sys.exit(main.main(sys.argv[1:]))'
    many = [
        subprocess.Popen(
            [sys.executable, '-c', code, 'alias', f'n{i}', '/'], stderr=subprocess.PIPE
        )
        for i in range(8)
    ]
    for one in many:
        assert one.communicate()[1] == b''
    assert len(home.read()['charms']) == 8


def test_a_data_folder_that_cannot_be_is_one_error(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / 'a file'
    file.touch()
    monkeypatch.setenv('JUJULET_DATA', str(file))
    assert main.main(['status']) == 1
    said = capsys.readouterr().err
    assert said == f'ERROR no folder for jujulet ($JUJULET_DATA): {file}: file exists\n'
