"""The full screen beside a run: a process of its own."""

from __future__ import annotations

import pathlib
import sys

import pytest

from matrix.cli import screen


def test_lines_are_held_back_while_the_view_has_the_terminal(tmp_path: pathlib.Path) -> None:
    closes = tmp_path / 'close'
    wait = f'import os, time\nwhile not os.path.exists({str(closes)!r}): time.sleep(0.01)'
    command = (sys.executable, '-c', wait)
    with screen.beside(True, tmp_path, command=command) as free:
        assert not free()
        closes.touch()
    assert free()


def test_a_view_that_dies_leaves_the_run_alone(tmp_path: pathlib.Path) -> None:
    with screen.beside(
        True, tmp_path, command=(sys.executable, '-c', 'raise SystemExit(3)')
    ) as free:
        while not free():
            pass
    assert free()


def test_without_a_terminal_there_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert not screen.wanted('raw')
    assert capsys.readouterr().err == ''
    assert not screen.wanted('tui')
    assert 'no terminal' in capsys.readouterr().err


def test_nothing_is_started_for_lines(tmp_path: pathlib.Path) -> None:
    with screen.beside(False, tmp_path, command=('/nonexistent',)) as free:
        assert free()
