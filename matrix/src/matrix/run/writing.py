"""The journal of a run as it is written: to its file, without secrets, and to whoever listens."""

from __future__ import annotations

import contextlib
import datetime
import pathlib
import time
from collections.abc import Callable, Generator
from typing import Any

from matrix.history import journal, journalfile, redact


class Journal:
    """Appends entries, and keeps out of them what loads say is secret. `seq` is that of the newest.

    `full` says why nothing can be written any more, and `on_full` is called at that moment, once.
    """

    def __init__(
        self,
        writer: journalfile.Writer,
        heard: Callable[[journal.Entry], None],
        now: Callable[[], float],
    ):
        self._writer = writer
        self._now = now
        self._heard = heard
        self._sources: list[Any] = []
        self._known: frozenset[str] = frozenset()
        self.seq = 0
        self.full = ''
        self.on_full: Callable[[], object] = lambda: None

    def __call__(self, what: journal.What) -> journal.Entry:
        """Append one entry."""
        self._refresh()
        entry = self._writer.write(what)
        if self._writer.full and not self.full:
            self.full = self._writer.full
            self.on_full()
        self.seq = entry.seq
        self._heard(entry)
        return entry

    def hide(self, source: object) -> None:
        """Keep the `secrets` of a load out, however they grow; one that has none changes nothing."""
        if hasattr(source, 'secrets'):
            self._sources.append(source)

    @property
    def now(self) -> Callable[[], float]:
        """Seconds of the run, as entries have them."""
        return self._now

    def redacted(self, text: str) -> str:
        """A text without the secrets that are known now."""
        return redact.text(text, redact.secrets(self._known))

    def _refresh(self) -> None:
        known = frozenset(
            one
            for source in self._sources
            for one in source.secrets
            if len(one) >= redact.SHORTEST
        )
        if known != self._known:
            self._known = known
            self._writer.hide(redact.secrets(known))


@contextlib.contextmanager
def opened(path: pathlib.Path, heard: Callable[[journal.Entry], None]) -> Generator[Journal]:
    """A journal's file, for as long as the run goes on. One that is there is gone on with; its time goes on, too."""
    before = journalfile.read(path).entries if path.is_file() else ()
    began = time.monotonic() - (before[-1].at if before else 0.0)

    def now() -> float:
        return time.monotonic() - began

    def wall() -> str:
        return datetime.datetime.now(datetime.UTC).isoformat(timespec='milliseconds')

    with journalfile.Writer(path, now=now, wall=wall, secrets=redact.secrets(())) as writer:
        yield Journal(writer, heard, now)
