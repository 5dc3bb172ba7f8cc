"""The command as a user runs it, against a jujulet of the tests' own whose machines are plain processes."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Generator
from typing import Any

import pytest

BIN = pathlib.Path(sys.executable).parent
SHELF = pathlib.Path(__file__).parent / 'shelf'


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = pathlib.Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.integration)
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope='session')
def environment(tmp_path_factory: pytest.TempPathFactory) -> Generator[dict[str, str]]:
    """What the command needs to find `juju`; the controller ends with the session."""
    home = tmp_path_factory.mktemp('jujulet')
    path = f'{home}/bin{os.pathsep}{BIN}{os.pathsep}{os.environ["PATH"]}'
    found = {**os.environ, 'JUJULET_DATA': str(home), 'PATH': path}
    subprocess.run([BIN / 'jujulet', 'env'], env=found, check=True, capture_output=True)
    yield found
    subprocess.run(
        [BIN / 'jujulet', 'controller', 'stop'], env=found, check=True, capture_output=True
    )


class Ran:
    """What a call of the command came to."""

    def __init__(self, done: subprocess.CompletedProcess[str], folder: pathlib.Path):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr
        runs = sorted(folder.glob('matrix-runs/*'))
        self.folder = runs[-1] if runs else folder

    @property
    def notes(self) -> list[dict[str, Any]]:
        """The journal of the last run."""
        text = (self.folder / 'journal.jsonl').read_text()
        return [json.loads(line) for line in text.splitlines()]

    def said(self, kind: str) -> list[Any]:
        """Values of the notes of a kind."""
        return [one.get('value') for one in self.notes if one.get('kind') == kind]


Matrix = Callable[..., Ran]


@pytest.fixture
def matrix(environment: dict[str, str], tmp_path: pathlib.Path) -> Matrix:
    """Runs `juju matrix` in an empty folder, through the `juju` of jujulet, as a plugin."""

    def call(*args: str | pathlib.Path, within: float = 200) -> Ran:
        done = subprocess.run(
            ['juju', 'matrix', *map(str, args)],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )
        return Ran(done, tmp_path)

    return call


@pytest.fixture
def plan(tmp_path: pathlib.Path) -> Callable[..., pathlib.Path]:
    """Writes a plan of faults, each `kind target`, one after the other."""

    def write(*faults: str) -> pathlib.Path:
        events = [
            {
                'id': f'e{n}',
                'fault': fault.split()[0],
                'at': 0.2 + 2.5 * n,
                'hold': 1,
                'selectors': [{'selector': 'units'}, {'selector': 'one'}],
                'targets': fault.split()[1:],
            }
            for n, fault in enumerate(faults)
        ]
        path = tmp_path / 'plan.yaml'
        path.write_text(json.dumps({'format': 'v2', 'seed': 7, 'events': events}))
        return path

    return write
