"""The program that encrypts stored credentials anew: it has the ring that all units share, or does nothing."""

from __future__ import annotations

import importlib
import json
import pathlib
import sys
from typing import Any
from unittest import mock

import keys
import pytest

RING = keys.rotate(keys.make('r' * 64), 'q' * 64, 3)


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> Any:
    """With RING on its disk, and a database that has no credential."""
    for name in ('sqlalchemy', 'oslo_config', 'oslo_db'):  # What keystone's package brings.
        monkeypatch.setitem(sys.modules, name, mock.MagicMock())
    monkeypatch.delitem(sys.modules, 'reencryption', raising=False)
    module = importlib.import_module('reencryption')
    monkeypatch.setattr(module, 'REPOSITORY', tmp_path)
    for number, key in RING.keys.items():
        (tmp_path / str(number)).write_text(key)
    yield module
    del sys.modules['reencryption']


def run(program: Any, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, 'argv', ['reencryption.py', *arguments])
    return program.main()


def test_it_works_with_the_ring_that_it_is_told(
    program: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (program.REPOSITORY / '7').mkdir()
    (program.REPOSITORY / '.1.new').write_text('none')
    assert run(program, monkeypatch, RING.digest) == 0
    assert json.loads(capsys.readouterr().out) == {'anew': 0, 'unreadable': 0, 'removed': 0}
    program.sqlalchemy.create_engine.assert_called_once()


def more(at: pathlib.Path) -> None:
    (at / '9').write_text(RING.keys[RING.primary])


def under_another_number(at: pathlib.Path) -> None:
    (at / '2').rename(at / '+3')


def fewer(at: pathlib.Path) -> None:
    (at / '1').unlink()


def another(at: pathlib.Path) -> None:
    (at / '0').write_bytes(b'\xff')


def none(at: pathlib.Path) -> None:
    for path in at.iterdir():
        path.unlink()
    at.rmdir()


@pytest.mark.parametrize('change', [more, under_another_number, fewer, another, none])
@pytest.mark.parametrize('remove', [(), ('--remove',)])
def test_with_other_keys_on_the_disk_it_does_nothing_and_says_so(
    program: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: Any,
    remove: tuple[str, ...],
):
    change(program.REPOSITORY)
    assert run(program, monkeypatch, RING.digest, *remove) == 1
    program.sqlalchemy.create_engine.assert_not_called()
    shown = capsys.readouterr().out
    assert shown.startswith(f'the keys in {program.REPOSITORY} ')
    assert shown.count('\n') == 1
    assert not any(key in shown for key in RING.keys.values())


@pytest.mark.parametrize('arguments', [(), ('--remove',)])
def test_it_must_be_told_which(
    program: Any, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
):
    assert run(program, monkeypatch, *arguments) == 1
