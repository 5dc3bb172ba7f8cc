"""Machines that are system containers: podman with systemd as process 1, on an overlay of our own.

A container is only the running of a machine: what a machine *is* lies in its folder (``stack.json``, ``upper``), and
the container is made anew from it whenever it is not there or not whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import uuid as uuids
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from . import (
    commands,
    devices,
    directory_snapshot,
    images,
    inside,
    kernel,
    overlays,
    procfiles,
    recover,
    routes,
    runtimes,
)
from .networks import Networks
from .protocol import Layer, MachineError, MachineSpec, unknown
from .state_folders import StateFolders, private
from .tools import Failed, insist, run

REBOOTED = 129
"""Exit code of a container whose process 1 asked the kernel for a restart (it dies of SIGHUP)."""


logger = logging.getLogger(__name__)


class PodmanMachines:
    """System containers; see ``protocol.Machines`` for what each method promises."""

    kind: Literal['container', 'process'] = 'container'

    def __init__(self, state: Path):
        private(state)
        self.folders = StateFolders(state.absolute())
        self.overlays = overlays.Overlays(self.folders)
        self.bases = images.Bases(self.folders.state)
        self.networks = Networks(self.folders.token)
        self.routes = routes.Routes()
        self.runtimes = runtimes.Runtimes(self.folders.state)
        self.current: Callable[[str, str], MachineSpec | None] = unknown
        self._watched: dict[tuple[str, str], int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ensure(self, spec: MachineSpec, progress: Callable[[str], None]) -> None:
        """Make it from its base or layer, or start it from its folder; one that runs gets no more than its ssh keys."""
        seen = await self._inspect(spec.model, spec.id)
        if seen is not None and recover.runs(seen):
            self._watch(spec.model, spec.id, int(seen['State']['Pid']))
            await asyncio.to_thread(inside.keep_keys, spec, self.root(spec.model, spec.id))
            await self._lay_routes(spec, others=False)
            return
        fresh = self.overlays.stack(spec.model, spec.id) is None
        try:
            if seen is not None:
                await self._remove_container(spec.model, spec.id)
            await self._make(spec, progress)
        except (MachineError, Failed, OSError) as error:
            with contextlib.suppress(Failed, OSError):
                await self._remove_container(spec.model, spec.id)
                await self.overlays.unmount(spec.model, spec.id)
            if fresh:  # Not its sockets: somebody listens there, and it is tried again.
                self._throw_away(self.folders.folder(spec.model, spec.id))
            if isinstance(error, MachineError):
                raise
            raise MachineError(f'machine {spec.id} could not be made: {error}') from error

    async def _make(self, spec: MachineSpec, progress: Callable[[str], None]) -> None:
        stack = self.overlays.stack(spec.model, spec.id)
        if stack is None:
            stack = self.overlays.choose(spec)
            if stack is None:
                stack = overlays.Stack((await self.bases.ensure(spec.base, progress)).name)
            self.folders.keep_spec(spec)
            self.overlays.settle_on(spec.model, spec.id, stack)
        progress('starting')
        kernel.provide()
        await self._networks(spec)
        root = await self.overlays.mount(spec.model, spec.id, stack)
        await asyncio.to_thread(inside.prepare, spec, root, self._neighbours(spec))
        own = await asyncio.to_thread(procfiles.there)
        given = await devices.given(spec, own)
        folder = self.folders.folder(spec.model, spec.id)
        nodes = await asyncio.to_thread(devices.nodes, spec.devices, folder / 'devices')
        labels = {
            'jujulet.state': self.folders.token,
            'jujulet.model': spec.model,
            'jujulet.machine': spec.id,
        }

        def argv(host: commands.Host) -> tuple[str, ...]:
            run_dir, proc = self.run_dir(spec.model, spec.id), procfiles.volumes(own)
            return commands.run_machine(host, spec, root, run_dir, labels, nodes, proc)

        async def clean() -> None:
            await self._remove_container(spec.model, spec.id)

        try:
            await self.runtimes.run(argv, clean)
        except MachineError as error:
            before, own = own, await asyncio.to_thread(procfiles.there)
            if 'network' not in str(error) and own == before:
                raise
            self.networks.forget()  # Somebody has removed one that we had made, or LXCFS has ended.
            await self._networks(spec)
            await self.runtimes.run(argv, clean)
            given = await devices.given(spec, own)
        self.folders.keep_given(spec.model, spec.id, given)
        await self.networks.steady()
        self._watch_started(spec.model, spec.id)
        await self._lay_routes(spec, others=True)
        await asyncio.to_thread(self._update_hosts, spec.model)

    async def _networks(self, spec: MachineSpec) -> None:
        for address in spec.addresses:
            await self.networks.ensure(spec.model, spec.spaces, address)

    async def _lay_routes(self, spec: MachineSpec, *, others: bool) -> None:
        """To the other subnets of its spaces; *others* that run get to know what they lack, too."""

        def known() -> list[str]:
            return [i for m, i in self.folders.known() if m == spec.model] if others else []

        for each in routes.learners(spec, known, self.current):
            if (each.model, each.id) in self._watched:
                await self.routes.lay(each, commands.pidfile(self.root(each.model, each.id)))

    def _neighbours(self, spec: MachineSpec) -> list[tuple[str, str]]:
        return [
            (said['hostname'], said['address'])
            for (model, _), said in self.folders.known().items()
            if model == spec.model
        ]

    def _update_hosts(self, model: str) -> None:
        known = {names: said for names, said in self.folders.known().items() if names[0] == model}
        names = [(said['hostname'], said['address']) for said in known.values()]
        for (_, machine), said in known.items():
            if overlays.mounted(self.root(model, machine)):
                # It may be going at this moment, as the others of a destroyed model are.
                with contextlib.suppress(FileNotFoundError):
                    inside.keep_hosts(self.root(model, machine), said['hostname'], names)

    async def destroy(self, model: str, machine: str) -> None:
        """Container, mount, folder; its files are deleted in the background."""
        self._unwatch(model, machine)
        await self._remove_container(model, machine)
        await self.overlays.unmount(model, machine)
        self._discard(model, machine)
        self.routes.forget(model, machine)
        await asyncio.to_thread(self._update_hosts, model)

    def _discard(self, model: str, machine: str) -> None:
        self._throw_away(self.folders.folder(model, machine))
        self.folders.forget_run(model, machine)

    def _throw_away(self, *folders: Path) -> None:
        """Put *folders* among the rubbish at once, and have that emptied in the background."""
        bin_ = self.folders.state / 'rubbish'
        private(bin_)
        for folder in folders:
            with contextlib.suppress(FileNotFoundError):
                folder.rename(bin_ / uuids.uuid4().hex)

        async def empty() -> None:
            with contextlib.suppress(Failed):
                await directory_snapshot.remove(*bin_.iterdir())
                await self.overlays.sweep()

        self._later(empty())

    async def destroy_model(self, model: str) -> None:
        """Machines that are left, then networks."""
        left = {machine for owner, machine in self.folders.known() if owner == model}
        left |= {
            machine
            for owner, machine in await recover.containers(self.folders.token)
            if owner == model
        }
        await asyncio.gather(*(self.destroy(model, machine) for machine in left))
        await self.networks.remove(model)

    async def reboot(self, model: str, machine: str) -> None:
        """Stop its processes at once and start the container again."""
        await self.stop(model, machine)
        await self.start(model, machine)

    async def stop(self, model: str, machine: str) -> None:
        """Kill the container."""
        self._unwatch(model, machine)
        with contextlib.suppress(Failed):  # It was not running.
            await run(['podman', 'kill', commands.container_name(model, machine)])
        for _ in range(100):
            seen = await self._inspect(model, machine)
            if seen is None or not seen['State']['Running']:
                return
            await asyncio.sleep(0.05)
        raise MachineError(f'machine {machine} does not stop')

    async def start(self, model: str, machine: str) -> None:
        """Start the container that is there, or a new one where the machine is to have other devices than it has."""
        stack = self.overlays.stack(model, machine)
        if stack is None:
            raise MachineError(f'machine {machine} does not exist')
        spec = self.current(model, machine)
        own = await asyncio.to_thread(procfiles.there)
        if spec and await devices.given(spec, own) != self.folders.given(model, machine):
            await self.ensure(spec, lambda _: None)
            return
        root = await self.overlays.mount(model, machine, stack)
        await asyncio.to_thread(inside.place_agent, root)
        try:
            await run(['podman', 'start', commands.container_name(model, machine)])
        except Failed as failed:
            if spec and await asyncio.to_thread(procfiles.there) != own:  # LXCFS has ended.
                await self.ensure(spec, lambda _: None)
                return
            said = failed.stderr.strip()
            raise MachineError(f'machine {machine} does not start: {said}') from None
        await self.networks.steady()
        self._watch_started(model, machine)
        if spec is not None:
            await self._lay_routes(spec, others=False)

    async def revive(self, model: str, machine: str) -> str:
        """Its own systemd starts the agent again; a container that does not run stays so until it is asked for."""
        seen = await self._inspect(model, machine)
        if seen is not None and recover.runs(seen):
            return ''
        state = 'stopped' if seen is not None else 'gone'
        return f'its container is {state}: juju retry-provisioning {machine} starts it again'

    def given(self, model: str, machine: str) -> dict[str, bool]:
        """As it was written down when its container was made."""
        return self.folders.given(model, machine).there

    def root(self, model: str, machine: str) -> Path:
        """The mounted overlay."""
        return self.folders.root(model, machine)

    def run_dir(self, model: str, machine: str) -> Path:
        """Where the controller listens; a volume of the container."""
        return self.folders.run_dir(model, machine)

    def prefix(self, model: str, machine: str) -> str:
        """Nothing: a container sees its own root."""
        return ''

    def enter(
        self,
        model: str,
        machine: str,
        argv: tuple[str, ...],
        *,
        user: str = 'root',
        tty: bool = False,
    ) -> tuple[str, ...]:
        """By podman, so that it works whatever became of the machine's own ssh daemon."""
        home = '/root' if user == 'root' else f'/home/{user}'
        return (
            *('env', f'{commands.QUIET}=1', 'podman', 'exec'),
            *('--interactive', *(('--tty',) if tty else ())),
            *(f'--user={user}', f'--workdir={home}', f'--env=HOME={home}'),
            *(commands.container_name(model, machine), *argv),
        )

    # Layers

    async def keep_layer(self, model: str, machine: str, key: str) -> None:
        """Freeze, link and copy, thaw; the rest while it runs on."""
        if any(layer.key == key for layer in self.layers()):
            return
        stack = self.overlays.stack(model, machine)
        known = self.folders.known().get((model, machine))
        if stack is None or known is None:
            raise MachineError(f'machine {machine} does not exist')
        name = commands.container_name(model, machine)
        upper = self.folders.folder(model, machine) / 'upper'
        try:
            await insist(
                ['podman', 'pause', name]
            )  # runc gives up on a machine that is very busy.
            try:
                taken = await self.overlays.take(upper)
            finally:
                await insist(['podman', 'unpause', name])
        except Failed as failed:
            raise MachineError(f'machine {machine} cannot be frozen: {failed}') from None

        async def complete() -> None:
            try:
                await self.overlays.keep(taken, key, known['base'], stack)
            except MachineError as error:
                logger.warning('machine %s: %s', machine, error)

        self._later(complete())

    def layers(self) -> list[Layer]:
        """Those whose base is here."""
        return self.overlays.layers()

    async def drop_layer(self, key: str) -> None:
        """Gone at once for new machines; from the disk once no machine stands on it."""
        await self.overlays.drop(key)

    async def drop_bases(self) -> int:
        """All of them that are unused; one is built anew when it is wanted."""
        return await self.overlays.drop_bases()

    # Unclean ends

    async def recover(self, alive: set[tuple[str, str]]) -> None:
        """See ``recover``."""
        await recover.recover(self.overlays, self.networks, self.destroy, self._throw_away, alive)

    # Containers

    async def _inspect(self, model: str, machine: str) -> dict[str, Any] | None:
        try:
            said = await run(
                ['podman', 'container', 'inspect', commands.container_name(model, machine)]
            )
        except Failed:
            return None
        return json.loads(said)[0]

    async def _remove_container(self, model: str, machine: str) -> None:
        self._unwatch(model, machine)
        await recover.remove(commands.container_name(model, machine))

    def _watch_started(self, model: str, machine: str) -> None:
        pid = int(commands.pidfile(self.root(model, machine)).read_text())
        self._watch(model, machine, pid)
        if (model, machine) not in self._watched:
            raise MachineError(f'machine {machine} ended as soon as it was started')

    def _watch(self, model: str, machine: str, pid: int) -> None:
        """Notice when the machine's process 1 ends, without asking for it all the time."""
        if (model, machine) in self._watched:
            return
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        self._watched[model, machine] = descriptor

        def ended() -> None:
            self._unwatch(model, machine)
            self._later(self._after_end(model, machine))

        asyncio.get_running_loop().add_reader(descriptor, ended)

    def _unwatch(self, model: str, machine: str) -> None:
        descriptor = self._watched.pop((model, machine), None)
        if descriptor is not None:
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)

    async def _after_end(self, model: str, machine: str) -> None:
        """A machine that restarted itself comes back, as one under Juju does; one that was switched off stays off."""
        for _ in range(100):
            seen = await self._inspect(model, machine)
            if seen is None:
                return
            if not seen['State']['Running']:
                if seen['State']['ExitCode'] == REBOOTED:
                    with contextlib.suppress(MachineError):
                        await self.start(model, machine)
                return
            await asyncio.sleep(0.05)

    def _later(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Wait for what is done in the background."""
        while self._tasks:
            await asyncio.gather(*self._tasks)
