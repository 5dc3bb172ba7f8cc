"""Processes of many machines are killed together: one look at /proc is for all, and each ends when its own are gone."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator

import pytest

from jujulet.machines import marks, protocol


@pytest.fixture
def sleepers() -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Ten processes, each with a mark of its own."""
    found = {
        f'{marks.MARK}=test-{os.getpid()}/{n}': subprocess.Popen(
            ['sleep', '600'],
            env={'PATH': os.environ['PATH'], marks.MARK: f'test-{os.getpid()}/{n}'},
        )
        for n in range(10)
    }
    yield found
    for process in found.values():
        process.kill()
        process.wait()


def kill(*wanted: str) -> int:
    """Kill the processes of these marks; how often /proc was looked at."""
    looks = 0
    real = marks.marked

    def marked() -> list[tuple[int, str]]:
        nonlocal looks
        looks += 1
        return real()

    async def course() -> None:
        sweep = marks.Sweep()
        marks.marked = marked
        try:
            await asyncio.gather(*(sweep.kill(mark.__eq__) for mark in wanted))
        finally:
            marks.marked = real

    asyncio.run(course())
    return looks


def test_all_die_with_few_looks(sleepers: dict[str, subprocess.Popen[bytes]]):
    assert kill(*sleepers) < len(sleepers)
    assert all(process.wait(10) == -9 for process in sleepers.values())


def test_others_live_on(sleepers: dict[str, subprocess.Popen[bytes]]):
    first, *others = sleepers
    kill(first)
    assert sleepers[first].wait(10) == -9
    assert all(sleepers[mark].poll() is None for mark in others)


def test_where_nothing_is_left_it_ends():
    assert kill(f'{marks.MARK}=nobody') == 1


def test_those_that_do_not_die_are_told(monkeypatch: pytest.MonkeyPatch):
    def deathless() -> list[tuple[int, str]]:
        return [(2**22 + 1, 'a')]  # No such process.

    async def course() -> None:
        monkeypatch.setattr(marks, 'marked', deathless)
        monkeypatch.setattr(marks, '_LOOKS', 3)
        sweep = marks.Sweep()
        gone, stays = await asyncio.gather(
            sweep.kill('b'.__eq__), sweep.kill('a'.__eq__), return_exceptions=True
        )
        assert gone is None
        assert isinstance(stays, protocol.MachineError)

    asyncio.run(course())
