"""Hooks take turns: few at once, the longest rested first, and nobody waits for one that takes long."""

from __future__ import annotations

import asyncio
import dataclasses
from types import SimpleNamespace
from typing import Any

from jujulet.controller import turns
from jujulet.core import model, operations


def hook(unit: str, task: str = '') -> operations.RunHook:
    return operations.RunHook(unit, unit, dataclasses.replace(model.Hook('start'), task=task))


def test_no_more_run_at_once_than_may():
    async def course() -> None:
        freed: list[int] = []
        turn = turns.Turns(lambda: freed.append(1), most=2, long_s=60)
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
        turn = turns.Turns(freed.set, most=1, long_s=0.01)
        end = turn.take()
        assert end
        assert turn.take() is None
        await asyncio.wait_for(freed.wait(), 5)
        assert turn.take()
        end()  # The one that took long ends at last: the other keeps its turn.
        assert turn.take() is None

    asyncio.run(course())


def test_what_somebody_waits_for_needs_none():
    assert turns.needed(hook('a/0'))
    assert not turns.needed(hook('a/0', task='7'))
    assert not turns.needed(operations.StartMachine('0'))


def test_who_has_rested_longest_comes_first_and_machines_before_all():
    since = {'a/0': 3.0, 'b/0': 1.0, 'c/0': 2.0}
    units = {n: SimpleNamespace(agent_status=SimpleNamespace(since=s)) for n, s in since.items()}
    fake: Any = SimpleNamespace(units=units)
    due = [hook('a/0'), hook('b/0'), operations.StartMachine('9'), hook('c/0')]
    ordered = turns.fair(fake, due)
    assert ordered[0] == operations.StartMachine('9')
    assert [o.unit for o in ordered[1:] if isinstance(o, operations.RunHook)] == [
        'b/0',
        'c/0',
        'a/0',
    ]
