"""Which code this is.

A command and the controller that it asks must have the same: after a ``git pull``, a controller that still runs has
what it started with, and gives machines an agent that it does not know.
"""

from __future__ import annotations

import functools
import pathlib
import zlib


@functools.cache
def digest() -> str:
    """Stands for the code of this package as it was when this was first asked; hexadecimal."""
    return of(pathlib.Path(__file__).parent)


def of(folder: pathlib.Path) -> str:
    """Stands for all Python files in *folder*: their places and what they hold."""
    total = 0
    for path in sorted(folder.rglob('*.py')):
        total = zlib.crc32(path.relative_to(folder).as_posix().encode(), total)
        total = zlib.crc32(path.read_bytes(), total)
    return f'{total:08x}'
