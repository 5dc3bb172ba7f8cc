"""Takes an install layer from a running machine's upper directory, with the machine frozen as briefly as can be.

Frozen, files are *linked* where programs replace files (``/usr``, ``/opt``, packages' lists …) and *copied* where they
write them in place (``/etc``, the rest of ``/var`` …). Once the machine runs again the links are copied too, so that
nothing that it does later shows in the layer. Should it meanwhile have written into a linked file, which its time of
modification tells, there is no layer this time.
"""

from __future__ import annotations

import asyncio
import dataclasses
import fnmatch
import hashlib
import os
import shutil
from pathlib import Path

from . import files
from .protocol import MachineError
from .tools import run

LINKED = (
    *('usr', 'opt', 'bin', 'sbin', 'lib', 'lib64', 'lib32'),
    *('var/lib/dpkg', 'var/lib/apt', 'var/cache/debconf', 'var/cache/man', 'var/cache/fontconfig'),
)
SKIPPED = (
    *('run', 'tmp', 'proc', 'sys', 'dev'),
    *('var/cache/apt', 'var/tmp', 'var/log/juju', 'var/lib/juju/run', 'var/lib/juju/agent'),
)
OWN = (
    *('etc/machine-id', 'etc/hostname', 'etc/hosts', 'etc/resolv.conf'),
    *(
        'var/lib/dbus/machine-id',
        'var/lib/systemd/random-seed',
        'home/ubuntu/.ssh/authorized_keys',
    ),
)
"""What belongs to one machine alone, and is in no layer (as :data:`SKIPPED` is not either)."""

NICE = ('nice', '-n', '19')


@dataclasses.dataclass(frozen=True)
class Taken:
    """What was taken while the machine was frozen."""

    folder: Path
    """Holds ``links``, a farm of hard links, and ``root``, what was copied."""
    fingerprint: str
    """Of the links, while the machine was frozen."""

    @property
    def root(self) -> Path:
        """The layer's file system, once it is finished."""
        return self.folder / 'root'


async def take(upper: Path, folder: Path) -> Taken:
    """Take what is in *upper* into the empty directory *folder*; the machine must be frozen.

    Raises:
        Failed: a copy failed.
        OSError: the disk is full, or *upper* is gone.
    """
    linked, copied = await asyncio.to_thread(_sort, upper, folder / 'root', '')
    (folder / 'links').mkdir()
    jobs = (('--link', linked, 'links'), ('--reflink=auto', copied, 'root'))
    await asyncio.gather(
        *(
            run(
                ['cp', '--archive', option, '--parents', '--', *paths, str(folder / target)],
                timeout=300,
                cwd=upper,
            )
            for option, paths, target in jobs
            if paths
        )
    )
    return Taken(folder, await _fingerprint(folder / 'links'))


async def finish(taken: Taken) -> int:
    """Make what was taken stand by itself, on the disk; the bytes of its files. The machine may run.

    Raises:
        MachineError: the machine wrote into what was linked.
        Failed: a copy failed.
    """
    links = taken.folder / 'links'
    copy = [*NICE, 'cp', '--archive', '--reflink=auto', '--', f'{links}/.', str(taken.root)]
    await run(copy, timeout=900)
    if await _fingerprint(links) != taken.fingerprint:
        raise MachineError('the machine changed its programs while they were copied')
    await remove(links)
    await asyncio.to_thread(_strip, taken.root)
    await run([*NICE, 'sync', '--file-system', str(taken.root)], timeout=900)
    sizes = await run(
        [*NICE, 'find', str(taken.root), '-type', 'f', '-printf', '%s\n'], timeout=300
    )
    return sum(int(line) for line in sizes.split())


async def remove(*paths: Path) -> None:
    """Delete trees without hurry, in a process of its own; what is not there is no error."""
    if paths:
        argv = [*NICE, 'rm', '-rf', '--one-file-system', '--', *(str(path) for path in paths)]
        await run(argv, timeout=900)


async def _fingerprint(links: Path) -> str:
    """Changes when a linked file is written or gets another owner or mode; not when the machine removes it."""
    argv = ['find', str(links), '-type', 'f', '-printf', '%P %s %T@ %m %U %G\n']
    listed = await run(argv, timeout=300)
    return hashlib.sha256('\n'.join(sorted(listed.splitlines())).encode()).hexdigest()


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


def _strip(root: Path) -> None:
    """Remove what was the machine's own, which had the say over where its paths lead."""
    wanted = 'etc/systemd/system/multi-user.target.wants'
    found = list(OWN)
    found += _matching(root, 'etc/ssh', 'ssh_host_*')
    found += _matching(root, 'etc/systemd/system', 'jujud-machine-*.service')
    found += _matching(root, wanted, 'jujud-machine-*.service')
    for name in found:
        files.remove(root, name)


def _matching(root: Path, folder: str, pattern: str) -> list[str]:
    return [f'{folder}/{n}' for n in fnmatch.filter(files.names(root, folder), pattern)]
