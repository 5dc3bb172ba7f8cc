"""Hooks take turns: few at once, the longest rested first, and nobody waits for one that takes long."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
from types import SimpleNamespace
from typing import Any

import pytest

from jujulet.controller import fair_queue
from jujulet.core import agenda, model, operations


def hook(unit: str, task: str = '') -> operations.RunHook:
    return operations.RunHook(unit, unit, dataclasses.replace(model.Hook('start'), task=task))


def test_no_more_run_at_once_than_may():
    async def course() -> None:
        freed: list[int] = []
        turn = fair_queue.Turns(lambda: freed.append(1), most=2, long_s=60)
        first, second = turn.take(), turn.take()
        assert first and second
        assert turn.take() is None
        first()
        first()  # Ended twice, it counts once.
        assert freed == [1]
        assert turn.take()
        assert turn.take() is None

    asyncio.run(course())


def test_a_turn_that_takes_long_is_another_s():
    async def course() -> None:
        freed = asyncio.Event()
        turn = fair_queue.Turns(freed.set, most=1, long_s=0.01, busy=lambda: False)
        end = turn.take()
        assert end
        assert turn.take() is None
        await asyncio.wait_for(freed.wait(), 5)
        assert turn.take()
        end()  # The one that took long ends at last: the other keeps its turn.
        assert turn.take() is None

    asyncio.run(course())


def test_on_a_busy_host_a_turn_is_kept_until_there_is_room():
    async def course() -> None:
        freed, busy = asyncio.Event(), [True]
        turn = fair_queue.Turns(freed.set, most=1, long_s=0.01, busy=lambda: busy[0])
        assert turn.take()
        await asyncio.sleep(0.1)
        assert turn.take() is None
        busy[0] = False
        await asyncio.wait_for(freed.wait(), 5)
        assert turn.take()

    asyncio.run(course())


def test_on_a_busy_host_a_turn_ends_too():
    async def course() -> None:
        freed = asyncio.Event()
        turn = fair_queue.Turns(freed.set, most=1, long_s=0.01, longest_s=0.05, busy=lambda: True)
        assert turn.take()
        await asyncio.wait_for(freed.wait(), 5)
        assert turn.take()

    asyncio.run(course())


def test_one_that_ends_on_a_busy_host_is_not_counted_twice():
    async def course() -> None:
        freed: list[int] = []
        turn = fair_queue.Turns(lambda: freed.append(1), most=1, long_s=0.01, busy=lambda: True)
        end = turn.take()
        assert end
        await asyncio.sleep(0.05)
        end()
        assert turn.take()
        await asyncio.sleep(0.05)
        assert freed == [1]

    asyncio.run(course())


@pytest.mark.parametrize(('running', 'busy'), [(4, False), (5, True)])
def test_a_host_is_busy_with_more_than_two_processes_for_each_processor(
    running: int, busy: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
):
    stat = tmp_path / 'stat'
    stat.write_text(f'cpu  1 2 3\nprocs_running {running}\nprocs_blocked 90\n')
    monkeypatch.setattr(fair_queue, '_STAT', stat)
    monkeypatch.setattr('os.cpu_count', lambda: 2)
    assert fair_queue.host_is_busy() == busy


def test_what_somebody_waits_for_needs_none():
    assert agenda.is_hook(hook('a/0'))
    assert not agenda.is_hook(hook('a/0', task='7'))
    assert not agenda.is_hook(operations.StartMachine('0'))


def test_who_has_rested_longest_comes_first():
    since = {'a/0': 3.0, 'b/0': 1.0, 'c/0': 2.0}
    units = {n: SimpleNamespace(agent_status=SimpleNamespace(since=s)) for n, s in since.items()}
    fake: Any = SimpleNamespace(units=units)
    ordered = fair_queue.fair(fake, [hook('a/0'), hook('b/0'), hook('c/0')])
    assert [o.unit for o in ordered] == ['b/0', 'c/0', 'a/0']
