"""Programs of the system, and what is left of them."""

from __future__ import annotations

import asyncio
import os
import pathlib
import signal
import time
from asyncio import base_subprocess
from typing import Any

import pytest

from jujulet.machines import tools


def lives(pid: int) -> bool:
    try:
        return pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def _begins(said: pathlib.Path) -> list[str]:
    """A program that begins another and writes down its process."""
    return ['sh', '-c', f'sleep 600 & echo $! >{said}.new; mv {said}.new {said}; wait']


def test_what_a_program_began_ends_with_it(tmp_path: pathlib.Path) -> None:
    """As mmdebstrap, whose apt went on unpacking when the controller had stopped."""
    said = tmp_path / 'pid'

    async def stopped() -> None:
        task = asyncio.create_task(tools.run(_begins(said)))
        while not said.exists():
            await asyncio.sleep(0.01)
        assert lives(int(said.read_text()))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(stopped())  # It does not wait for the sleeper, or this test would reach its limit.
    while lives(int(said.read_text())):
        time.sleep(0.01)


def test_a_program_cancelled_while_it_starts_ends_with_what_it_began(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine the program runs well before asyncio says that it has started."""
    said = tmp_path / 'pid'
    transport: Any = base_subprocess.BaseSubprocessTransport
    connect = transport._connect_pipes

    async def late(self: Any, waiter: Any) -> None:
        await asyncio.sleep(0.2)  # The program runs already; now it is cancelled.
        await connect(self, waiter)

    monkeypatch.setattr(transport, '_connect_pipes', late)

    async def stopped() -> None:
        task = asyncio.create_task(tools.run(_begins(said)))
        while not said.exists():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(stopped())
    while lives(int(said.read_text())):
        time.sleep(0.01)


@pytest.mark.parametrize(('good', 'said'), [(3, 'done'), (4, 'busy')])
def test_what_a_busy_host_refuses_is_asked_again_and_not_for_ever(
    tmp_path: pathlib.Path, good: int, said: str
) -> None:
    asked = tmp_path / 'asked'
    script = f'echo x >>{asked}; [ "$(wc -l <{asked})" -ge {good} ] && echo done || {{ echo busy >&2; exit 1; }}'
    try:
        heard = asyncio.run(tools.insist(['sh', '-c', script], times=3, pause_s=0))
    except tools.Failed as failed:
        heard = failed.stderr
    assert heard.strip() == said
    assert asked.read_text() == 'x\n' * 3


def test_a_killed_program_that_the_kernel_keeps_is_waited_for_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As podman, when it asks a file system of which nobody answers."""
    monkeypatch.setattr(tools, 'ENDS_S', 0.05)
    killed: list[int] = []

    def kept(pid: int, _signal: int) -> None:
        killed.append(pid)

    async def late() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(os, 'killpg', kept)
            with pytest.raises(tools.Failed, match='took longer than 0 s'):
                await tools.run(['sleep', '600'], timeout=0.05)
        os.kill(killed[0], signal.SIGKILL)
        while lives(killed[0]):
            await asyncio.sleep(0.01)

    asyncio.run(late())
