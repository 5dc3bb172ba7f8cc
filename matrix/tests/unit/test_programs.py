"""What is left of a program when whoever ran it was stopped."""

from __future__ import annotations

import asyncio
import logging
import pathlib
from asyncio import base_subprocess
from typing import Any

import processes
import pytest

from matrix import programs, utils


@pytest.mark.parametrize('late', [False, True], ids=['running', 'starting'])
def test_a_cancelled_program_leaves_nothing_behind(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    """On a busy machine the program runs well before asyncio says that it has started."""
    said = tmp_path / 'pid'
    script = f'{processes.lasting(said)}; wait'
    transport: Any = base_subprocess.BaseSubprocessTransport
    connect = transport._connect_pipes

    async def slow(self: Any, waiter: Any) -> None:
        await asyncio.sleep(0.2)  # The program runs already; now it is cancelled.
        await connect(self, waiter)

    if late:
        monkeypatch.setattr(transport, '_connect_pipes', slow)

    async def stopped() -> None:
        task = asyncio.create_task(
            utils.execute_process(['sh', '-c', script], logging.getLogger())
        )
        await processes.started(said)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(stopped())
    processes.ended(int(said.read_text()))


def test_what_its_children_run_ends_with_it(tmp_path: pathlib.Path) -> None:
    said = tmp_path / 'pid'

    async def ran() -> bytes:
        async with programs.running(
            'sh', '-c', f'sleep 600 >&- 2>&- & echo $! >{said}; echo over'
        ) as one:
            assert one.stdout is not None
            return await one.stdout.read()

    assert asyncio.run(ran()) == b'over\n'
    processes.ended(int(said.read_text()))


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(FileNotFoundError, match='no-such-program'):
        asyncio.run(utils.execute_process(['no-such-program'], logging.getLogger()))


def test_a_line_too_long_to_keep_is_passed_over() -> None:
    lines: list[str] = []

    async def ran() -> None:
        script = "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo after"
        async with programs.running('sh', '-c', script) as one:
            await programs.follow(one.stdout, lines.append)

    asyncio.run(ran())
    assert lines[-1] == 'after'
    assert max(map(len, lines)) < 1 << 20


def test_however_often_it_is_cancelled_it_is_over_when_the_cancellation_goes_on(
    tmp_path: pathlib.Path,
) -> None:
    said = tmp_path / 'pid'
    # It takes a moment to end after it was asked to.
    script = f"trap 'sleep 0.3; exit' TERM; echo $$ >{said}.new; mv {said}.new {said}; while :; do sleep 0.05; done"

    async def stopped() -> int | None:
        ran: list[asyncio.subprocess.Process] = []

        async def run() -> None:
            async with programs.running('sh', '-c', script) as one:
                ran.append(one)
                await one.wait()

        task = asyncio.create_task(run())
        await processes.started(said)
        while not ran:  # On a busy machine it runs well before asyncio says that it has started.
            await asyncio.sleep(0.01)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0.05)
        with pytest.raises(asyncio.CancelledError):
            await task
        return ran[0].returncode

    assert asyncio.run(stopped()) is not None
    processes.ended(int(said.read_text()))
