"""What a journal proves: each check is a function from a journal to a verdict. Pure.

A check that found nothing to judge says unknown, never pass: it has to have been able to fail.
"""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from matrix.history import journal, periods
from matrix.judge import verdict

Check = Callable[[journal.Journal], verdict.Verdict]

_FAIL, _UNKNOWN, _PASS = verdict.Outcome.FAIL, verdict.Outcome.UNKNOWN, verdict.Outcome.PASS


@dataclasses.dataclass(frozen=True)
class Budget:
    """What a period may cost: a share of operations that are not ok (0 to 1), and the 99th percentile in seconds."""

    errors: float = 0.0
    p99: float = math.inf


def run(checks: Mapping[str, Check], read: journal.Journal) -> tuple[verdict.Verdict, ...]:
    """The verdict of every check. One that breaks is unknown, and so is a journal with damaged lines."""
    found = [_one(name, check, read) for name, check in checks.items()]
    if read.problems:
        sentence = (
            f'{len(read.problems)} line(s) of the journal cannot be read, first {read.problems[0]}'
        )
        found.append(verdict.Verdict('journal', _UNKNOWN, sentence))
    return tuple(found)


def _one(name: str, check: Check, read: journal.Journal) -> verdict.Verdict:
    try:
        return check(read)
    except Exception as error:  # A check of someone's own may break; a broken check is not a pass.
        return verdict.Verdict(name, _UNKNOWN, f'the check broke: {type(error).__name__}: {error}')


def load_ran(read: journal.Journal, kinds: Iterable[str]) -> verdict.Verdict:
    """Every kind of operation was tried, and worked at least once, in every period of the run."""
    expected = tuple(kinds)
    faults = periods.bands(read.entries)
    tried: dict[tuple[str, str], list[journal.Done]] = collections.defaultdict(list)
    for done in journal.operations(read.entries):
        tried[done.invoke.kind, periods.of(done, faults)].append(done)
    wanted = [(kind, period) for kind in expected for period in periods.periods(faults)]
    never = [pair for pair in wanted if not tried[pair]]
    failed = [
        pair
        for pair in wanted
        if tried[pair] and not any(done.how == 'ok' for done in tried[pair])
    ]
    if not expected or never:
        missing = ', '.join(f'no {kind!r} {period} the faults' for kind, period in never)
        return verdict.Verdict('load', _UNKNOWN, missing or 'no kind of operation was expected')
    if failed:
        kind, period = failed[0]
        evidence = tuple(done.seq for done in tried[failed[0]])
        sentence = f'{kind!r} never worked {period} the faults ({len(evidence)} tried)'
        return verdict.Verdict('load', _FAIL, sentence, evidence, verdict.Signature('load', kind))
    return verdict.Verdict('load', _PASS, f'{", ".join(expected)} ran in every period')


def service_level(
    read: journal.Journal, budgets: Mapping[periods.Period, Budget]
) -> verdict.Verdict:
    """Error rate and latency of all operations stay within the budget of each period.

    What was not answered counts as an error: a client did not get what it asked for.
    """
    faults = periods.bands(read.entries)
    by: dict[periods.Period, list[journal.Done]] = collections.defaultdict(list)
    for done in journal.operations(read.entries):
        by[periods.of(done, faults)].append(done)
    said: list[str] = []
    for period in periods.periods(faults):
        budget, done = budgets.get(period), by[period]
        if budget is None:
            continue
        if not done:
            return verdict.Verdict('service level', _UNKNOWN, f'no operation {period} the faults')
        bad = [one for one in done if one.how != 'ok']
        if len(bad) / len(done) > budget.errors:
            return _too_many(period, bad, len(done), budget)
        p99 = percentile([one.latency for one in done if one.latency is not None], 0.99)
        if p99 > budget.p99:
            sentence = f'p99 {p99:.3f} s {period} the faults, allowed {budget.p99:g} s'
            slow = tuple(one.seq for one in done if (one.latency or 0) > budget.p99)
            signature = verdict.Signature('service level', error='slow')
            return verdict.Verdict('service level', _FAIL, sentence, slow, signature)
        said.append(f'{period}: {len(bad)} of {len(done)} not ok, p99 {p99:.3f} s')
    if not said:
        return verdict.Verdict('service level', _UNKNOWN, 'no period has a budget')
    return verdict.Verdict('service level', _PASS, '; '.join(said))


def _too_many(
    period: str, bad: Sequence[journal.Done], total: int, budget: Budget
) -> verdict.Verdict:
    kinds = collections.Counter(
        (one.invoke.kind, one.end.error if one.end else 'no answer') for one in bad
    )
    (kind, error), _ = kinds.most_common(1)[0]
    sentence = (
        f'{len(bad)} of {total} not ok {period} the faults (most: {kind!r}, {error or "fail"}), '
    )
    allowed = f'allowed {budget.errors:.2%}'
    signature = verdict.Signature('service level', kind, error)
    evidence = tuple(one.seq for one in bad)
    return verdict.Verdict('service level', _FAIL, sentence + allowed, evidence, signature)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed; 0 of no values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def acknowledged(read: journal.Journal, *, write: str, read_back: str) -> verdict.Verdict:
    """Every write that was acknowledged is found by a read that began after all faults were healed.

    A write's value names what was written. A read is invoked with that name and is `ok` with a true
    value when found, `ok` with a false one when not. Writes that nobody answered may be there or not.
    """
    faults = periods.bands(read.entries)
    done = journal.operations(read.entries)
    healed = max((band.healed for band in faults if band.healed is not None), default=0.0)
    # Looked for only after the heal, and after the write's own answer.
    written = {
        repr(one.value): one for one in done if one.invoke.kind == write and one.how == 'ok'
    }
    found: dict[str, bool] = {}
    for one in done:
        key = repr(one.invoke.value)
        since = max(healed, written[key].ended_at or 0.0) if key in written else math.inf
        if one.invoke.kind == read_back and one.how == 'ok' and one.at >= since:
            found[key] = bool(one.end and one.end.value)
    lost = [one for key, one in written.items() if found.get(key) is False]
    unread = [one for key, one in written.items() if key not in found]
    name = 'acknowledged writes'
    if lost:
        sentence = (
            f'{len(lost)} of {len(written)} acknowledged writes are lost, first {lost[0].value!r}'
        )
        evidence = tuple(one.seq for one in lost)
        return verdict.Verdict(
            name, _FAIL, sentence, evidence, verdict.Signature(name, write, 'lost')
        )
    if unread or not written:
        sentence = f'{len(unread)} of {len(written)} acknowledged writes were never read back'
        return verdict.Verdict(name, _UNKNOWN, sentence, tuple(one.seq for one in unread))
    return verdict.Verdict(name, _PASS, f'all {len(written)} acknowledged writes were read back')


def faults_proven(read: journal.Journal, expected: Iterable[str]) -> verdict.Verdict:
    """Every fault of the plan (by id) was seen to land and seen to heal."""
    bands = {band.id: band for band in periods.bands(read.entries)}
    for fault in sorted({*expected, *bands}):
        band = bands.get(fault)
        if band is None:
            return verdict.Verdict('faults', _UNKNOWN, f'{fault} was never armed')
        if band.landed is None:
            return verdict.Verdict(
                'faults', _UNKNOWN, f'{fault} ({band.kind}) was not seen to land'
            )
        if band.healed is None or band.healed < band.landed:
            return verdict.Verdict(
                'faults', _UNKNOWN, f'{fault} ({band.kind}) was not seen to heal'
            )
    if not bands:
        return verdict.Verdict('faults', _UNKNOWN, 'there was no fault to prove')
    return verdict.Verdict('faults', _PASS, f'{len(bands)} fault(s) landed and healed')


def effects_seen(read: journal.Journal, expected: Iterable[str]) -> verdict.Verdict:
    """Everything that had to happen at least once did."""
    seen = {entry.what.name for entry in read.entries if isinstance(entry.what, journal.Effect)}
    wanted = {*expected}
    if missing := sorted(wanted - seen):
        return verdict.Verdict('effects', _UNKNOWN, f'never seen: {", ".join(missing)}')
    if not wanted:
        return verdict.Verdict('effects', _UNKNOWN, 'no effect was expected')
    return verdict.Verdict('effects', _PASS, f'{len(wanted)} expected effect(s) seen')
