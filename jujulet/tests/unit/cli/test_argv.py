"""Every command line that jubilant, pytest-jubilant and zaza make can be read."""

from __future__ import annotations

import json
import pathlib
import subprocess
from typing import Any

import jubilant
import pytest

from jujulet.cli import commands
from jujulet.core import gnuflag

# ruff: noqa: E501 -- one call a line, with all that it can be given


class Heard:
    """A `juju` that writes down how it was called."""

    def __init__(self) -> None:
        self.argv: list[list[str]] = []

    def run(self, argv: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        self.argv.append(argv[1:])
        task = {'a/0': {'id': '1', 'status': 'completed'}}
        return subprocess.CompletedProcess(argv, 0, json.dumps(task), '')


def corpus(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    heard = Heard()
    monkeypatch.setattr('jubilant._juju.subprocess.run', heard.run)
    file = tmp_path / 'f'
    file.write_text('a: b')
    for model in (None, 'm', 'local:admin/m'):
        _call_everything(jubilant.Juju(model=model, cli_binary='juju'), file)
    return heard.argv


def _call_everything(juju: jubilant.Juju, file: pathlib.Path) -> None:
    definition: dict[str, Any] = {'clouds': {}}
    juju.add_cloud('c', definition, client=True, controller='local', credential='x', force=True, target_controller='t')  # fmt: skip
    juju.update_cloud('c', definition, client=True, controller='local')
    juju.add_credential('c', {}, client=True, controller='local', region='r')
    juju.add_machine('ssh:x@y', base='debian@12', constraints={'mem': '1G'}, disks='a b', num_machines=2, private_key=str(file), public_key=str(file))  # fmt: skip
    juju.add_secret('s', {'k': 'v'}, info='i')
    juju.add_ssh_key('key1', 'key2')
    juju.remove_ssh_key('key1')
    juju.add_unit('a', attach_storage=['x/0', 'y/0'], num_units=2, to=['0', '1'])
    juju.bootstrap('localhost', 'c', bootstrap_base='ubuntu@24.04', bootstrap_constraints={'mem': '1G'}, config={'a': True}, constraints={'cores': 1}, credential='x', force=True, model_defaults={'k': 'v'}, storage_pool={'name': 'b', 'type': 'x'}, to='0', metadata_source=str(file))  # fmt: skip
    juju.config('a', {'k': 'v w\n=x', 'b': True}, reset=['x', 'y'])
    juju.consume('m.offer', 'alias', controller='c', owner='o')
    juju.debug_log(limit=0)
    juju.deploy(file, 'a', attach_storage='x/0', base='debian@12', bind={'ep': 'space', 'o': 's'}, channel='latest/edge', config={'k': 1.5}, constraints={'mem': '1G'}, force=True, num_units=3, overlays=[file, file], resources={'r': str(file)}, revision=3, storage={'s': '1G'}, to=['0'], trust=True)  # fmt: skip
    juju.deploy('x', bind='space')
    juju.destroy_model('m', destroy_storage=True, force=True, no_wait=True, timeout=30.0)
    juju.destroy_model('m', release_storage=True)
    juju.exec('echo', 'foo', '--bar', unit='a/0', wait=0.001)
    juju.exec('echo foo', machine=0)
    juju.grant_secret('s', ['a', 'b'])
    juju.integrate('a:x', 'b', via=['10.0.0.0/8', '::/0'])
    juju.model_config({'a': True}, reset='b')
    juju.model_constraints({'mem': '1G'})
    juju.offer('m.a', endpoint=['x', 'y'], controller='c', name='n')
    juju.refresh('a', base='debian@12', channel='edge', config={'a': 1}, force=True, path=file, resources={'r': 'x'}, revision=1, storage={'s': 'x'}, trust=True)  # fmt: skip
    juju.remove_application('a', 'b', destroy_storage=True, force=True)
    juju.remove_relation('a', 'b', force=True)
    juju.remove_secret('s', revision=1)
    juju.remove_unit('a/0', 'a/1', destroy_storage=True, force=True)
    juju.remove_unit('a', num_units=1)
    juju.run('a/0', 'do', {'a': [1]}, wait=60)
    juju.scp(file, 'a/0:x', container='c', host_key_checks=False, scp_options=['-r', '-C'])
    juju.ssh('a/0', 'ls', '-l', container='c', host_key_checks=False, ssh_options=['-i', 'x'], user='root')  # fmt: skip
    juju.trust('a', remove=True, scope='cluster')
    juju.update_secret('s', {'k': 'v'}, info='i', name='n', auto_prune=True)
    for get in (
        lambda: juju.config('a'), juju.model_config, juju.model_constraints, juju.status, juju.version,
        lambda: juju.secrets(owner='a'), juju.show_model, lambda: juju.show_unit('a/0'),
        lambda: juju.show_secret('s', reveal=True, revision=1), lambda: juju.show_secret('s', revisions=True),
    ):  # fmt: skip
        try:
            get()
        except (KeyError, TypeError, AttributeError):
            continue  # What it makes of the answer is not asked here.


def read(argv: list[str]) -> gnuflag.Parsed:
    """As ``main`` reads it. Raises what it would refuse."""
    found = commands.find(argv[0])
    assert found is not None, argv[0]
    parsed = gnuflag.parse(found.all_flags, argv[1:], interspersed=found.interspersed)
    assert len(parsed.positionals) >= len(found.needs), argv
    if found.most is not None:
        assert len(parsed.positionals) <= max(found.most, len(found.needs)), argv
    if found.formats:
        assert parsed['format'] in found.formats, argv
    return parsed


def test_every_call_of_jubilant_is_read(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch):
    heard = corpus(tmp_path, monkeypatch)
    assert len(heard) > 120
    verbs = {argv[0] for argv in heard}
    assert {'add-cloud', 'bootstrap', 'consume', 'deploy', 'exec', 'scp', 'update-secret'} <= verbs
    for argv in heard:
        read(argv)


def test_sabotage_a_flag_that_nobody_declared_is_not_read():
    with pytest.raises(gnuflag.FlagError, match='option provided but not defined: --nope'):
        read(['status', '--nope'])
    with pytest.raises(AssertionError):
        read(['version', 'extra'])


@pytest.mark.parametrize(
    'line',
    [
        'add-model --no-switch x --config default-base=debian@12',
        'set-model-constraints --model m arch=amd64',
        'deploy ./bundle.yaml --overlay a.yaml --overlay b.yaml --force --trust -m m',
        'status -m m --format=yaml',
        'status --relations --storage --color a/0',
        'debug-log -m m --replay --no-tail --level DEBUG --include a/0 -i b',
        'run-action a/0 do --wait 5m',
        'run a/0 b/1 do x=1 y.z=2 --background --string-args',
        'model-config -m m test-mode=true',
        'destroy-model -y m --force --no-wait -t 10m0s',
        'remove-application a --no-prompt --destroy-storage',
        'add-relation a:b c:d',
        'relate a b',
        'upgrade-charm a --switch ./x --force-units',
        'list-models --format json',
        'wait-for application a --query=x==1 --timeout=1h30m',
        'export-bundle --filename x',
        'expose a --endpoints x,y --to-spaces s',
        'exec --all -- uname -a',
        'show-status-log -n 5 a/0',
        'add-space dmz 10.3.0.0/24',
        'bind a dmz ep=alpha',
        'attach-storage a/0 data/0',
    ],
)
def test_what_people_and_zaza_type_is_read(line: str):
    read(line.split())


def test_the_list_of_commands_is_the_truth():
    for name in commands.TABLE:
        found = commands.find(name)
        assert found is not None, name
        assert found.summary.endswith('.'), name
        names = [n for flag in found.all_flags for n in flag.names]
        assert len(names) == len(set(names)), name
        for need in found.needs:
            assert need, name
    for alias, name in commands.ALIASES.items():
        assert alias not in commands.TABLE
        assert name in commands.TABLE


def test_the_reference_names_every_command_as_it_is():
    page = pathlib.Path(__file__).parents[4] / 'docs' / 'reference' / 'commands.md'
    rows = {line for line in page.read_text().splitlines() if line.startswith('| `')}
    found = {name: commands.find(name) for name in commands.TABLE}
    assert rows == {f'| `{name}` | {c.summary if c else ""} |' for name, c in found.items()}
