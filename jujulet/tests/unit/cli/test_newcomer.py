"""What somebody meets who is new here: an example for each command, and at once what cannot be."""

from __future__ import annotations

import os
import pathlib
import shlex
import subprocess
import sys

import fakes
import pytest

from jujulet.cli import commands, examples, local, main
from jujulet.machines import images


@pytest.mark.parametrize('name', sorted(commands.TABLE))
def test_every_command_has_an_example_that_can_be_typed(name: str, juju: fakes.Juju):
    example = examples.of(name)
    program, verb, *words = shlex.split(example)
    assert (program in ('juju', 'jujulet'), verb) == (True, name)
    found = commands.find(name)
    assert found is not None
    main.read(found, words)
    assert f'Example:\n    {example}\n' in juju('help', name).out


def test_there_is_no_example_of_what_is_not_there():
    assert examples.of('no-such-command') == ''
    assert examples.of('') == ''


def test_topics_are_listed_and_each_is_there(juju: fakes.Juju):
    listed = juju('help', 'topics').out
    for topic in examples.TOPICS:
        assert topic in listed
        assert juju('help', topic).out


def test_help_of_a_plugin_is_the_plugin_s(juju: fakes.Juju, tmp_path: pathlib.Path):
    plugin = tmp_path / 'bin' / 'juju-greet'
    plugin.parent.mkdir()
    plugin.write_text('#!/bin/sh\necho "greets, given $*"\n')
    plugin.chmod(0o755)
    environment = {**os.environ, 'PATH': f'{plugin.parent}:{os.environ["PATH"]}'}
    argv = [sys.executable, '-m', 'jujulet.cli.main', 'help', 'greet']
    said = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    assert said.stdout == 'greets, given --help\n'
    listed = subprocess.run(
        [*argv[:-1], 'plugins'], env=environment, capture_output=True, text=True, check=True
    )
    assert ['greet', str(plugin)] in [line.split() for line in listed.stdout.splitlines()]
    assert juju.run('help', 'no-such').code == 2


def test_a_base_that_cannot_be_built_is_refused_at_deploy(
    model: fakes.Juju, charm: pathlib.Path, tmp_path: pathlib.Path
):
    why = "base debian@12 cannot be built: this host's apt has no debian archive"
    model.controller.lacking['debian@12'] = why
    found = model.run('deploy', str(charm), '--base', 'debian@12')
    assert (found.code, found.err.splitlines()[-1]) == (1, f'ERROR {why}')
    bundle = tmp_path / 'b.yaml'
    bundle.write_text(
        f'applications: {{tiny: {{charm: {charm}, num_units: 1, base: debian@12/stable}}}}\n'
    )
    found = model.run('deploy', str(bundle))
    assert (found.code, found.err.splitlines()[-1]) == (1, f'ERROR {why}')
    assert not model.world().model.applications
    model.controller.lacking.clear()
    model('deploy', str(charm), '--base', 'debian@12')


def test_a_charm_that_names_only_ubuntu_is_told_of_on_debian(
    model: fakes.Juju, charm: pathlib.Path
):
    assert 'though only Ubuntu is named' not in model('deploy', str(charm), 'a').err
    (charm / 'manifest.yaml').write_text('bases: [{name: ubuntu, channel: "24.04"}]\n')
    said = model('deploy', str(charm), 'b', '--base', 'debian@12').err
    assert said.count('On Debian though only Ubuntu is named: tiny;') == 1
    assert 'though only' not in model('deploy', str(charm), 'c', '--base', 'ubuntu@24.04').err


def test_without_root_the_archive_is_not_blamed(monkeypatch: pytest.MonkeyPatch):
    import asyncio

    from jujulet.controller import questions

    monkeypatch.setattr(os, 'geteuid', lambda: 1000)
    monkeypatch.setattr(images, 'why_not', lambda _base: 'no archive')  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    asked = questions.Questions.why_no_machine(None, 'debian@12')  # pyright: ignore[reportArgumentType]
    said = asyncio.run(asked)
    assert said.startswith('machines that are containers need root')
    assert 'archive' not in said


def test_a_second_clone_says_that_open_shells_are_its_own_now(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.setenv('JUJULET_DATA', str(tmp_path / 'data'))
    first, second = tmp_path / 'one/bin/python', tmp_path / 'two/bin/python'
    for python in (first, second):
        python.parent.mkdir(parents=True)
        python.touch()
    monkeypatch.setattr(sys, 'executable', str(first))
    local.shim()
    local.shim()
    assert capfd.readouterr().err == ''
    monkeypatch.setattr(sys, 'executable', str(second))
    local.shim()
    said = capfd.readouterr().err
    assert said.count('\n') == 1
    assert f'juju is now that of {second.parent}' in said
    assert f'eval "$({first.parent}/jujulet env)"' in said
    second.unlink()
    monkeypatch.setattr(sys, 'executable', str(first))
    local.shim()
    assert capfd.readouterr().err == ''  # A clone that is gone is missed by nobody.


def _dropped(keys: list[str]) -> list[None]:
    return [None for _ in keys[:1]]


def test_prune_says_what_is_left_and_what_went(
    juju: fakes.Juju, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
):
    monkeypatch.setattr(juju.controller, '_cache', lambda: [[{'key': 'abc'}]], raising=False)
    monkeypatch.setattr(juju.controller, '_drop_cache', _dropped, raising=False)
    pruned = [
        [{'what': 'charms', 'many': 2, 'size': 5 << 20}, {'what': 'bases', 'many': 1, 'size': 0}]
    ]
    monkeypatch.setattr(juju.controller, '_prune', lambda: pruned, raising=False)
    (tmp_path / 'data' / 'venvs').mkdir(parents=True)
    (tmp_path / 'data' / 'venvs' / 'f').write_bytes(bytes(2 << 20))
    assert juju('cache', 'prune').err.splitlines() == [
        '1 of 1 layers removed',
        'environments of charms stay (2 MiB): jujulet cache prune --all removes those that nothing stands on',
    ]
    said = juju('cache', 'prune', '--all').err.splitlines()
    assert said == ['1 of 1 layers removed', 'charms: 2 removed (5 MiB)', 'bases: 1 removed']
    for words in (('list', '--all'), ('prune', 'abc', '--all')):
        refused = juju.run('cache', *words)
        assert (refused.code, refused.err) == (2, 'ERROR --all is for prune without keys\n')
