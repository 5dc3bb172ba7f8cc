"""Builds the image, once for each version of its packages and of its own files."""

from __future__ import annotations

import gzip
import hashlib
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping

from jujulet import paths

from . import cpio, disk, modules, packages

HERE = pathlib.Path(__file__).resolve().parent
BASES = ('debian@12', 'debian@13')
"""Whose packages it is made of: the first that this host can build."""
KERNEL = 'linux-image-cloud-amd64'
UP = 'up, http on 80'
"""What the console of a guest says last."""
SSH = ('bin/dropbear', 'bin/dropbearkey')
LIBRARIES = (
    *('lib64/ld-linux-x86-64.so.2', 'lib/libc.so.6', 'lib/libcrypt.so.1', 'lib/libgmp.so.10'),
    *('lib/libtomcrypt.so.1', 'lib/libtommath.so.1', 'lib/libz.so.1'),
)
"""What the SSH server is linked with, where it looks for it."""
PARTS = (
    *('busybox-static', 'syslinux', 'syslinux-common', 'mtools'),
    *('dropbear-bin', 'libc6', 'libcrypt1', 'libgmp10', 'libtomcrypt1', 'libtommath1', 'zlib1g'),
)


class Unbuilt(Exception):  # noqa: N818 -- what happened
    """There is no image; the text says why, and what to do."""


def ensure(say: Callable[[str], None]) -> pathlib.Path:
    """The image, a raw disk: as it was kept, or made now. *say* takes a line of progress.

    Raises:
        Unbuilt: it cannot be made here.
    """
    if platform.machine() != 'x86_64':
        raise Unbuilt(f'the guest image is for amd64, and this is {platform.machine()}')
    kept = paths.root() / 'guest'
    kept.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.new-', dir=kept) as scratch:
        archive = packages.Archive(_base(say), pathlib.Path(scratch))
        try:
            versions = archive.versions((KERNEL, *PARTS))
            image = kept / f'{key(versions)}.raw'
            if image.exists():
                return image
            say(f'guest image: fetching {KERNEL} {versions[KERNEL]} and {", ".join(PARTS)}')
            system = pathlib.Path(scratch, 'system')
            archive.unpack((kernel_package(archive.needs(KERNEL)), *PARTS), system)
        except packages.Unfetched as error:
            raise Unbuilt(f'the guest image lacks a package: {error}') from None
        say('guest image: putting it together')
        made = _assemble(system, pathlib.Path(scratch))
        for older in kept.glob('*.raw'):
            older.unlink()
        made.rename(image)
    say(f'guest image: {image} ({disk.MIB} MiB)')
    return image


def _base(say: Callable[[str], None]) -> pathlib.Path:
    """The file system of a base, built if need be."""
    jujulet = pathlib.Path(sys.executable).with_name('jujulet')
    said = ''
    for base in BASES:
        done = subprocess.run(
            [jujulet, 'image', base], check=False, stdout=subprocess.PIPE, text=True
        )
        if not done.returncode:
            return pathlib.Path(done.stdout.strip())
        said = f'{base} cannot be built here (see above)'
        say(f'guest image: {said}')
    raise Unbuilt(said)


def key(versions: Mapping[str, str]) -> str:
    """Names what an image is made of: these packages, and the files beside this module."""
    content = hashlib.sha256()
    for name in sorted(versions):
        content.update(f'{name} {versions[name]}\n'.encode())
    for path in sorted(p for p in HERE.rglob('*') if p.is_file() and '__pycache__' not in p.parts):
        content.update(f'{path.relative_to(HERE)}\n'.encode() + path.read_bytes())
    return content.hexdigest()[:16]


def kernel_package(depends: str) -> str:
    """The package that holds the kernel, of what the one depends on that always names the newest.

    Raises:
        Unbuilt: none is named.
    """
    found = re.search(r'\blinux-image-[0-9][^ ,]*', depends)
    if found is None:
        raise Unbuilt(f'{KERNEL} names no kernel: it depends on "{depends}"')
    return found[0]


def _assemble(system: pathlib.Path, scratch: pathlib.Path) -> pathlib.Path:
    (scratch / 'vmlinuz').write_bytes(_one(system, 'vmlinuz-*').read_bytes())
    packed = gzip.compress(cpio.archive(_files(system)), mtime=0)
    (scratch / 'initrd.gz').write_bytes(packed)
    (scratch / 'syslinux.cfg').write_text(disk.CONFIG)
    image, count = scratch / 'guest.raw', disk.sectors()
    with image.open('wb') as file:
        file.write(disk.boot_record(_one(system, 'mbr/mbr.bin').read_bytes(), count))
        file.truncate(disk.MIB * 1024**2)
    at = f'{image.name}@@{disk.START * disk.SECTOR}'
    geometry = ('-T', str(count), '-h', '255', '-s', '63', '-H', str(disk.START))
    files = ('vmlinuz', 'initrd.gz', 'syslinux.cfg')
    for argv in (
        ('mformat', '-i', at, *geometry, '::'),
        ('mcopy', '-i', at, *files, '::'),
        ('syslinux', '--offset', str(disk.START * disk.SECTOR), '-i', image.name),
    ):
        _tool(argv, system, scratch)
    return image


def _files(system: pathlib.Path) -> list[cpio.Entry]:
    """All that is in the guest's first and only file system."""
    found = [
        cpio.character_device('dev/console', 5, 1),
        cpio.character_device('dev/null', 1, 3, 0o666),
        cpio.file('bin/busybox', _one(system, 'bin/busybox').read_bytes(), program=True),
    ]
    linked = {path: _one(system, f'{path.rpartition("/")[2]}*') for path in LIBRARIES}
    linked |= {path: _one(system, path.rpartition('/')[2]) for path in SSH}
    found += [cpio.file(path, there.read_bytes(), program=True) for path, there in linked.items()]
    own = HERE / 'root'
    found += [
        cpio.file(str(path.relative_to(own)), path.read_bytes(), program=os.access(path, os.X_OK))
        for path in sorted(own.rglob('*'))
        if path.is_file()
    ]
    there = {modules.name_of(path.name): path for path in system.rglob('*.ko*')}
    objects = {name: modules.unpacked(path.read_bytes()) for name, path in there.items()}
    order = modules.order(modules.WANTED, objects, lambda name: modules.needs(objects[name]))
    found += [cpio.file(f'lib/modules/{name}.ko', objects[name]) for name in order]
    found.append(cpio.file('lib/modules/order', ''.join(f'{n}\n' for n in order).encode()))
    return found


def _one(system: pathlib.Path, name: str) -> pathlib.Path:
    """The file of that name among what was unpacked, wherever its release keeps it."""
    found = sorted(p for p in system.rglob(name) if p.is_file() and not p.is_symlink())
    if not found:
        raise Unbuilt(f'the packages of the guest image hold no {name}')
    return found[0]


def _tool(argv: tuple[str, ...], system: pathlib.Path, cwd: pathlib.Path) -> None:
    """Run a program that was unpacked: of the system it needs the C library alone."""
    environment = {
        **os.environ,
        'PATH': f'{system}/usr/bin{os.pathsep}{os.environ["PATH"]}',
        'MTOOLS_SKIP_CHECK': '1',
    }
    done = subprocess.run(
        argv, cwd=cwd, env=environment, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise Unbuilt(f'{argv[0]} failed: {done.stderr.strip() or done.stdout.strip()}')
