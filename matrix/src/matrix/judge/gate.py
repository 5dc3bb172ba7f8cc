"""Is it worse? Runs of a bundle as it is, runs of it with a candidate, and one answer with its reasons. Pure."""

from __future__ import annotations

import collections
import dataclasses
import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Literal

from matrix.judge import costs, permutation, verdict

RUNS = 5
"""Runs of each side below which nothing can be told from chance: of 252 divisions of ten, one is the one made."""

LOOKS = 2
"""How often one may look: where the first look cannot tell, as many runs again are made, and then it is over."""

CHANCE = 0.01
"""How likely at most an alarm is when nothing is worse, over all figures and all looks."""

SUSPECTED = 0.1
"""How unlikely by chance more failures of a check are, so that it cannot be called as good any more."""

_STEADY = 0.1
"""Of the least difference that matters, what is added to the spread within the groups."""

_CARRY = frozenset({'rules', 'load', 'faults', 'journal', 'expect', ''})
"""Checks without which a run shows nothing: it ran, it was used, it was broken."""

Result = Literal['not worse', 'worse', 'cannot tell']


@dataclasses.dataclass(frozen=True)
class Difference:
    """One figure in the runs of both sides.

    `alone`, `among`: how likely by chance so great a rise is, of this figure and of any. `matters`: the median rose by
    as much as its sort must. `worse`: both; `suspected`: neither proven nor to be dismissed.
    """

    figure: costs.Figure
    old: tuple[float, ...]
    new: tuple[float, ...]
    alone: float
    among: float
    matters: bool
    worse: bool
    suspected: bool


@dataclasses.dataclass(frozen=True)
class Decision:
    """The answer, its one sentence, every reason, and each figure that was compared, the worst first.

    `again`: more runs may tell.
    """

    result: Result
    sentence: str
    reasons: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    again: bool = False

    @property
    def worse(self) -> tuple[Difference, ...]:
        """The figures that are."""
        return tuple(one for one in self.differences if one.worse)


def judge(
    old: Sequence[costs.Costs], new: Sequence[costs.Costs], *, look: int = LOOKS
) -> Decision:
    """Whether the runs of the new side are worse than those of the old.

    Args:
        old: runs of the bundle as it is, with one plan of faults.
        new: runs with the candidate, with the same plan.
        look: the number of this look, from 1 to `LOOKS`.
    """
    here, there = _usable(old), _usable(new)
    if reason := _too_few('the bundle as it is', here, old) or _too_few(
        'the candidate', there, new
    ):
        return Decision('cannot tell', reason, (reason,))
    found = _differences(here, there)
    if worse := [one for one in found if one.worse]:
        reasons = tuple(said(one, there) for one in worse)
        more = f' (and {len(worse) - 1} more)' if len(worse) > 1 else ''
        return Decision('worse', reasons[0] + more, reasons, found)
    if reasons := (*_idle('the bundle as it is', here), *_idle('the candidate', there)):
        return Decision('cannot tell', reasons[0], reasons, found, again=look < LOOKS)
    if suspected := [one for one in found if one.suspected]:
        reasons = tuple(f'{said(one, there)}: it may be chance' for one in suspected)
        return Decision('cannot tell', reasons[0], reasons, found, again=look < LOOKS)
    if not any(one.figure.sort != 'check' for one in found):
        reason = 'the runs of both sides have no figure in common'
        return Decision('cannot tell', reason, (reason,), found)
    sentence = f'{len(found)} figures of {len(here)} and {len(there)} runs, none is worse'
    return Decision('not worse', sentence, (), found)


def _usable(some: Sequence[costs.Costs]) -> tuple[costs.Costs, ...]:
    return tuple(one for one in some if not one.broken)


def _too_few(side: str, usable: Sequence[costs.Costs], every: Sequence[costs.Costs]) -> str:
    if len(usable) >= RUNS:
        return ''
    why = next((f': {one.broken}' for one in every if one.broken), '')
    return f'{len(usable)} of {len(every)} runs of {side} can be used, and {RUNS} are needed{why}'


def _idle(side: str, some: Sequence[costs.Costs]) -> tuple[str, ...]:
    """Why the runs of a side show nothing: most of them were not carried out as they had to be."""
    missing: collections.Counter[str] = collections.Counter()
    why: dict[str, str] = {}
    for one in some:
        for check, outcome in one.outcomes.items():
            if outcome is not verdict.Outcome.PASS and check.rpartition(': ')[2] in _CARRY:
                missing[check] += 1
                why.setdefault(check, one.sentences.get(check, ''))
    return tuple(
        f'{count} of {len(some)} runs of {side} show nothing, by their check {check}: {why[check]}'
        for check, count in missing.most_common()
        if count * 2 > len(some)
    )


def _differences(old: Sequence[costs.Costs], new: Sequence[costs.Costs]) -> tuple[Difference, ...]:
    every = (*old, *new)
    names = sorted({figure for one in every for figure in one.figures})
    compared: list[tuple[costs.Figure, tuple[float, ...]]] = []
    for figure in names:
        values = [_value(figure, one) for one in every]
        if None not in values:
            compared.append((figure, tuple(value for value in values if value is not None)))
    rows = [
        permutation.Row(_scaled(figure, values), _steady(figure)) for figure, values in compared
    ]
    rises = permutation.rises(rows, len(old), len(new))
    found = [
        _difference(figure, values[: len(old)], values[len(old) :], rise)
        for (figure, values), rise in zip(compared, rises, strict=True)
    ]
    return tuple(sorted(found, key=lambda one: (not one.worse, not one.suspected, one.among)))


_NONE_IS_NOTHING = frozenset({'check', 'hooks'})


def _value(figure: costs.Figure, one: costs.Costs) -> float | None:
    """A figure of a run; of what the run does not have: nothing went wrong, all was lost, or nobody knows."""
    if figure in one.figures:
        return one.figures[figure]
    if figure.sort in _NONE_IS_NOTHING:
        return 0.0
    # A kind of operation that did not even run in this period worked for nobody.
    return 1.0 if figure.sort == 'lost' else None


def _scaled(figure: costs.Figure, values: Iterable[float]) -> tuple[float, ...]:
    small = costs.MEASURES[figure.sort].small
    return tuple(math.log(max(value, 0.0) + small) for value in values)


def _needed(figure: costs.Figure) -> float:
    return math.log1p(costs.MEASURES[figure.sort].share)


def _steady(figure: costs.Figure) -> float:
    return _STEADY * _needed(figure)


def _difference(
    figure: costs.Figure, old: tuple[float, ...], new: tuple[float, ...], rise: permutation.Rise
) -> Difference:
    before, after = (statistics.median(_scaled(figure, some)) for some in (old, new))
    matters = after - before >= _needed(figure) - 1e-9
    allowed = CHANCE / LOOKS
    worse = matters and rise.among <= allowed
    failing = figure.sort == 'check' and rise.alone <= SUSPECTED
    suspected = matters and not worse and (rise.alone <= allowed or failing)
    return Difference(figure, old, new, rise.alone, rise.among, matters, worse, suspected)


def said(one: Difference, new: Sequence[costs.Costs] = ()) -> str:
    """One difference as a sentence: what it is of, the medians of both sides, and their ranges."""
    if one.figure.sort != 'check':
        return f'{one.figure.words}: {_range(one.figure, one.old)} → {_range(one.figure, one.new)}'
    bad = [sum(value > 0 for value in some) for some in (one.old, one.new)]
    why = next(
        (
            f': {run.sentences.get(one.figure.of, "")}'
            for run in new
            if run.outcomes.get(one.figure.of, verdict.Outcome.PASS) is not verdict.Outcome.PASS
        ),
        '',
    )
    return (
        f'{one.figure.words} did not pass in {bad[0]} of {len(one.old)} runs before, '
        f'and in {bad[1]} of {len(one.new)} now{why}'
    )


def _range(figure: costs.Figure, some: Sequence[float]) -> str:
    unit = costs.MEASURES[figure.sort].unit
    middle, low, high = (
        shown(unit, value) for value in (statistics.median(some), min(some), max(some))
    )
    return middle if low == high else f'{middle} ({low} to {high})'


def shown(unit: str, value: float) -> str:
    """A figure for people: `12 ms`, `1.25 s`, `3.1 %`, `48 MiB`, `7`."""
    if unit == 'seconds':
        return f'{value * 1000:.0f} ms' if value < 0.9995 else f'{value:.2f} s'
    if unit == 'share':
        return f'{value * 100:.1f} %'
    return f'{value / 1048576:.0f} MiB' if unit == 'bytes' else f'{value:g}'
