"""One test as its journal shows it, made ready for the checks: operations, notes, and who was struck when. Pure."""

from __future__ import annotations

import collections
import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from matrix.grammar import located
from matrix.history import journal, notes, periods
from matrix.judge import expect

STOPPED = 'stopped'
"""The error of operations that were in flight when their load was told to stop; nobody's fault."""


@dataclasses.dataclass(frozen=True)
class Strike:
    """A fault, whom it struck, and until when it explains a failure (seconds of the run)."""

    band: periods.Band
    targets: tuple[str, ...]
    end: float

    @property
    def sentence(self) -> str:
        """`freeze struck keystone/0`."""
        return f'{self.band.kind} struck {", ".join(self.targets) or "the model"}'

    def overlaps(self, start: float, end: float) -> bool:
        """Whether it could touch what lasted from `start` to `end`."""
        return start <= self.end and self.band.start <= end


@dataclasses.dataclass(frozen=True)
class Trial:
    """One test of a run."""

    name: str
    read: journal.Journal
    done: tuple[journal.Done, ...]
    strikes: tuple[Strike, ...]
    notes: Mapping[str, tuple[tuple[journal.Entry, located.Plain], ...]]
    expect: expect.Expect
    counts: Mapping[str, int]
    """How many units each application had before the chaos."""

    @property
    def start(self) -> float:
        """Second of the run at which the test began."""
        return self.read.entries[0].at if self.read.entries else 0.0

    @property
    def end(self) -> float:
        """Second of the run of the test's last entry."""
        return self.read.entries[-1].at if self.read.entries else 0.0

    def values(self, kind: str) -> tuple[located.Plain, ...]:
        """The values of the notes of one kind, in order."""
        return tuple(value for _, value in self.notes.get(kind, ()))

    def why(self, start: float, end: float) -> tuple[Strike, ...]:
        """The faults that could have touched what lasted from `start` to `end`."""
        return tuple(one for one in self.strikes if one.overlaps(start, end))

    def spared(self, strike: Strike, start: float, end: float) -> bool:
        """Whether what was struck had another unit that nothing struck from `start` to `end`: it could have served."""
        if self.expect.ha is not None:
            return self.expect.ha
        targets = {target for one in (strike, *self.why(start, end)) for target in one.targets}
        applications = {target.partition('/')[0] for target in strike.targets}
        # A machine is not known by its applications here: nothing is promised for it.
        return bool(applications) and all(
            name in self.counts
            and name not in targets
            and sum(unit.startswith(f'{name}/') for unit in targets) < self.counts[name]
            for name in applications
        )

    @functools.cached_property
    def first(self) -> float:
        """When the first fault was armed; never: infinity."""
        return min((one.band.start for one in self.strikes), default=math.inf)

    @functools.cached_property
    def healed(self) -> float:
        """When the last fault was seen healed; without faults, or where one was not: never, infinity."""
        moments = [one.band.healed for one in self.strikes]
        return max((math.inf if one is None else one for one in moments), default=math.inf)

    @functools.cached_property
    def split(self) -> Mapping[periods.Period, tuple[journal.Done, ...]]:
        """Operations before any fault, while one could touch them, and after."""
        found: dict[periods.Period, list[journal.Done]] = {'before': [], 'during': [], 'after': []}
        for one in self.done:
            if self.why(one.at, ended(one)):
                found['during'].append(one)
            else:
                found['before' if one.at < self.first else 'after'].append(one)
        return {period: tuple(some) for period, some in found.items()}

    @functools.cached_property
    def writes(self) -> tuple[tuple[str, str], ...]:
        """Kinds that write, each with the kind that reads back; as the load said."""
        found: dict[tuple[str, str], None] = {}
        for value in self.values(notes.LOAD):
            for pair in cast('Iterable[object]', mapping(value).get('writes') or ()):
                if isinstance(pair, list | tuple) and len(cast('Sequence[object]', pair)) == 2:
                    write, read = cast('Sequence[object]', pair)
                    found[str(write), str(read)] = None
        return tuple(found)


def error_word(one: journal.Done) -> str:
    """The kind of error of an operation that was not ok."""
    return (one.end.error or 'failed') if one.end else 'no answer'


def most_frequent_error(bad: Sequence[journal.Done]) -> str:
    """The kind of error that most of these have; of equally many the first by name."""
    counts = collections.Counter(error_word(one) for one in bad)
    return min(counts, key=lambda word: (-counts[word], word))


def ended(one: journal.Done) -> float:
    """When an operation was answered; never: infinity."""
    return math.inf if one.ended_at is None else one.ended_at


def mapping(value: object) -> Mapping[str, located.Plain]:
    """The value if it is a mapping, else an empty one: a journal is read, never trusted."""
    return cast('Mapping[str, located.Plain]', value) if isinstance(value, Mapping) else {}


def number(value: object, default: float = 0.0) -> float:
    """The value if it is a number."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return default


def split(read: journal.Journal) -> tuple[tuple[str, journal.Journal], ...]:
    """The tests of a run in order, each with its part of the journal; a journal that names none is one test."""
    entries = read.entries
    starts = [
        n
        for n, one in enumerate(entries)
        if isinstance(one.what, journal.Note) and one.what.kind == notes.TEST_START
    ]
    if not starts:
        return (('', read),) if entries else ()
    ends = [*starts[1:], len(entries)]
    return tuple(
        (
            str(cast('journal.Note', entries[start].what).value),
            journal.Journal(entries[start:end], read.problems),
        )
        for start, end in zip(starts, ends, strict=True)
    )


def of(name: str, read: journal.Journal, expected: expect.Expect | None = None) -> Trial:
    """The trial of one test's part of a journal.

    Args:
        name: the test's.
        read: its part of the journal.
        expected: what it is held to; None: what its own note `expect` says.

    Raises:
        problem.RefusedError: that note is not written right.
    """
    found: dict[str, list[tuple[journal.Entry, located.Plain]]] = collections.defaultdict(list)
    for entry in read.entries:
        if isinstance(entry.what, journal.Note):
            found[entry.what.kind].append((entry, entry.what.value))
    if expected is None:
        said = found.get(notes.EXPECT)
        expected = expect.of_note(said[-1][1]) if said else expect.Expect()
    # What was in flight when the load was told to stop was cut off by us.
    done = tuple(
        one
        for one in journal.operations(read.entries)
        if one.end is None or one.end.error != STOPPED
    )
    return Trial(
        name,
        read,
        done,
        _strikes(read.entries, expected),
        {k: tuple(v) for k, v in found.items()},
        expected,
        _counts(found),
    )


def _strikes(entries: Sequence[journal.Entry], expected: expect.Expect) -> tuple[Strike, ...]:
    targets: dict[str, tuple[str, ...]] = {}
    for entry in entries:
        if isinstance(entry.what, journal.Fault) and entry.what.targets:
            targets[entry.what.id] = entry.what.targets
    return tuple(
        Strike(
            band,
            targets.get(band.id, ()),
            math.inf if band.healed is None else band.healed + expected.recovery,
        )
        for band in periods.bands(entries)
    )


def _counts(
    said: Mapping[str, Sequence[tuple[journal.Entry, located.Plain]]],
) -> dict[str, int]:
    """How many units each application had before the chaos."""
    found: dict[str, int] = {}
    for _, value in said.get(notes.UNITS, ()):
        for name, count in mapping(mapping(value).get('counts')).items():
            found.setdefault(name, int(number(count)))
    for _, value in said.get(notes.FINGERPRINT, ()):
        if mapping(value).get('moment') == 'before':
            for name, one in mapping(mapping(value).get('applications')).items():
                units = mapping(one).get('units')
                if isinstance(units, list | Mapping):
                    found[name] = len(units)
    return found
