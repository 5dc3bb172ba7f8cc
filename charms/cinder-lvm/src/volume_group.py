"""The volume group on a machine: what stands against it, and how it is made and grown."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping

import charmkit

NAME = 'volume-group'
_MISC = '/proc/misc'
NO_MAPPER = "this machine's kernel has no device mapper: LVM has no volumes here"
_WITHIN_S = 300.0


@dataclasses.dataclass(frozen=True)
class Disk:
    """What a disk is seen to hold."""

    there: bool = True
    group: str | None = None
    """The volume group that it belongs to, '' for one of LVM's that belongs to none; None: it is none of LVM's."""
    holds: str = ''
    """What else is on it: file systems and partition tables, by the names of wipefs(8)."""


def refusal(group: str, disks: Mapping[str, Disk], *, overwrite: bool) -> str:
    """Why *group* is not to be made of *disks*; '' when it may."""
    for path, disk in disks.items():
        if not disk.there:
            return f'block-device: {path} is no disk of this machine'
        if disk.group not in (None, '', group):
            return f'block-device: {path} belongs to the volume group {disk.group}'
        if disk.group is None and disk.holds and not overwrite:
            return f'block-device: {path} has {disk.holds}: set overwrite to lose what is on it'
    return ''


def commands(group: str, disks: Mapping[str, Disk], *, exists: bool) -> list[tuple[str, ...]]:
    """What makes *group* of *disks*, or adds to it those that are not in it."""
    out: list[tuple[str, ...]] = []
    for path, disk in disks.items():
        if disk.group == group:
            continue
        if disk.group is None:
            if disk.holds:
                out.append(('wipefs', '--all', '--quiet', path))
            out.append(('pvcreate', '--yes', path))
        out.append(('vgextend' if exists else 'vgcreate', group, path))
        exists = True
    return out


@dataclasses.dataclass(frozen=True)
class Make:
    """Make the group, or add to it. The result is '' when it is there with all of its disks, else why not, in words."""

    group: str
    paths: tuple[str, ...]
    overwrite: bool = False
    name: str = NAME

    def carry_out(self, machine: charmkit.Machine) -> str:
        """Do it, by *machine*."""
        if not _mapper(machine):
            return NO_MAPPER
        groups = _physical(machine)
        disks = {path: _disk(machine, path, groups) for path in self.paths}
        if wrong := refusal(self.group, disks, overwrite=self.overwrite):
            return wrong
        exists = self.group in groups.values()
        for argv in commands(self.group, disks, exists=exists):
            done = machine.program(*argv, timeout_s=_WITHIN_S)
            if done.status:
                said = ' '.join(done.output.split())[-200:]
                return f'{shlex.join(argv)} ended with {done.status}: {said}'
        return ''


def _mapper(machine: charmkit.Machine) -> bool:
    """Whether there is one, in the kernel or as a module, and this machine has a way to it."""
    if 'device-mapper' not in (machine.read(_MISC) or ''):
        machine.program('modprobe', '--quiet', 'dm_mod')
    known = 'device-mapper' in (machine.read(_MISC) or '')
    return known and machine.program('test', '-c', '/dev/mapper/control').status == 0


def _physical(machine: charmkit.Machine) -> dict[str, str]:
    """By path: the group of each disk that LVM has."""
    columns = ('--noheadings', '--separator', ' ', '--options', 'pv_name,vg_name')
    done = machine.program('pvs', *columns)
    rows = (line.split() for line in done.output.splitlines() if line.strip().startswith('/dev/'))
    return {row[0]: row[1] if len(row) > 1 else '' for row in rows}


def _disk(machine: charmkit.Machine, path: str, groups: Mapping[str, str]) -> Disk:
    real = machine.program('readlink', '--canonicalize', path).output.strip() or path
    if machine.program('test', '-b', real).status:
        return Disk(there=False)
    known = {
        machine.program('readlink', '--canonicalize', p).output.strip() or p: p for p in groups
    }
    if real in known:
        return Disk(group=groups[known[real]])
    done = machine.program('wipefs', '--no-act', '--noheadings', '--output', 'TYPE', real)
    if done.status:
        return Disk(there=False)
    return Disk(holds=' and '.join(sorted({*done.output.split()})))
