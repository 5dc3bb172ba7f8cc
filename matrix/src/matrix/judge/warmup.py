"""How long answers take to be as quick as they get: what comes before says nothing of the bundle. Pure."""

from __future__ import annotations

import dataclasses

from matrix.history import journal
from matrix.judge import stats

STRETCH = 3.0
"""Seconds of which a median is taken."""

LEAST = 5
"""Answers of a stretch, below which it says nothing."""

ALIKE = 0.25
"""A stretch is quicker when its median is less by more than this share, and by more than a few milliseconds."""

_MILLISECONDS = 0.005


@dataclasses.dataclass
class Warmup:
    """Hears the operations of a load from its beginning. `until` is the second at which it was warm; None: not yet."""

    until: float | None = None
    medians: list[float] = dataclasses.field(default_factory=list[float])
    _begun: dict[str, tuple[float, str]] = dataclasses.field(
        default_factory=dict[str, tuple[float, str]]
    )
    _stretch: list[float] = dataclasses.field(default_factory=list[float])
    _since: float | None = None

    def take(self, at: float, what: journal.What) -> None:
        """One more entry; `at` is in seconds, and never goes back."""
        if not isinstance(what, journal.Operation) or self.until is not None:
            return
        if what.phase == 'invoke':
            self._begun[what.id] = (at - what.late, what.kind)
            self._since = at if self._since is None else self._since
        elif (begun := self._begun.pop(what.id, None)) is not None and what.phase == 'ok':
            self._stretch.append(at - begun[0])
        if self._since is not None and at - self._since >= STRETCH:
            self._over(at)

    def _over(self, at: float) -> None:
        if len(self._stretch) < LEAST:
            return  # Of a slow load a stretch is as long as it takes.
        self.medians.append(stats.percentile(self._stretch, 0.5))
        if settled(self.medians):
            self.until = at
        self._stretch, self._since = [], at


def settled(medians: list[float]) -> bool:
    """Whether the last stretch was not quicker than the one before. Slower is no warm-up."""
    if len(medians) < 2:
        return False
    before, now = medians[-2:]
    return before - now <= max(ALIKE * before, _MILLISECONDS)
