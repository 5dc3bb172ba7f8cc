"""A program of the bundle's as a task: it gets everything as JSON on its standard input.

As in juju-solutions/matrix it gets no environment but PATH; what it prints is logged, its errors as errors.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import pathlib

from matrix import model, programs
from matrix.engine import progress, runner
from matrix.grammar import located, suite


async def run(
    path: pathlib.Path,
    context: model.Context,
    rule: suite.RuleSpec,
    event: progress.BusEvent | None,
    doings: runner.RuleActions,
) -> bool:
    """Run it to its end; a cancelled call leaves none of its processes behind.

    Raises:
        model.TestFailure: it exits with anything but 0.
        model.InfraFailure: it cannot be started.
    """
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise model.InfraFailure(f'{rule.where}: there is no program {rule.task} in the bundle')
    log = logging.getLogger(rule.state)
    last: list[str] = []

    def complain(line: str) -> None:
        last[:] = [line]
        log.error(line)

    environment = {'PATH': os.environ.get('PATH', os.defpath)}
    try:
        async with (
            programs.running(
                str(path), stdin=asyncio.subprocess.PIPE, cwd=context.config.path, env=environment
            ) as process,
            asyncio.TaskGroup() as group,
        ):
            written = program_input(context, rule, event, doings)
            group.create_task(_write_input(process.stdin, written))
            group.create_task(programs.follow(process.stdout, log.info))
            group.create_task(programs.follow(process.stderr, complain))
            code = await process.wait()
    except OSError as error:
        raise model.InfraFailure(
            f'{rule.where}: {rule.task} cannot be started: {error}'
        ) from error
    if code:
        said = f': {last[0]}' if last else ''
        raise model.TestFailure(rule.task, f'{rule.task} exited with {code}{said}')
    return True


def program_input(
    context: model.Context,
    rule: suite.RuleSpec,
    event: progress.BusEvent | None,
    doings: runner.RuleActions,
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


async def _write_input(
    stream: asyncio.StreamWriter | None, what: dict[str, located.Plain]
) -> None:
    if stream is None:
        return
    with contextlib.suppress(ConnectionError):  # It need not listen.
        stream.write(json.dumps(what, default=str).encode() + b'\n')
        await stream.drain()
    stream.close()
    with contextlib.suppress(ConnectionError):
        await stream.wait_closed()
