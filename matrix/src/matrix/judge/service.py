"""What clients got: that the load ran, what failed and whether a fault explains it, and how long answers took. Pure."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from matrix.history import journal, notes, periods
from matrix.judge import expect, keeping, trial, verdict
from matrix.judge.stats import percentile

_FAIL, _UNKNOWN, _PASS = verdict.Outcome.FAIL, verdict.Outcome.UNKNOWN, verdict.Outcome.PASS

_ENOUGH = 5
"""Operations of one kind, planned in a period: with fewer, that none came is chance."""

_MANY = 30
"""Turns of a kind in a test: whoever still had nothing to do is not as it was meant."""

_LONG = 10.0  # seconds of a period in which something must have been tried, whatever the load is

_LATE = 0.1  # seconds: an operation that the runner began later than this says nothing of the bundle's latency
_MOST_LATE = 0.5  # share of late operations up to which latency is judged, by the others
_SLOW_BEFORE = 5.0  # seconds (p99) before any fault, where nothing is said
_SLOWER_AFTER = 5.0  # times as slow as before may answers be after
_SLOW_AFTER = 2.0  # seconds that are not slow after, whatever it was before

_WHEN: Mapping[periods.Period, str] = {
    'before': 'before any fault',
    'during': 'while faults struck',
    'after': 'after the faults',
}


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What one load was to do, from `start` to `end` (seconds of the run)."""

    kinds: Mapping[str, float]
    rate: float
    start: float
    end: float
    own: bool
    gave_away: frozenset[str]

    def due(self, kind: str, seconds: float) -> float:
        """How many operations of a kind so many seconds have, where it always has something to do."""
        return self.rate * seconds * self.kinds[kind] / (sum(self.kinds.values()) or 1.0)


def load(of: trial.Trial) -> verdict.Verdict:
    """The load ran: as much as was planned, every kind in every period, and each kind worked before and after.

    That nothing works while a fault bites is for `errors` to judge.
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
        if never := _never_worked(of, period):
            return never
    if missing := _missing(of, plans):
        return verdict.Verdict('load', _UNKNOWN, missing)
    kinds = sorted({one.invoke.kind for one in of.done})
    what = f'{len(of.done)} operations of {len(kinds)} kind{"s" * (len(kinds) > 1)}'
    return verdict.Verdict('load', _PASS, f'{what} ran in every period')


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
        rate = trial.number(said.get('rate'))
        found.append(_Plan(kinds, rate, entry.at, end, own, gave_away))
    return found


def _never_worked(of: trial.Trial, period: periods.Period) -> verdict.Verdict | None:
    by: dict[str, list[journal.Done]] = collections.defaultdict(list)
    for one in of.split[period]:
        by[one.invoke.kind].append(one)
    for kind, tried in sorted(by.items()):
        if len(tried) >= _ENOUGH and not any(one.how == 'ok' for one in tried):
            error = _error(tried)
            sentence = f'{kind} never worked {_WHEN[period]} ({len(tried)} tried, {error})'
            signature = verdict.Signature('load', kind, period)
            return verdict.Verdict('load', _FAIL, sentence, _seqs(tried), signature)
    return None


def _missing(of: trial.Trial, plans: Sequence[_Plan]) -> str:
    """What of the planned load did not run; '' when enough did."""
    lasting = spans(of)
    tried = {
        period: collections.Counter(one.invoke.kind for one in some)
        for period, some in of.split.items()
    }
    for period in periods.periods(tuple(one.band for one in of.strikes)):
        seconds = [
            sum(
                max(0.0, min(end, plan.end) - max(start, plan.start))
                for start, end in lasting[period]
            )
            for plan in plans
        ]
        planned = sum(plan.rate * length for plan, length in zip(plans, seconds, strict=True))
        ran = sum(tried[period].values())
        if planned >= 2 * _ENOUGH and ran < planned * of.expect.ran:
            share = ran / planned
            return f'only {share:.0%} of the planned operations ran {_WHEN[period]} ({ran} of {planned:.0f})'
        for plan, length in zip(plans, seconds, strict=True):
            for kind in plan.kinds:
                due = plan.due(kind, length) >= 2 * _ENOUGH and kind not in plan.gave_away
                if due and not tried[period][kind]:
                    return f'no {kind} ran {_WHEN[period]}'
        if not ran and sum(seconds) > _LONG:
            return f'no operation ran {_WHEN[period]}'
    ever = {one.invoke.kind for one in of.done}
    for plan in plans:
        for kind in plan.kinds:
            if kind not in ever and plan.due(kind, plan.end - plan.start) >= _MANY:
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


def errors(of: trial.Trial) -> verdict.Verdict:
    """What failed, a fault explains.

    Before the first fault and once all are over nothing may fail. While a fault strikes what has another unit,
    operations may fail for `unavailable` seconds; what it strikes alone, nobody promised to serve.
    """
    if not of.done:
        return verdict.Verdict('errors', _UNKNOWN, 'no operation was recorded')
    calm: tuple[tuple[periods.Period, expect.Budget], ...] = (
        ('before', of.expect.before),
        ('after', of.expect.after),
    )
    for period, budget in calm:
        some = of.split[period]
        bad = [one for one in some if one.how != 'ok']
        if bad and len(bad) / len(some) > (budget.errors or 0.0):
            return _too_many(bad, _when(of, period, bad))
    bad = [one for one in of.split['during'] if one.how != 'ok']
    limit = of.expect.during.errors
    if bad and limit is not None and len(bad) / len(of.split['during']) > limit:
        share = len(bad) / len(of.split['during'])
        return _too_many(bad, f'{_only(of, bad)}: {share:.1%} of all, allowed {limit:.1%}')
    return _explained(of, bad)


def _explained(of: trial.Trial, bad: Sequence[journal.Done]) -> verdict.Verdict:
    """The failures under faults, each with the fault that explains it; those beyond what it explains are a failure."""
    held: dict[str, list[journal.Done]] = collections.defaultdict(list)
    alone: dict[str, list[journal.Done]] = collections.defaultdict(list)
    by_id = {one.band.id: one for one in of.strikes}
    for one in bad:
        over = trial.ended(one)
        why = of.why(one.at, over)
        promised = [s for s in why if of.spared(s, one.at, over) and not _addressed(one, s)]
        # Where any of several faults left nothing to serve, the others are not to be held for it.
        if len(promised) == len(why):
            held[max(why, key=lambda strike: strike.band.start).band.id].append(one)
        else:
            chosen = next(strike for strike in why if strike not in promised)
            alone[chosen.band.id].append(one)
    said: list[str] = []
    for name, some in held.items():
        lost = _unavailable(some)
        allowed = of.expect.unavailable
        if lost > allowed:
            worst = [one for one in some if one.invoke.kind == _kind(some)]
            sentence = f'{_only(of, worst)}: unavailable for {lost:g} s, allowed {allowed:g} s'
            return _too_many(some, sentence)
        said.append(
            f'{len(some)} failed while {by_id[name].sentence}, in {lost:g} s of {allowed:g} s allowed'
        )
    for name, some in alone.items():
        said.append(
            f'{len(some)} failed while {by_id[name].sentence}, which nothing could stand in for'
        )
    total = f'{len(of.done) - len(bad)} of {len(of.done)} operations worked'
    sentence = '; '.join([total, *said])
    return verdict.Verdict('errors', _PASS, sentence, _seqs(bad), excused=tuple(said))


def _addressed(one: journal.Done, strike: trial.Strike) -> bool:
    """The operation asked the very unit that was struck, by its name."""
    return isinstance(one.invoke.value, str) and one.invoke.value in strike.targets


def _unavailable(bad: Iterable[journal.Done]) -> float:
    """The seconds in which something failed, of the kind for which they are the most."""
    seconds: dict[str, set[int]] = collections.defaultdict(set)
    for one in bad:
        seconds[one.invoke.kind].add(int(one.at))
    return float(max((len(some) for some in seconds.values()), default=0))


def _when(of: trial.Trial, period: periods.Period, bad: Sequence[journal.Done]) -> str:
    if period == 'before':
        return 'before any fault' if of.strikes else 'and there was no fault'
    over = [one for one in of.strikes if one.end < bad[0].at]
    if not over or over[-1].band.healed is None:
        return 'after the faults'
    last = max(over, key=lambda one: one.end)
    since = bad[0].at - (last.band.healed or 0.0)
    return f'when no fault was there any more: {since:.0f} s after {last.sentence}'


def _only(of: trial.Trial, bad: Sequence[journal.Done]) -> str:
    """`only while freeze struck memcached/0`, if that is so."""
    common: set[str] | None = None
    for one in bad:
        ids = {strike.band.id for strike in of.why(one.at, trial.ended(one))}
        common = ids if common is None else common & ids
    found = [one.sentence for one in of.strikes if one.band.id in (common or ())]
    return f'only while {" and ".join(found)}' if found else 'while faults struck'


def _too_many(bad: Sequence[journal.Done], when: str) -> verdict.Verdict:
    kind = _kind(bad)
    some = [one for one in bad if one.invoke.kind == kind]
    error = _error(some)
    more = len(bad) - len(some)
    others = f', and {more} other operation{"s" * (more > 1)}' if more else ''
    times = 'once' if len(some) == 1 else f'{len(some)} times'
    span = f'{some[0].at:.1f}' + (f' to {some[-1].at:.1f}' if len(some) > 1 else '')
    sentence = f'{kind} failed {times}{others} in {span} s ({error}), {when}'
    signatures = dict.fromkeys(
        verdict.Signature('errors', one.invoke.kind, _word(one)) for one in bad
    )
    chosen = verdict.Signature('errors', kind, error)
    other_signatures = tuple(one for one in signatures if one != chosen)
    return verdict.Verdict('errors', _FAIL, sentence, _seqs(bad), chosen, other_signatures)


def _kind(bad: Sequence[journal.Done]) -> str:
    counts = collections.Counter(one.invoke.kind for one in bad)
    return min(counts, key=lambda kind: (-counts[kind], kind))


def _error(bad: Sequence[journal.Done]) -> str:
    counts = collections.Counter(_word(one) for one in bad)
    return min(counts, key=lambda word: (-counts[word], word))


def _word(one: journal.Done) -> str:
    return (one.end.error or 'failed') if one.end else 'no answer'


def _seqs(some: Iterable[journal.Done]) -> tuple[int, ...]:
    return tuple(one.seq for one in some)


def latency(of: trial.Trial) -> verdict.Verdict:
    """Answers come in time: the 99th percentile of each period stays within its budget.

    What makes or deletes what lasts waits for work to be done: that has its own limit, and is not counted here.

    Where nothing is said: 5 s before any fault; after the faults five times as slow as before, or 2 s; and while they
    strike as long as it takes (a client's own timeout is an error).
    """
    work = {kind for make, _, let_go in keeping.kinds(of) for kind in (make, let_go)}
    late = sum(one.invoke.late > _LATE for one in of.done)
    if late > len(of.done) * _MOST_LATE:
        sentence = (
            'this host was too slow to tell how slow the bundle is: '
            f'it began {late} of {len(of.done)} operations late'
        )
        return verdict.Verdict('latency', _UNKNOWN, sentence)
    found: dict[periods.Period, float] = {}
    for period in periods.periods(tuple(one.band for one in of.strikes)):
        responded = [
            one
            for one in of.split[period]
            if one.how == 'ok'
            and one.invoke.late <= _LATE
            and one.latency is not None
            and one.invoke.kind not in work
        ]
        if len(responded) < _ENOUGH:
            continue
        found[period] = percentile([one.latency or 0.0 for one in responded], 0.99)
        allowed = _allowed(of, period, found)
        if allowed is not None and found[period] > allowed:
            slow = [one for one in responded if (one.latency or 0.0) > allowed]
            kind = _kind(slow)
            sentence = (
                f'answers were slow {_WHEN[period]}: p99 {found[period]:.2f} s, allowed {allowed:.2f} s '
                f'(most: {kind})'
            )
            signature = verdict.Signature('latency', kind, 'slow')
            kinds = dict.fromkeys(one.invoke.kind for one in slow)
            other_signatures = tuple(
                verdict.Signature('latency', one, 'slow') for one in kinds if one != kind
            )
            return verdict.Verdict(
                'latency', _FAIL, sentence, _seqs(slow), signature, other_signatures
            )
    if not found:
        return verdict.Verdict('latency', _UNKNOWN, 'too few answers to judge their latency')
    said = ', '.join(f'{value:.2f} s {period}' for period, value in found.items())
    return verdict.Verdict('latency', _PASS, f'p99 {said}')


def _allowed(
    of: trial.Trial, period: periods.Period, found: Mapping[periods.Period, float]
) -> float | None:
    if period == 'before':
        return _SLOW_BEFORE if of.expect.before.p99 is None else of.expect.before.p99
    if period == 'during':
        return of.expect.during.p99
    if of.expect.after.p99 is not None:
        return of.expect.after.p99
    return max(_SLOWER_AFTER * found.get('before', _SLOW_BEFORE), _SLOW_AFTER)
