"""A program of the bundle's as a task: it is told everything as JSON on its standard input.

As in juju-solutions/matrix it gets no environment but PATH; what it prints is logged, its errors as errors.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import pathlib
import shutil
import signal
from collections.abc import Callable

from matrix import model
from matrix.engine import progress, runner
from matrix.grammar import located, suite

STOP_S = 5.0
"""Seconds that it has to end after it was asked to; then it and all its children are killed."""

_LONGEST = 1 << 20  # bytes of a line of its output


async def run(
    path: pathlib.Path,
    context: model.Context,
    rule: suite.RuleSpec,
    event: progress.BusEvent | None,
    doings: runner.Doings,
) -> bool:
    """Run it to its end; a cancelled call leaves none of its processes behind.

    Raises:
        model.TestFailure: it exits with anything but 0.
        model.InfraFailure: it cannot be started.
    """
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise model.InfraFailure(f'{rule.where}: there is no program {rule.task} in the bundle')
    log = logging.getLogger(rule.state)
    guard = ('setpriv', '--pdeathsig', 'KILL', '--') if shutil.which('setpriv') else ()
    try:
        process = await asyncio.create_subprocess_exec(
            *guard,
            str(path),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=context.config.path,
            env={'PATH': os.environ.get('PATH', os.defpath)},
            start_new_session=True,
            limit=_LONGEST,
        )
    except OSError as error:
        raise model.InfraFailure(
            f'{rule.where}: {rule.task} cannot be started: {error}'
        ) from error
    last: list[str] = []

    def complain(line: str) -> None:
        last[:] = [line]
        log.error(line)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_tell(process.stdin, program_input(context, rule, event, doings)))
            group.create_task(_follow(process.stdout, log.info))
            group.create_task(_follow(process.stderr, complain))
            code = await process.wait()
    finally:
        await asyncio.shield(_stop(process))
    if code:
        said = f': {last[0]}' if last else ''
        raise model.TestFailure(rule.task, f'{rule.task} exited with {code}{said}')
    return True


def program_input(
    context: model.Context,
    rule: suite.RuleSpec,
    event: progress.BusEvent | None,
    doings: runner.Doings,
) -> dict[str, located.Plain]:
    """What the program reads: its arguments and event, the states, and where it is."""
    happened: located.Plain = None
    if event is not None:
        happened = {'kind': event.kind, 'payload': event.payload}
    juju = context.juju_model
    return {
        'task': rule.task,
        'args': rule.args,
        'event': happened,
        'states': dict(doings.states),
        'test': context.test.name,
        'suite': [test.name for test in context.suite.tests],
        'path': str(context.config.path),
        'model': None if juju is None else str(juju.info.name),
    }


async def _tell(stream: asyncio.StreamWriter | None, what: dict[str, located.Plain]) -> None:
    if stream is None:
        return
    with contextlib.suppress(ConnectionError):  # It need not listen.
        stream.write(json.dumps(what, default=str).encode() + b'\n')
        await stream.drain()
    stream.close()
    with contextlib.suppress(ConnectionError):
        await stream.wait_closed()


async def _follow(stream: asyncio.StreamReader | None, heard: Callable[[str], None]) -> None:
    while stream is not None:
        try:
            line = await stream.readline()
        except ValueError:  # A line beyond the limit: what was read of it is gone.
            continue
        if not line:
            return
        heard(line.decode(errors='replace').rstrip())


async def _stop(process: asyncio.subprocess.Process) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        # The group may outlive its first process, so it is asked in any case.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_S)
