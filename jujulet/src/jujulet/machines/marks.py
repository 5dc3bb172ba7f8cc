"""Processes that carry a mark in their environment, found and killed: one look at /proc for all who wait for that."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

from .protocol import MachineError

MARK = 'JUJULET_MACHINE'
_LOOKS = 200
"""How often those who are to die are looked for: a program may be forking meanwhile."""

Chosen = Callable[[str], bool]
"""Whether the processes of a mark are to die."""


class Sweep:
    """Kills the processes of many machines at once."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], tuple[Chosen, int]] = {}
        """Who waits, which marks it is for, and how many looks it has left."""
        self._sweeping: asyncio.Task[None] | None = None

    async def kill(self, chosen: Chosen) -> None:
        """Kill every process whose mark is *chosen*; ends when a look that began after this has found none.

        Raises:
            MachineError: they do not die.
        """
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[ended] = (chosen, _LOOKS)
        if self._sweeping is None or self._sweeping.done():
            self._sweeping = asyncio.create_task(self._sweep())
        try:
            await ended
        finally:
            self._waiting.pop(ended, None)

    async def _sweep(self) -> None:
        while self._waiting:
            waiting = list(self._waiting)
            try:
                found = await asyncio.to_thread(marked)
            except BaseException as error:
                for ended in waiting:
                    self._end(ended, error)
                raise
            left = False
            for ended in waiting:
                left |= self._look(ended, found)
            if left:
                await asyncio.sleep(0.01)

    def _look(self, ended: asyncio.Future[None], found: list[tuple[int, str]]) -> bool:
        """Kill what one of those who wait is about; whether there was anything."""
        if ended not in self._waiting:
            return False
        chosen, looks = self._waiting[ended]
        pids = [pid for pid, mark in found if chosen(mark)]
        if not pids:
            self._end(ended, None)
        elif not looks:
            self._end(ended, MachineError(f'processes {pids} do not die'))
        else:
            self._waiting[ended] = (chosen, looks - 1)
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
        return bool(pids)

    def _end(self, ended: asyncio.Future[None], error: BaseException | None) -> None:
        self._waiting.pop(ended, None)
        if ended.done():
            return
        if error is None:
            ended.set_result(None)
        else:
            ended.set_exception(error)


def marked() -> list[tuple[int, str]]:
    """Every process of ours that carries a mark, with it. Zombies have no environment, so they are not here."""
    found: list[tuple[int, str]] = []
    wanted = MARK.encode() + b'='
    for name in os.listdir('/proc'):
        if not name.isdigit():
            continue
        try:
            with open(f'/proc/{name}/environ', 'rb') as file:
                environment = file.read()
        except OSError:
            continue
        if wanted not in environment:
            continue
        marks = [e for e in environment.split(b'\0') if e.startswith(wanted)]
        found.extend((int(name), mark.decode(errors='replace')) for mark in marks)
    return found


def command(pid: int) -> str:
    """The command line of a process, its words ended by NUL; empty if there is none."""
    try:
        return Path(f'/proc/{pid}/cmdline').read_bytes().decode(errors='replace')
    except OSError:
        return ''
