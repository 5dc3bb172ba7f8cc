"""Folders as values: their digest, and making one so that it is there whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import shutil
import stat
import tempfile
from collections.abc import Generator, Iterable, Iterator

IGNORED = frozenset(
    {
        '__pycache__', '.git', '.hg', '.svn', '.bzr', '.tox', '.venv', '.jujuignore', '.ruff_cache',
        '.pytest_cache', '.mypy_cache', '.pyright', '.coverage', '.craft', 'node_modules',
    }
)  # fmt: skip
"""Names that are never part of a charm or of a library."""

_IGNORED_AT_TOP = frozenset({'build', 'dist', 'tests', 'docs'})


def walk(
    folder: pathlib.Path, *, without: Iterable[str] = ()
) -> Iterator[tuple[str, pathlib.Path]]:
    """(relative path, path) of every file and link below *folder*, in order; links are not followed.

    *without*: names left out at the top, beside :data:`IGNORED`, which are left out everywhere.
    """
    top = frozenset(without)

    def below(place: str, prefix: str) -> Iterator[tuple[str, pathlib.Path]]:
        with os.scandir(place) as entries:
            found = sorted(entries, key=lambda e: e.name)
        for entry in found:
            if entry.name in IGNORED or (not prefix and entry.name in top):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from below(entry.path, f'{prefix}{entry.name}/')
            elif entry.is_file(follow_symlinks=False) or entry.is_symlink():
                yield prefix + entry.name, pathlib.Path(entry.path)

    yield from below(str(folder), '')


def digest(place: pathlib.Path) -> str:
    """Of a file's bytes, or of a library's folder: names, executable bits, links and bytes.

    What no build of a library takes in (``tests``, ``docs``, ``build``, ``dist``) does not count.
    """
    if not place.exists():
        return 'missing'
    if place.is_file():
        return hashlib.sha256(place.read_bytes()).hexdigest()
    return digest_of((name, file) for name, file in walk(place, without=_IGNORED_AT_TOP))


def digest_of(entries: Iterable[tuple[str, pathlib.Path | bytes]]) -> str:
    """Of files by their relative name; bytes stand for a file with that content."""
    found = hashlib.sha256()
    for name, place in entries:
        if isinstance(place, bytes):
            kind, data = 'f', place
        elif place.is_symlink():
            kind, data = 'l', os.fsencode(os.readlink(place))
        else:
            kind = 'x' if place.stat().st_mode & stat.S_IXUSR else 'f'
            data = place.read_bytes()
        found.update(f'{kind}\0{name}\0{len(data)}\0'.encode(errors='surrogateescape'))
        found.update(data)
    return found.hexdigest()


@contextlib.contextmanager
def making(final: pathlib.Path) -> Generator[pathlib.Path]:
    """A new folder that becomes *final* when the block ends well, and vanishes when it does not.

    When somebody else made *final* meanwhile, theirs is kept: the name says that it is the same.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix='.making-', dir=final.parent))
    try:
        yield folder
        folder.chmod(0o755)
        try:
            folder.rename(final)
        except OSError:
            if not final.is_dir():
                raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
