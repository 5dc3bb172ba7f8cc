"""The ready-made files of others' CI: the same steps in three forms, each a shell script that does what it says."""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import shlex
import subprocess
from typing import Any

import pytest
import yaml

from matrix.cli.commands import gate

ROOT = pathlib.Path(__file__).parents[2]
STEPS = ('packages', 'tools', 'cached', 'gate', 'to cache')


def github() -> dict[str, str]:
    """The shell of each step by its name."""
    text = (ROOT / '.github/workflows/gate.yaml').read_text()
    found: dict[str, Any] = yaml.safe_load(text)
    return {
        str(one['name']): str(one['run']) for one in found['jobs']['gate']['steps'] if 'run' in one
    }


def gitlab() -> dict[str, str]:
    found: dict[str, Any] = yaml.safe_load((ROOT / 'ci/gitlab/gate.yaml').read_text())
    job = found['.juju-matrix-gate']
    every = [*job['before_script'], *job['script'], *job['after_script']]
    return dict(zip(STEPS, every, strict=True))


def zuul() -> dict[str, str]:
    steps: dict[str, str] = {}
    for name in ('run', 'post'):
        plays: list[dict[str, Any]] = yaml.safe_load((ROOT / f'ci/zuul/{name}.yaml').read_text())
        for task in plays[0]['tasks']:
            if 'ansible.builtin.shell' in task:
                steps[task['name']] = task['ansible.builtin.shell']['cmd']
    return steps


def test_the_three_files_have_the_same_steps() -> None:
    assert tuple(github()) == STEPS
    assert gitlab() == github()
    assert zuul() == github()


@pytest.mark.parametrize('name', STEPS)
def test_each_step_is_shell_that_bash_understands(name: str) -> None:
    subprocess.run(['bash', '-n', '-c', github()[name]], check=True)


def test_the_packages_are_those_that_a_host_of_ours_needs() -> None:
    lines = (ROOT / 'tools/host-packages').read_text().splitlines()
    needed = {line.split()[0] for line in lines if line and not line.startswith('#')}
    needed = {one for one in needed if not one.endswith('?')} - {
        'git',
        'make',
        'tmux',
    }  # For a clone and its tests alone.
    named = {*github()['packages'].rpartition('--no-install-recommends ')[2].split()}
    assert named == needed


def _run(step: str, folder: pathlib.Path, **env: str) -> subprocess.CompletedProcess[str]:
    """A step, with programs of ours in place of those that need root or a network; each writes down its words."""
    said = folder / 'said'
    for name in ('sudo', 'jujulet', 'juju', 'apt-get', 'pip'):
        path = folder / 'bin' / name
        path.parent.mkdir(exist_ok=True)
        if name == 'sudo':
            text = 'while [ "${1#-}" != "$1" ]; do shift; done; exec "$@"'
        else:
            text = (
                f'printf "%s\\n" "{name}" "$@" "" >> {shlex.quote(str(said))}; exit ${{CODE:-0}}'
            )
        path.write_text(f'#!/bin/bash\n{text}\n')
        path.chmod(0o755)
    environment = {**os.environ, 'PATH': f'{folder}/bin:{os.environ["PATH"]}', **env}
    return subprocess.run(
        ['bash', '-e', '-c', github()[step]],
        env=environment, cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_gate_of_a_step_is_the_command_with_what_was_asked(tmp_path: pathlib.Path) -> None:
    ran = _run(
        'gate', tmp_path,
        GATE_HOME=str(tmp_path / 'home'), GATE_BUNDLE='my bundle.yaml',
        GATE_REPLACE='a=./a.charm b=12', GATE_OPTIONS='--runs 6 --seed 3',
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    calls = [one.split('\n') for one in (tmp_path / 'said').read_text().strip().split('\n\n')]
    assert calls[0] == ['jujulet', 'env']
    parser = argparse.ArgumentParser()
    gate.configure(parser)
    assert calls[1][:3] == ['juju', 'matrix', 'gate']
    call = parser.parse_args(calls[1][3:])
    assert str(call.path) == 'my bundle.yaml'
    assert call.candidates == [('a', './a.charm'), ('b', '12')]
    assert (call.runs, call.seed, str(call.xunit)) == (6, 3, 'gate-junit.xml')


@pytest.mark.parametrize('code', ['1', '2'])
def test_the_answer_of_the_gate_is_that_of_the_step(tmp_path: pathlib.Path, code: str) -> None:
    step = github()['gate'].replace('jujulet env >/dev/null', 'true')
    assert 'true && exec juju' in step
    ran = _run(
        'gate', tmp_path, GATE_HOME=str(tmp_path), GATE_BUNDLE='b', GATE_REPLACE='a=b', CODE=code
    )
    assert ran.returncode == int(code)


def test_what_is_cached_comes_back_as_it_was(tmp_path: pathlib.Path) -> None:
    home = tmp_path / 'home'
    data = home / 'data'
    for name in ('bases/debian', 'layers', 'venvs', 'machines/secret'):
        (data / name).mkdir(parents=True)
    (data / 'bases/debian/os-release').write_text('ID=debian\n')
    (data / 'jujulet.db').write_text('db')
    venv = home / 'venv/bin'
    venv.mkdir(parents=True)
    (venv / 'jujulet').write_text('#!/bin/sh\n')
    (venv / 'jujulet').chmod(0o755)
    assert _run('to cache', tmp_path, GATE_HOME=str(home)).returncode == 0
    data.rename(home / 'before')
    ran = _run('cached', tmp_path, GATE_HOME=str(home))
    assert ran.returncode == 0, ran.stderr
    assert (data / 'bases/debian/os-release').read_text() == 'ID=debian\n'
    assert (data / 'jujulet.db').is_file()
    assert not (data / 'machines').exists()  # Of the job before, nothing else comes.
    assert data.stat().st_mode & 0o777 == 0o700


def test_a_first_job_has_no_cache_and_goes_on(tmp_path: pathlib.Path) -> None:
    assert _run('cached', tmp_path, GATE_HOME=str(tmp_path / 'none')).returncode == 0


def test_the_tools_are_installed_from_wheels_of_one_release() -> None:
    step = github()['tools']
    names = re.findall(r'"([a-z-]+)==\$GATE_RELEASE"', step)
    assert names == ['rambla-matrix', 'jujulet']
    for name in names:
        part = name.removeprefix('rambla-')
        assert f'name = "{name}"' in (ROOT / part / 'pyproject.toml').read_text()
    assert 'git clone' not in ''.join(github().values())


def test_the_job_of_zuul_runs_the_playbooks_that_are_there() -> None:
    jobs: list[dict[str, Any]] = yaml.safe_load((ROOT / 'zuul.d/gate.yaml').read_text())
    job = jobs[0]['job']
    assert all((ROOT / job[key]).is_file() for key in ('run', 'post-run'))
