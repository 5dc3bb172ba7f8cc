"""Files that are whole or not there: written beside the place where they belong, and moved into it at the end.

Whoever reads meanwhile has the old one. A reader that opened the old one keeps it. What a machine can reach is not
written here but by ``machines.files``, which follows no link.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pathlib
from collections.abc import Callable, Generator
from typing import BinaryIO

_COUNT = itertools.count()


@contextlib.contextmanager
def opened(
    folder: pathlib.Path, *, mode: int = 0o600
) -> Generator[tuple[BinaryIO, Callable[[pathlib.Path], None]]]:
    """A new file in *folder*, and the function that moves it to its place (in *folder*), once it is written.

    It has *mode* whatever the umask. Not moved by the end of the block, it is removed.

    Raises:
        OSError: the folder is not there or cannot be written to, or the disk is full.
    """
    path = folder / f'.new-{os.getpid()}-{next(_COUNT)}'
    path.unlink(missing_ok=True)  # Of a process that was killed and had our number.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(handle, 'wb') as file:

        def become(target: pathlib.Path) -> None:
            file.flush()
            os.fchmod(handle, mode)
            path.replace(target)

        try:
            yield file, become
        finally:
            path.unlink(missing_ok=True)


def write(target: pathlib.Path, text: str, *, mode: int = 0o644) -> None:
    """Put *text* (UTF-8) at *target*, in place of what is there.

    Raises:
        OSError: as :func:`opened`.
    """
    with opened(target.parent, mode=mode) as (file, become):
        file.write(text.encode())
        become(target)
