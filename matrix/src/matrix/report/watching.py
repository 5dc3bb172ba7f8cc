"""What the live view shows, folded from the journal entry by entry. Pure."""

from __future__ import annotations

import collections
import dataclasses
from typing import cast

from matrix.grammar import located
from matrix.history import journal, notes
from matrix.judge import checks
from matrix.report import rulings, story, terminal, words

_KEPT = 240  # seconds of rate and latency
_AFTER = 30.0  # seconds that are shown after the last heal


@dataclasses.dataclass(frozen=True)
class Band:
    """A fault so far. A new one of the same id (another test's) takes its place in the view."""

    id: str
    kind: str
    targets: tuple[str, ...]
    start: float
    landed: float | None = None
    healed: float | None = None


@dataclasses.dataclass
class Watch:
    """A run so far."""

    run: dict[str, located.Plain] = dataclasses.field(default_factory=dict[str, located.Plain])
    now: float = 0.0
    test: str = ''
    stage: str = ''
    tests: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    rules: dict[str, list[rulings.RuleOutcome]] = dataclasses.field(
        default_factory=lambda: collections.defaultdict(list)
    )
    bands: dict[str, Band] = dataclasses.field(default_factory=dict[str, Band])
    statuses: dict[str, tuple[str, str]] = dataclasses.field(
        default_factory=dict[str, tuple[str, str]]
    )
    waits: tuple[str, ...] = ()
    ending: str = ''
    counts: dict[str, int] = dataclasses.field(
        default_factory=lambda: {'ok': 0, 'fail': 0, 'info': 0}
    )
    begun: dict[str, float] = dataclasses.field(default_factory=dict[str, float])
    seconds: dict[int, list[float]] = dataclasses.field(
        default_factory=lambda: collections.defaultdict(list)
    )
    bad: dict[int, int] = dataclasses.field(default_factory=lambda: collections.defaultdict(int))
    saying: terminal.Progress = dataclasses.field(default_factory=terminal.Progress)

    def take(self, entry: journal.Entry) -> str:
        """Fold one entry in; returns its line for the log, '' for none."""
        self.now = entry.at
        match entry.what:
            case journal.Operation() as operation:
                self._operation(entry.at, operation)
            case journal.Fault() as fault:
                self._fault(entry.at, fault)
            case journal.Status(of, workload, message, agent):
                self.statuses[of] = (agent if agent in ('lost', 'failed') else workload, message)
            case journal.Note(kind, value):
                self._note(kind, value)
            case _:
                pass
        return self.saying.said(entry)

    def _operation(self, at: float, one: journal.Operation) -> None:
        if one.phase == 'invoke':
            self.begun[one.id] = at
            return
        began = self.begun.pop(one.id, None)
        if began is None:
            return
        self.counts[one.phase] += 1
        second = int(at)
        self.seconds[second].append(at - began)
        if one.phase != 'ok':
            self.bad[second] += 1
        for old in [one for one in self.seconds if one < second - _KEPT]:
            del self.seconds[old]
            self.bad.pop(old, None)

    def _fault(self, at: float, one: journal.Fault) -> None:
        band = self.bands.get(one.id)
        if band is None or one.phase == 'armed':
            band = Band(one.id, one.kind, one.targets, at)
        if one.phase == 'landed':
            band = dataclasses.replace(band, landed=at)
        elif one.phase == 'healed':
            band = dataclasses.replace(band, healed=at)
        self.bands[one.id] = band

    def _note(self, kind: str, value: located.Plain) -> None:
        held = story.mapping(value)
        name = story.text(held.get('test') or held.get('name') or (None if held else value))
        match kind:
            case notes.RUN:
                self.run = dict(held)
            case notes.TEST_START:
                self.test, self.stage = name, ''
                self.tests[name] = 'running'
                self.bands.clear()
                self.rules[name].clear()
            case notes.TEST_COMPLETE:
                self.tests[name or self.test] = 'over'
            case notes.PHASE:
                self.stage = name or story.text(held.get('phase'))
            case notes.WAITS:
                said = cast('list[object]', value) if isinstance(value, list) else []
                self.waits = tuple(str(one) for one in said)
            case notes.RUN_END:
                self.ending = story.text(held.get('ending'))
            case 'rule.create' | notes.STATE_CHANGE | notes.RULE_DONE:
                rulings.advance(self.rules[self.test], kind, value)
            case _:
                pass

    def until(self, count: int) -> int:
        """The second at which so many seconds of load end: now, or where the load ended long ago."""
        last = max(self.seconds, default=int(self.now))
        return int(self.now) if self.now - last < count / 2 else last + 1

    def rate(self, count: int) -> list[float]:
        """Operations answered in each of the last so many seconds."""
        last = self.until(count)
        return [float(len(self.seconds.get(n, ()))) for n in range(last - count, last)]

    def p95(self, count: int) -> list[float]:
        """The 95th percentile of latency (seconds) in each of the last so many seconds."""
        last = self.until(count)
        return [
            checks.percentile(self.seconds.get(n, []), 0.95) for n in range(last - count, last)
        ]

    def failures(self, count: int) -> list[float]:
        """What was not ok in each of the last so many seconds."""
        last = self.until(count)
        return [float(self.bad.get(n, 0)) for n in range(last - count, last)]

    def headline(self) -> str:
        """Where the run is, in one line."""
        parts = [words.clean(story.text(self.run.get('bundle'))) or 'waiting for a journal']
        parts += [words.clean(one) for one in (self.test, self.stage) if one]
        parts.append(f'over: {self.ending}' if self.ending else words.moment(self.now))
        return '   '.join(parts)


def timeline(
    bands: dict[str, Band], now: float, width: int
) -> list[tuple[str, list[tuple[int, int, str]]]]:
    """Rows for bands: each fault's name, and pieces (from, to, kind) of so many columns.

    A piece is `proven` from where it landed, `armed` before, `open` while it bites still unseen.
    """
    if not bands:
        return []
    start = min(band.start for band in bands.values())
    if all(band.healed is not None for band in bands.values()):
        now = min(now, max(band.healed or 0.0 for band in bands.values()) + _AFTER)
    wide = max(now - start, 1.0)

    def column(at: float) -> int:
        return min(int((at - start) / wide * width), width)

    rows: list[tuple[str, list[tuple[int, int, str]]]] = []
    for band in bands.values():
        end = now if band.healed is None else band.healed
        landed = end if band.landed is None else band.landed
        pieces = [(column(band.start), max(column(landed), column(band.start) + 1), 'armed')]
        if band.landed is not None:
            first = column(band.start)
            pieces = [(first, column(landed), 'armed')] if column(landed) > first else []
            pieces.append((column(landed), max(column(end), column(landed) + 1), 'proven'))
        rows.append((f'{band.id} {band.kind} {", ".join(band.targets)}', pieces))
    return rows
