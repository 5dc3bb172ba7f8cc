"""Charm archives: zip files with symbolic links and executable bits, which Python's own extraction loses.

An archive comes from anywhere: nothing in it may land outside the folder that it is unpacked into, point outside it,
or grow without bound. Source: Juju's charm archive (links must be relative and stay inside).
"""

from __future__ import annotations

import os
import pathlib
import posixpath
import shutil
import stat
import zipfile
import zlib

from ..core import charm as charm_

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
    links: set[str] = set()
    for entry in entries:
        if not safe(entry.filename):
            raise charm_.Invalid(
                f'"{name}" is refused: entry "{entry.filename}" leads outside the charm'
            )
        if is_link(entry):
            target = contents(zipped, entry.filename).decode(errors='surrogateescape')
            if not stays_inside(entry.filename, target):
                raise charm_.Invalid(
                    f'"{name}" is refused: link "{entry.filename}" leads outside the charm, to "{target}"'
                )
            links.add(posixpath.normpath(entry.filename))
    for entry in entries:
        parents = pathlib.PurePosixPath(posixpath.normpath(entry.filename)).parents
        if any(str(parent) in links for parent in parents):
            raise charm_.Invalid(
                f'"{name}" is refused: entry "{entry.filename}" lies behind a link'
            )


def safe(name: str) -> bool:
    """Whether an entry's name stays inside the folder that it is unpacked into."""
    parts = name.split('/')
    return (
        bool(name)
        and not name.startswith('/')
        and '..' not in parts
        and '\\' not in name
        and '\0' not in name
    )


def stays_inside(link: str, target: str) -> bool:
    """Whether a link at *link* to *target* points to something inside the charm."""
    if target.startswith('/') or not target:
        return False
    where = posixpath.normpath(posixpath.join(posixpath.dirname(link), target))
    return where != '..' and not where.startswith('../')


def is_link(entry: zipfile.ZipInfo) -> bool:
    """Whether the entry was a symbolic link."""
    return entry.create_system == 3 and stat.S_ISLNK(entry.external_attr >> 16)


def contents(zipped: zipfile.ZipFile, name: str) -> bytes:
    """A small entry's bytes.

    Raises:
        charm.Invalid: it is bigger than any charm's YAML or link.
    """
    size = zipped.getinfo(name).file_size
    if size > MOST_YAML:
        raise charm_.Invalid(f'"{name}" in the charm is too big')
    with zipped.open(
        name
    ) as entry:  # No more than it says: one that lies would fill the memory at once.
        return entry.read(size + 1)


LIES = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""What reading an entry raises that is not what the archive says of it, or is encrypted."""


def unpack(path: pathlib.Path, folder: pathlib.Path) -> None:
    """Unpack the charm at *path* into *folder*, which exists and is empty; links and executable bits are kept.

    Raises:
        charm.Invalid: an entry is not what the archive says of it.
    """
    with zipfile.ZipFile(path) as zipped:
        check(zipped, path.name)
        for entry in zipped.infolist():
            try:
                _unpack(zipped, entry, folder / entry.filename)
            except LIES as error:
                raise charm_.Invalid(
                    f'"{path.name}" is damaged at "{entry.filename}": {error}'
                ) from None


def _unpack(zipped: zipfile.ZipFile, entry: zipfile.ZipInfo, target: pathlib.Path) -> None:
    if entry.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if is_link(entry):
        os.symlink(contents(zipped, entry.filename).decode(errors='surrogateescape'), target)
        return
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
