"""Runs one of the system's programs and says plainly how it failed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

from . import commands
from .protocol import MachineError


class Failed(Exception):  # noqa: N818 -- what happened
    """A program ended with an error."""

    def __init__(self, argv: Sequence[str], code: int, stdout: str, stderr: str):
        super().__init__(f'{" ".join(argv[:3])} …: exit code {code}: {stderr.strip()[-500:]}')
        self.code, self.stdout, self.stderr = code, stdout, stderr


def there(program: str) -> bool:
    """Whether this host has a program."""
    return shutil.which(program) is not None


PATIENCE_S = 300.0
"""How long a program may take that is done in a second where nothing else runs: a host may start thirty machines."""


ENDS_S = 10.0
"""How long a program that was killed may take to end: one that asks a file system of which nobody answers (FUSE, NFS)
does not until somebody does."""


async def run(argv: Sequence[str], *, timeout: float = PATIENCE_S, cwd: Path | None = None) -> str:
    """Run a program without input; its standard output.

    Raises:
        Failed: it ended with an error, or took longer than *timeout* seconds.
        MachineError: there is no such program.
    """
    if not there(argv[0]):
        raise MachineError(
            f'{argv[0]} is missing on this host: `jujulet doctor` says what to install'
        )
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *argv,
            cwd=cwd,
            env={**os.environ, commands.QUIET: '1'},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # What it has begun itself ends with it.
        )
    )
    try:
        # Whoever is cancelled while the program starts does not know its process yet, and asyncio
        # would end the first process alone, then wait for all that hold its output.
        process = await asyncio.shield(starting)
    except asyncio.CancelledError:
        await _end(await starting)
        raise
    try:
        out, err = await asyncio.wait_for(process.communicate(), timeout)
    except TimeoutError:
        raise Failed(argv, -1, '', f'took longer than {timeout:.0f} s') from None
    finally:
        await _end(process)
    stdout, stderr = out.decode(errors='replace'), err.decode(errors='replace')
    if process.returncode:
        raise Failed(argv, process.returncode, stdout, stderr)
    return stdout


async def insist(argv: Sequence[str], *, times: int = 5, pause_s: float = 1.0) -> str:
    """Run what may fail only because the host is busy, up to so many *times*; its standard output.

    Raises:
        Failed: it ended with an error each time: the last one.
        MachineError: there is no such program.
    """
    for _ in range(times - 1):
        with contextlib.suppress(Failed):
            return await run(argv)
        await asyncio.sleep(pause_s)
    return await run(argv)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill its process group, if it has not ended by itself; one that the kernel keeps is left to it."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), ENDS_S)
