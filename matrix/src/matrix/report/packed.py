"""The operations of a run as columns of numbers, for a page that draws a hundred thousand of them. Pure.

Columns, little-endian, one after the other: moment and latency (uint32, in ticks of 0.1 ms; a latency of 2**32 - 1 is
`never answered`), text (uint16, an index of `texts`), weight (uint16), kind (uint8), outcome (uint8).
"""

from __future__ import annotations

import array
import base64
import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import TypeVar

from matrix.history import journal

_T = TypeVar('_T', str, tuple[str, str])

MOST = 110_000
"""So many dots are drawn each for itself; of more, those that were ok and fall on the same pixel are one."""

_TICKS = 10_000
_NEVER = 2**32 - 1
_HOW = {'ok': 0, 'fail': 1, 'info': 2}
_MOST_TEXTS = 2**16 - 1
_MOST_KINDS = 2**8 - 1
_REST = 'other'
# A pixel is far smaller than this part of a run that fills a wide screen, and of the decades of its latencies.
_CELLS = 8000
_PER_DECADE = 150


@dataclasses.dataclass(frozen=True)
class Packed:
    """Operations as base64 of the columns. `merged`: how many dots lie under others, all of them ok."""

    data: str
    count: int
    kinds: tuple[str, ...]
    texts: tuple[tuple[str, str], ...]
    merged: int
    order: tuple[int, ...]
    """For each dot the index of its operation, in the order in which they were given."""


def pack(operations: Sequence[journal.Done], *, most: int = MOST) -> Packed:
    """The operations in the order of time. Every one that was not ok has a dot of its own, however many there are."""
    chosen, weights = _chosen(operations, most)
    kinds: dict[str, int] = {}
    texts: dict[tuple[str, str], int] = {}
    at, took, text, kind, how = (array.array(code) for code in ('I', 'I', 'H', 'B', 'B'))
    for index in chosen:
        one = operations[index]
        at.append(_ticks(one.at))
        took.append(_NEVER if one.latency is None else min(_ticks(one.latency), _NEVER - 1))
        said = (one.end.endpoint or one.invoke.endpoint, one.end.error) if one.end else ('', '')
        text.append(_index(texts, said, (_REST, _REST), _MOST_TEXTS))
        kind.append(_index(kinds, one.invoke.kind, _REST, _MOST_KINDS))
        how.append(_HOW[one.how])
    weight = array.array('H', (min(weights.get(index, 1), 65535) for index in chosen))
    columns = (at, took, text, weight, kind, how)
    if array.array('H', (1,)).tobytes()[0] != 1:  # a big-endian machine
        for column in columns:
            column.byteswap()
    data = base64.b64encode(b''.join(column.tobytes() for column in columns)).decode()
    merged = len(operations) - len(chosen)
    return Packed(data, len(chosen), tuple(kinds), tuple(texts), merged, tuple(chosen))


def _chosen(operations: Sequence[journal.Done], most: int) -> tuple[list[int], dict[int, int]]:
    ordered = sorted(range(len(operations)), key=lambda index: operations[index].at)
    if len(ordered) <= most:
        return ordered, {}
    start = operations[ordered[0]].at
    wide = max(operations[ordered[-1]].at - start, 1e-9)
    first: dict[tuple[int, int, str], int] = {}
    weights: dict[int, int] = {}
    chosen: list[int] = []
    for index in ordered:
        one = operations[index]
        if one.how == 'ok':
            high = round(math.log10(max(one.latency or 0.0, 1e-4)) * _PER_DECADE)
            cell = (int((one.at - start) / wide * _CELLS), high, one.invoke.kind)
            shown = first.setdefault(cell, index)
            weights[shown] = weights.get(shown, 0) + 1
            if shown != index:
                continue
        chosen.append(index)
    return chosen, weights


def _ticks(seconds: float) -> int:
    return min(max(round(seconds * _TICKS), 0), _NEVER - 1)


def _index(known: dict[_T, int], value: _T, rest: _T, most: int) -> int:
    """The index of a value; when there is no room left, that of a value that stands for all the rest."""
    if value not in known:
        if len(known) >= most:
            value = rest
        known.setdefault(value, len(known))
    return known[value]


def errors(operations: Iterable[journal.Done]) -> tuple[journal.Done, ...]:
    """What was not ok, in the order of time."""
    return tuple(sorted((one for one in operations if one.how != 'ok'), key=lambda one: one.at))
