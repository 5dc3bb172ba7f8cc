"""A machine's file system: an overlay of its own upper directory on layers and a base; and layers taken from it.

A layer is the upper directory of a machine at the end of its install hook. While the machine is frozen its files are
*linked* where programs replace files (``/usr``, ``/opt``, ``/lib`` …) and *copied* where they write them in place
(``/etc``, ``/var`` …). A linked file that is written in place after all shows in its size or time of change, which are
kept with the layer; such a layer is not used again.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import shutil
import stat
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from . import commands
from .places import Places, private, write
from .protocol import Layer, LayerGone, MachineError
from .tools import Failed, run

LINKED = (
    *('usr', 'opt', 'bin', 'sbin', 'lib', 'lib64', 'lib32'),
    *('var/lib/dpkg', 'var/lib/apt', 'var/cache/debconf', 'var/cache/man', 'var/cache/fontconfig'),
)
SKIPPED = (
    'run',
    'tmp',
    'proc',
    'sys',
    'dev',
    'var/cache/apt',
    'var/tmp',
    'var/log/juju',
    'var/lib/juju/run',
)
OWN = (
    'etc/machine-id',
    'etc/hostname',
    'etc/hosts',
    'etc/resolv.conf',
    'var/lib/juju/run',
    'var/lib/juju/agent',
    'var/lib/dbus/machine-id',
    'var/lib/systemd/random-seed',
    'var/log/juju',
    'home/ubuntu/.ssh/authorized_keys',
    'run',
    'tmp',
)
"""What belongs to one machine alone, and is in no layer."""


@dataclasses.dataclass(frozen=True)
class Stack:
    """What a machine stands on: layers, uppermost first, and the base directory's name."""

    base: str
    layers: tuple[str, ...] = ()


class Overlays:
    """The overlays and layers of one state directory."""

    def __init__(self, places: Places):
        self.places = places

    # Stacks

    def stack(self, model: str, machine: str) -> Stack | None:
        """What an existing machine stands on; None if there is none yet."""
        try:
            said = json.loads((self.places.folder(model, machine) / 'stack.json').read_text())
            return Stack(said['base'], tuple(said['layers']))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    async def choose(self, model: str, machine: str, base: Path, layer: str) -> Stack:
        """Decide what a new machine stands on, and write it down.

        Raises:
            LayerGone: the layer cannot be used.
        """
        stack = Stack(base.name)
        if layer:
            said = self._layer(layer)
            fits = said is not None and said['base_dir'] == base.name
            if said is None or not fits or not await asyncio.to_thread(self.sound, layer):
                await self.drop(layer)
                raise LayerGone(f'install layer {layer} can no longer be used')
            self.places.use_layer(layer)
            stack = Stack(base.name, (layer, *said['below']))
        write(
            self.places.folder(model, machine) / 'stack.json',
            {'base': stack.base, 'layers': list(stack.layers)},
        )
        return stack

    async def mount(self, model: str, machine: str, stack: Stack) -> Path:
        """Mount a machine's file system if it is not; where it is.

        Raises:
            MachineError: a layer is gone or the kernel refused.
        """
        folder = self.places.folder(model, machine)
        root = self.places.root(model, machine)
        if mounted(root):
            return root
        for part in ('upper', 'work', 'root'):
            (folder / part).mkdir(exist_ok=True)
        (folder / 'upper').chmod(0o755)
        lower = [self.places.layer(key) / 'root' for key in stack.layers]
        lower.append(self.places.state / 'bases' / stack.base)
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
        root = self.places.root(model, machine)
        while mounted(root):
            await run(['umount', '--lazy', str(root)])

    # Layers

    def layers(self) -> list[Layer]:
        """Those that can be used with the bases that are here."""
        found: list[Layer] = []
        for layer in self.places.layers():
            said = self._layer(layer.key)
            if said and (self.places.state / 'bases' / said['base_dir']).is_dir():
                found.append(layer)
        return found

    def _layer(self, key: str) -> dict[str, str] | None:
        try:
            return json.loads((self.places.layer(key) / 'layer.json').read_text())
        except (OSError, ValueError):
            return None

    async def take(self, upper: Path, key: str, base: str, stack: Stack) -> Taken:
        """Take a layer while the machine is frozen: quick. :meth:`Taken.finish` completes it afterwards.

        Raises:
            MachineError: it could not be taken.
        """
        fresh = self.places.state / 'layers' / f'.new-{uuid.uuid4().hex[:8]}'
        private(fresh)
        try:
            await _copy(upper, fresh / 'root')
        except (Failed, OSError) as error:
            await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)
            raise MachineError(f'layer {key} could not be taken: {error}') from error
        return Taken(self.places, fresh, key, base, stack)

    def sound(self, key: str) -> bool:
        """Whether no linked file of a layer was written since."""
        try:
            with (self.places.layer(key) / 'linked.json').open() as file:
                kept = json.load(file)
        except (OSError, ValueError):
            return False
        return kept == _linked(self.places.layer(key) / 'root')

    async def drop(self, key: str) -> None:
        """A layer is used no more; its files stay while a machine stands on it (see :meth:`sweep`)."""
        (self.places.layer(key) / 'layer.json').unlink(missing_ok=True)
        await self.sweep()

    async def sweep(self) -> None:
        """Remove layers that are no more and that no machine stands on, and what was cut off in the making."""
        needed: set[str] = set()
        for model, machine in self.places.known():
            stack = self.stack(model, machine)
            needed.update(stack.layers if stack else ())
        for layer in self.places.layers():
            needed.update((self._layer(layer.key) or {}).get('below', ()))
        for path in (self.places.state / 'layers').glob('*'):
            if path.name in needed or path.name.startswith('.new-'):
                continue
            if not (path / 'layer.json').exists():
                await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)


@dataclasses.dataclass(frozen=True)
class Taken:
    """A layer that was taken and is not yet complete."""

    places: Places
    fresh: Path
    key: str
    base: str
    stack: Stack

    def finish(self) -> None:
        """Remove what was the machine's own, note the linked files, and put it in its place."""
        root = self.fresh / 'root'
        for name in OWN:
            _remove(root / name)
        for path in (root / 'etc/ssh').glob('ssh_host_*'):
            _remove(path)
        for path in (root / 'etc/systemd/system').rglob('jujud-machine-*.service'):
            _remove(path)
        linked = _linked(root)
        (self.fresh / 'linked.json').write_text(json.dumps(linked))
        said = {
            'base': self.base,
            'base_dir': self.stack.base,
            'below': list(self.stack.layers),
            'size': size(root),
            'created': time.time(),
        }
        (self.fresh / 'layer.json').write_text(json.dumps(said))
        target = self.places.layer(self.key)
        with contextlib.suppress(FileNotFoundError):  # One that can be used no longer.
            (target / 'layer.json').unlink()
            target.rename(self.fresh.with_name(f'dropped-{uuid.uuid4().hex[:8]}'))
        self.fresh.rename(target)


async def _copy(upper: Path, target: Path) -> None:
    linked, copied = await asyncio.to_thread(_sort, upper, target, '')
    for option, paths in (('--link', linked), ('--reflink=auto', copied)):
        if paths:
            argv = ['cp', '--archive', option, '--parents', '--', *paths]
            await run([*argv, str(target)], timeout=300, cwd=upper)


def _sort(upper: Path, target: Path, folder: str) -> tuple[list[str], list[str]]:
    """What of a folder is linked and what copied, as paths below *upper*; folders between are made in *target*."""
    linked: list[str] = []
    copied: list[str] = []
    here = target / folder
    here.mkdir()
    shutil.copystat(upper / folder, here, follow_symlinks=False)
    seen = os.lstat(upper / folder)
    os.chown(here, seen.st_uid, seen.st_gid)
    for name in sorted(os.listdir(upper / folder)):
        path = f'{folder}/{name}' if folder else name
        if path in SKIPPED:
            continue
        if path in LINKED:
            linked.append(path)
        elif (upper / path).is_dir() and not (upper / path).is_symlink() and _divided(path):
            more = _sort(upper, target, path)
            linked += more[0]
            copied += more[1]
        else:
            copied.append(path)
    return linked, copied


def _divided(path: str) -> bool:
    return any(special.startswith(f'{path}/') for special in (*LINKED, *SKIPPED))


def _linked(root: Path) -> dict[str, list[int]]:
    """Size and time of change of every linked file, by path."""
    found: dict[str, list[int]] = {}
    for top in LINKED:
        for folder, _folders, names in os.walk(root / top):
            for name in names:
                path = f'{folder}/{name}'
                seen = os.lstat(path)
                if stat.S_ISREG(seen.st_mode):
                    found[path[len(str(root)) :]] = [seen.st_size, seen.st_mtime_ns]
    return found


def size(root: Path) -> int:
    """Bytes of all regular files below *root*."""
    total = 0
    for folder, _folders, names in os.walk(root):
        for name in names:
            seen = os.lstat(f'{folder}/{name}')
            total += seen.st_size if stat.S_ISREG(seen.st_mode) else 0
    return total


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def mounted(path: Path) -> bool:
    """Whether something is mounted exactly there."""
    wanted = str(path.absolute())
    with Path('/proc/self/mountinfo').open() as file:
        return any(_unescaped(line.split()[4]) == wanted for line in file)


def below(path: Path) -> Sequence[Path]:
    """Everything mounted below a directory."""
    start = f'{path.absolute()}/'
    with Path('/proc/self/mountinfo').open() as file:
        points = [_unescaped(line.split()[4]) for line in file]
    return [Path(p) for p in points if p.startswith(start)]


def filesystem(path: Path) -> str:
    """Type of the file system that *path* is on: that of the longest mount point above it."""
    best, kind = '', ''
    with Path('/proc/self/mountinfo').open() as file:
        for line in file:
            before, _, after = line.partition(' - ')
            point = _unescaped(before.split()[4]).rstrip('/')
            if f'{path.resolve()}/'.startswith(f'{point}/') and len(point) >= len(best):
                best, kind = point, after.split()[0]
    return kind


def _unescaped(text: str) -> str:
    return text.encode().decode('unicode_escape') if '\\' in text else text
