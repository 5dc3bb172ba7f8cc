"""Whether the file systems that a unit writes to have room, and can be written at all. Pure but for its task.

A service whose disk is full answers its health check, and fails its clients one by one: nothing else would say so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import cast

from . import state
from .machine import Machine

DISKS = 'disks'
_MOUNTS = '/proc/self/mounts'
_MIB, _GIB = 1 << 20, 1 << 30
_LOCAL = ('ext', 'xfs', 'btrfs', 'zfs', 'bcachefs', 'f2fs', 'jfs', 'overlay', 'tmpfs', 'vfat')
"""How types of file systems begin that are on this machine. Any other may hang df(1), which cannot be ended then."""

# Of a small disk a share, of a large one an amount: 10 % of 10 TiB is no reason to wake anybody.
_LOW_SHARE, _LOW_BYTES = 0.10, 5 * _GIB
_FULL_SHARE, _FULL_BYTES = 0.03, 512 * _MIB
_FULL_INODES_SHARE = 0.01


@dataclasses.dataclass(frozen=True)
class Disk:
    """A file system, as ``df`` and the kernel's list of mounts tell it."""

    path: str
    """Where it is mounted."""
    size: int
    """In bytes, like :attr:`left`: what those who are not root can still write."""
    left: int
    inodes: int = 0
    """How many files it can hold; 0 where there is no such limit."""
    inodes_left: int = 0
    read_only: bool = False


@dataclasses.dataclass(frozen=True)
class ProbeDisks:
    """Look at the file systems that hold *paths*; the result is a tuple of :class:`Disk`."""

    paths: tuple[str, ...]
    below: bool = False
    """Look at those that are mounted below them as well, and at none that are on other machines."""
    name: str = DISKS

    def carry_out(self, machine: Machine) -> tuple[Disk, ...]:
        """Ask ``df`` (GNU coreutils) and ``/proc/self/mounts`` (proc(5))."""
        mounts = machine.read(_MOUNTS) or ''
        paths = local(self.paths, mounts) if self.below else self.paths
        if not paths:
            return ()
        # A path that is not there yet is an error to df, which tells of all others none the less.
        said = machine.program(
            'df', '--block-size=1', '--output=size,avail,itotal,iavail,target', *paths
        )
        return disks(said.output, mounts)


def local(paths: Iterable[str], mounts: str) -> tuple[str, ...]:
    """Where the file systems are mounted that hold *paths*, and those below them, but for the root of all."""
    types = {path: fields[2] for path, fields in _mounted(mounts).items()}
    found: dict[str, None] = {}
    for path in paths:
        holders = [m for m in types if m in ('/', path) or path.startswith(f'{m}/')]
        below = [m for m in types if path != '/' and m.startswith(f'{path}/')]
        found |= dict.fromkeys((*sorted(holders, key=len)[-1:], *sorted(below)))
    return tuple(m for m in found if types[m].startswith(_LOCAL))


def _mounted(mounts: str) -> dict[str, list[str]]:
    """The fields of the kernel's list of mounts, by place; of several at one place those of the last."""
    return {fields[1]: fields for line in mounts.splitlines() if len(fields := line.split()) > 3}


def followed(desired: state.Desired, inputs: state.Inputs, *paths: str) -> state.Desired:
    """*desired* with a look at the file systems of *paths*, where it has none, and what that has shown."""
    if desired.failure or desired.read_only or any(t.name == DISKS for t in desired.tasks):
        return desired
    found = cast('tuple[Disk, ...]', inputs.seen.get(DISKS, ()))
    return dataclasses.replace(
        desired,
        tasks=(*desired.tasks, ProbeDisks(paths, below=True)),
        status=(*desired.status, *statuses(found)),
    )


def disks(df: str, mounts: str) -> tuple[Disk, ...]:
    """Each file system once, as ``df`` with the columns of :class:`Look` and the kernel's list of mounts tell it."""
    options = {path: fields[3] for path, fields in _mounted(mounts).items()}
    found: dict[str, Disk] = {}
    for line in df.splitlines():
        fields = line.split(maxsplit=4)
        if len(fields) == 5 and fields[0].isdecimal():
            size, left, inodes, inodes_left = (int(f) if f.isdecimal() else 0 for f in fields[:4])
            path = fields[4]
            read_only = 'ro' in options.get(path, '').split(',')
            found[path] = Disk(path, size, left, inodes, inodes_left, read_only)
    return tuple(found.values())


def statuses(found: Iterable[Disk]) -> Iterator[state.Status]:
    """What the operator should know of *found*."""
    for disk in found:
        left = f'{_amount(disk.left)} of {_amount(disk.size)} left'
        if disk.read_only:
            yield state.Status('blocked', f'the file system {disk.path} is mounted read-only')
        elif disk.left < min(_FULL_SHARE * disk.size, _FULL_BYTES):
            yield state.Status('blocked', f'the file system {disk.path} is full ({left})')
        elif disk.inodes and disk.inodes_left < _FULL_INODES_SHARE * disk.inodes:
            yield state.Status(
                'blocked',
                f'the file system {disk.path} can hold only {disk.inodes_left} more files',
            )
        elif disk.left < min(_LOW_SHARE * disk.size, _LOW_BYTES):
            yield state.Status('active', f'the file system {disk.path} is filling up ({left})')


def _amount(size: int) -> str:
    return f'{size / _GIB:.1f} GiB' if size >= _GIB else f'{size / _MIB:.0f} MiB'
