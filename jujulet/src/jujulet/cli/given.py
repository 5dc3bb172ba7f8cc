"""Files that a user names in a command: read up to a limit, whatever they are, and told by their names.

A pipe is a file, too (``--file <(program)``), and a device has no size that one could ask for: each is read until
there is more than the limit.
"""

from __future__ import annotations

import sys

from ..core import model as model_

MOST = 16 << 20
"""Bytes of a YAML file: far more than any bundle, and far less than a machine has."""


class LargerError(Exception):
    """A file is larger than its limit."""


def content(path: str, most: int = MOST) -> bytes:
    """What a file holds.

    Args:
        path: as typed.
        most: bytes that it may have.

    Raises:
        LargerError: it has more.
        OSError: it cannot be read.
    """
    with open(path, 'rb') as file:
        read = file.read(most + 1)
    if len(read) > most:
        raise LargerError
    return read


def text(path: str) -> str:
    """The text of a YAML file; ``-`` is standard input. Raises ``model.Refused`` and OSError."""
    try:
        if path != '-':
            return content(path).decode()
        found = sys.stdin.read(MOST + 1)
        if len(found) > MOST:
            raise LargerError
        return found
    except LargerError:
        raise model_.Refused(f'{path}: larger than {MOST >> 20} MiB') from None
    except UnicodeDecodeError as error:
        raise model_.Refused(f'{path}: not text in UTF-8: {error.reason}') from None
