"""Reads and writes in a machine's file system from the host, though what is in it may be bent on mischief.

The root of a machine may make any of its paths a symbolic link; followed from the host, that link would lead into the
host. So every step is opened by itself, links are followed nowhere, and a file is put in place by renaming.
"""

from __future__ import annotations

import contextlib
import os
import stat
import uuid
from collections.abc import Generator
from pathlib import Path, PurePosixPath

MOST = 1_000_000
"""Bytes that :func:`read` takes at most."""


@contextlib.contextmanager
def _folder(root: Path, name: str, *, make: bool) -> Generator[tuple[int, str]]:
    """The directory of *name* below *root*, opened, and the last part of the name. OSError if it is not one."""
    parts = PurePosixPath(name).parts
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    opened = os.open(root, flags)
    try:
        for part in parts[:-1]:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o755, dir_fd=opened)
            below = os.open(part, flags, dir_fd=opened)
            os.close(opened)
            opened = below
        yield opened, parts[-1]
    finally:
        os.close(opened)


def read(root: Path, name: str) -> str:
    """The text of a regular file at *name* (relative to *root*); empty if there is none."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with _folder(root, name, make=False) as (folder, last):
            opened = os.open(last, flags, dir_fd=folder)
    except OSError:
        return ''
    with open(opened, 'rb') as file:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            return ''
        return file.read(MOST).decode(errors='replace')


def write(root: Path, name: str, content: str, *, mode: int = 0o644, like: str = '') -> None:
    """Make *name* (relative to *root*) a regular file with that content, and its directories if need be.

    A file that is so already is left alone. *like* names a directory whose owner the file and its directory get.

    Raises:
        OSError: a part of the name is a symbolic link or no directory, or the disk is full.
    """
    if read(root, name) == content:
        return
    with _folder(root, name, make=True) as (folder, last):
        fresh = f'.{uuid.uuid4().hex}'
        opened = os.open(
            fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder
        )
        with open(opened, 'wb') as file:
            file.write(content.encode())
            os.fchmod(opened, mode)
            if like:
                with _folder(root, f'{like}/-', make=False) as (owner, _):
                    whose = os.fstat(owner)
                os.fchown(opened, whose.st_uid, whose.st_gid)
                os.fchown(folder, whose.st_uid, whose.st_gid)
        os.rename(fresh, last, src_dir_fd=folder, dst_dir_fd=folder)


def link(root: Path, name: str, target: str) -> None:
    """Make *name* a symbolic link to *target*, unless something is there already."""
    with _folder(root, name, make=True) as (folder, last), contextlib.suppress(FileExistsError):
        os.symlink(target, last, dir_fd=folder)
