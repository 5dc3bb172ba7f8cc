"""Journals for tests of checks, written as lists of what happened when."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable
from typing import Literal

from matrix.grammar import located
from matrix.history import journal
from matrix.judge import expect, trial

Line = list[tuple[float, journal.What]]

_ids = itertools.count()


def op(
    at: float,
    kind: str = 'get',
    how: str | None = 'ok',
    *,
    took: float = 0.1,
    value: located.Plain = None,
    answer: located.Plain = None,
    error: str = '',
    late: float = 0.0,
    endpoint: str = '',
) -> Line:
    """One operation; `how` None: it was never answered."""
    name = str(next(_ids))
    asked = journal.Operation(name, kind, 'invoke', value=value, late=late)
    if how is None:
        return [(at, asked)]
    end = dataclasses.replace(
        asked,
        phase=how,  # pyright: ignore[reportArgumentType]
        value=answer,
        error=error,
        late=0.0,
        endpoint=endpoint,
    )
    return [(at, asked), (at + took, end)]


def ops(start: float, end: float, kind: str = 'get', how: str = 'ok', **more: object) -> Line:
    """One operation every half second."""
    found: Line = []
    at = start
    while at < end:
        found += op(at, kind, how, **more)  # pyright: ignore[reportArgumentType]
        at += 0.5
    return found


def fault(
    start: float = 10,
    landed: float | None = 11,
    healed: float | None = 20,
    *,
    id: str = 'e1',  # noqa: A002
    kind: str = 'freeze',
    targets: tuple[str, ...] = ('api/0',),
) -> Line:
    """A fault from armed to healed; None: that was never seen."""
    edges: tuple[tuple[Literal['armed', 'landed', 'healed'], float | None], ...] = (
        ('armed', start),
        ('landed', landed),
        ('healed', healed),
    )
    return [(at, journal.Fault(id, kind, phase, targets)) for phase, at in edges if at is not None]


def note(at: float, kind: str, value: located.Plain = None) -> Line:
    """One note."""
    return [(at, journal.Note(kind, value))]


def units(at: float = 0.5, **counts: int) -> Line:
    """The fingerprint before the chaos: so many units of each application."""
    some: dict[str, located.Plain] = {}
    for name, count in counts.items():
        some[name] = {'units': ['active' for _ in range(count)]}
    return note(at, 'fingerprint', {'moment': 'before', 'applications': some})


def of_parts(*parts: Iterable[tuple[float, journal.What]]) -> journal.Journal:
    """What happened, in order."""
    ordered = sorted(itertools.chain(*parts), key=lambda pair: pair[0])
    return journal.Journal(
        tuple(journal.Entry(n, at, '', what) for n, (at, what) in enumerate(ordered, 1))
    )


def trial_of(
    *parts: Iterable[tuple[float, journal.What]], expected: expect.Expect | None = None
) -> trial.Trial:
    """The same, ready for a check."""
    return trial.of('test', of_parts(*parts), expected)
