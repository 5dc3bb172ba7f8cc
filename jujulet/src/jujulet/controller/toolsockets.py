"""The sockets of hook tools, one a unit, and the contexts of the hooks that run.

A unit's socket is in its machine's own folder, and what comes in over it counts as said by that unit: it may name
only a context of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from .. import wire
from ..client import short_path
from ..core import change, hooktools, layers, requests
from ..core import context as context_
from ..core import model as model_
from ..machines import link
from . import engine as engine_

logger = logging.getLogger(__name__)


MOST_CALLS = 256
"""Hook tools of one unit that may speak to the controller at once."""
MOST_BYTES = 256 * 1024 * 1024
"""What the calls of one hook may hand over in all: it is held until the hook has ended."""

NOTHING = context_.Context('', '', model_.Hook(''), 0.0, {})


class ToolSockets:
    """Answers the hook tools of all units."""

    def __init__(self, engine: engine_.Engine):
        self._engine = engine
        self._servers: dict[tuple[str, str], asyncio.Server] = {}
        self._contexts: dict[str, tuple[str, context_.Context]] = {}
        """By context id: the model's uuid, and the context as its tools have made it so far."""
        self._recordings: dict[str, layers.Recording] = {}
        self._received: dict[str, int] = {}
        """By context id: how many bytes its calls have handed over."""
        self.kill: dict[str, Callable[[], None]] = {}
        """By context id: ends the hook at once, for ``juju-reboot --now``."""

    def begin(self, uuid: str, context: context_.Context) -> None:
        """A hook starts: its tools may call."""
        self._contexts[context.id] = (uuid, context)

    def replace(self, context: context_.Context) -> None:
        """A hook's context as it is now."""
        self._contexts[context.id] = (self._contexts[context.id][0], context)

    def context(self, context_id: str) -> context_.Context:
        """A hook's context as its tools have left it."""
        return self._contexts[context_id][1]

    def end(self, context_id: str) -> None:
        """A hook has ended: nothing may call on its behalf any more."""
        self._contexts.pop(context_id, None)
        self._recordings.pop(context_id, None)
        self._received.pop(context_id, None)
        self.kill.pop(context_id, None)

    def record(self, context_id: str) -> None:
        """Remember every call of this hook, and its answer."""
        self._recordings[context_id] = layers.Recording()

    def recording(self, context_id: str) -> layers.Recording:
        """What was remembered of a hook."""
        return self._recordings[context_id]

    async def listen(self, uuid: str, unit: str) -> None:
        """Open the socket of a unit's hook tools."""
        if (uuid, unit) in self._servers:
            return
        model = self._engine.models[uuid]
        folder = self._engine.machines_of(uuid).run_dir(uuid, model.units[unit].machine)
        path = folder / f'unit-{unit.replace("/", "-")}.socket'
        path.unlink(missing_ok=True)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(uuid, unit, reader, writer)

        with short_path(path) as name:  # Its mode is not touched: see link.listen.
            self._servers[uuid, unit] = await asyncio.start_unix_server(
                link.at_most(MOST_CALLS, serve), name
            )

    async def listen_all(self, uuid: str, machine: str) -> None:
        """Open the sockets of every unit on *machine* that has a charm: they are anew after a restart."""
        model = self._engine.models[uuid]
        for unit in model.units.values():
            if unit.machine == machine and unit.agent.deployed:
                self.close(uuid, unit.name)
                await self.listen(uuid, unit.name)

    def close(self, uuid: str, unit: str) -> None:
        """Close the socket of a unit that is gone."""
        if server := self._servers.pop((uuid, unit), None):
            server.close()

    def sweep(self) -> None:
        """Close the sockets of all units that no longer are."""
        for uuid, unit in list(self._servers):
            model = self._engine.models.get(uuid)
            if model is None or unit not in model.units:
                self.close(uuid, unit)

    async def _serve(
        self, uuid: str, unit: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            try:
                incoming = await wire.receive(reader, writer)
                if incoming is not None:
                    outside = incoming.call.argv[0] in hooktools.MACHINE_NAMES
                    handle = self._exec if outside else self._tool
                    writer.write(await handle(uuid, unit, incoming))
                    await writer.drain()
            except wire.Malformed as error:
                logger.warning('%s: %s', unit, error)
        with contextlib.suppress(ConnectionError):
            writer.close()
            await writer.wait_closed()

    async def _exec(self, uuid: str, unit: str, incoming: wire.Incoming) -> bytes:
        """``juju-exec`` on the machine: a command in a context of the unit's own, once the machine is free."""
        try:
            named, command = hooktools.exec_words(incoming.call.argv)
            if named not in ('', unit):
                raise model_.Refused(f'unit {named} is not the one that is asked')
            if incoming.context_id in self._contexts:
                raise model_.Refused('juju-exec cannot wait for a hook that waits for it')
            wanted = requests.Exec(command=command, units=(unit,))
            task = await self._finished(uuid, unit, wanted)
        except (hooktools.Failure, model_.Refused) as error:
            return wire.encode_error(str(error), error.code)
        code = int(task.results.get('return-code', 1))
        out, err = (str(task.results.get(k, '')).encode() for k in ('stdout', 'stderr'))
        return wire.encode_result(
            context_.Result(self._engine.models[uuid], NOTHING, out, err, code)
        )

    async def _finished(self, uuid: str, unit: str, wanted: requests.Exec) -> model_.Task:
        said: dict[str, Any] = {}

        def ask(model: model_.Model) -> model_.Model:
            model, result = change.apply(model, wanted, self._engine.clock(), by_user=False)
            said.update(result)
            return model

        self._engine.update(uuid, ask)
        while True:
            model = self._engine.models.get(uuid)
            if model is None or unit not in model.units:
                raise model_.Refused(f'unit {unit} is gone')
            task = model.tasks[said['tasks'][unit]]
            if task.status not in ('pending', 'running'):
                return task
            await self._engine.changed.wait()

    async def _tool(self, uuid: str, unit: str, incoming: wire.Incoming) -> bytes:
        owner, context = self._contexts.get(incoming.context_id, ('', None))
        if context is None or owner != uuid or context.unit != unit:
            return wire.encode_error(f'unknown context id "{incoming.context_id}"')
        received = self._received.get(context.id, 0) + incoming.size
        if received > MOST_BYTES:
            return wire.encode_error(
                f'the calls of this hook have handed over more than {MOST_BYTES >> 20} MiB'
            )
        self._received[context.id] = received
        model = self._engine.models[uuid]
        try:
            prefix = self._engine.machines_of(uuid).prefix(uuid, model.units[unit].machine)
            result = hooktools.call(
                model, context, incoming.call, self._engine.clock(), prefix=prefix
            )
        except Exception:
            logger.exception('%s: %s failed', unit, incoming.call.argv[:1])
            return wire.encode_error('internal error: see the log of the controller')
        self._contexts[context.id] = (uuid, result.context)
        if result.model is not model:
            self._engine.update(uuid, lambda _: result.model)
        self._log(uuid, unit, result)
        if result.context.writes.reboot == 'now' and context.id in self.kill:
            self.kill[context.id]()
        if context.id in self._recordings:
            recording = self._recordings[context.id]
            self._recordings[context.id] = layers.recorded(recording, incoming.call, result)
        return wire.encode_result(result)

    def _log(self, uuid: str, unit: str, result: context_.Result) -> None:
        entity = f'unit-{unit.replace("/", "-")}'
        for level, message in result.log:
            self._engine.log(uuid, entity, level, f'unit.{unit}.juju-log', message)
