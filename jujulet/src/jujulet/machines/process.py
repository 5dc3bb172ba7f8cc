"""Machines that are plain processes in a private folder: no root, no containers, no isolation.

For tests, continuous integration and simulation. The folder stands for the machine's file system: what a container
has at ``/var/lib/juju`` is at ``<root>/var/lib/juju`` here (see :meth:`ProcessMachines.prefix`). The same agent runs
as on any machine; everything that it starts carries a mark in its environment, by which it is found and killed.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from .. import aside
from . import files, marks, program, protocol
from .protocol import Layer, MachineError, MachineSpec, unknown
from .state_folders import StateFolders, private


class ProcessMachines:
    """Machines without containers; see ``protocol.Machines`` for what each method promises."""

    kind: Literal['container', 'process'] = 'process'

    def __init__(self, state: Path):
        self.folders = StateFolders(state, kept='copies')
        private(state)
        self.current: Callable[[str, str], MachineSpec | None] = unknown
        self._sweep = marks.Sweep()

    async def ensure(self, spec: MachineSpec, progress: Callable[[str], None]) -> None:
        """Make the folder if need be, start the agent if it does not run."""
        if self._alive(spec.model, spec.id):
            return
        root = self.root(spec.model, spec.id)
        try:
            self.folders.keep_spec(spec)
            if not root.exists():
                progress('making its folder')
                await asyncio.to_thread(self._populate, spec, root)
            progress('starting its agent')
            await self._launch(spec.model, spec.id)
        except OSError as error:
            await self.destroy(spec.model, spec.id)
            raise MachineError(
                f'machine {spec.id} could not be made in {root}: {error}'
            ) from error

    def _populate(self, spec: MachineSpec, root: Path) -> None:
        fresh = root.with_name('root.new')
        shutil.rmtree(fresh, ignore_errors=True)
        if spec.layer:
            layer = self.folders.use_layer(spec.layer)
            shutil.copytree(layer / 'root', fresh, symlinks=True)
        fresh.mkdir(exist_ok=True)
        for part in ('agents', 'tools', 'agent'):
            files.make_folder(fresh, f'var/lib/juju/{part}')
        files.make_folder(fresh, 'var/log/juju')
        files.write(fresh, 'etc/hostname', f'{spec.hostname}\n')
        fresh.rename(root)

    async def _launch(self, model: str, machine: str) -> None:
        root, run = self.root(model, machine), self.run_dir(model, machine)
        files.link(root, protocol.RUN, str(run), anew=True)
        script = await asyncio.to_thread(program.install, self.folders.state)
        mark = self._mark(model, machine)
        argv = (
            *('setsid', '--fork', sys.executable, '-SsE', str(script)),
            *(
                '--machine',
                machine,
                '--run',
                str(run),
                '--state',
                str(root / 'var/lib/juju/agent'),
            ),
            *('--boot', self._boot(model, machine), '--mark', mark),
        )
        name, _, value = mark.partition('=')
        environment = {'PATH': os.environ.get('PATH', os.defpath), name: value}
        with (self.folders.folder(model, machine) / 'agent.log').open('ab') as log:
            started = await asyncio.create_subprocess_exec(
                *argv,
                cwd=root,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        if await started.wait():
            raise MachineError(f'the agent of machine {machine} does not start; see {log.name}')

    def _boot(self, model: str, machine: str) -> str:
        """What this start of the system is called: as the last one, unless it was stopped or the host has restarted."""
        kernel = Path('/proc/sys/kernel/random/boot_id').read_text().strip()
        path = self._boot_file(model, machine)
        known = path.read_text() if path.exists() else ''
        if not known.startswith(f'{kernel}:'):
            known = f'{kernel}:{uuid.uuid4().hex}'
            aside.write(path, known)
        return known

    def _boot_file(self, model: str, machine: str) -> Path:
        return self.folders.folder(model, machine) / 'boot'

    async def revive(self, model: str, machine: str) -> str:
        """Start its agent, which first ends what the dead one left."""
        await self.start(model, machine)
        return ''

    async def destroy(self, model: str, machine: str) -> None:
        """Kill all that carries its mark; remove its folder."""
        await self.stop(model, machine)
        await asyncio.to_thread(
            shutil.rmtree, self.folders.folder(model, machine), ignore_errors=True
        )
        self.folders.forget_run(model, machine)

    async def destroy_model(self, model: str) -> None:
        """Every machine of it that has a folder."""
        left = [machine for owner, machine in self.folders.known() if owner == model]
        await asyncio.gather(*(self.destroy(model, machine) for machine in left))

    async def reboot(self, model: str, machine: str) -> None:
        """Kill everything, start the agent under a new name of its boot."""
        await self.stop(model, machine)
        await self._launch(model, machine)

    async def stop(self, model: str, machine: str) -> None:
        """Kill everything."""
        mine = self._mark(model, machine)
        await self._sweep.kill(lambda mark: mark == mine)
        self._boot_file(model, machine).unlink(missing_ok=True)

    async def start(self, model: str, machine: str) -> None:
        """Start the agent."""
        if not self._alive(model, machine):
            await self._launch(model, machine)

    def given(self, model: str, machine: str) -> dict[str, bool]:
        """A process sees the host's own devices and its kernel."""
        spec = self.current(model, machine)
        if spec is None:
            return {}
        seen = {device.path: Path(device.source).exists() for device in spec.devices}
        return seen | {name: Path('/sys/module', name).is_dir() for name in spec.modules}

    def root(self, model: str, machine: str) -> Path:
        """Its folder."""
        return self.folders.root(model, machine)

    def run_dir(self, model: str, machine: str) -> Path:
        """Where the controller listens."""
        return self.folders.run_dir(model, machine)

    def prefix(self, model: str, machine: str) -> str:
        """The folder: a process sees the host's own paths."""
        return str(self.root(model, machine))

    def enter(
        self,
        model: str,
        machine: str,
        argv: tuple[str, ...],
        *,
        user: str = 'root',
        tty: bool = False,
    ) -> tuple[str, ...]:
        """Run as the user that we are, in the folder, with the machine's mark; *user* and *tty* change nothing."""
        root = self.root(model, machine)
        path = os.environ.get('PATH', os.defpath)
        return (
            *('env', '-i', '-C', str(root), self._mark(model, machine)),
            *(f'PATH={path}', f'HOME={root}', *argv),
        )

    async def keep_layer(self, model: str, machine: str, key: str) -> None:
        """Copy the folder."""
        if self.folders.find_layer(key):
            return
        known = self.folders.known().get((model, machine))
        if known is None:
            raise MachineError(f'machine {machine} does not exist')
        fresh = self.folders.fresh_layer()
        try:
            size = await asyncio.to_thread(_copy, self.root(model, machine), fresh / 'root')
            self.folders.keep_layer(fresh, key, known['base'], size, {})
        except (OSError, shutil.Error, MachineError) as error:
            await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)
            raise MachineError(f'layer {key} could not be kept: {error}') from error

    def layers(self) -> list[Layer]:
        """Those that are whole."""
        return self.folders.layers()

    async def drop_layer(self, key: str) -> None:
        """Remove its folder."""
        folder = self.folders.find_layer(key)
        if folder is not None:
            self.folders.drop_layer(key)
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def drop_bases(self) -> int:
        """Processes stand on none."""
        return 0

    async def recover(self, alive: set[tuple[str, str]]) -> None:
        """Kill and remove what nobody knows; sockets of the dead go too."""
        wanted = {self._mark(*names) for names in alive}
        ours = f'{marks.MARK}={self.folders.token}/'
        await self._sweep.kill(lambda mark: mark.startswith(ours) and mark not in wanted)
        for names in self.folders.known():
            if names not in alive:
                await self.destroy(*names)

    def _mark(self, model: str, machine: str) -> str:
        return f'{marks.MARK}={self.folders.token}/{model}/{machine}'

    def _alive(self, model: str, machine: str) -> bool:
        if not self.folders.folder(model, machine).exists():
            return False  # It was never started: one look at /proc less.
        mark = self._mark(model, machine)
        return any(
            found == mark and program.SCRIPT in marks.command(pid) for pid, found in marks.marked()
        )


def _copy(source: Path, target: Path) -> int:
    """Copy a machine's folder without what belongs to that machine alone; the bytes of its files."""

    def private_to_it(folder: str, names: list[str]) -> set[str]:
        inside = Path(folder).relative_to(source)
        return {n for n in names if str(inside / n) in ('var/lib/juju/run', 'var/lib/juju/agent')}

    shutil.copytree(source, target, symlinks=True, ignore=private_to_it)
    return sum(p.lstat().st_size for p in target.rglob('*') if p.is_file())
