"""Which faults are likely to have caused a failure, the likeliest first. Pure.

Observation alone: a fault is suspected when more fails while it bites, and shortly after, than otherwise.
That it was necessary is shown by a run without it, which `plans.shrink` makes.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

from matrix.history import journal, periods
from matrix.judge import verdict

TAIL = 10.0
"""Seconds after its heal in which a fault still counts: connections and caches outlive it."""

_ONSET = 5.0  # seconds: a failure that begins this soon after a fault points at it
_BURST = 10  # operations of which half fail: then it is no noise
_TOO_LATE = -5.0
_BAD = frozenset({'error', 'blocked', 'lost', 'failed', 'down'})


BEFORE = 'it failed before any fault struck'
"""Why no fault is suspected of something."""


@dataclasses.dataclass(frozen=True)
class Suspect:
    """One fault of the run, how strongly it is suspected (log-odds; above 0 is suspicion), and why.

    `check` is the check whose failure it is suspected of; '' where all that failed was looked at.
    """

    event: str
    kind: str
    targets: tuple[str, ...]
    score: float
    why: tuple[str, ...]
    check: str = ''


@dataclasses.dataclass(frozen=True)
class _Trouble:
    """What went wrong, each at its second, and how much went well, for comparison."""

    bad: tuple[float, ...]
    good: tuple[float, ...]
    ills: tuple[tuple[float, str, str], ...]
    start: float
    end: float


def of_checks(
    entries: Sequence[journal.Entry], verdicts: Iterable[verdict.Verdict]
) -> dict[str, tuple[Suspect, ...]]:
    """For each check that failed, every fault that was armed, the likeliest cause of that failure first."""
    return {
        one.check: rank(entries, one.evidence, check=one.check)
        for one in verdicts
        if one.outcome is verdict.Outcome.FAIL
    }


def before_any_fault(entries: Sequence[journal.Entry], evidence: Iterable[int]) -> bool:
    """Whether what shows a failure was there before the first fault was armed: then no fault brought it about."""
    first = min((band.start for band in periods.bands(entries)), default=math.inf)
    seqs = frozenset(evidence)
    if not seqs or first == math.inf:
        return False
    done = {one.seq: one for one in journal.operations(entries)}
    return any(_felt(entry, done) < first for entry in entries if entry.seq in seqs)


def _felt(entry: journal.Entry, done: Mapping[int, journal.Done]) -> float:
    """When an entry's failure was there: an operation's when it ended, for one that waits may meet a fault."""
    one = done.get(entry.seq)
    if one is None:
        return entry.at
    return math.inf if one.ended_at is None else one.ended_at


def rank(
    entries: Sequence[journal.Entry], evidence: Iterable[int] = (), *, check: str = ''
) -> tuple[Suspect, ...]:
    """Every fault that was armed, the likeliest cause first.

    Args:
        entries: the journal of one run.
        evidence: `seq` of the entries that show the failure (`verdict.Verdict.evidence`); without it every operation
            that was not ok counts.
        check: the check that says so.
    """
    evidence = tuple(evidence)
    bands = periods.bands(entries)
    done = journal.operations(entries)
    outbreak = _outbreak(done, bands)
    trouble = _trouble(entries, done, frozenset(evidence), outbreak)
    targets = {
        one.what.id: one.what.targets
        for one in entries
        if isinstance(one.what, journal.Fault) and one.what.targets
    }
    if before_any_fault(entries, evidence):
        return tuple(
            Suspect(one.id, one.kind, targets.get(one.id, ()), _TOO_LATE, (BEFORE,), check)
            for one in bands
        )
    found = [_suspect(band, targets.get(band.id, ()), trouble, outbreak, check) for band in bands]
    # Of equal suspicion, the one that came last before the trouble: causes are near.
    order = {band.id: index for index, band in enumerate(bands)}
    return tuple(sorted(found, key=lambda one: (-one.score, -order[one.event])))


def _outbreak(done: Sequence[journal.Done], bands: Sequence[periods.Band]) -> float | None:
    """When damage that outlasts every fault began; None where what failed came to an end.

    Damage that lasts fails in every later fault alike, so that only what was until then can tell who did it.
    """
    healed = [band.healed for band in bands if band.healed is not None]
    last = max(healed) + TAIL if healed and len(healed) == len(bands) else math.inf
    after = [one.how != 'ok' for one in done if one.at >= last]
    if len(after) < _BURST or sum(after) < 0.5 * len(after):
        return None
    bad = [one.how != 'ok' for one in done]
    for n, one in enumerate(done):
        if bad[n] and sum(bad[n : n + _BURST]) >= _BURST / 2:
            return one.at
    return None


def _trouble(
    entries: Sequence[journal.Entry],
    done: Sequence[journal.Done],
    evidence: frozenset[int],
    outbreak: float | None,
) -> _Trouble:
    if outbreak is not None:
        done = [one for one in done if one.at <= outbreak + TAIL]
        evidence = frozenset()
        entries = [one for one in entries if one.at <= outbreak + TAIL]
    chosen = [one for one in done if one.seq in evidence]
    failed = chosen or [one for one in done if one.how != 'ok']
    kinds = {one.invoke.kind for one in failed}
    seqs = {one.seq for one in failed}
    # Those that failed are compared with those of their own kinds that did not.
    good = [one.at for one in done if one.seq not in seqs and one.invoke.kind in kinds]
    ills = [
        (entry.at, entry.what.of, entry.what.message or entry.what.workload)
        for entry in entries
        if isinstance(entry.what, journal.Status)
        and ({entry.what.workload, entry.what.agent} & _BAD or entry.seq in evidence)
    ]
    # An operation is felt when it ends: one that waited out a fault began before it.
    bad = tuple(
        one.at if one.ended_at is None or outbreak is not None else one.ended_at for one in failed
    )
    times = [entry.at for entry in entries] or [0.0]
    return _Trouble(bad, tuple(good), tuple(ills), times[0], times[-1])


def _suspect(
    band: periods.Band,
    targets: tuple[str, ...],
    trouble: _Trouble,
    outbreak: float | None,
    check: str,
) -> Suspect:
    if outbreak is not None and band.start > outbreak:
        late = f'it began {band.start - outbreak:.1f} s after the damage, which lasts, was done'
        return Suspect(band.id, band.kind, targets, _TOO_LATE, (late,), check)
    end = math.inf if band.healed is None else band.healed + TAIL
    bad = _within(trouble.bad, band.start, end)
    good = _within(trouble.good, band.start, end)
    odds = _odds(bad, good) - _odds(len(trouble.bad) - bad, len(trouble.good) - good)
    ills = [one for one in trouble.ills if band.start <= one[0] <= end]
    why: list[str] = []
    score = odds if trouble.bad else 0.0
    if bad:
        why.append(f'{bad} of {len(trouble.bad)} failures while it bit or within {TAIL:g} s after')
        onset = min(at for at in trouble.bad if band.start <= at <= end) - band.start
        score += 0.5 * math.exp(-onset / _ONSET)
        why.append(f'the first came {onset:.1f} s after it began')
    elif trouble.bad:
        why.append('nothing failed while it bit')
    if ills:
        on_targets = [one for one in ills if one[1] in targets]
        score += 1.0 if on_targets else 0.5
        at, of, message = (on_targets or ills)[0]
        why.append(f'{of} said {message!r} {at - band.start:.1f} s after it began')
    if band.landed is None:
        why.append('it was not seen to land')
    # What did not fail more while it bit, it is not suspected of, however soon after its beginning that came.
    more = _likelier(bad, good, len(trouble.bad) - bad, len(trouble.good) - good)
    if not (more if trouble.bad else _denser(ills, trouble, band.start, end)):
        score = min(score, 0.0)
    return Suspect(band.id, band.kind, targets, round(score, 3), tuple(why), check)


def _denser(ills: Sequence[object], trouble: _Trouble, start: float, end: float) -> bool:
    """Whether units fell ill more often from `start` to `end` than otherwise."""
    inside = max(min(end, trouble.end) - max(start, trouble.start), 1e-9)
    outside = max(trouble.end - trouble.start - inside, 1e-9)
    return len(ills) / inside > (len(trouble.ills) - len(ills)) / outside


def _within(moments: Iterable[float], start: float, end: float) -> int:
    return sum(start <= at <= end for at in moments)


def _likelier(bad: int, good: int, other_bad: int, other_good: int) -> bool:
    """Whether a larger share failed than of the others. The odds alone say so of a time in which nothing was tried."""
    others = other_bad + other_good
    return bad > 0 and (not others or bad * others > other_bad * (bad + good))


def _odds(bad: int, good: int) -> float:
    """Log-odds of failure, smoothed by half a case on each side (Haldane) so that nothing is certain."""
    return math.log((bad + 0.5) / (good + 0.5))
