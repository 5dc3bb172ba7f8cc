"""Programs that a test has started in the background, and whether they are gone."""

from __future__ import annotations

import asyncio
import pathlib
import time


def lasting(said: pathlib.Path) -> str:
    """A shell's text: a program in the background that ends by itself in ten minutes; its number is in *said*."""
    return f'sleep 600 & echo $! >{said}.new; mv {said}.new {said}'


async def started(said: pathlib.Path) -> int:
    """The number of the program of :func:`lasting`, as soon as it runs."""
    while not said.exists():
        await asyncio.sleep(0.01)
    pid = int(said.read_text())
    assert lives(pid)
    return pid


def lives(pid: int) -> bool:
    """Whether a program runs."""
    try:
        return pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def ended(pid: int) -> None:
    """Wait until a program is gone: the test's limit of time ends it when it stays."""
    while lives(pid):
        time.sleep(0.01)
