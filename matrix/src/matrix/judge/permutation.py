"""Whether one group of runs stands above another by more than chance, in any of many figures at once. Pure.

A permutation test: were both groups the same, which run belongs to which would be chance, so every other division
into two groups is as likely as the one that was made. The statistic is a difference of means over the spread within
the groups, with a constant beside the spread so that a spread of nothing does not make much of little (V. Tusher,
R. Tibshirani and G. Chu 2001); over all figures the greatest counts (P. Westfall and S. Young 1993), so that a
hundred figures make no more false alarms than one. No distribution is assumed. docs/adr/0030-is-it-worse.md.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import random
from collections.abc import Iterable, Iterator, Sequence

EXACT = 1000
"""Divisions up to which all are looked at; of more, a sample."""

SAMPLE = 4000
"""Divisions in the sample."""


@dataclasses.dataclass(frozen=True)
class Rise:
    """How one figure stands in the second group: its statistic, and how likely one so great is by chance (0 to 1).

    `alone` is the chance of this figure by itself, `among` that any of all figures shows so much.
    """

    statistic: float
    alone: float
    among: float


@dataclasses.dataclass(frozen=True)
class Row:
    """One figure: its value in each run, first those of the first group; `steady` is added to the spread."""

    values: tuple[float, ...]
    steady: float


def least(first: int, second: int) -> float:
    """The smallest chance that groups of these sizes can show."""
    return 1 / math.comb(first + second, second) if first and second else 1.0


def rises(rows: Sequence[Row], first: int, second: int) -> tuple[Rise, ...]:
    """Each figure's rise from the first group to the second.

    Args:
        rows: each with `first + second` values.
        first: runs of the first group, two or more.
        second: runs of the second.
    """
    own = tuple(range(first, first + second))
    seen = [_statistic(row, own) for row in rows]
    alone, among, tried = [0] * len(rows), [0] * len(rows), 0
    for chosen in _divisions(first + second, second, own):
        tried += 1
        found = [_statistic(row, chosen) for row in rows]
        greatest = max(found, default=0.0)
        for n, value in enumerate(seen):
            alone[n] += found[n] >= value - 1e-9
            among[n] += greatest >= value - 1e-9
    return tuple(Rise(seen[n], alone[n] / tried, among[n] / tried) for n in range(len(rows)))


def _divisions(every: int, part: int, own: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    if math.comb(every, part) <= EXACT:
        yield from itertools.combinations(range(every), part)
        return
    yield own
    stream = random.Random(f'{every} {part}')  # noqa: S311  # the same sample each time
    for _ in range(SAMPLE):
        yield tuple(stream.sample(range(every), part))


def _statistic(row: Row, chosen: Iterable[int]) -> float:
    second = [row.values[n] for n in chosen]
    total, squares = sum(row.values), sum(value * value for value in row.values)
    n, m = len(row.values) - len(second), len(second)
    there = sum(second) / m
    here = (total - sum(second)) / n
    within = max(0.0, squares - n * here * here - m * there * there)
    spread = math.sqrt(within / (n + m - 2) * (1 / n + 1 / m))
    return (there - here) / (spread + row.steady)
