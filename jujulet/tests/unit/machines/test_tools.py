"""Programs of the system, and what is left of them."""

from __future__ import annotations

import asyncio
import pathlib
import time

import pytest

from jujulet.machines import tools


def lives(pid: int) -> bool:
    try:
        return pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def test_what_a_program_began_ends_with_it(tmp_path: pathlib.Path) -> None:
    """As mmdebstrap, whose apt went on unpacking when the controller had stopped."""
    said = tmp_path / 'pid'
    script = f'sleep 600 & echo $! >{said}.new; mv {said}.new {said}; wait'

    async def stopped() -> None:
        task = asyncio.create_task(tools.run(['sh', '-c', script]))
        while not said.exists():
            await asyncio.sleep(0.01)
        assert lives(int(said.read_text()))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(stopped())  # It does not wait for the sleeper, or this test would reach its limit.
    while lives(int(said.read_text())):
        time.sleep(0.01)
