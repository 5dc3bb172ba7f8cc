"""The questions that the controller answers: what each takes and gives is its signature.

A model is named as the user named it: ``[controller:][user/]name``, or by its uuid.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import platform
import random
import re
import time
import typing
import uuid as uuid_
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

from .. import codec, paths
from ..core import bases, change, charm, debugging, requests, status
from ..core import model as model_
from ..machines import doctor, images, protocol
from . import engine as engine_
from . import prune, server, subnets

CONTROLLER = 'local'
USER = 'admin'
_REQUESTS: Mapping[str, type[requests.Request]] = {
    t.__name__: t for t in typing.get_args(requests.Request)
}
_NAME = re.compile(r'[a-z0-9]+[a-z0-9-]*')
CLOUDS: Mapping[str, Any] = {'localhost': 'container', 'processes': 'process'}
"""Clouds to which a model can be added, and the kind of their machines."""


class Questions:
    """Everything that can be asked, on one engine."""

    def __init__(self, engine: engine_.Engine, stop: Callable[[], None]):
        self._engine = engine
        self._stop = stop

    def table(self) -> dict[str, server.Question]:
        """Every question by its name."""
        return {
            'models': self.models,
            'add-model': self.add_model,
            'destroy-model': self.destroy_model,
            'change': self.change,
            'status': self.status,
            'watch-status': self.watch_status,
            'whole-model': self.model_value,
            'debug-log': self.debug_log,
            'follow-log': self.follow_log,
            'wait-task': self.wait_task,
            'shell': self.shell,
            'debug': self.debug,
            'cache': self.cache,
            'drop-cache': self.drop_cache,
            'prune': self.prune,
            'doctor': self.doctor,
            'image': self.image,
            'why-no-machine': self.why_no_machine,
            'info': self.info,
            'stop-controller': self.stop_controller,
        }

    def find(self, name: str) -> model_.Model:
        """The model that *name* means. Refused if there is none."""
        if name in self._engine.models:
            return self._engine.models[name]
        controller, _, rest = name.rpartition(':')
        user, _, short = rest.rpartition('/')
        if controller not in ('', CONTROLLER):
            raise model_.Refused(f'controller {controller} not found')
        for model in self._engine.models.values():
            if model.name == short and user in ('', model.owner):
                return model
        raise model_.Refused(f'model {CONTROLLER}:{user or USER}/{short} not found')

    async def models(self) -> list[dict[str, Any]]:
        """Every model, in short."""
        return [
            {
                'name': m.name,
                'owner': m.owner,
                'uuid': m.uuid,
                'life': m.life,
                'cloud': _cloud(m),
                'machines': len(m.machines),
                'units': len(m.units),
                'created': m.created,
            }
            for m in sorted(self._engine.models.values(), key=lambda m: m.created)
        ]

    async def add_model(
        self, name: str, cloud: str = '', config: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Make an empty model. *cloud* is ``localhost`` (system containers) or ``processes``."""
        owner, _, short = name.rpartition('/')
        cloud = cloud or 'localhost'
        if cloud not in CLOUDS:
            raise model_.Refused(
                f'cloud {cloud} not known: use localhost (system containers) or processes'
            )
        if owner not in ('', 'admin') or not _NAME.fullmatch(short):
            raise model_.Refused(
                f'{name!r} is not a valid name: model names may only contain lowercase letters, '
                'digits and hyphens'
            )
        if any(m.name == short for m in self._engine.models.values()):
            raise model_.Refused(f'model "{short}" already exists in this controller')
        now = self._engine.clock()
        model = model_.Model(
            uuid=str(uuid_.uuid4()),
            name=short,
            created=now,
            machines_kind=CLOUDS[cloud],
            seed=random.SystemRandom().getrandbits(32),
        )
        request = requests.SetModelConfig(options={**_host_base(), **(config or {})})
        model, _ = change.apply(model, request, now)
        model, _ = change.apply(model, self._space('alpha'), now)
        self._engine.add(model)
        return {'name': short, 'uuid': model.uuid, 'cloud': cloud}

    def _taken(self) -> list[str]:
        models = self._engine.models.values()
        ours = [cidr for m in models for s in m.spaces.values() for cidr in s.cidrs]
        return ours + subnets.on_host()

    def _space(self, name: str, cidrs: tuple[str, ...] = ()) -> requests.AddSpace:
        if not cidrs:
            return requests.AddSpace(name=name, cidrs=self._choose(()), grows=True)
        for given in cidrs:
            if other := subnets.overlapped(given, self._taken()):
                raise model_.Refused(
                    f'subnet {given} overlaps {other}, which another model or this host has: '
                    'give another, or none to have one chosen'
                )
        return requests.AddSpace(name=name, cidrs=cidrs)

    def _choose(self, besides: Iterable[str]) -> tuple[str, str]:
        try:
            return subnets.choose([*self._taken(), *besides], str(paths.root()))
        except RuntimeError as error:
            raise model_.Refused(str(error)) from None

    async def change(self, model: str, kind: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out one of ``core.requests``."""
        if kind not in _REQUESTS:
            raise model_.Refused(f'this controller knows no request {kind!r}')
        wanted = codec.decode(_REQUESTS[kind], request)
        if isinstance(wanted, requests.AddSpace):
            wanted = self._space(wanted.name, wanted.cidrs)
        reply: dict[str, Any] = {}

        def apply(before: model_.Model) -> model_.Model:
            now = self._engine.clock()
            after, said = subnets.grown(before, now, self._choose, wanted)
            reply.update(said)
            return after

        self._engine.update(self.find(model).uuid, apply)
        return reply

    async def destroy_model(
        self, model: str, force: bool = False, destroy_storage: bool = False, timeout: float = 0.0
    ) -> AsyncIterator[dict[str, Any]]:
        """Take a model down; says how many machines and applications are left, until it is gone."""
        uuid = self.find(model).uuid
        request = requests.DestroyModel(force=force, destroy_storage=destroy_storage)
        self._engine.update(uuid, lambda m: change.apply(m, request, self._engine.clock())[0])
        deadline = time.monotonic() + timeout if timeout else None
        while left := self._engine.models.get(uuid):
            yield {'machines': len(left.machines), 'applications': len(left.applications)}
            remaining = deadline - time.monotonic() if deadline else None
            if remaining is not None and remaining <= 0:
                raise model_.Refused('timeout expired before the model was destroyed')
            await self._engine.changed.wait(remaining)

    async def status(self, model: str) -> dict[str, Any]:
        """What ``juju status --format json`` says."""
        return self._status(self.find(model))

    def _status(self, model: model_.Model) -> dict[str, Any]:
        return status.status(model, self._engine.clock(), self._engine.models.get)

    async def watch_status(self, model: str, every: float = 0.2) -> AsyncIterator[dict[str, Any]]:
        """The status now, and after each change, at most once in *every* seconds; ends with the model."""
        uuid = self.find(model).uuid
        while found := self._engine.models.get(uuid):
            yield self._status(found)
            await asyncio.sleep(every)
            if self._engine.models.get(uuid) is found:
                await self._engine.changed.wait()

    async def model_value(self, model: str) -> Any:
        """All of a model, as ``codec`` writes it."""
        return codec.encode(self.find(model))

    async def debug_log(self, model: str, limit: int = 0, after: int = 0) -> list[Any]:
        """Lines of the debug log, as ``store.LogLine``; the last *limit* of them (0: all)."""
        lines = self._engine.store.log_lines(self.find(model).uuid, limit=limit, after=after)
        return [list(line) for line in lines]

    async def follow_log(self, model: str, after: int = 0) -> AsyncIterator[list[Any]]:
        """Lines of the debug log behind line *after*, as they come; ends with the model."""
        uuid = self.find(model).uuid
        while uuid in self._engine.models:
            for line in self._engine.store.log_lines(uuid, after=after):
                after = line.id
                yield list(line)
            await self._engine.changed.wait()

    async def wait_task(
        self, model: str, ids: list[str], timeout: float | None = None
    ) -> dict[str, Any]:
        """Tasks by id, once all have ended or *timeout* seconds have passed."""
        uuid = self.find(model).uuid
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            tasks = {i: t for i in ids if (t := self._engine.models[uuid].tasks.get(i))}
            remaining = None if deadline is None else deadline - time.monotonic()
            ended = all(t.status not in ('pending', 'running', 'aborting') for t in tasks.values())
            if ended or (remaining is not None and remaining <= 0):
                return codec.encode(tasks)
            await self._engine.changed.wait(remaining)
            if uuid not in self._engine.models:
                raise model_.Refused('the model is gone')

    @staticmethod
    def _unit_named(model: model_.Model, target: str) -> str:
        application, _, number = target.partition('/')
        return model.applications[application].leader if number == 'leader' else target

    def _place(self, model: str, target: str) -> tuple[model_.Model, str]:
        """The machine that *target* (``app/0``, ``app/leader`` or ``0``) means."""
        found = self.find(model)
        if '/' not in target:
            if target not in found.machines:
                raise model_.Refused(f'machine {target} not found')
            return found, target
        application, _, number = target.partition('/')
        if number == 'leader' and application in found.applications:
            target = found.applications[application].leader
        if target not in found.units:
            raise model_.Refused(f'unit "{target}" not found')
        return found, found.units[target].machine

    async def shell(
        self, model: str, target: str, argv: list[str], user: str = 'root', tty: bool = False
    ) -> list[str]:
        """The command line that runs *argv* on a machine from this host."""
        found, machine = self._place(model, target)
        # 'down' is only what is not heard from: Juju logs in by ssh, which does not need the agent.
        if found.machines[machine].phase not in ('started', 'down'):
            raise model_.Refused(f'machine {machine} is not started')
        machines = self._engine.machines_of(found.uuid)
        return list(machines.enter(found.uuid, machine, tuple(argv), user=user, tty=tty))

    async def debug(
        self, model: str, target: str, names: list[str], at: str = '', tty: bool = True
    ) -> list[str]:
        """Have hooks and actions of a unit run by hand; the command line that opens its session from this host."""
        found, _ = self._place(model, target)
        unit = self._unit_named(found, target)
        charm_ = found.charm_of(found.units[unit].application)
        session = debugging.session(charm_, target, tuple(names), at)
        script = debugging.client_script(found.uuid, unit)
        argv = await self.shell(model, unit, ['/bin/bash', '-c', script], tty=tty)
        self._engine.debugging[found.uuid, unit] = session
        return argv

    async def cache(self) -> list[Any]:
        """Layers of the install cache."""
        known = self._engine.store.layers()
        layers = {
            x.key: x for machines in self._engine.machines.values() for x in machines.layers()
        }
        return [
            {**codec.encode(layer), **known.get(layer.key, {}).get('about', {})}
            for layer in layers.values()
        ]

    async def drop_cache(self, keys: list[str]) -> None:
        """Forget layers of the install cache."""
        for machines in self._engine.machines.values():
            for key in keys:
                await machines.drop_layer(key)
        for key in keys:
            self._engine.store.put_layer(key, None)

    async def prune(self) -> list[dict[str, Any]]:
        """Remove bases on which nothing stands, and charms, resources and environments that no model has."""
        models = list(self._engine.models.values())
        gone = await asyncio.to_thread(prune.prune, paths.root(), models)
        many = sum([await kind.drop_bases() for kind in self._engine.machines.values()])
        return [dataclasses.asdict(p) for p in (*gone, prune.Pruned('bases', many, 0))]

    async def doctor(self) -> list[dict[str, Any]]:
        """What this host lacks, errors first."""
        facts = await asyncio.to_thread(doctor.look, paths.root())
        return [
            {
                'name': f.name,
                'level': f.level,
                'ok': f.level != 'error',
                'says': f.message,
                'cure': f.remedy,
            }
            for f in doctor.findings(facts)
        ]

    async def why_no_machine(self, base: str) -> str:
        """Why this host cannot make a container of a base, one sentence; empty: it can."""
        if os.geteuid() != 0:
            return (
                'machines that are containers need root: run the controller as root, or make a model of '
                'processes: juju add-model NAME processes'
            )
        return await asyncio.to_thread(images.why_not, bases.parse(base))

    async def image(self, base: str) -> AsyncIterator[dict[str, str]]:
        """Build the file system of a base, if it is not there; says how far it is, then where it is."""
        try:
            wanted = bases.parse(base)
        except charm.Invalid as error:
            raise model_.Refused(str(error)) from None
        said: asyncio.Queue[str] = asyncio.Queue()
        building = asyncio.ensure_future(
            images.Bases(paths.root()).ensure(wanted, said.put_nowait)
        )
        building.add_done_callback(lambda _: said.put_nowait(''))
        while line := await said.get():
            yield {'progress': line}
        try:
            yield {'path': str(await building)}
        except protocol.MachineError as error:
            raise model_.Refused(str(error)) from None

    async def info(self) -> dict[str, Any]:
        """Who is asked."""
        return {'pid': os.getpid(), 'models': len(self._engine.models), 'controller': CONTROLLER}

    async def stop_controller(self) -> None:
        """End the daemon; machines keep running, and their units wait for its return."""
        asyncio.get_running_loop().call_later(0.05, self._stop)


def _host_base() -> dict[str, str]:
    """On Debian, the host's own release is what its archive can build, so models begin with it."""
    release = platform.freedesktop_os_release()
    base = f'{release.get("ID", "")}@{release.get("VERSION_ID", "")}'
    return {'default-base': base} if base in bases.PYTHON and base.startswith('debian') else {}


def _cloud(model: model_.Model) -> str:
    return next(cloud for cloud, kind in CLOUDS.items() if kind == model.machines_kind)
