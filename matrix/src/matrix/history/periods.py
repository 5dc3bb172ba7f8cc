"""When a run was before, during and after its faults. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Literal

from matrix.history import journal

Period = Literal['before', 'during', 'after']


@dataclasses.dataclass(frozen=True)
class Band:
    """A fault from the moment when it could bite to the moment when it was seen healed (None: never)."""

    id: str
    kind: str
    start: float
    landed: float | None
    healed: float | None


def bands(entries: Iterable[journal.Entry]) -> tuple[Band, ...]:
    """The faults of a run in the order in which they were armed."""
    found: dict[str, Band] = {}
    for entry in entries:
        fault = entry.what
        if not isinstance(fault, journal.Fault):
            continue
        band = found.get(fault.id) or Band(fault.id, fault.kind, entry.at, None, None)
        if fault.phase == 'landed' and band.landed is None:
            band = dataclasses.replace(band, landed=entry.at)
        elif fault.phase == 'healed':
            band = dataclasses.replace(band, healed=entry.at)
        found[fault.id] = band
    return tuple(found.values())


def periods(faults: tuple[Band, ...]) -> tuple[Period, ...]:
    """The periods that a run has; a control run without faults has only the one before."""
    return ('before', 'during', 'after') if faults else ('before',)


def of(operation: journal.Done, faults: tuple[Band, ...]) -> Period:
    """The period of an operation: during, when any fault could touch it between invoke and answer."""
    end = float('inf') if operation.ended_at is None else operation.ended_at
    for band in faults:
        healed = float('inf') if band.healed is None else band.healed
        if operation.at <= healed and band.start <= end:
            return 'during'
    first = min((band.start for band in faults), default=float('inf'))
    return 'before' if operation.at < first else 'after'
