"""A machine's file system: an overlay of its own upper directory on install layers and a base."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from . import commands, directory_snapshot, mounts
from .protocol import Layer, LayerGone, MachineError, MachineSpec
from .state_folders import StateFolders, write
from .tools import Failed, run


@dataclasses.dataclass(frozen=True)
class Stack:
    """What a machine stands on: layers, uppermost first, and the base directory's name."""

    base: str
    layers: tuple[str, ...] = ()


class Overlays:
    """The overlays and layers of one state directory."""

    def __init__(self, folders: StateFolders):
        self.folders = folders

    # Stacks

    def stack(self, model: str, machine: str) -> Stack | None:
        """What an existing machine stands on; None if there is none yet."""
        try:
            said = json.loads((self.folders.folder(model, machine) / 'stack.json').read_text())
            return Stack(said['base'], tuple(said['layers']))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def choose(self, spec: MachineSpec) -> Stack | None:
        """What a new machine stands on by its layer; None if it has none, and needs a base.

        Raises:
            LayerGone: the layer cannot be used.
        """
        if not spec.layer:
            return None
        folder = self.folders.use_layer(spec.layer)
        said = self._said(folder)
        if said is None or said['base'] != str(spec.base):
            raise LayerGone(f'install layer {spec.layer} is not one of {spec.base}')
        if not (self.folders.state / 'bases' / said['base_dir']).is_dir():
            raise LayerGone(f'the base of install layer {spec.layer} is gone')
        return Stack(said['base_dir'], (folder.name, *said['below']))

    def settle_on(self, model: str, machine: str, stack: Stack) -> None:
        """Write down what a machine stands on."""
        write(
            self.folders.folder(model, machine) / 'stack.json',
            {'base': stack.base, 'layers': list(stack.layers)},
        )

    async def mount(self, model: str, machine: str, stack: Stack) -> Path:
        """Mount a machine's file system if it is not; where it is.

        Raises:
            MachineError: a layer is gone or the kernel refused.
        """
        folder = self.folders.folder(model, machine)
        root = self.folders.root(model, machine)
        if mounted(root):
            return root
        for part in ('upper', 'work', 'root'):
            (folder / part).mkdir(exist_ok=True)
        (folder / 'upper').chmod(0o755)
        lower = [self.folders.layers_dir / name / 'root' for name in stack.layers]
        lower.append(self.folders.state / 'bases' / stack.base)
        for path in lower:
            if not path.is_dir():
                raise MachineError(
                    f'machine {machine} stands on {path}, which is gone; remove the machine'
                )
        argv = commands.mount_overlay(lower, folder / 'upper', folder / 'work', root)
        try:
            await run(argv)
        except Failed as failed:
            raise MachineError(
                f'overlay for machine {machine} could not be mounted in {folder}: {failed.stderr.strip()}. '
                'Is the state directory on a file system that carries overlays (ext4, xfs, btrfs), and are you root?'
            ) from None
        return root

    async def unmount(self, model: str, machine: str) -> None:
        """Unmount it, whoever still uses it; idempotent."""
        root = self.folders.root(model, machine)
        while mounted(root):
            await run(['umount', '--lazy', str(root)])

    # Layers

    def layers(self) -> list[Layer]:
        """Those that can be used with the bases that are here."""
        bases = self.folders.state / 'bases'
        return self.folders.layers(lambda said: (bases / str(said['base_dir'])).is_dir())

    def _said(self, folder: Path) -> dict[str, str] | None:
        try:
            return json.loads((folder / 'layer.json').read_text())
        except (OSError, ValueError):
            return None

    async def take(self, upper: Path) -> directory_snapshot.Taken:
        """Take a layer while the machine is frozen: quick. :meth:`keep` completes it afterwards.

        Raises:
            MachineError: it could not be taken.
        """
        fresh = self.folders.fresh_layer()
        try:
            return await directory_snapshot.take(upper, fresh)
        except (Failed, OSError) as error:
            await directory_snapshot.remove(fresh)
            raise MachineError(f'its file system could not be copied: {error}') from error

    async def keep(
        self, taken: directory_snapshot.Taken, key: str, base: str, stack: Stack
    ) -> None:
        """Complete a layer and put it in its place.

        Raises:
            MachineError: the machine wrote into it meanwhile, or the disk is full.
        """
        try:
            size = await directory_snapshot.finish(taken)
            below = {'base_dir': stack.base, 'below': list(stack.layers)}
            self.folders.keep_layer(taken.folder, key, base, size, below)
        except (Failed, OSError, MachineError) as error:
            await directory_snapshot.remove(taken.folder)
            raise MachineError(f'layer {key} could not be kept: {error}') from error

    async def drop(self, key: str) -> None:
        """A layer is used no more; its files stay while a machine stands on it (see :meth:`sweep`)."""
        self.folders.drop_layer(key)
        await self.sweep()

    async def sweep(self) -> None:
        """Delete :meth:`unused_layers`."""
        await directory_snapshot.remove(*self.unused_layers())

    async def drop_bases(self) -> int:
        """Delete the bases that no machine or layer stands on, the newest too; how many that were."""
        unused = self.unused_bases(newest=True)
        await directory_snapshot.remove(*unused)
        return len(unused)

    def unused_bases(self, *, newest: bool = False) -> list[Path]:
        """Bases that no machine or layer stands on and, unless *newest*, that a newer one of the release replaced."""
        needed = {s.base for names in self.folders.known() if (s := self.stack(*names))}
        for path in self.folders.layers_dir.glob('[!.]*/layer.json'):
            needed.add((self._said(path.parent) or {}).get('base_dir', ''))
        found = (p for p in (self.folders.state / 'bases').glob('*-*-*') if '.new' not in p.name)
        bases = {p: p.stat().st_ctime for p in found}
        latest: dict[str, Path] = {}
        for path in sorted(bases, key=lambda p: bases[p]) if not newest else ():
            latest[path.name.rpartition('-')[0]] = path
        return [p for p in bases if p not in latest.values() and p.name not in needed]

    def unused_layers(self) -> list[Path]:
        """Layers that are no more and that no machine stands on."""
        needed: set[str] = set()
        for model, machine in self.folders.known():
            stack = self.stack(model, machine)
            needed.update(stack.layers if stack else ())
        folders = list((self.folders.layers_dir).glob('[!.]*'))
        for path in folders:
            needed.update((self._said(path) or {}).get('below', ()))
        return [p for p in folders if p.name not in needed and not (p / 'layer.json').exists()]


def mounted(path: Path) -> bool:
    """Whether something is mounted exactly there."""
    return mounts.at(mounts.read(), path) is not None


def below(path: Path) -> Sequence[Path]:
    """Everything mounted below a directory, what is mounted in another first: in that order it can be unmounted."""
    start = f'{path.absolute()}/'
    return [Path(m.point) for m in reversed(mounts.read()) if m.point.startswith(start)]


def filesystem(path: Path) -> str:
    """Type of the file system that *path* is on."""
    found = mounts.holding(mounts.read(), path.resolve())
    return found.kind if found else ''
