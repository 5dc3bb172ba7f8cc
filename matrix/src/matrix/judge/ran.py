"""Whether the load ran, worked and was there when a fault struck: without that nothing else was seen. Pure."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from matrix.history import journal, notes, periods, profile
from matrix.judge import trial, verdict

_FAIL, _UNKNOWN, _PASS = verdict.Outcome.FAIL, verdict.Outcome.UNKNOWN, verdict.Outcome.PASS

ENOUGH = 5
"""Operations of one kind, planned in a period: with fewer, that none came is chance."""

_MANY = 30
"""Turns of a kind in a test: whoever still had nothing to do is not as it was meant."""

_LONG = 10.0  # seconds of a period in which something must have been tried, whatever the load is
_BITE = (
    5.0  # seconds of a fault, from landed to healed, in which something must have been under way
)
_AT_ONCE = 0.0002  # seconds: nobody was asked over a network, and has answered, in less
_SOME = 20  # operations of a load of the bundle's own, all answered at once: it asks nobody

WHEN: Mapping[periods.Period, str] = {
    'before': 'before any fault',
    'during': 'while faults struck',
    'after': 'after the faults',
}


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What one load was to do, from `start` to `end` (seconds of the run)."""

    kinds: Mapping[str, float]
    rate: profile.Profile
    start: float
    end: float
    own: bool
    gave_away: frozenset[str]

    def planned(self, spans: Iterable[tuple[float, float]]) -> float:
        """How many operations were to begin in these spans of the run."""
        return sum(
            self.rate.planned(max(start, self.start) - self.start, min(end, self.end) - self.start)
            for start, end in spans
            if end > self.start and start < self.end
        )

    def seconds(self, spans: Iterable[tuple[float, float]]) -> float:
        """How long it ran in these spans of the run."""
        return sum(max(0.0, min(end, self.end) - max(start, self.start)) for start, end in spans)

    def due(self, kind: str, operations: float) -> float:
        """How many of so many operations are of a kind, where it always has something to do."""
        return operations * self.kinds[kind] / (sum(self.kinds.values()) or 1.0)


def load(of: trial.Trial) -> verdict.Verdict:
    """The load ran: as much as was planned, every kind in every period, and each kind worked before and after.

    That nothing works while a fault bites is for `errors` to judge; but somebody must have been asking then, and before
    the first fault, and once the last was healed each kind must have worked again.
    """
    if of.values(notes.LOAD_NONE) and not of.values(notes.LOAD):
        return verdict.Verdict('load', _UNKNOWN, str(of.values(notes.LOAD_NONE)[-1]))
    plans = _plans(of)
    if not of.done:
        if any(one.own for one in plans):
            sentence = "the bundle's own load said of no single operation what became of it"
            return verdict.Verdict('load', _UNKNOWN if of.expect.operations else _PASS, sentence)
        return verdict.Verdict('load', _UNKNOWN, 'the load did nothing')
    for period in ('before', 'after'):
        if never := _never_worked(of.split[period], period, WHEN[period]):
            return never
    since = [one for one in of.done if one.at > of.healed]
    if never := _never_worked(since, 'after', 'again once the faults were healed'):
        return never
    if missing := _missing(of, plans) or _unasked(of, plans) or _at_once(of, plans):
        return verdict.Verdict('load', _UNKNOWN, missing)
    kinds = sorted({one.invoke.kind for one in of.done})
    what = f'{len(of.done)} operations of {len(kinds)} kind{"s" * (len(kinds) > 1)}'
    return verdict.Verdict('load', _PASS, f'{what} ran in every period')


def _unasked(of: trial.Trial, plans: Sequence[_Plan]) -> str:
    """Which fault nobody's operation could have met, or that nobody asked before or after; '' where somebody did."""
    if not of.strikes:
        return ''
    if not any(trial.ended(one) < of.first for one in of.done):
        return 'no operation ran before any fault: nobody knows whether it worked then'
    if of.healed < of.end:
        # What was never answered has not shown that anybody is there again.
        since = [one for one in of.done if one.ended_at is not None and one.ended_at > of.healed]
        if not since:
            return 'no operation ran once the faults were healed'
        if not any(one.how == 'ok' for one in since):
            return f'no operation worked once the faults were healed ({len(since)} tried)'
    for strike in of.strikes:
        start = strike.band.start if strike.band.landed is None else strike.band.landed
        end = of.end if strike.band.healed is None else strike.band.healed
        met = any(one.at <= end and start <= trial.ended(one) for one in of.done)
        there = any(one.start <= end and start <= one.end for one in plans)
        due = sum(one.planned([(start, end)]) for one in plans)
        if not there or (not met and (end - start >= _BITE or due >= 2 * ENOUGH)):
            return f'no operation ran while {strike.sentence} ({strike.band.id})'
    return ''


def _at_once(of: trial.Trial, plans: Sequence[_Plan]) -> str:
    """That a load of the bundle's own asks nobody: every answer was there at once."""
    took = [one.latency for one in of.done if one.how == 'ok' and one.latency is not None]
    if any(one.own for one in plans) and len(took) >= _SOME and max(took) < _AT_ONCE:
        return (
            f"the bundle's own load asks nobody: all of its {len(took)} operations were over in less than "
            f'{_AT_ONCE * 1000:g} ms'
        )
    return ''


def _plans(of: trial.Trial) -> list[_Plan]:
    ends = [trial.mapping(value) for value in of.values(notes.LOAD_END)]
    found: list[_Plan] = []
    for number, (entry, value) in enumerate(of.notes.get(notes.LOAD, ())):
        said = trial.mapping(value)
        names = [str(one) for one in cast('Iterable[object]', said.get('kinds') or ())]
        weights = [
            trial.number(one, 1.0) for one in cast('Iterable[object]', said.get('weights') or ())
        ]
        own = said.get('own') is True
        over = trial.mapping(ends[number] if number < len(ends) else None)
        end = entry.at + trial.number(over.get('seconds'), of.end - entry.at)
        gave_away = frozenset(map(str, cast('Iterable[object]', over.get('gave_away') or ())))
        kinds = dict(zip(names, [*weights, *([1.0] * len(names))], strict=False))
        rate = profile.of_note(said)
        found.append(_Plan(kinds, rate, entry.at, end, own, gave_away))
    return found


def _never_worked(
    some: Iterable[journal.Done], period: periods.Period, when: str
) -> verdict.Verdict | None:
    by: dict[str, list[journal.Done]] = collections.defaultdict(list)
    for one in some:
        by[one.invoke.kind].append(one)
    for kind, tried in sorted(by.items()):
        if len(tried) >= ENOUGH and not any(one.how == 'ok' for one in tried):
            error = trial.most_frequent_error(tried)
            sentence = f'{kind} never worked {when} ({len(tried)} tried, {error})'
            signature = verdict.Signature('load', kind, period)
            return verdict.Verdict(
                'load', _FAIL, sentence, tuple(one.seq for one in tried), signature
            )
    return None


def _missing(of: trial.Trial, plans: Sequence[_Plan]) -> str:
    """What of the planned load did not run; '' when enough did."""
    lasting = spans(of)
    tried = {
        period: collections.Counter(one.invoke.kind for one in some)
        for period, some in of.split.items()
    }
    for period in periods.periods(tuple(one.band for one in of.strikes)):
        each = [plan.planned(lasting[period]) for plan in plans]
        planned = sum(each)
        ran = sum(tried[period].values())
        if planned >= 2 * ENOUGH and ran < planned * of.expect.ran:
            share = ran / planned
            return f'only {share:.0%} of the planned operations ran {WHEN[period]} ({ran} of {planned:.0f})'
        for plan, count in zip(plans, each, strict=True):
            for kind in plan.kinds:
                due = plan.due(kind, count) >= 2 * ENOUGH and kind not in plan.gave_away
                if due and not tried[period][kind]:
                    return f'no {kind} ran {WHEN[period]}'
        if not ran and sum(plan.seconds(lasting[period]) for plan in plans) > _LONG:
            return f'no operation ran {WHEN[period]}'
    ever = {one.invoke.kind for one in of.done}
    for plan in plans:
        for kind in plan.kinds:
            if (
                kind not in ever
                and plan.due(kind, plan.planned([(plan.start, plan.end)])) >= _MANY
            ):
                return f'no {kind} ran: it never had anything to do'
    return ''


def spans(of: trial.Trial) -> dict[periods.Period, list[tuple[float, float]]]:
    """The seconds of each period."""
    found: dict[periods.Period, list[tuple[float, float]]] = {
        'before': [],
        'during': [],
        'after': [],
    }
    at, period = of.start, cast('periods.Period', 'before')
    for start, end in sorted((one.band.start, min(one.end, of.end)) for one in of.strikes):
        if start > at:
            found[period].append((at, start))
        if end > at:
            found['during'].append((max(at, start), end))
        at, period = max(at, end), 'after'
    found[period].append((at, max(at, of.end)))
    return found
