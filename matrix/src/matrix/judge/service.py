"""What clients got: what failed and whether a fault explains it, and how long answers took. Pure."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping, Sequence

from matrix.history import journal, notes, periods
from matrix.judge import expect, keeping, ran, trial, verdict
from matrix.judge.stats import percentile

_FAIL, _UNKNOWN, _PASS = verdict.Outcome.FAIL, verdict.Outcome.UNKNOWN, verdict.Outcome.PASS

_LATE = 0.1  # seconds: an operation that the runner began later than this says nothing of the bundle's latency
_MOST_LATE = 0.5  # share of late operations up to which latency is judged, by the others
_SLOW_BEFORE = 5.0  # seconds (p99) before any fault, where nothing is said
_SLOWER_AFTER = 5.0  # times as slow as before may answers be after
_SLOW_AFTER = 2.0  # seconds that are not slow after, whatever it was before


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
    error = trial.most_frequent_error(some)
    more = len(bad) - len(some)
    others = f', and {more} other operation{"s" * (more > 1)}' if more else ''
    times = 'once' if len(some) == 1 else f'{len(some)} times'
    span = f'{some[0].at:.1f}' + (f' to {some[-1].at:.1f}' if len(some) > 1 else '')
    sentence = f'{kind} failed {times}{others} in {span} s ({error}), {when}'
    signatures = dict.fromkeys(
        verdict.Signature('errors', one.invoke.kind, trial.error_word(one)) for one in bad
    )
    chosen = verdict.Signature('errors', kind, error)
    other_signatures = tuple(one for one in signatures if one != chosen)
    return verdict.Verdict('errors', _FAIL, sentence, _seqs(bad), chosen, other_signatures)


def _kind(bad: Sequence[journal.Done]) -> str:
    counts = collections.Counter(one.invoke.kind for one in bad)
    return min(counts, key=lambda kind: (-counts[kind], kind))


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
    warm = _warm(of)
    found: dict[periods.Period, float] = {}
    for period in periods.periods(tuple(one.band for one in of.strikes)):
        responded = [
            one
            for one in of.split[period]
            if one.how == 'ok'
            and one.at >= warm
            and one.invoke.late <= _LATE
            and one.latency is not None
            and one.invoke.kind not in work
        ]
        if len(responded) < ran.ENOUGH:
            continue
        found[period] = percentile([one.latency or 0.0 for one in responded], 0.99)
        allowed = _allowed(of, period, found)
        if allowed is not None and found[period] > allowed:
            slow = [one for one in responded if (one.latency or 0.0) > allowed]
            kind = _kind(slow)
            sentence = (
                f'answers were slow {ran.WHEN[period]}: p99 {found[period]:.2f} s, allowed {allowed:.2f} s '
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


def _warm(of: trial.Trial) -> float:
    """The second from which answers got no quicker; 0 where nobody measured."""
    said = [trial.mapping(value).get('until') for value in of.values(notes.WARMUP)]
    return max((trial.number(one) for one in said), default=0.0)


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
