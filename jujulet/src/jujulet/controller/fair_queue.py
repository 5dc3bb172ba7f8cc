"""Hooks take turns, whatever machines they are on: as many run at once as this host has processors, and one more.

A hook is mostly the start of a Python program. Ten of them on two processors are done no sooner than one after the
other, and a unit that waits for its turn hears in one hook what it would have heard in three. Who takes long (an
installation, a drain) keeps nobody waiting: after :data:`LONG_S` the turn is another's. Actions never wait.

Where the host has more to do than it can, every hook takes long, and each that began in another's stead would make all
of them slower, until health checks and leases run out. So there a turn is kept, for at most :data:`LONGEST_S`.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import pathlib
from collections.abc import Callable, Iterable

from ..core import model as model_
from ..core import operations

LONG_S = 3.0
LONGEST_S = 60.0
MOST = (os.cpu_count() or 1) + 1
_STAT = pathlib.Path('/proc/stat')


def host_is_busy() -> bool:
    """Whether more than twice as many processes want a processor at this moment as there are (proc_stat(5))."""
    try:
        lines = _STAT.read_text().splitlines()
    except OSError:
        return False
    running = next((int(x.split()[1]) for x in lines if x.startswith('procs_running ')), 0)
    return running > 2 * (os.cpu_count() or 1)


class Turns:
    """Who runs. *freed* is called when somebody who was refused should ask again."""

    def __init__(
        self,
        freed: Callable[[], None],
        *,
        most: int = MOST,
        long_s: float = LONG_S,
        longest_s: float = LONGEST_S,
        busy: Callable[[], bool] = host_is_busy,
    ):
        self._freed, self._most, self._busy = freed, most, busy
        self._long_s, self._longest_s = long_s, longest_s
        self._held: set[int] = set()
        self._numbers = itertools.count()

    @property
    def free(self) -> bool:
        """Whether anybody would get a turn."""
        return len(self._held) < self._most

    def take(self) -> Callable[[], None] | None:
        """A turn: the function that ends it, which may be called more than once. None: not now."""
        if not self.free:
            return None
        number = next(self._numbers)
        self._held.add(number)
        loop = asyncio.get_running_loop()
        latest = loop.time() + self._longest_s

        def end() -> None:
            timer.cancel()
            if number in self._held:
                self._held.remove(number)
                self._freed()

        def late() -> None:
            nonlocal timer
            if loop.time() < latest and self._busy():
                timer = loop.call_later(self._long_s, late)
            else:
                end()

        timer = loop.call_later(self._long_s, late)
        return end


def fair(model: model_.Model, hooks: Iterable[operations.RunHook]) -> list[operations.RunHook]:
    """Hooks of the units that have rested longest first."""
    return sorted(hooks, key=lambda hook: model.units[hook.unit].agent_status.since)
