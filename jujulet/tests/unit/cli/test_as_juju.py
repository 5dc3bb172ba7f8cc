"""What scripts of Juju's users go by, down to the word. Each test names where Juju says so."""

from __future__ import annotations

import json
import pathlib
import subprocess

import fakes
import pytest

from jujulet import charmdir


@pytest.fixture
def tiny(model: fakes.Juju, charm: pathlib.Path) -> fakes.Juju:
    model('deploy', str(charm), '-n', '2')
    return model


def error(juju: fakes.Juju, *words: str) -> tuple[int, str]:
    found = juju.run(*words)
    return found.code, found.err.strip()


def test_the_leader_is_a_selector_of_status(tiny: fakes.Juju):
    """``resolveLeaderUnits`` of apiserver/facades/client/client/status.go."""
    shown = json.loads(tiny('status', '--format', 'json', 'tiny/leader').out)
    (unit,) = shown['applications']['tiny']['units']
    assert unit == tiny.world().model.applications['tiny'].leader
    assert json.loads(tiny('status', '--format', 'json', 'zz/leader').out)['applications'] == {}


def test_parameters_that_do_not_validate_schedule_nothing(tiny: fakes.Juju):
    """cmd/juju/action/common.go; words as in issue 21295 of juju/juju."""
    found = tiny.run('run', 'tiny/0', 'do-thing', 'name=5')
    assert found.code == 0
    assert found.out == ''
    assert found.err.startswith('Operation ')
    assert found.err.strip().endswith(
        ' failed to schedule any tasks:\nvalidation failed: (root).name : must be of type string, given 5'
    )
    assert not tiny.world().model.tasks


def test_a_resource_ends_as_the_charm_says(tiny: fakes.Juju, tmp_path: pathlib.Path):
    """``incorrect extension on resource upload`` of apiserver/resources.go."""
    wrong = tmp_path / 'different.ext'
    wrong.write_text('x')
    said = 'ERROR incorrect extension on resource upload "different.ext", expected ".txt"'
    assert error(tiny, 'attach-resource', 'tiny', f'data={wrong}') == (1, said)
    right = tmp_path / 'different.txt'
    right.write_text('x')
    tiny('attach-resource', 'tiny', f'data={right}')


def test_what_is_long_is_named_in_the_table(model: fakes.Juju):
    """``getConfig`` of cmd/juju/model/configcommand.go."""
    text = 'packages: [jq, shellcheck]'
    model('model-config', f'cloudinit-userdata={text}')
    table = model('model-config').out
    assert '<value set, see juju model-config cloudinit-userdata>' in table
    assert 'shellcheck' not in table
    assert model('model-config', 'cloudinit-userdata').out.strip() == text
    whole = json.loads(model('model-config', '--format', 'json').out)
    assert whole['cloudinit-userdata']['Value'] == text


def test_an_agent_version_in_a_file_is_passed_over(model: fakes.Juju, tmp_path: pathlib.Path):
    """``ignoreAgentVersion`` of cmd/juju/model/configcommand.go: what one model shows another can be given."""
    file = tmp_path / 'c.yaml'
    file.write_text('agent-version: 3.6.1\nlogging-config: <root>=DEBUG\n')
    assert error(model, 'model-config', str(file))[0] == 1
    model('model-config', str(file), '--ignore-agent-version')
    assert model('model-config', 'logging-config').out.strip() == '<root>=DEBUG'
    file.write_text('name: other\nlogging-config: <root>=INFO\n')
    assert error(model, 'model-config', '--ignore-agent-version', str(file))[0] == 1
    model('model-config', '--ignore-read-only-fields', str(file))
    assert model('model-config', 'logging-config').out.strip() == '<root>=INFO'


def test_the_default_pool_is_obeyed_or_refused(model: fakes.Juju, charm: pathlib.Path):
    """``storage-default-filesystem-source`` of environs/config, as state/storage.go reads it."""
    assert error(model, 'model-config', 'storage-default-filesystem-source=ebs') == (
        1,
        'ERROR pool "ebs" not found',
    )
    model('model-config', 'storage-default-filesystem-source=tmpfs')
    with (charm / 'metadata.yaml').open('a') as file:
        file.write('storage: {kept: {type: filesystem, location: /srv/kept}}\n')
    model('deploy', str(charm), 'a')
    model('deploy', str(charm), 'b', '--storage', 'kept=rootfs')
    pools = {s.owner: s.pool for s in model.world().model.storage.values()}
    assert pools == {'a/0': 'tmpfs', 'b/0': 'rootfs'}


def version(folder: pathlib.Path) -> str:
    return charmdir.read(folder).version


def git(folder: pathlib.Path, *words: str) -> str:
    who = ('-c', 'user.name=a', '-c', 'user.email=a@b')
    argv = ['git', *who, *words]
    return subprocess.run(argv, cwd=folder, check=True, capture_output=True, text=True).stdout


def test_the_version_of_a_charm_is_what_git_says_of_its_folder(charm: pathlib.Path):
    """``MaybeGenerateVersionString`` of internal/charm/charmdir.go; the file ``version`` is for what has no git."""
    (charm / 'version').write_text('revision-id: a@b-1 1.4\nmore\n')
    assert version(charm) == '1.4'
    git(charm, 'init', '-q')
    git(charm, 'add', '-A')
    git(charm, 'commit', '-qm', 'one')
    commit = git(charm, 'rev-parse', '--short', 'HEAD').strip()
    assert version(charm) == commit
    git(charm, 'tag', '-am', 'v', 'v2')
    (charm / 'dispatch').write_text('#!/bin/sh\ntrue\n')
    assert version(charm) == 'v2-dirty'


def test_git_runs_nothing_that_a_work_tree_names(charm: pathlib.Path, tmp_path: pathlib.Path):
    """It is asked as root, of a folder that somebody else may have made."""
    trap, sprung = tmp_path / 'trap', tmp_path / 'sprung'
    trap.write_text(f'#!/bin/sh\ntouch {sprung}\n')
    trap.chmod(0o755)
    git(charm, 'init', '-q')
    git(charm, 'add', '-A')
    git(charm, 'commit', '-qm', 'one')
    git(charm, 'config', 'core.fsmonitor', str(trap))
    version(charm)
    assert not sprung.exists()


def test_hook_commands_are_listed_and_explained(juju: fakes.Juju):
    """cmd/juju/commands/helphookcmds.go; scripts know it as ``hook-tool`` and ``help-tool`` too."""
    listed = juju('help-hook-commands').out
    assert {'relation-get', 'is-leader'} <= {line.split()[0] for line in listed.splitlines()}
    assert 'action-set' not in listed
    assert juju('help-action-commands').out.startswith('action-fail')
    for name in ('help-hook-commands', 'hook-tool', 'help-tool'):
        assert 'relation-get' in juju(name, 'relation-get').out
    assert error(juju, 'help-hook-commands', 'zz') == (1, 'ERROR unknown command "zz"')


@pytest.mark.parametrize(
    ('one', 'other'), [('switch', 'revision'), ('path', 'revision'), ('switch', 'path')]
)
def test_a_refresh_to_two_things_is_refused(
    model: fakes.Juju, charm: pathlib.Path, one: str, other: str
):
    model('deploy', str(charm))
    words = {'switch': str(charm), 'path': str(charm), 'revision': '3'}
    reply = model.run('refresh', 'tiny', f'--{one}', words[one], f'--{other}', words[other])
    assert (reply.code, reply.err) == (
        2, f'ERROR --{one} and --{other} are mutually exclusive\n',
    )  # fmt: skip


def test_a_refresh_binds(model: fakes.Juju, charm: pathlib.Path):
    model('deploy', str(charm))
    reply = model.run('refresh', 'tiny', '--path', str(charm), '--bind', 'nosuch=alpha')
    assert (reply.code, reply.err) == (1, 'ERROR endpoint "nosuch" not found\n')
