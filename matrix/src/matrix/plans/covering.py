"""Plans that between them try everything with everything: a covering array of strength two. Pure.

What is covered: each kind of fault on each application that it can strike, each kind and each application in each
phase, and each two kinds at once. Rows are drawn greedily, those that cover most of what is left first (as AETG does:
Cohen, Dalal, Fredman and Patton, 1997), so that few seeds have all of it, and the first seeds most of it.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from matrix.grammar import located
from matrix.history import journal, notes, periods
from matrix.plans import plan, selectors, snapshot

Phase = Literal['alone', 'overlap', 'after']
"""While nothing else strikes; while another fault does; just after another was healed."""

PHASES: tuple[Phase, ...] = ('alone', 'overlap', 'after')
TAIL = 15.0
"""Seconds after a heal that are just after it."""

SOON = 2.0  # seconds after a heal at which a fault begins that is to come just after it

Places: TypeAlias = Mapping[str, tuple[str, ...]]
"""The applications that each kind of fault can strike."""

Cell: TypeAlias = tuple[str, str, str]
"""What is covered: ('on', kind, application), ('in', kind or application, phase), ('with', kind, kind)."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One event to be: what strikes whom, and when."""

    kind: str
    application: str
    phase: Phase


def cells(places: Places, phases: Sequence[Phase] = PHASES) -> frozenset[Cell]:
    """Everything that there is to cover."""
    found: set[Cell] = set()
    for kind, applications in places.items():
        for application in applications:
            found.add(('on', kind, application))
            found |= {('in', one, phase) for one in (kind, application) for phase in phases}
    if 'overlap' in phases:
        usable = sorted(kind for kind, applications in places.items() if applications)
        found |= {
            ('with', first, second)
            for n, first in enumerate(usable)
            for second in usable[n:]
            if len({*places[first], *places[second]}) > 1
        }
    return frozenset(found)


def covers(row: Row, before: Row | None) -> frozenset[Cell]:
    """What one row covers, after the row before it in its plan."""
    found: set[Cell] = {
        ('on', row.kind, row.application),
        ('in', row.kind, row.phase),
        ('in', row.application, row.phase),
    }
    if before is not None and row.phase == 'overlap':
        first, second = sorted((before.kind, row.kind))
        found.add(('with', first, second))
    return frozenset(found)


def rows(
    places: Places, count: int, *, phases: Sequence[Phase] = PHASES, most: int = 400
) -> tuple[Row, ...]:
    """Rows that cover everything, in plans of `count`: the first of each plan is alone. At most `most` plans."""
    return _rows(
        tuple((kind, tuple(sorted(some))) for kind, some in sorted(places.items()) if some),
        count,
        tuple(phases),
        most,
    )


@functools.lru_cache(maxsize=16)
def _rows(
    places: tuple[tuple[str, tuple[str, ...]], ...],
    count: int,
    phases: tuple[Phase, ...],
    most: int,
) -> tuple[Row, ...]:
    every = [
        Row(kind, application, phase)
        for kind, some in places
        for application in some
        for phase in phases
    ]
    bits = {cell: 1 << n for n, cell in enumerate(sorted(cells(dict(places), phases)))}
    drawing = _Drawing(every, bits)
    left = (1 << len(bits)) - 1
    found: list[Row] = []
    while left and count and every and len(found) < most * count:
        before = found[-1] if len(found) % count else None
        able = drawing.able(before)
        kinds, applications = _used(found)
        # Of rows that cover as much, the one that was drawn least of late: it spreads kinds over plans.
        row = max(
            able,
            key=lambda one, before=before, left=left, kinds=kinds, applications=applications: (
                (drawing.covers(one, before) & left).bit_count(),
                -kinds[one.kind] - applications[one.application],
            ),
        )
        if not drawing.covers(row, before) & left:
            # Then one after which something can be covered that is left.
            last = (len(found) + 1) % count == 0
            then = [] if last else drawing.fresh(left)
            gains = [drawing.best(one, then, left) for one in able]
            if before is None and not max(gains):
                break  # What is left cannot come, such as two at once on a single application.
            row = able[gains.index(max(gains))]
        found.append(row)
        left &= ~drawing.covers(row, before)
    return tuple(found)


class _Drawing:
    """All rows, and what each covers as bits of a number: there are thousands, and each is looked at for each row."""

    def __init__(self, every: Sequence[Row], bits: Mapping[Cell, int]):
        self._every = every
        self._alone = [row for row in every if row.phase == 'alone']
        self._own = {row: sum(bits.get(cell, 0) for cell in covers(row, None)) for row in every}
        kinds = {row.kind for row in every}
        self._both: dict[tuple[str, str], int] = {
            (one, other): bits.get(('with', min(one, other), max(one, other)), 0)
            for one in kinds
            for other in kinds
        }

    def covers(self, row: Row, before: Row | None) -> int:
        if before is None or row.phase != 'overlap':
            return self._own[row]
        return self._own[row] | self._both[row.kind, before.kind]

    def able(self, before: Row | None) -> list[Row]:
        """The rows that may follow another, or begin a plan."""
        if before is None:
            return self._alone
        return [
            # Two at once on one application would leave nothing of it, and say nothing of either.
            row
            for row in self._every
            if row.phase != 'overlap' or row.application != before.application
        ]

    def fresh(self, left: int) -> list[Row]:
        """The rows that could cover something that is left, were the right one before them."""
        kinds = {one for pair, bit in self._both.items() if bit & left for one in pair}
        return [row for row in self._every if self._own[row] & left or row.kind in kinds]

    def best(self, before: Row, then: Sequence[Row], left: int) -> int:
        """How much of what is left the best of some rows covers after another."""
        return max(
            (
                (self.covers(row, before) & left).bit_count()
                for row in then
                if row.phase != 'overlap' or row.application != before.application
            ),
            default=0,
        )


def _used(
    found: Sequence[Row],
) -> tuple[collections.Counter[str], collections.Counter[str]]:
    late = found[-9:]
    return (
        collections.Counter(one.kind for one in late),
        collections.Counter(one.application for one in late),
    )


def chosen(found: Sequence[Row], seed: int, count: int) -> tuple[Row, ...]:
    """The rows of one seed's plan: seeds one after the other have plans one after the other."""
    plans = math.ceil(len(found) / count) if count else 0
    if not plans:
        return ()
    start = seed % plans * count
    return tuple(found[start : start + count])


def events(
    chosen_rows: Sequence[Row],
    kinds: Sequence[plan.Kind],
    model: snapshot.Model,
    seed: int,
    *,
    gap: float,
) -> tuple[plan.FaultEvent, ...]:
    """The events of a plan's rows, with their targets; a row that nobody can be struck for is left out."""
    by = {kind.name: kind for kind in kinds}
    found: list[plan.FaultEvent] = []
    for number, row in enumerate(chosen_rows, 1):
        kind = by[row.kind]
        event = plan.event(seed, number, (narrowed(kind, row.application),), gap)
        event = dataclasses.replace(event, at=round(_moment(row, found, event, gap), 1))
        event = plan.resolve(event, model, seed)
        if event.targets:
            found.append(event)
    return tuple(found)


def _moment(
    row: Row, before: Sequence[plan.FaultEvent], event: plan.FaultEvent, gap: float
) -> float:
    if not before:
        return min(event.at, gap)
    last = before[-1]
    over = max(one.at + one.hold for one in before)
    if row.phase == 'overlap':
        return last.at + last.hold * 0.3
    return over + (SOON if row.phase == 'after' else max(gap, TAIL))


def narrowed(kind: plan.Kind, application: str) -> plan.Kind:
    """The kind, which strikes only this application."""
    steps = [one for one in kind.selectors if one.name != 'of']
    of = selectors.Selector('of', (('applications', application),))
    if not steps or steps[0].name == 'machines':
        return kind
    return dataclasses.replace(kind, selectors=(steps[0], of, *steps[1:]))


def places(kinds: Iterable[plan.Kind], applications: Sequence[str]) -> Places:
    """The applications that each kind can strike, from its selectors."""
    found: dict[str, tuple[str, ...]] = {}
    for kind in kinds:
        of = next((one for one in kind.selectors if one.name == 'of'), None)
        named = str(of.get('applications', '')).split() if of is not None else applications
        found[kind.name] = tuple(one for one in applications if one in named)
    return found


# --- What was tried.


@dataclasses.dataclass(frozen=True)
class Coverage:
    """What there was to try in the runs of a bundle, and what of it was tried and seen to land."""

    possible: frozenset[Cell]
    tried: Mapping[Cell, int]
    runs: int = 0

    @property
    def never(self) -> tuple[Cell, ...]:
        """What was never tried, in order."""
        return tuple(sorted(self.possible - self.tried.keys()))

    def of(self, sort: str) -> tuple[int, int]:
        """How many cells of a sort (`on`, `in`, `with`) were tried, and how many there are."""
        some = [one for one in self.possible if one[0] == sort]
        return sum(one in self.tried for one in some), len(some)


def coverage(journals: Iterable[Sequence[journal.Entry]]) -> Coverage:
    """The coverage of runs, from their journals."""
    possible: set[Cell] = set()
    tried: dict[Cell, int] = {}
    runs = 0
    for entries in journals:
        runs += 1
        for entry in entries:
            if isinstance(entry.what, journal.Note) and entry.what.kind == notes.CELLS:
                possible |= _said(entry.what.value)
        for cell in landed(entries):
            tried[cell] = tried.get(cell, 0) + 1
    return Coverage(frozenset(possible), tried, runs)


def _said(value: located.Plain) -> frozenset[Cell]:
    held = value if isinstance(value, dict) else {}
    there, asked = held.get('places'), held.get('phases')
    found = {
        str(kind): tuple(map(str, some)) if isinstance(some, list) else ()
        for kind, some in (there if isinstance(there, dict) else {}).items()
    }
    named = {str(one) for one in asked} if isinstance(asked, list) else {*PHASES}
    return cells(found, [one for one in PHASES if one in named])


def landed(entries: Sequence[journal.Entry]) -> frozenset[Cell]:
    """What the faults covered that were seen to land, by when they really struck."""
    bands = [one for one in periods.bands(entries) if one.landed is not None]
    targets = {
        one.what.id: one.what.targets
        for one in entries
        if isinstance(one.what, journal.Fault) and one.what.targets
    }
    found: set[Cell] = set()
    for band in bands:
        others = [one for one in bands if one is not band]
        at_once = [one for one in others if _overlap(band, one)]
        phase = (
            'overlap'
            if at_once
            else 'after'
            if any(_after(band, one) for one in others)
            else 'alone'
        )
        names = {target.partition('/')[0] for target in targets.get(band.id, ())}
        found.add(('in', band.kind, phase))
        found |= {('on', band.kind, name) for name in names}
        found |= {('in', name, phase) for name in names}
        for one in at_once:
            first, second = sorted((band.kind, one.kind))
            found.add(('with', first, second))
    return frozenset(found)


def _end(band: periods.Band) -> float:
    return math.inf if band.healed is None else band.healed


def _overlap(one: periods.Band, other: periods.Band) -> bool:
    return (one.landed or 0) <= _end(other) and (other.landed or 0) <= _end(one)


def _after(one: periods.Band, other: periods.Band) -> bool:
    return 0 <= one.start - _end(other) <= TAIL
