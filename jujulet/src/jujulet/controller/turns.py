"""Hooks take turns, whatever machines they are on: as many run at once as this host has processors, and one more.

A hook is mostly the start of a Python program. Ten of them on two processors are done no sooner than one after the
other, and a unit that waits for its turn hears in one hook what it would have heard in three. Who takes long (an
installation, a drain) keeps nobody waiting: after :data:`LONG_S` the turn is another's. Actions never wait.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable, Iterable

from ..core import model as model_
from ..core import operations

LONG_S = 3.0
MOST = (os.cpu_count() or 1) + 1


class Turns:
    """Who runs. *freed* is called when somebody who was refused should ask again."""

    def __init__(self, freed: Callable[[], None], *, most: int = MOST, long_s: float = LONG_S):
        self._freed, self._most, self._long_s = freed, most, long_s
        self._held: set[int] = set()
        self._numbers = itertools.count()

    def take(self) -> Callable[[], None] | None:
        """A turn: the function that ends it, which may be called more than once. None: not now."""
        if len(self._held) >= self._most:
            return None
        number = next(self._numbers)
        self._held.add(number)

        def end() -> None:
            timer.cancel()
            if number in self._held:
                self._held.remove(number)
                self._freed()

        timer = asyncio.get_running_loop().call_later(self._long_s, end)
        return end


def needed(operation: operations.Operation) -> bool:
    """Whether it is a hook that nobody at a keyboard waits for."""
    return isinstance(operation, operations.RunHook) and not operation.hook.task


def fair(model: model_.Model, due: Iterable[operations.Operation]) -> list[operations.Operation]:
    """Hooks of the units that have rested longest first, and before them all that needs no turn."""

    def rested(operation: operations.Operation) -> tuple[bool, float]:
        if not isinstance(operation, operations.RunHook) or not needed(operation):
            return False, 0.0
        return True, model.units[operation.unit].agent_status.since

    return sorted(due, key=rested)
