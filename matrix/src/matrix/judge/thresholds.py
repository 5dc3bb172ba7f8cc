"""What tests/test.yaml allows each kind of operation: percentiles of latency, and a share of failures. Pure."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from matrix.history import journal
from matrix.judge import stats, trial, verdict

AT = ' at '

LEAST = 20
"""Answers of a kind, below which a percentile says nothing."""

_FAIL, _UNKNOWN, _PASS = verdict.Outcome.FAIL, verdict.Outcome.UNKNOWN, verdict.Outcome.PASS


def thresholds(of: trial.Trial) -> verdict.Verdict:
    """Every kind that a threshold is set for stayed below it, over the whole test."""
    said: list[str] = []
    unknown = ''
    groups = [
        (kind, limits, some)
        for pattern, limits in of.expect.thresholds
        for kind, some in _matching(of, pattern)
    ]
    for kind, limits, some in groups:
        for name, most in limits:
            if name != 'errors' and len(_latencies(some)) < LEAST:
                unknown = (
                    unknown
                    or f'{kind} was answered {len(_latencies(some))} times, too few for its {name}'
                )
                continue
            if not some:
                unknown = unknown or f'no {kind} ran'
                continue
            found = _figure(name, some)
            if found > most:
                return _exceeded(of, kind, name, found, most, some)
            if len(some) < LEAST:
                unknown = unknown or f'{kind} ran {len(some)} times, too few for its {name}'
                continue
            said.append(f'{kind} {name} {_shown(name, found)} of {_shown(name, most)}')
    if unknown:
        return verdict.Verdict('thresholds', _UNKNOWN, unknown)
    return verdict.Verdict('thresholds', _PASS, ', '.join(said))


def _matching(of: trial.Trial, pattern: str) -> list[tuple[str, list[journal.Done]]]:
    """The operations that a threshold is for, by kind; where it says `at`, by who answered them, too.

    Shell patterns: `get*` is for each such kind by itself, `get at *` for each endpoint.
    """
    found: dict[str, list[journal.Done]] = {}
    for one in of.done:
        kind = one.invoke.kind
        name = kind
        if AT in pattern:
            asked = one.end.endpoint if one.end and one.end.endpoint else one.invoke.endpoint
            name = f'{kind}{AT}{asked}'
        if name == pattern or fnmatch.fnmatchcase(name, pattern):
            found.setdefault(name, []).append(one)
    return sorted(found.items()) or [(pattern, [])]


def _exceeded(
    of: trial.Trial,
    kind: str,
    name: str,
    found: float,
    most: float,
    some: Sequence[journal.Done],
) -> verdict.Verdict:
    before = [one for one in some if trial.ended(one) < of.first]
    if not before or _figure(name, before) <= most:
        # A few that were slow before any fault are what a threshold allows: what came then exceeded it.
        some = [one for one in some if trial.ended(one) >= of.first]
    bad = (
        [one for one in some if one.how != 'ok']
        if name == 'errors'
        else [one for one in some if one.how == 'ok' and (one.latency or 0.0) > most]
    )
    what = 'failed' if name == 'errors' else name
    sentence = f'{kind}: {what} {_shown(name, found)}, allowed {_shown(name, most)}'
    signature = verdict.Signature('thresholds', kind, name)
    return verdict.Verdict('thresholds', _FAIL, sentence, tuple(one.seq for one in bad), signature)


def _figure(name: str, some: Sequence[journal.Done]) -> float:
    if name == 'errors':
        return sum(one.how != 'ok' for one in some) / len(some)
    return stats.percentile(_latencies(some), float(name.removeprefix('p')) / 100)


def _latencies(some: Sequence[journal.Done]) -> list[float]:
    return [one.latency for one in some if one.how == 'ok' and one.latency is not None]


def _shown(name: str, value: float) -> str:
    return f'{value:.1%}' if name == 'errors' else f'{value:.3g} s'
