"""Checks that installed packages and the bundle's own tests offer."""

from __future__ import annotations

import importlib.metadata
import pathlib

import chronicle as c
import pytest

from matrix.grammar import problem
from matrix.judge import others, panel, verdict

CHECK = """
from matrix.judge import verdict

def nothing_is_slow(read):
    return verdict.Verdict('nothing is slow', verdict.Outcome.FAIL, f'{len(read.entries)} entries')

CHECKS = [nothing_is_slow]
"""


def _tests(folder: pathlib.Path, text: str, name: str = 'mine.py') -> pathlib.Path:
    (folder / 'tests').mkdir(exist_ok=True)
    (folder / 'tests' / name).write_text(text)
    return folder


def test_a_check_of_the_bundles_tests_is_one_of_the_panel(tmp_path: pathlib.Path) -> None:
    found = others.find(_tests(tmp_path, CHECK))
    assert list(found) == ['nothing is slow']
    run = panel.judge(
        c.of_parts(c.note(1, 'test.start', 't'), c.note(2, 'test.complete')), more=found
    )
    assert (run.outcome, run.sentence) == (verdict.Outcome.FAIL, '2 entries')


def test_a_file_that_offers_no_check_is_not_run(tmp_path: pathlib.Path) -> None:
    assert others.find(_tests(tmp_path, 'raise SystemExit(9)\n')) == {}
    assert others.find(tmp_path / 'bundle.yaml') == {}
    assert others.find() == {}


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('CHECKS = 3\n', 'a list of functions'),
        ('CHECKS = [3]\n', 'no check'),
        ('import nope\nCHECKS = []\n', 'nope'),
        (CHECK + 'CHECKS = [nothing_is_slow] * 2\n', 'another check'),
    ],
)
def test_what_is_no_check_is_refused_with_its_file(
    tmp_path: pathlib.Path, text: str, said: str
) -> None:
    with pytest.raises(problem.RefusedError, match=said) as caught:
        others.find(_tests(tmp_path, text))
    assert str(caught.value).startswith(str(tmp_path / 'tests/mine.py'))


def test_a_package_offers_checks_by_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [importlib.metadata.EntryPoint('quick', 'math:sqrt', others.GROUP)]

    def entry_points(*, group: str) -> list[importlib.metadata.EntryPoint]:
        return points if group == others.GROUP else []

    monkeypatch.setattr(importlib.metadata, 'entry_points', entry_points)
    assert list(others.find()) == ['quick']
    points.append(importlib.metadata.EntryPoint('gone', 'math:nope', others.GROUP))
    with pytest.raises(problem.RefusedError, match="entry point 'gone'"):
        others.find()
