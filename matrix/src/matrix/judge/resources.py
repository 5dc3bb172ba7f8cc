"""What services have of memory, descriptors, processes and connections, and whether it only ever grows: a leak. Pure.

A series is judged between two starts of its service, once the load is level. It grows when Mann and Kendall's test
finds a trend beyond chance, when the median of all slopes (Theil and Sen) is above what is allowed, and when both
halves grow: what warms up comes to rest, and what a fault piled up grew once.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

from matrix.grammar import located
from matrix.history import notes, profile
from matrix.judge import stats, trial, verdict

LEAST = 12
"""Samples of a series, below which no trend is looked for."""

SHORTEST = 180.0
"""Seconds that a series must span."""

TEN_MINUTES = 600.0
CHANCE = 3.9  # standard deviations of Mann and Kendall's statistic: 1 in 20,000, for there are many series
_HALF = 0.3  # of the whole slope: at least so much must each half have
_MOST = 80  # samples of a series: of more, some are left out, evenly
_MIB = 1 << 20

ALLOWED: Mapping[str, float] = {
    'memory': 256.0, 'descriptors': 60.0, 'processes': 30.0, 'connections': 60.0, 'disk': math.inf,
}  # fmt: skip
"""By how much each may grow in ten minutes, where nothing is said; memory and disk in MiB."""


@dataclasses.dataclass(frozen=True)
class Series:
    """What one service of one machine had of one thing, from one start of it to the next."""

    machine: str
    units: tuple[str, ...]
    service: str
    what: str
    points: tuple[tuple[float, float], ...]
    seqs: tuple[int, ...]
    limit: float = math.inf

    @property
    def long_enough(self) -> bool:
        """Whether a trend can be looked for."""
        return len(self.points) >= LEAST and self.points[-1][0] - self.points[0][0] >= SHORTEST


@dataclasses.dataclass
class _Growing:
    started: float
    units: tuple[str, ...]
    limit: float
    points: list[tuple[float, float]] = dataclasses.field(
        default_factory=list[tuple[float, float]]
    )
    seqs: list[int] = dataclasses.field(default_factory=list[int])


def series(of: trial.Trial) -> tuple[Series, ...]:
    """Every series of a test, from the moment when its load was level."""
    level = _level_from(of)
    found: list[Series] = []
    open_: dict[tuple[str, str, str], _Growing] = {}

    def close(key: tuple[str, str, str]) -> None:
        one = open_.pop(key)
        points, seqs = tuple(one.points), tuple(one.seqs)
        found.append(Series(key[0], one.units, key[1], key[2], points, seqs, one.limit))

    for entry, value in of.notes.get(notes.RESOURCES, ()):
        if entry.at < level:
            continue
        said = trial.mapping(value)
        machine = str(said.get('machine'))
        units = tuple(map(str, said.get('units') or ()))  # pyright: ignore[reportArgumentType]
        for service, what, amount, started, limit in _amounts(said):
            key = (machine, service, what)
            if key in open_ and open_[key].started != started:
                close(key)
            one = open_.setdefault(key, _Growing(started, units, limit))
            one.points.append((entry.at, amount))
            one.seqs.append(entry.seq)
    for key in [*open_]:
        close(key)
    return tuple(found)


def _amounts(
    said: Mapping[str, located.Plain],
) -> Iterator[tuple[str, str, float, float, float]]:
    for service, value in trial.mapping(said.get('services')).items():
        one = trial.mapping(value)
        started = trial.number(one.get('started'))
        for what in ALLOWED:
            if what in one:
                scale = _MIB if what in {'memory', 'disk'} else 1
                limit = trial.number(one.get('limit'), math.inf) if what == 'descriptors' else math.inf  # fmt: skip
                yield service, what, trial.number(one.get(what)) / scale, started, limit
    if 'disk' in said:
        yield '', 'disk', trial.number(said.get('disk')) / _MIB, 0.0, math.inf


def _level_from(of: trial.Trial) -> float:
    """The second of the run from which every load's rate stays as it is."""
    return max(
        (
            entry.at + profile.of_note(trial.mapping(value)).level_from
            for entry, value in of.notes.get(notes.LOAD, ())
        ),
        default=of.start,
    )


def resources(of: trial.Trial) -> verdict.Verdict:
    """Nothing that a service has grows without end."""
    every = [one for one in series(of) if one.long_enough]
    allowed = {**ALLOWED, **dict(of.expect.resources)}
    worst: tuple[float, Series, float] | None = None
    for one in every:
        slope = growth(one.points)
        most = allowed[one.what]
        if slope * TEN_MINUTES > most and (worst is None or slope / max(most, 1e-9) > worst[0]):
            worst = (slope / max(most, 1e-9), one, slope)
    if worst is not None:
        return _leak(worst[1], worst[2], allowed[worst[1].what])
    if not every:
        sentence = f'no service was looked at {LEAST} times within one life of it'
        return verdict.Verdict('resources', verdict.Outcome.UNKNOWN, sentence)
    services = len({(one.machine, one.service) for one in every})
    longest = max(one.points[-1][0] - one.points[0][0] for one in every)
    sentence = (
        f'nothing of {stats.count(services, "service")} grew all the time, in {longest:.0f} s'
    )
    return verdict.Verdict('resources', verdict.Outcome.PASS, sentence)


def _leak(one: Series, slope: float, most: float) -> verdict.Verdict:
    (start, first), (end, last) = one.points[0], one.points[-1]
    unit = ' MiB' if one.what in {'memory', 'disk'} else ''
    who = one.service.removesuffix('.service') or 'the disk'
    on = ', '.join(one.units) or f'machine {one.machine}'
    full = ''
    if math.isfinite(one.limit) and last < one.limit:
        full = f'; its limit, {one.limit:g}, would be reached in {(one.limit - last) / slope / 60:.0f} min'
    sentence = (
        f'{one.what} of {who} on {on} grew from {first:.0f} to {last:.0f}{unit} in {end - start:.0f} s and went on '
        f'growing: {slope * TEN_MINUTES:.0f}{unit} in ten minutes, allowed {most:g}{full}'
    )
    application = one.units[0].partition('/')[0] if one.units else ''
    signature = verdict.Signature('resources', application or who, one.what)
    return verdict.Verdict('resources', verdict.Outcome.FAIL, sentence, one.seqs, signature)


def growth(points: Sequence[tuple[float, float]]) -> float:
    """By how much a series grows in a second, if it grows all the time and beyond chance; else 0.

    Mann 1945 and Kendall 1975, with the correction for ties; Theil 1950 and Sen 1968.
    """
    some = _thinned(points)
    if len(some) < LEAST or trend([value for _, value in some]) < CHANCE:
        return 0.0
    whole = _slope(some)
    half = len(some) // 2
    if min(_slope(some[:half]), _slope(some[half:])) < _HALF * whole:
        return 0.0
    return max(0.0, whole)


def trend(values: Sequence[float]) -> float:
    """Mann and Kendall's statistic in standard deviations: above 0 it grows."""
    n = len(values)
    score = sum((b > a) - (b < a) for a, b in itertools.combinations(values, 2))
    ties = sum(t * (t - 1) * (2 * t + 5) for t in collections.Counter(values).values())
    variance = (n * (n - 1) * (2 * n + 5) - ties) / 18
    if variance <= 0 or not score:
        return 0.0
    return (score - math.copysign(1, score)) / math.sqrt(variance)


def _slope(points: Sequence[tuple[float, float]]) -> float:
    slopes = [
        (b[1] - a[1]) / (b[0] - a[0]) for a, b in itertools.combinations(points, 2) if b[0] > a[0]
    ]
    return stats.percentile(sorted(slopes), 0.5) if slopes else 0.0


def _thinned(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    if len(points) <= _MOST:
        return points
    step = (len(points) - 1) / (_MOST - 1)
    return [points[round(n * step)] for n in range(_MOST)]
