"""Follows a journal that grows. Reads only: the run never knows of it."""

from __future__ import annotations

import pathlib

from matrix.history import journal

_MOST = 4 * 1024 * 1024  # bytes at once, so that a long run is shown while it is read


class Tail:
    """The entries that have come since it was asked last; a line that is still being written waits for its end."""

    def __init__(self, path: pathlib.Path):
        self._path = path
        self._read = 0
        self.damaged = 0

    def new(self) -> tuple[journal.Entry, ...]:
        """The new entries; none where the file is not there (yet)."""
        try:
            with self._path.open('rb') as file:
                file.seek(self._read)
                data = file.read(_MOST)
        except FileNotFoundError:
            return ()
        end = data.rfind(b'\n') + 1
        self._read += end
        found = journal.read(data[:end].decode(errors='replace'), str(self._path))
        self.damaged += len(found.problems)
        return found.entries
