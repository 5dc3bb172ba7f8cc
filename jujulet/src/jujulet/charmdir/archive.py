"""Charm archives: zip files with symbolic links and executable bits, which Python's own extraction loses.

An archive comes from anywhere: nothing in it may land outside the folder that it is unpacked into, point outside it,
or grow without bound. Source: Juju's charm archive (links must be relative and stay inside).
"""

from __future__ import annotations

import contextlib
import errno
import lzma
import os
import pathlib
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Generator

from ..core import charm as charm_
from . import members

MOST_ENTRIES = 100_000
MOST_BYTES = 4 * 1024**3
MOST_YAML = 4 * 1024**2


def check(zipped: zipfile.ZipFile, name: str) -> None:
    """Refuse an archive that is not one charm's.

    Raises:
        charm.Invalid: too big, or an entry's name or link leads outside.
    """
    entries = zipped.infolist()
    if len(entries) > MOST_ENTRIES or sum(e.file_size for e in entries) > MOST_BYTES:
        raise charm_.Invalid(
            f'"{name}" is too big for a charm: at most {MOST_ENTRIES} files and 4 GiB'
        )
    said = members.problem(_member(zipped, entry) for entry in entries)
    if said:
        raise charm_.Invalid(f'"{name}" is refused: {said}')


def _member(zipped: zipfile.ZipFile, entry: zipfile.ZipInfo) -> members.Member:
    if is_link(entry):
        target = contents(zipped, entry).decode(errors='surrogateescape')
        return members.Member(entry.filename, 'link', target)
    kind = stat.S_IFMT(entry.external_attr >> 16) if entry.create_system == 3 else 0
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return members.Member(entry.filename, 'other')
    return members.Member(entry.filename, 'folder' if entry.is_dir() else 'file')


def is_link(entry: zipfile.ZipInfo) -> bool:
    """Whether the entry was a symbolic link."""
    return entry.create_system == 3 and stat.S_ISLNK(entry.external_attr >> 16)


def contents(zipped: zipfile.ZipFile, entry: str | zipfile.ZipInfo) -> bytes:
    """A small entry's bytes.

    Raises:
        charm.Invalid: it is bigger than any charm's YAML or link.
    """
    info = zipped.getinfo(entry) if isinstance(entry, str) else entry
    if info.file_size > MOST_YAML:
        raise charm_.Invalid(f'{members.shown(info.filename)} in the charm is too big')
    # No more than it says: one that lies would fill the memory at once.
    with zipped.open(info) as file:
        return file.read(info.file_size + 1)


_LIES = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError, ValueError,
    struct.error, OverflowError, LookupError,
)  # fmt: skip
"""What reading an entry raises that is not what the archive says of it, or is encrypted."""


@contextlib.contextmanager
def reading(where: str) -> Generator[None]:
    """What an archive that is damaged raises becomes ``"WHERE: why"``; what the disk raises stays what it is.

    Raises:
        charm.Invalid: it is damaged.
    """
    try:
        yield
    except charm_.Invalid:
        raise
    except _LIES as error:
        raise charm_.Invalid(f'{where}: {error}') from None
    except OSError as error:
        if error.errno != errno.EINVAL:  # It sought for what is nowhere in the file.
            raise
        raise charm_.Invalid(f'{where}: {error.strerror}') from None


def unpack(path: pathlib.Path, folder: pathlib.Path) -> None:
    """Unpack the charm at *path* into *folder*, which exists and is empty; links and executable bits are kept.

    Raises:
        charm.Invalid: an entry is not what the archive says of it.
    """
    with reading(f'"{path.name}" is damaged'), zipfile.ZipFile(path) as zipped:
        check(zipped, path.name)
        for entry in zipped.infolist():
            with reading(f'"{path.name}" is damaged at {members.shown(entry.filename)}'):
                _unpack(zipped, entry, folder / entry.filename)


def _unpack(zipped: zipfile.ZipFile, entry: zipfile.ZipInfo, target: pathlib.Path) -> None:
    if is_link(entry):
        target.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(contents(zipped, entry).decode(errors='surrogateescape'), target)
        return
    if entry.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = entry.external_attr >> 16 if entry.create_system == 3 else 0o644
    with zipped.open(entry) as source, target.open('xb') as file:
        shutil.copyfileobj(source, file)
    target.chmod(0o755 if mode & 0o111 else 0o644)


def write(folder: pathlib.Path, path: pathlib.Path) -> None:
    """Zip *folder* to *path*: entries in order, one date for all, so that the same charm gives the same bytes."""
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED, compresslevel=6) as zipped:
        for file in sorted(p for p in folder.rglob('*') if p.is_symlink() or p.is_file()):
            entry = zipfile.ZipInfo(str(file.relative_to(folder)), (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            if file.is_symlink():
                entry.external_attr = (stat.S_IFLNK | 0o777) << 16
                zipped.writestr(entry, os.readlink(file))
                continue
            executable = file.stat().st_mode & 0o100
            entry.external_attr = (stat.S_IFREG | (0o755 if executable else 0o644)) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            zipped.writestr(entry, file.read_bytes())
