"""A command and the controller that it asks have the same code, or the command says what to do."""

from __future__ import annotations

import asyncio
import pathlib
from typing import Any

import pytest

from jujulet import client, paths, sources
from jujulet.controller import server
from jujulet.core import refusal


async def hello() -> str:
    return 'hello'


def asked(folder: pathlib.Path, *questions: str) -> list[Any]:
    """What a controller in *folder* replies."""

    async def run() -> list[Any]:
        known = {'models': hello, 'info': hello, 'stop-controller': hello}
        running = server.Server(folder, known, lock.fileno(), pytest.fail)
        await running.start()
        try:
            return [
                await asyncio.to_thread(client.Controller(folder).ask, name) for name in questions
            ]
        finally:
            await running.stop()

    with paths.lock(folder).open('w') as lock:
        return asyncio.run(run())


def test_the_same_code_is_served(tmp_path: pathlib.Path):
    assert asked(tmp_path, 'models', 'info') == ['hello', 'hello']


def test_other_code_is_told_what_to_do_and_can_do_it(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    mine = sources.digest()
    said = iter([mine, 'other'])
    monkeypatch.setattr(sources, 'digest', lambda: next(said, 'other'))
    with pytest.raises(refusal.Refused, match='jujulet controller stop'):
        asked(tmp_path, 'models')
    assert asked(tmp_path, 'stop-controller', 'info') == ['hello', 'hello']


def test_a_change_of_any_file_is_other_code(tmp_path: pathlib.Path):
    (tmp_path / 'inner').mkdir()
    for name in ('a.py', 'inner/b.py', 'c.txt'):
        (tmp_path / name).write_text('x = 1\n')
    before = sources.of(tmp_path)
    (tmp_path / 'c.txt').write_text('x = 2\n')
    assert sources.of(tmp_path) == before
    (tmp_path / 'inner/b.py').write_text('x = 2\n')
    changed = sources.of(tmp_path)
    assert changed != before
    (tmp_path / 'inner/b.py').rename(tmp_path / 'inner/d.py')
    assert sources.of(tmp_path) not in (before, changed)
