"""Is a bundle worse with another charm in it? Asked as a user asks, of charms that are deployed and broken."""

from __future__ import annotations

import json
import pathlib
import shutil
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest

from .conftest import SHELF, Matrix

Plan = Callable[..., pathlib.Path]


def candidate(folder: pathlib.Path, hook: str = '') -> pathlib.Path:
    """The charm of the shelf, and what its hook does more."""
    path = folder / 'candidate'
    shutil.copytree(SHELF / 'charm', path)
    start = path / 'hooks/start'
    start.write_text(start.read_text().replace('status-set', f'{hook}\nstatus-set'))
    return path


def gate(matrix: Matrix, plan: Plan, tmp_path: pathlib.Path, hook: str) -> tuple[int, str, str]:
    replaced = f'shelf={candidate(tmp_path, hook)}'
    files = ['--json', tmp_path / 'gate.json', '-x', tmp_path / 'junit.xml']
    words = ['gate', '-p', SHELF, '--replace', replaced, '-g', plan('touch shelf/0'), *files]
    ran = matrix(*words, within=1500)
    return ran.code, json.loads((tmp_path / 'gate.json').read_text())['result'], ran.out + ran.err


@pytest.mark.slow
@pytest.mark.timeout(1600)
def test_the_same_charm_is_not_worse(matrix: Matrix, plan: Plan, tmp_path: pathlib.Path) -> None:
    code, answer, out = gate(matrix, plan, tmp_path, ': the same')
    assert (code, answer) == (0, 'not worse'), out
    assert ET.parse(tmp_path / 'junit.xml').getroot()[0].attrib['failures'] == '0'  # noqa: S314
    (folder,) = (tmp_path / 'matrix-runs').glob('*-gate-*')
    assert matrix('gate', '--from', folder).code == 0


@pytest.mark.slow
@pytest.mark.timeout(1600)
def test_a_hook_that_takes_much_longer_is_worse(
    matrix: Matrix, plan: Plan, tmp_path: pathlib.Path
) -> None:
    code, answer, out = gate(matrix, plan, tmp_path, 'sleep 15')
    assert (code, answer) == (1, 'worse'), out
    assert 'until the bundle is deployed and at rest' in out
    # What is worse, a pipeline sees as failures of JUnit's.
    assert ET.parse(tmp_path / 'junit.xml').getroot()[0].attrib['failures'] != '0'  # noqa: S314
