"""Bugs that were planted are found and blamed on the right fault, and the same bundle without them passes.

The bundle is `bundles/tests/control`, in system containers; its bugs are overlays beside plans that find them.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from typing import Any

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[3]
BUNDLE = ROOT / 'bundles/tests/control'
BIN = pathlib.Path(sys.executable).parent
BUGS = {
    # The bug, and the faults of its plan of which each alone shows it.
    'stale-cache': {'memcached-freeze cache'},
    'no-retry': {'memcached-freeze cache'},
    'lost-write': {'hard-stop store'},
    'hook-crash': {'hard-stop store'},
    'two-owners': {'netsplit front'},
    'missing-timeout': {'netsplit api'},
    'trusts-clock': {'clock-skew api'},
    'new-key': {'depose-leader api'},
    'leak-on-remove': {'remove-unit api'},
    'config-twice': {'config-change api'},
    'departed-crash': {'remove-unit api'},
    'retry-storm': {'freeze api'},
    'stale-vip': {'freeze front'},
    'refresh-stale': {'refresh api'},
}
OF_NO_FAULT = {
    # Bugs that need no fault: how the run is called, and the check that finds each.
    'early-active': ((), ''),
    'leak-descriptors': ((), 'resources'),
    'needs-load': (('--rate', '25'), 'errors'),
}
PAIRS = BUNDLE / 'tests/pairs.yaml'
A_QUARTER = 15 * 60
SEEDS = int(os.environ.get('PLANTED_BUGS_SEEDS', '50'))


@pytest.fixture(scope='module')
def juju(tmp_path_factory: pytest.TempPathFactory) -> Generator[dict[str, str]]:
    """The environment in which `juju` is a jujulet of the tests' own that makes containers."""
    kept = os.environ.get('JUJULET_TEST_DATA') or ROOT / 'build/test-jujulet'
    home = pathlib.Path(kept).absolute()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (home / 'session.lock').open('w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pytest.exit(f'other tests use {home}: wait for them, or set JUJULET_TEST_DATA', 3)
        path = f'{home}/bin{os.pathsep}{BIN}{os.pathsep}{os.environ["PATH"]}'
        found = {**os.environ, 'JUJULET_DATA': str(home), 'PATH': path}
        subprocess.run([BIN / 'jujulet', 'env'], env=found, check=True, capture_output=True)
        yield found
        for model in _models(found):
            _juju(found, 'destroy-model', model, '--no-prompt')
        subprocess.run([BIN / 'jujulet', 'controller', 'stop'], env=found, check=True)


def _juju(env: dict[str, str], *args: str) -> str:
    done = subprocess.run(['juju', *args], env=env, check=True, capture_output=True, text=True)
    return done.stdout


def _models(env: dict[str, str]) -> list[str]:
    found: dict[str, Any] = json.loads(_juju(env, 'models', '--format', 'json'))
    return [str(one['short-name']) for one in found['models']]


class Run:
    """A run that is over: what it printed, and what it wrote down."""

    def __init__(self, code: int, out: str, folder: pathlib.Path):
        self.code, self.out = code, out
        self.folder = max(folder.glob('matrix-runs/*'))
        lines = (self.folder / 'journal.jsonl').read_text().splitlines()
        self.entries: list[dict[str, Any]] = [json.loads(line) for line in lines]

    @property
    def smallest(self) -> set[str]:
        """The smallest plan: `fault application` of each event; empty where none was found."""
        return {*self.events}

    @property
    def events(self) -> list[str]:
        """The same, each event by itself."""
        path = self.folder / 'smallest.yaml'
        found: Any = yaml.safe_load(path.read_text()) if path.exists() else {'events': []}
        events: list[dict[str, Any]] = found['events']
        return [f'{one["fault"]} {one["targets"][0].partition("/")[0]}' for one in events]


Matrix = Callable[..., Run]


@pytest.fixture
def matrix(juju: dict[str, str], tmp_path: pathlib.Path) -> Matrix:
    """Tests the bundle."""

    def call(*args: str | pathlib.Path, within: float) -> Run:
        words = ['juju', 'matrix', '-p', BUNDLE, '-d', tmp_path, '-s', 'raw', *args]
        done = subprocess.run(
            [*map(str, words)],
            env=juju,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )
        return Run(done.returncode, done.stdout + done.stderr, tmp_path)

    return call


def _plan(folder: pathlib.Path, *faults: str) -> pathlib.Path:
    """A plan of faults `fault target hold`, one after another."""
    events: list[dict[str, Any]] = []
    for number, fault in enumerate(faults, 1):
        kind, target, hold = fault.split()
        selectors = [{'selector': 'units', 'application': target.partition('/')[0]}]
        events.append(
            {
                'id': f'e{number}',
                'fault': kind,
                'at': float(number),
                'hold': float(hold),
                'selectors': [*selectors, {'selector': 'one'}],
                'targets': [target],
            }
        )
    path = folder / f'{len(faults)}-{faults[0].split()[0]}.yaml'
    path.write_text(yaml.safe_dump({'format': 'v2', 'seed': 1, 'events': events}))
    return path


@contextlib.contextmanager
def _model(env: dict[str, str], name: str) -> Generator[str]:
    _juju(env, 'add-model', name)
    try:
        yield name
    finally:
        _juju(env, 'destroy-model', name, '--no-prompt')


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_planted_bug_is_found_where_the_bundle_without_it_passes(
    juju: dict[str, str], matrix: Matrix, tmp_path: pathlib.Path
) -> None:
    killed = _plan(tmp_path, 'kill store/1 1')
    with _model(juju, 'planted') as model:
        clean = matrix('-m', model, '-g', killed, within=300)
        assert clean.code == 0, clean.out
        # A model that has all applications is not deployed to again: the bug is set as its overlay would.
        _juju(juju, 'config', '-m', model, 'store', 'bug=lost-write')
        planted = matrix('-m', model, '-g', killed, '--no-shrink', within=300)
    assert planted.code == 101, planted.out
    assert 'lost' in planted.out
    assert 'kill struck store/1' in planted.out


@pytest.mark.slow
@pytest.mark.timeout(2 * A_QUARTER)
@pytest.mark.parametrize('bug', BUGS)
def test_each_is_blamed_on_the_right_fault(matrix: Matrix, bug: str) -> None:
    bugs = BUNDLE / 'bugs'
    ran = matrix(
        *('--overlay', bugs / f'{bug}.yaml'),
        *('-g', bugs / f'{bug}.plan.yaml', '--shrink-for', '9m'),
        within=2 * A_QUARTER,
    )
    assert ran.code == 101, ran.out
    assert ran.smallest, ran.out
    assert ran.smallest <= BUGS[bug], ran.out


@pytest.mark.slow
@pytest.mark.timeout(2 * A_QUARTER)
@pytest.mark.parametrize('bug', OF_NO_FAULT)
def test_what_needs_no_fault_is_found_and_laid_to_none(matrix: Matrix, bug: str) -> None:
    more, check = OF_NO_FAULT[bug]
    bugs = BUNDLE / 'bugs'
    ran = matrix(
        *(
            '--overlay',
            bugs / f'{bug}.yaml',
            '-g',
            bugs / f'{bug}.plan.yaml',
            *more,
            '--no-shrink',
        ),
        within=A_QUARTER,
    )
    assert ran.code == 101, ran.out
    failed = (ran.folder / 'junit.xml').read_text()
    assert not check or re.search(rf'name="{check}"[^>]*>\s*<failure', failed), ran.out
    assert not ran.smallest


@pytest.mark.slow
@pytest.mark.timeout(2 * A_QUARTER)
def test_writes_that_are_lost_when_two_units_are_away_need_both(matrix: Matrix) -> None:
    bugs = BUNDLE / 'bugs'
    plan = ('-B', PAIRS, '-g', bugs / 'two-away.plan.yaml')
    clean = matrix(*plan, '--no-shrink', within=A_QUARTER)
    assert clean.code == 0, clean.out
    ran = matrix(
        *('--overlay', bugs / 'two-away.yaml', *plan, '--shrink-for', '9m'), within=2 * A_QUARTER
    )
    assert ran.code == 101, ran.out
    assert 'lost' in ran.out
    assert ran.events == ['freeze store', 'freeze store']


@pytest.mark.slow
@pytest.mark.timeout(SEEDS * 300)
def test_without_bugs_every_seed_passes(
    juju: dict[str, str], matrix: Matrix, tmp_path: pathlib.Path
) -> None:
    """As many seeds as PLANTED_BUGS_SEEDS says, in one model."""
    failed: dict[int, str] = {}
    with _model(juju, 'seeds') as model:
        for seed in range(1, SEEDS + 1):
            ran = matrix('-m', model, '--seed', str(seed), '-n', '2', '--no-shrink', within=300)
            if ran.code:
                failed[seed] = ran.out[-2000:]
    assert not failed


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_runner_that_is_killed_leaves_faults_that_heal_by_themselves(
    juju: dict[str, str], tmp_path: pathlib.Path
) -> None:
    frozen = _plan(tmp_path, 'freeze api/0 10')
    with _model(juju, 'killed') as model:
        words = ['juju', 'matrix', '-p', BUNDLE, '-d', tmp_path, '-m', model, '-g', frozen]
        with subprocess.Popen(
            [*map(str, words)], env=juju, stdout=subprocess.DEVNULL, start_new_session=True
        ) as runner:
            _until(lambda: _landed(tmp_path), 300)
            os.killpg(runner.pid, signal.SIGKILL)
        assert _state(juju, model) == 'T'
        # Nobody heals it but its own machine, at the latest when its dead man's switch says so.
        _until(lambda: _state(juju, model) != 'T', 120)


def _landed(folder: pathlib.Path) -> bool:
    return any(
        '"landed"' in path.read_text() for path in folder.glob('matrix-runs/*/journal.jsonl')
    )


def _state(env: dict[str, str], model: str) -> str:
    """The state of api/0's service, as the kernel says it: T is stopped."""
    script = 'sed "s/.*) //" /proc/$(systemctl show -p MainPID --value api)/stat | cut -c1'
    return _juju(env, 'ssh', '-m', model, 'api/0', script).strip()


def _until(said: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not said():
        assert time.monotonic() < end, 'it took too long'
        time.sleep(0.5)
