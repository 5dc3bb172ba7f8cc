"""What a hook prints goes to the log in lines, many at a time: 60 MB cost 750,000 transactions."""

from __future__ import annotations

import asyncio
import types
from typing import Any

from jujulet.controller import hookrun, unitfolder
from jujulet.core import context, model
from jujulet.machines import link

HOOK = model.Hook('install')
UNIT = model.Unit(name='a/0', application='a', machine='0')


class Link:
    """A machine's agent that runs one program, which prints in chunks."""

    def __init__(self, chunks: list[tuple[str, bytes]], error: Exception | None = None):
        self.chunks, self.error = chunks, error

    async def run(self, argv: Any, *, output: Any, started: Any, **_: Any) -> Any:
        started(1, 2)
        for stream, chunk in self.chunks:
            output(stream, chunk)
        if self.error:
            raise self.error
        return types.SimpleNamespace(returncode=0, killed=False, timed_out=False)


def logged(run: Link) -> list[tuple[str, str, tuple[str, ...]]]:
    found: list[tuple[str, str, tuple[str, ...]]] = []

    def log(_uuid: str, _entity: str, level: str, module: str, *messages: str) -> None:
        found.append((level, module, messages))

    engine: Any = types.SimpleNamespace(log=log, models={'u': types.SimpleNamespace(tasks={})})
    runs = hookrun.HookRun(engine, *([types.SimpleNamespace(kill={})] * 3), unitfolder.TOOLS)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    begun = context.Context('c', 'a/0', HOOK, 0.0, {})
    folder = unitfolder.UnitFolder(unitfolder.TOOLS, '', 'a/0', '0')
    execute: Any = runs._execute  # pyright: ignore[reportPrivateUsage]
    asyncio.run(execute('u', UNIT, begun, run, ('x',), {}, folder, b''))
    return found


def test_lines_of_one_chunk_are_written_together():
    chunks = [('stdout', b'a\nb\nc'), ('stderr', b'w\n'), ('stdout', b'd\n'), ('stdout', b'e')]
    assert logged(Link(chunks)) == [
        ('DEBUG', 'unit.a/0.install', ('a', 'b')),
        ('WARNING', 'unit.a/0.install', ('w',)),
        ('DEBUG', 'unit.a/0.install', ('cd',)),
        ('DEBUG', 'unit.a/0.install', ('e',)),
    ]


def test_a_program_that_cannot_be_run_says_so():
    found = logged(Link([], link.CannotRun('x: No such file or directory')))
    assert found == [('WARNING', 'unit.a/0.install', ('x: No such file or directory',))]
