"""The journal's file: append-only, readable by its owner alone."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import types
from collections.abc import Callable
from typing import Self

from matrix.history import journal, redact


class Writer:
    """Appends entries, each with one write, so that a killed run loses at most its last line.

    `now` is seconds since the run began and `wall` the time of day as text; both are given so that
    a journal of the same happenings is the same file.
    """

    def __init__(
        self,
        path: pathlib.Path,
        *,
        now: Callable[[], float],
        wall: Callable[[], str],
        secrets: redact.Secrets,
    ):
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file = os.open(path, flags, 0o600)
        with contextlib.suppress(OSError):  # Not every file system has locks.
            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        self._now = now
        self._wall = wall
        self._secrets = secrets
        before = path.read_text(errors='replace')
        if before and not before.endswith('\n'):
            os.write(self._file, b'\n')  # What follows a torn line must not be torn with it.
        entries = journal.read(before, str(path)).entries
        self._seq = entries[-1].seq if entries else 0
        lines = before.rstrip('\n').rpartition('\n')
        self._after = journal.checksum(lines[2]) if lines[2] else ''
        self.full = ''

    def write(self, what: journal.What) -> journal.Entry:
        """Append one entry and return it.

        Where the disk has no room, `full` says so, and nothing is written from then on: a journal with a hole in it
        would be worse evidence than one that ends.
        """
        entry = journal.Entry(self._seq + 1, round(self._now(), 6), self._wall(), what)
        if self.full:
            return entry
        text = journal.to_line(entry, self._secrets, self._after)
        line = text.encode()
        try:
            while line:
                line = line[os.write(self._file, line) :]
        except OSError as error:
            self.full = f'the journal cannot be written any more: {error.strerror or error}'
            return entry
        self._seq = entry.seq
        self._after = journal.checksum(text)
        return entry

    def hide(self, secrets: redact.Secrets) -> None:
        """Keep these out of everything that is written from now on."""
        self._secrets = secrets

    def close(self) -> None:
        """Put everything on the disk."""
        with contextlib.suppress(OSError):  # A disk that is full was reported already.
            os.fsync(self._file)
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        self.close()


def read(path: pathlib.Path) -> journal.Journal:
    """Everything that a journal's file holds.

    Raises:
        OSError: there is no such file, or it cannot be read.
    """
    return journal.read(path.read_text(errors='replace'), str(path))


def written(path: pathlib.Path) -> bool:
    """Whether a process has a journal open to write it now; the kernel tells, so a killed one has not.

    Raises:
        OSError: there is no such file, or it cannot be read.
    """
    with path.open('rb') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
