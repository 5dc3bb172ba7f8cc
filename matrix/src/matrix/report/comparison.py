"""What is other in one run than in another: whole distributions of latency, not single figures of them. Pure."""

from __future__ import annotations

import bisect
import collections
import dataclasses
import math
from collections.abc import Sequence

from matrix.history import journal, periods
from matrix.judge import stats

LEAST = 20
"""Answers in each run, below which two distributions are not told apart."""

CHANCE = 0.001
"""How likely, by chance alone, a difference may be that is called one: there are many comparisons in two runs."""

MATTERS = 0.10
"""The share by which the median must differ to be worth a word."""


@dataclasses.dataclass(frozen=True)
class Figures:
    """One kind of operation in one period of a run: counts, and seconds of those that were answered well."""

    total: int
    bad: int
    p50: float
    p90: float
    p99: float


@dataclasses.dataclass(frozen=True)
class Line:
    """One kind in one period, in both runs. `chance`: of so great a difference of latency by chance alone (0 to 1)."""

    kind: str
    period: periods.Period
    before: Figures
    after: Figures
    chance: float
    more_bad: float

    @property
    def slower(self) -> bool:
        """Whether answers take longer, beyond chance and by enough to matter."""
        return self.chance < CHANCE and self.after.p50 > self.before.p50 * (1 + MATTERS)

    @property
    def faster(self) -> bool:
        """The same the other way round."""
        return self.chance < CHANCE and self.before.p50 > self.after.p50 * (1 + MATTERS)

    @property
    def worse(self) -> bool:
        """Whether it is slower, or fails more often beyond chance."""
        return self.slower or (self.more_bad < CHANCE and _share(self.after) > _share(self.before))


def _share(one: Figures) -> float:
    return one.bad / one.total if one.total else 0.0


def compare(before: Sequence[journal.Entry], after: Sequence[journal.Entry]) -> tuple[Line, ...]:
    """Each kind of operation that both runs have, period by period."""
    first, second = _by_kind(before), _by_kind(after)
    found: list[Line] = []
    for kind, period in sorted(first.keys() & second.keys()):
        old, new = first[kind, period], second[kind, period]
        a, b = _latencies(old), _latencies(new)
        chance = kolmogorov(a, b) if min(len(a), len(b)) >= LEAST else 1.0
        bad = _two_shares(_bad(old), len(old), _bad(new), len(new))
        found.append(Line(kind, period, _figures(old, a), _figures(new, b), chance, bad))
    return tuple(found)


def _by_kind(
    entries: Sequence[journal.Entry],
) -> dict[tuple[str, periods.Period], list[journal.Done]]:
    bands = periods.bands(entries)
    found: dict[tuple[str, periods.Period], list[journal.Done]] = collections.defaultdict(list)
    for one in journal.operations(entries):
        found[one.invoke.kind, periods.of(one, bands)].append(one)
    return found


def _latencies(some: Sequence[journal.Done]) -> list[float]:
    return sorted(one.latency for one in some if one.how == 'ok' and one.latency is not None)


def _bad(some: Sequence[journal.Done]) -> int:
    return sum(one.how != 'ok' for one in some)


def _figures(some: Sequence[journal.Done], latencies: Sequence[float]) -> Figures:
    p50, p90, p99 = (stats.percentile(latencies, share) for share in (0.5, 0.9, 0.99))
    return Figures(len(some), _bad(some), p50, p90, p99)


def kolmogorov(first: Sequence[float], second: Sequence[float]) -> float:
    """How likely two samples, each in order, differ so much by chance: the two-sample Kolmogorov-Smirnov test.

    The asymptotic distribution, as in W. H. Press et al., Numerical Recipes, 14.3.
    """
    n, m = len(first), len(second)
    if not n or not m:
        return 1.0
    d = max(
        abs(bisect.bisect_right(first, value) / n - bisect.bisect_right(second, value) / m)
        for value in (*first, *second)
    )
    root = math.sqrt(n * m / (n + m))
    return _q((root + 0.12 + 0.11 / root) * d)


def _q(value: float) -> float:
    if value < 0.2:
        return 1.0
    total = 2 * sum((-1) ** (k - 1) * math.exp(-2 * (k * value) ** 2) for k in range(1, 101))
    return min(1.0, max(0.0, total))


def _two_shares(bad: int, n: int, worse: int, m: int) -> float:
    """How likely two shares differ so much by chance: the two-proportion z-test, with half a case on each side."""
    if not n or not m:
        return 1.0
    p, q = (bad + 0.5) / (n + 1), (worse + 0.5) / (m + 1)
    both = (bad + worse + 1) / (n + m + 2)
    z = abs(p - q) / math.sqrt(both * (1 - both) * (1 / (n + 1) + 1 / (m + 1)))
    return math.erfc(z / math.sqrt(2))
