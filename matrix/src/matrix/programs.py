"""Programs of a bundle or of the system, run so that none of their processes outlives the call."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import pathlib
import shutil
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import TypeVar

_T = TypeVar('_T')

STOP_S = 5.0
"""Seconds that a program has to end after it was asked to; then it and all its children are killed."""

_LONGEST = 1 << 20  # bytes of a line of its output


@contextlib.asynccontextmanager
async def running(
    *argv: str,
    stdin: int = asyncio.subprocess.DEVNULL,
    cwd: pathlib.Path | None = None,
    env: Mapping[str, str] | None = None,
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A program in a process group of its own, while the block lasts; then the whole group is ended.

    It goes when we are killed, too. Its standard output and error are pipes.

    Raises:
        OSError: it cannot be started.
    """
    if shutil.which(argv[0]) is None:
        raise FileNotFoundError(errno.ENOENT, 'there is no such program', argv[0])
    guard = ('setpriv', '--pdeathsig', 'KILL', '--') if shutil.which('setpriv') else ()
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *guard,
            *argv,
            stdin=stdin,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=cwd,
            env=env,
            start_new_session=True,
            limit=_LONGEST,
        )
    )
    try:
        # Whoever is cancelled while the program starts does not know its process yet, and asyncio
        # would end the first process alone, then wait for all that hold its output.
        process = await asyncio.shield(starting)
    except asyncio.CancelledError:
        await to_its_end(_stop(await starting))
        raise
    try:
        yield process
    finally:
        await to_its_end(_stop(process))


async def follow(stream: asyncio.StreamReader | None, heard: Callable[[str], None]) -> None:
    """Hand over each line of a program's output until its end; a line beyond 1 MiB is passed over."""
    while stream is not None:
        try:
            line = await stream.readline()
        except ValueError:  # A line beyond the limit: what was read of it is gone.
            continue
        if not line:
            return
        heard(line.decode(errors='replace').rstrip())


async def to_its_end(work: Awaitable[_T], hurry: Callable[[], None] | None = None) -> _T:
    """Wait for work that a cancelled task must not leave half done; the cancellation goes on afterwards.

    *hurry* is called each time that the task is cancelled meanwhile.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise
            cancelled = error
            if hurry is not None:
                hurry()
    if cancelled is not None:
        raise cancelled
    return task.result()


async def _stop(process: asyncio.subprocess.Process) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        # The group may outlive its first process, so it is asked in any case.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_S)
