"""Whatever goes wrong while a step is carried out: it ends, it is told, and the controller goes on."""

from __future__ import annotations

import asyncio
import errno
import pathlib
import sqlite3
import sys
from collections.abc import Iterable

import pytest

from jujulet import paths
from jujulet.controller import engine, error_messages, store
from jujulet.core import lifecycle, model, operations
from jujulet.machines import protocol

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'core'))

import simulation

ERRORS: dict[str, tuple[Exception, str]] = {
    'full': (OSError(errno.ENOSPC, 'No space left on device', '/x'), 'no space is left on the disk (/x)'),
    'gone': (FileNotFoundError(errno.ENOENT, 'No such file or directory', '/c'), 'no such file or directory (/c)'),
    'slow': (TimeoutError(), 'it took too long'),
    'deep': (RecursionError('maximum recursion'), 'folders lie too deep in one another'),
    'runtime': (protocol.MachineError('podman is not there'), 'podman is not there'),
    'bug': (KeyError(), 'KeyError'),
}  # fmt: skip


@pytest.mark.parametrize('kind', ERRORS)
def test_an_error_is_one_sentence(kind: str):
    error, said = ERRORS[kind]
    assert error_messages.sentence(error) == said


def prepared() -> tuple[simulation.World, operations.RunHook]:
    world = simulation.World()
    world.deploy(simulation.a_charm('a'))
    while not isinstance(operation := world.due()[0], operations.RunHook):
        world.start(operation)
    return world, operation


class FullStore(store.Store):
    """A store on a disk that is full for some writes."""

    refuses = 0

    def save(
        self,
        old: model.Model | None,
        new: model.Model | None,
        lines: Iterable[store.LogLine] = (),
    ) -> None:
        if self.refuses > 0:
            self.refuses -= 1
            raise sqlite3.OperationalError('database or disk is full')
        super().save(old, new, lines)


@pytest.mark.parametrize('kind', ERRORS)
@pytest.mark.parametrize('refused', [0, 2])
def test_a_step_that_errs_ends_as_interrupted_and_is_told(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, kind: str, refused: int
):
    monkeypatch.setattr(engine, 'BACKOFF_S', 0.01)
    error, said = ERRORS[kind]
    world, _ = prepared()
    opened = FullStore(paths.database(tmp_path))
    now = [world.now]
    found = engine.Engine(opened, {}, clock=lambda: now[0])
    uuid = world.model.uuid

    async def run(uuid: str, operation: operations.RunHook) -> None:
        def begin(m: model.Model) -> model.Model:
            return lifecycle.begin(m, operation, 'c', now[0])[0]

        found.update(uuid, begin)
        opened.refuses = refused
        raise error

    async def main() -> None:
        found.add(world.model)
        found.carry[operations.RunHook] = run
        found.start()
        async with asyncio.timeout(10):
            while not found.models[uuid].units['a/0'].agent.trouble:
                await asyncio.sleep(0.01)
        agent = found.models[uuid].units['a/0'].agent
        assert (agent.step, agent.trouble) == ('queued', f'cannot run install: {said}')
        assert opened.load() == [found.models[uuid]]
        assert not found.occupied(uuid)
        await found.stop()

    asyncio.run(main())
    logged = [line.message for line in opened.log_lines(uuid)]
    assert len(logged) == 1
    assert 'Traceback' not in logged[0]
    opened.close()
