"""The journal of a run: one event a line, in JSON, in a local file. Terminal and page are made of it."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from typing import IO, cast

KINDS = ('begin', 'step', 'done', 'waits', 'failed', 'lost', 'stop', 'end')

_LATEST = 1e11
"""Seconds since the epoch that no clock shows; a number beyond is not a time."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class JournalEntry:
    """One thing that happened."""

    at: float
    """Seconds since the epoch."""
    kind: str
    """`begin`, `step` (carried out), `done` (seen to be), `waits`, `failed` (tried again), `lost` (requests of a load),
    `stop`, `end`.
    """
    step: str = ''
    application: str = ''
    said: str = ''


class Journal:
    """A file that events are appended to, until the end of its `with`; nobody else may read it."""

    def __init__(self, path: pathlib.Path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._file: IO[str] = os.fdopen(number, 'a')

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, event: JournalEntry) -> None:
        """Append it."""
        self._file.write(json.dumps(dataclasses.asdict(event)) + '\n')
        self._file.flush()


def read(path: pathlib.Path) -> tuple[JournalEntry, ...]:
    """All events of a file; a last line that was cut off is left out."""
    found: list[JournalEntry] = []
    for line in path.read_text(errors='replace').splitlines():
        try:
            event = JournalEntry(**json.loads(line))
        except (ValueError, TypeError, RecursionError):
            continue
        texts = (event.kind, event.step, event.application, event.said)
        if all(isinstance(text, str) for text in texts) and _is_time(event.at):  # pyright: ignore[reportUnnecessaryIsInstance]
            found.append(event)
    return tuple(found)


def _is_time(at: object) -> bool:
    return type(at) in (int, float) and 0 <= cast('float', at) < _LATEST


def folder() -> pathlib.Path:
    """Where journals are: the user's own state, as the XDG Base Directory Specification has it."""
    state = os.environ.get('XDG_STATE_HOME') or ''
    home = (
        pathlib.Path(state) if state.startswith('/') else pathlib.Path.home() / '.local' / 'state'
    )
    return home / 'juju-lifecycle'
