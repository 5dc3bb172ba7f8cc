"""The sockets of hook tools: a unit's calls are answered, and one unit cannot use up what all share."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'hooktools'))

import toolworld

from jujulet import wire
from jujulet.controller import toolsockets
from jujulet.core import model as model_


@dataclasses.dataclass
class Engine:
    """What the sockets need of the engine: models, and where machines are."""

    models: dict[str, model_.Model]
    folder: pathlib.Path
    lines: list[tuple[str, ...]] = dataclasses.field(default_factory=list[tuple[str, ...]])

    def machines_of(self, _uuid: str) -> Engine:
        return self

    def run_dir(self, _uuid: str, _machine: str) -> pathlib.Path:
        return self.folder

    def prefix(self, _uuid: str, _machine: str) -> str:
        return ''

    def clock(self) -> float:
        return toolworld.NOW

    def update(self, uuid: str, change: Callable[[model_.Model], model_.Model]) -> model_.Model:
        self.models[uuid] = change(self.models[uuid])
        return self.models[uuid]

    def log(self, _uuid: str, *words: str) -> None:
        self.lines.append(words)


class Bench:
    """The socket of app/0 while one of its hooks runs."""

    def __init__(self, folder: pathlib.Path):
        world = toolworld.World()
        self.context = world.context
        self.engine = Engine({toolworld.UUID: world.model}, folder)
        self.sockets = toolsockets.ToolSockets(cast('Any', self.engine))
        self.path = folder / 'unit-app-0.socket'

    async def call(self, *words: str | bytes, context: bytes = b'') -> list[bytes]:
        """The fields of the reply; none: it was hung up."""
        reader, writer = await asyncio.open_unix_connection(self.path)
        fields = [w if isinstance(w, bytes) else w.encode() for w in words]
        writer.write(wire.encode(b'call', context or self.context.id.encode(), *fields))
        try:
            said = await asyncio.wait_for(reader.read(), 10)
        except ConnectionResetError:
            said = b''
        writer.close()
        return wire.decode(said[wire.HEADER :])


def run(folder: pathlib.Path, course: Callable[[Bench], Awaitable[None]]) -> None:
    async def all_of_it() -> None:
        bench = Bench(folder)
        bench.sockets.begin(toolworld.UUID, bench.context)
        await bench.sockets.listen(toolworld.UUID, 'app/0')
        await course(bench)
        bench.sockets.end(bench.context.id)
        bench.sockets.close(toolworld.UUID, 'app/0')

    asyncio.run(all_of_it())


def test_a_call_is_answered_and_takes_effect(tmp_path: pathlib.Path):
    async def course(bench: Bench) -> None:
        assert await bench.call('is-leader') == [b'done', b'0', b'True\n', b'', b'']
        assert (await bench.call('status-set', 'blocked', 'why'))[1] == b'0'
        status = bench.engine.models[toolworld.UUID].units['app/0'].workload
        assert (status.current, status.message) == ('blocked', 'why')
        await bench.call('juju-log', 'hello')
        assert bench.engine.lines == [('unit-app-0', 'INFO', 'unit.app/0.juju-log', 'hello')]

    run(tmp_path, course)


def test_a_context_that_is_none_is_said_whatever_its_bytes_are(tmp_path: pathlib.Path):
    async def course(bench: Bench) -> None:
        said = await bench.call('is-leader', context=b'\xff')
        assert said[3] == b'ERROR unknown context id "\xff"\n'

    run(tmp_path, course)


def test_the_calls_of_one_hook_hand_over_only_so_much(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(toolsockets, 'MOST_BYTES', 3 << 20)

    async def course(bench: Bench) -> None:
        much = 'x' * (1 << 20)
        for _ in range(2):
            assert (await bench.call('relation-set', '-r', 'db:1', f'k={much}'))[1] == b'0'
        said = await bench.call('relation-set', '-r', 'db:1', f'k={much}')
        assert said[3] == b'ERROR the calls of this hook have handed over more than 3 MiB\n'
        assert (await bench.call('is-leader'))[1] == b'0'
        bench.sockets.end(bench.context.id)  # The next hook begins anew.
        bench.sockets.begin(toolworld.UUID, bench.context)
        assert (await bench.call('relation-set', '-r', 'db:1', f'k={much}'))[1] == b'0'

    run(tmp_path, course)


def test_a_unit_has_only_so_many_connections(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(toolsockets, 'MOST_CALLS', 2)

    async def course(bench: Bench) -> None:
        idle = [await asyncio.open_unix_connection(bench.path) for _ in range(2)]
        await asyncio.sleep(0)
        assert await bench.call('is-leader') == []
        for _, writer in idle:
            writer.close()
            await writer.wait_closed()
        while not (said := await bench.call('is-leader')):
            await asyncio.sleep(0.01)
        assert said[1] == b'0'

    run(tmp_path, course)
