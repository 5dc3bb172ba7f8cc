"""Read a charm: a folder, or a packed ``.charm``. It may be anybody's, so there are limits, and no link is followed."""

from __future__ import annotations

import lzma
import os
import pathlib
import stat
import zipfile
import zlib
from collections.abc import Iterator

from .view import View

MOST_FILES = 20_000
MOST_BYTES = 64 * 1024 * 1024
"""Of all files together that are read."""
LARGEST = 1024 * 1024
"""Bytes of one file that is read; a larger one is none that anybody wrote."""
_SKIPPED = frozenset(
    {'.git', '.venv', 'venv', 'node_modules', '.tox', '__pycache__', 'wheels', 'build'}
)
"""Folders that are not the charm's own text."""
_READ = (
    '.py',
    '.yaml',
    '.yml',
    '.toml',
    '.txt',
    '.md',
    '.cfg',
    '.ini',
    '.json',
    '.sh',
    '.pem',
    '.key',
    '.j2',
    '.lock',
)


class NoCharmError(Exception):
    """There is nothing that can be read as a charm; the text says why, and what would be right."""


def read(path: str) -> View:
    """The charm at *path*.

    Raises:
        NoCharmError: nothing is there, or neither a folder nor an archive.
    """
    place = pathlib.Path(path)
    try:
        mode = place.stat().st_mode
        if stat.S_ISDIR(mode):
            return _folder(place, path)
        if stat.S_ISREG(mode):
            return _archive(place, path)
    except OSError as e:
        raise NoCharmError(
            f'{path}: {e.strerror or e}: give a folder of a charm, or a .charm'
        ) from None
    except ValueError:
        raise NoCharmError(f'{path!r} is no path') from None
    raise NoCharmError(
        f'{path} is neither a folder nor a file: give a folder of a charm, or a .charm'
    )


class _Budget:
    """How much more may be read."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.unread: dict[str, str] = {}
        self.left = MOST_BYTES
        self.count = 0

    def full(self) -> bool:
        """Whether another file would be too many: then that is said of the charm itself."""
        self.count += 1
        if self.count > MOST_FILES:
            self.unread[''] = f'it has more than {MOST_FILES} files: the rest was not looked at'
        return self.count > MOST_FILES

    def take(self, name: str, size: int) -> bool:
        """Whether the file *name* of *size* bytes is to be read."""
        if not _is_text(name):
            self.files.setdefault(name, b'')
            return False
        if size > LARGEST:
            self.unread[name] = f'it has {size} bytes, more than {LARGEST}'
        elif size > self.left:
            self.unread[name] = f'all files together have more than {MOST_BYTES} bytes'
        else:
            self.left -= size
            return True
        return False


def _is_text(name: str) -> bool:
    inner = pathlib.PurePosixPath(name)
    return inner.suffix.lower() in _READ or not inner.suffix


def _folder(root: pathlib.Path, shown: str) -> View:
    budget = _Budget()
    for name, path in _walk(root):
        if budget.full():
            break
        try:
            found = path.lstat()
            if stat.S_ISLNK(found.st_mode):
                budget.unread[name] = f'a link to {os.readlink(path)[:100]!r}: it is not followed'
            elif not stat.S_ISREG(found.st_mode):
                budget.unread[name] = 'neither a file nor a folder'
            elif budget.take(name, found.st_size):
                budget.files[name] = _bytes(path)
        except OSError as e:
            budget.unread[name] = e.strerror or str(e)
    return View(shown, budget.files, budget.unread)


def _bytes(path: pathlib.Path) -> bytes:
    """What is in a file that was no link a moment ago, and is none now; it may have grown since."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, 'rb') as file:
        return file.read(LARGEST + 1)


def _walk(root: pathlib.Path) -> Iterator[tuple[str, pathlib.Path]]:
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            inner = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in inner:
            path = pathlib.Path(entry.path)
            name = path.relative_to(root).as_posix().encode('utf-8', 'replace').decode('utf-8')
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _SKIPPED:
                    waiting.append(path)
                continue
            yield name, path


def _archive(path: pathlib.Path, shown: str) -> View:
    budget = _Budget()
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if budget.full():
                    break
                _entry(archive, entry, budget)
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
        ValueError,
        EOFError,
        LookupError,
        OverflowError,
    ) as e:
        raise NoCharmError(
            f'{shown}: not a packed charm: {str(e)[:120] or type(e).__name__}'
        ) from None
    return View(shown, budget.files, budget.unread, packed=True)


def _entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, budget: _Budget) -> None:
    name = entry.filename.replace('\\', '/')
    mode = entry.external_attr >> 16
    if entry.is_dir() or _is_library(name):
        return
    if name.startswith('/') or '..' in name.split('/') or not name.isprintable():
        budget.unread['src/' + name[-60:]] = f'a path that leads out of the charm: {name[:100]!r}'
    elif stat.S_ISLNK(mode):
        budget.unread[name] = 'a link: it is not followed'
    elif name in budget.files:
        budget.unread[name] = 'it is there twice'
    elif entry.flag_bits & 1:
        budget.unread[name] = 'it is encrypted'
    elif budget.take(name, entry.file_size):
        content = _inflated(archive, entry)
        if isinstance(content, str):
            budget.unread[name] = content
        else:
            budget.files[name] = content


def _is_library(name: str) -> bool:
    """It is of the Python environment that was packed with the charm."""
    return any(part in _SKIPPED for part in name.split('/')[:-1])


def _inflated(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes | str:
    """What is in the entry, whatever its header says of its size; or why it cannot be read."""
    try:
        with archive.open(entry) as file:
            data = file.read(min(entry.file_size, LARGEST) + 1)
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        OSError,
        EOFError,
        RuntimeError,
        NotImplementedError,
        ValueError,
    ) as e:
        return f'it cannot be unpacked: {str(e)[:100]}'
    return data if len(data) <= LARGEST else f'it has more than {LARGEST} bytes'


def is_charm(view: View) -> bool:
    """Whether anything of a charm is there."""
    known = {'charmcraft.yaml', 'metadata.yaml', 'src/charm.py'}
    return bool(known & {*view.files, *view.unread})
