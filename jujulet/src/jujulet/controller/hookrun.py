"""Carries out what units are to do: unpack a charm, attach storage, run a hook, an action or a command."""

from __future__ import annotations

import asyncio
import logging
import pathlib
import secrets
import signal
from collections.abc import Mapping

from .. import paths
from ..core import context as context_
from ..core import debugging, environment, hooks, lifecycle, operations, storage
from ..core import model as model_
from ..machines import link as link_
from ..machines import protocol
from . import engine as engine_
from . import installcache, unitfolder
from .provision import Provision
from .toolsockets import ToolSockets

logger = logging.getLogger(__name__)


class HookRun:
    """Runs hooks on the machines of all models."""

    def __init__(
        self,
        engine: engine_.Engine,
        provision: Provision,
        sockets: ToolSockets,
        cache: installcache.InstallCache,
        folder: pathlib.Path,
    ):
        self._engine = engine
        self._provision = provision
        self._sockets = sockets
        self._cache = cache
        self._folder = folder

    def recover(self) -> None:
        """After a start of the controller: what ran when the last one died is to run again."""
        for uuid, model in self._engine.models.items():
            now = self._engine.clock()
            recovered = lifecycle.all_interrupted(model, now)
            self._engine.update(uuid, lambda _, recovered=recovered: recovered)

    async def deploy(self, uuid: str, operation: operations.DeployCharm) -> None:
        """Unpack a charm into a unit's folder, with the hook tools beside it."""
        model = self._engine.models[uuid]
        unit = model.units[operation.unit]
        folder = self._unit_folder(model, unit)
        charm = model.charms[operation.url]
        base = model.machines[unit.machine].base
        source = paths.charms(self._folder) / charm.digest_on(base)
        if not source.is_dir():
            raise protocol.MachineError(
                f'the charm of {unit.application} is no longer in {source.parent}: '
                f'juju refresh {unit.application} --path FOLDER brings it back'
            )
        await asyncio.to_thread(unitfolder.deploy, folder, source, model.juju_version)
        await self._put_resources(model, unit, folder)
        await self._sockets.listen(uuid, unit.name)
        now = self._engine.clock()
        self._engine.update(
            uuid, lambda m: lifecycle.deployed(m, operation.unit, operation.url, now)
        )

    async def _put_resources(
        self, model: model_.Model, unit: model_.Unit, folder: unitfolder.UnitFolder
    ) -> None:
        for resource in model.applications[unit.application].resources.values():
            blob = paths.blobs(self._folder) / resource.digest
            await asyncio.to_thread(
                unitfolder.resource, folder, blob, resource.name, resource.filename
            )

    async def attach_storage(self, uuid: str, operation: operations.AttachStorage) -> None:
        """Have the agent make the folder that a storage instance is: where the machine's links and mounts lead.

        Its mode is Juju's (source: ``ensureDir`` of internal/storage/provider/common.go).

        Raises:
            protocol.MachineError: the machine cannot have a folder there.
        """
        model = self._engine.models[uuid]
        folder = self._unit_folder(model, model.units[operation.unit])
        link = self._provision.link(uuid, folder.machine)
        if link is None:
            return  # Its machine is down; asked again once it is back.
        found = model.storage[operation.storage]
        if other := storage.in_the_way(
            model, found
        ):  # Of a subordinate, where nobody could be refused.
            raise protocol.MachineError(
                f'storage {other} stays at {found.location}: juju remove-storage {other} makes room'
            )
        place = folder.prefix + found.location
        script = 'umask 022 && exec mkdir -p -- "$1"'
        try:
            ended, _, said = await link.capture(
                ('/bin/sh', '-c', script, 'sh', place), env={'PATH': environment.AGENT_PATH}
            )
        except link_.LinkLost:
            return
        if ended.returncode:
            text = said.decode(errors='replace').strip()
            raise protocol.MachineError(f'storage {operation.storage} has no place: {text}')
        now = self._engine.clock()
        unit, sid = operation.unit, operation.storage
        self._engine.update(uuid, lambda m: lifecycle.storage_attached(m, unit, sid, now))

    async def run(self, uuid: str, operation: operations.RunHook) -> None:
        """Run one hook, action or command from its beginning to its commit."""
        label = (operation.unit or operation.machine).replace('/', '-')
        context_id = f'{label}-{hooks.name(operation.hook)}-{secrets.token_hex(8)}'
        context = self._begin(uuid, operation, context_id)
        link = self._provision.link(uuid, operation.machine)
        if link is None:
            self._interrupt(uuid, operation, context_id)
            return
        try:
            if operation.unit:
                await self._run_in_unit(uuid, operation, context, link)
            else:
                await self._run_on_machine(uuid, context, link)
        except link_.LinkLost:
            self._interrupt(uuid, operation, context_id)
        finally:
            self._sockets.end(context_id)

    def _begin(
        self, uuid: str, operation: operations.RunHook, context_id: str
    ) -> context_.Context:
        begun: list[context_.Context] = []

        def begin(model: model_.Model) -> model_.Model:
            model, context = lifecycle.begin(model, operation, context_id, self._engine.clock())
            begun.append(context)
            return model

        self._engine.update(uuid, begin)
        return begun[0]

    def _interrupt(self, uuid: str, operation: operations.RunHook, context_id: str) -> None:
        if uuid not in self._engine.models:
            return
        now, task = self._engine.clock(), operation.hook.task
        if operation.unit:
            self._engine.update(
                uuid, lambda m: lifecycle.interrupted(m, operation.unit, now, context_id)
            )
        else:
            self._engine.update(uuid, lambda m: lifecycle.abandoned(m, task, now))

    async def _run_in_unit(
        self,
        uuid: str,
        operation: operations.RunHook,
        context: context_.Context,
        link: link_.AgentLink,
    ) -> None:
        model = self._engine.models[uuid]
        unit = model.units[operation.unit]
        folder = self._unit_folder(model, unit)
        self._sockets.begin(uuid, context)
        if operation.hook.kind == 'install' and self._cache.replay(uuid, context, self._sockets):
            self._say(uuid, unit, 'INFO', 'ran "install" hook (from the install cache)')
            self._finish(uuid, context.id, context_.Outcome(0))
            return
        if operation.hook.kind == 'upgrade-charm':  # It also tells of a new resource.
            await self._put_resources(model, unit, folder)
        facts = environment.Facts(prefix=folder.prefix)
        env = environment.hook_environment(model, context, facts)
        argv, how, stdin = _handler(model, operation.hook, folder)
        if not argv:
            outcome = without_program(folder)
            if not outcome.missing:
                self._say(uuid, unit, 'ERROR', f'no charm is at {folder.charm_inside} any more')
            self._finish(uuid, context.id, outcome)
            return
        if session := await self._session(model, operation, link):
            script = debugging.server_script(uuid, unit.name, argv[0], session)
            argv, stdin = ('/bin/bash', '-s'), script.encode()
        recording = (
            not session and operation.hook.kind == 'install' and self._cache.wants(uuid, unit.name)
        )
        if recording:
            self._sockets.record(context.id)
        outcome = await self._execute(uuid, unit, context, link, argv, env, folder, stdin)
        if recording and outcome.code == 0 and not outcome.killed:
            await self._cache.keep(uuid, unit.name, self._sockets.recording(context.id))
        if outcome.code == 0 and not outcome.killed:
            self._say(
                uuid,
                unit,
                'INFO',
                f'ran "{_called(model, operation.hook)}" {_noun(operation.hook)} (via {how})',
            )
        self._finish(uuid, context.id, outcome)

    async def _session(
        self, model: model_.Model, operation: operations.RunHook, link: link_.AgentLink
    ) -> debugging.Session | None:
        """The session in which somebody waits for this hook or action."""
        hook = operation.hook
        key = model.uuid, operation.unit
        found = self._engine.debugging.get(key)
        if found is None or hook.kind == 'exec' or not found.wants(_called(model, hook)):
            return None
        there, _, _ = await link.capture(
            debugging.present(*key), env={'PATH': environment.AGENT_PATH}
        )
        return found if there.returncode == 0 else None

    async def _execute(
        self,
        uuid: str,
        unit: model_.Unit,
        context: context_.Context,
        link: link_.AgentLink,
        argv: tuple[str, ...],
        env: Mapping[str, str],
        folder: unitfolder.UnitFolder,
        stdin: bytes,
    ) -> context_.Outcome:
        hook = context.hook
        captured = {'stdout': bytearray(), 'stderr': bytearray()}
        keep = bool(hook.task)
        entity = f'unit-{unit.name.replace("/", "-")}'
        module = f'unit.{unit.name}.{hooks.name(hook)}'

        said: dict[str, list[str]] = {'stdout': [], 'stderr': []}

        def line(stream: str, text: str) -> None:
            said[stream].append(text)

        def write() -> None:
            for stream, level in (('stdout', 'DEBUG'), ('stderr', 'WARNING')):
                if said[stream]:
                    self._engine.log(uuid, entity, level, module, *said[stream])
                    said[stream].clear()

        lines = link_.Lines(line)

        def output(stream: str, chunk: bytes) -> None:
            if keep:
                captured[stream] += chunk
            if hook.kind != 'exec':
                lines.feed(stream, chunk)
                write()

        def started(number: int, _pid: int) -> None:
            self._sockets.kill[context.id] = lambda: link.kill(number, signal.SIGKILL)

        timeout = self._engine.models[uuid].tasks[hook.task].timeout if hook.task else 0.0
        try:
            ended = await link.run(
                argv,
                env=env,
                cwd=folder.charm_inside,
                stdin=stdin,
                timeout=timeout,
                output=output,
                started=started,
            )
        except link_.CannotRun as error:
            line('stderr', str(error))
            write()
            return context_.Outcome(126, stderr=str(error).encode())
        lines.finish()
        write()
        return context_.Outcome(
            code=ended.returncode,
            killed=ended.killed and not ended.timed_out,
            timed_out=ended.timed_out,
            stdout=bytes(captured['stdout']),
            stderr=bytes(captured['stderr']),
        )

    async def _run_on_machine(
        self, uuid: str, context: context_.Context, link: link_.AgentLink
    ) -> None:
        task = self._engine.models[uuid].tasks[context.hook.task]
        ended, stdout, stderr = await link.capture(
            ('/bin/bash', '-s'),
            env={'PATH': environment.AGENT_PATH, 'LANG': 'C.UTF-8', 'HOME': '/root'},
            cwd='/',
            stdin=task.command.encode(),
            timeout=task.timeout,
        )
        outcome = context_.Outcome(
            ended.returncode, timed_out=ended.timed_out, stdout=stdout, stderr=stderr
        )
        now = self._engine.clock()
        self._engine.update(uuid, lambda m: lifecycle.finish(m, context, outcome, now))

    def _finish(self, uuid: str, context_id: str, outcome: context_.Outcome) -> None:
        context = self._sockets.context(context_id)
        now = self._engine.clock()
        model = self._engine.update(uuid, lambda m: lifecycle.finish(m, context, outcome, now))
        unit = model.units.get(context.unit)
        if unit and unit.agent.step == 'failed' and not context.hook.task:
            self._say(
                uuid,
                unit,
                'ERROR',
                f'hook "{hooks.name(context.hook)}" (via hook dispatching script: dispatch) failed: '
                f'exit status {outcome.code}',
            )

    def _say(self, uuid: str, unit: model_.Unit, level: str, message: str) -> None:
        entity = f'unit-{unit.name.replace("/", "-")}'
        self._engine.log(uuid, entity, level, 'juju.worker.uniter.operation', message)

    def _unit_folder(self, model: model_.Model, unit: model_.Unit) -> unitfolder.UnitFolder:
        machines = self._engine.machines_of(model.uuid)
        return unitfolder.UnitFolder(
            root=machines.root(model.uuid, unit.machine),
            prefix=machines.prefix(model.uuid, unit.machine),
            unit=unit.name,
            machine=unit.machine,
        )


def without_program(folder: unitfolder.UnitFolder) -> context_.Outcome:
    """What becomes of a hook for which the charm has no program: passed over, but for a charm that is not there."""
    there = unitfolder.deployed(folder)
    return context_.Outcome(0 if there else 1, missing=there)


def _called(model: model_.Model, hook: model_.Hook) -> str:
    return model.tasks[hook.task].name if hook.task in model.tasks else hooks.name(hook)


def _noun(hook: model_.Hook) -> str:
    return 'action' if hook.kind == 'action' else 'hook'


def _handler(
    model: model_.Model, hook: model_.Hook, folder: unitfolder.UnitFolder
) -> tuple[tuple[str, ...], str, bytes]:
    """What to run for *hook*, how Juju names that, and its input; no program if the charm has no handler."""
    if hook.kind == 'exec':
        return ('/bin/bash', '-s'), 'juju-exec', model.tasks[hook.task].command.encode()
    if unitfolder.executable(folder, 'dispatch'):
        return (f'{folder.charm_inside}/dispatch',), 'hook dispatching script: dispatch', b''
    action = hook.kind == 'action'
    own = f'actions/{model.tasks[hook.task].name}' if action else f'hooks/{hooks.name(hook)}'
    if unitfolder.executable(folder, own):
        return (f'{folder.charm_inside}/{own}',), 'explicit, bespoke hook script', b''
    return (), '', b''
