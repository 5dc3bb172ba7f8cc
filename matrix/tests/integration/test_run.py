"""A bundle is deployed, used, broken and judged, by the one command."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from .conftest import SHELF, Matrix

Plan = Callable[..., pathlib.Path]


def test_a_bundle_that_stands_its_faults_passes(matrix: Matrix, plan: Plan) -> None:
    ran = matrix('-p', SHELF, '-g', plan('touch shelf/0'))
    assert ran.code == 0, ran.out + ran.err
    assert 'PASSED' in ran.out
    assert ran.said('phase') == ['settled', 'control', 'chaos', 'recovery', 'readback']
    faults = [one['phase'] for one in ran.notes if one['is'] == 'fault']
    assert faults == ['armed', 'landed', 'healed']
    assert ran.said('run.end') == [{'ending': 'passed', 'code': 0}]
    assert (ran.folder.stat().st_mode & 0o777, (ran.folder / 'report.html').is_file()) == (
        0o700,
        True,
    )
    assert "'loop=' is left out" in ran.err


def test_a_fault_that_does_nothing_makes_the_run_unknown(matrix: Matrix, plan: Plan) -> None:
    ran = matrix('-p', SHELF, '-g', plan('lie shelf/0'))
    assert (ran.code, 'UNKNOWN' in ran.out) == (101, True)
    assert ran.said('run.end') == [{'ending': 'unknown', 'code': 101}]
    assert ran.said('replay') == []


def test_what_breaks_is_found_blamed_shrunk_and_replayed(matrix: Matrix, plan: Plan) -> None:
    ran = matrix(
        '-p',
        SHELF,
        '-g',
        plan('touch shelf/0', 'hide shelf/1'),
        '--shrink-for',
        '60',
    )
    assert ran.code == 101
    assert 'read failed' in ran.out
    assert 'smallest  1 fault still fails' in ran.out
    assert 'hide shelf/1 for 1 s' in ran.out
    first = ran.said('replay')[0]
    assert (first['events'], first['how']) == ([], 'passed')
    (smallest,) = ran.said('smallest')
    assert smallest['necessary'] == ['e1']
    command = smallest['command'].split()
    again = matrix(*command[2:], '--no-shrink')
    assert again.code == 101
    assert 'hide struck shelf/1' in again.out
    assert matrix('check', again.folder).code == 101


def test_an_interrupted_run_heals_and_takes_its_models_with_it(
    matrix: Matrix, plan: Plan, environment: dict[str, str], tmp_path: pathlib.Path
) -> None:
    path = plan('hide shelf/1')
    text = path.read_text().replace('"hold": 1', '"hold": 60')
    path.write_text(text)
    with _started(['-p', str(SHELF), '-g', str(path)], environment, tmp_path) as process:
        folder = _until_landed(tmp_path)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    phases = [one['phase'] for one in _entries(folder) if one['is'] == 'fault']
    assert phases == ['armed', 'landed', 'healed']
    listed = _juju(environment, 'models', '--format', 'json')
    assert json.loads(listed)['models'] == []


def test_a_killed_run_leaves_machines_that_heal_themselves(
    plan: Plan, environment: dict[str, str], tmp_path: pathlib.Path
) -> None:
    _juju(environment, 'add-model', 'killed', 'processes')
    path = plan('hide shelf/1')
    # The machine's own heal comes 5 s after the end of the hold.
    path.write_text(path.read_text().replace('"hold": 1', '"hold": 2'))
    with _started(
        ['-p', str(SHELF), '-g', str(path), '-m', 'killed'], environment, tmp_path
    ) as process:
        _until_landed(tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert _juju(environment, 'ssh', '-m', 'killed', 'shelf/1', 'ls').split().count('hidden') == 1
    deadline = time.monotonic() + 40
    while 'word' not in _juju(environment, 'ssh', '-m', 'killed', 'shelf/1', 'ls').split():
        assert time.monotonic() < deadline, 'it never healed'
        time.sleep(1)
    _juju(environment, 'destroy-model', '--no-prompt', '--force', 'killed')


def test_without_a_juju_it_says_so_and_leaves(
    tmp_path: pathlib.Path, environment: dict[str, str]
) -> None:
    program = pathlib.Path(environment['PATH'].split(os.pathsep)[1]) / 'juju-matrix'
    done = subprocess.run(
        [program, '-p', SHELF],
        env={**environment, 'PATH': '/nowhere'},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "there is no 'juju' on the PATH" in done.stdout + done.stderr
    assert 'Traceback' not in done.stderr


def test_a_cloud_that_is_not_there_is_exit_code_200(matrix: Matrix, plan: Plan) -> None:
    ran = matrix('-p', SHELF, '-C', 'nonesuch', '-g', plan('touch shelf/0'))
    assert ran.code == 200
    assert 'no model could be made' in ran.out


class _started:  # noqa: N801  # reads as a word in `with`
    def __init__(self, args: list[str], environment: dict[str, str], folder: pathlib.Path):
        self.process = subprocess.Popen(
            ['juju-matrix', *args], env=environment, cwd=folder,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def __enter__(self) -> subprocess.Popen[bytes]:
        return self.process

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def _entries(folder: pathlib.Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (folder / 'journal.jsonl').read_text().splitlines()]


def _until_landed(folder: pathlib.Path) -> pathlib.Path:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for run in folder.glob('matrix-runs/*'):
            text = (run / 'journal.jsonl').read_text() if (run / 'journal.jsonl').exists() else ''
            if '"phase": "landed"' in text:
                return run
        time.sleep(0.1)
    pytest.fail('no fault landed')


def _juju(environment: dict[str, str], *args: str) -> str:
    done = subprocess.run(
        ['juju', *args], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout
