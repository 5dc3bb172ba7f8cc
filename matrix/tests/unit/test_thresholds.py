# ruff: noqa: E501  # a table is read by its lines
"""Thresholds by kind of operation: kept, exceeded, and not known; and what is no threshold is refused."""

from __future__ import annotations

import pytest
from chronicle import Line, fault, of_parts, op, ops, trial_of

from matrix.blame import suspects
from matrix.grammar import located, problem
from matrix.judge import expect, thresholds, verdict

PASS, UNKNOWN, FAIL = verdict.Outcome.PASS, verdict.Outcome.UNKNOWN, verdict.Outcome.FAIL


def gets(slow: int = 0, bad: int = 0) -> list[Line]:
    """A hundred requests, of which some are slow and some fail."""
    return [
        op(n, took=2.0 if n < slow else 0.1, how='fail' if n >= 100 - bad else 'ok')
        for n in range(100)
    ]


def judged(limits: str, *parts: Line) -> verdict.Verdict:
    """What the check says, held to these limits."""
    held = expect.read(located.load(f'thresholds: {limits}', 'test.yaml'))
    return thresholds.thresholds(trial_of(*parts, expected=held))


@pytest.mark.parametrize(
    ('limits', 'parts', 'outcome', 'said'),
    [
        ('{get: {p95: 0.5, errors: 0.01}}', gets(slow=4, bad=1), PASS, 'get p95 0.1 s of 0.5 s, get errors 1.0% of 1.0%'),
        ('{get: {p95: 0.5}}', gets(slow=6), FAIL, 'get: p95 2 s, allowed 0.5 s'),
        ('{get: {errors: 0.01}}', gets(bad=2), FAIL, 'get: failed 2.0%, allowed 1.0%'),
        ('{get: {p50: 1}}', gets()[:19], UNKNOWN, 'get was answered 19 times, too few for its p50'),
        ('{put: {errors: 0.5}}', gets(), UNKNOWN, 'no put ran'),
        ('{get: {errors: 0.5}}', gets()[:19], UNKNOWN, 'get ran 19 times, too few for its errors'),
        ('{get: {errors: 0.5}}', gets()[:20], PASS, 'get errors 0.0% of 50.0%'),
        ('{get: {errors: 0.2}}', gets(bad=5)[90:], FAIL, 'get: failed 50.0%, allowed 20.0%'),
    ],
)  # fmt: skip
def test_a_threshold(limits: str, parts: list[Line], outcome: verdict.Outcome, said: str) -> None:
    found = judged(limits, *parts)
    assert (found.outcome, found.sentence) == (outcome, said)
    assert bool(found.evidence) == (outcome is FAIL)


@pytest.mark.parametrize(
    ('limits', 'said'),
    [
        ('{get: {p96: 1}}', "unknown key 'p96' in the threshold of 'get'; did you mean 'p99'"),
        ('{get: {p95: soon}}', "'p95' is a number"),
        ('[get]', "'thresholds' is a mapping of kinds of operation, this is a list"),
    ],
)
def test_what_is_no_threshold_is_refused(limits: str, said: str) -> None:
    with pytest.raises(problem.RefusedError) as refused:
        judged(limits)
    assert said[:40] in str(refused.value)


def test_a_threshold_may_be_for_each_endpoint_or_for_all_kinds_of_a_pattern() -> None:
    slow = ops(1, 20, took=0.9, endpoint='http://b:80')
    quick = ops(1.2, 20, endpoint='http://a:80')

    def held(pattern: str, **limits: float) -> verdict.Verdict:
        asked = expect.Expect(thresholds=((pattern, tuple(limits.items())),))
        return thresholds.thresholds(trial_of(quick, slow, expected=asked))

    found = held('get at *', p50=0.5)
    assert (found.outcome, found.signature) == (
        verdict.Outcome.FAIL,
        verdict.Signature('thresholds', 'get at http://b:80', 'p50'),
    )
    # Both together are quick enough at their median: of one endpoint alone nobody would have known.
    assert held('get', p50=0.5).outcome is verdict.Outcome.PASS
    assert held('g*', p50=0.5).outcome is verdict.Outcome.PASS
    assert held('get at http://a:80', p50=0.5).outcome is verdict.Outcome.PASS
    assert held('get at http://c:80', p50=0.5).outcome is verdict.Outcome.UNKNOWN
    assert held('put*', errors=0.5).outcome is verdict.Outcome.UNKNOWN


@pytest.mark.parametrize(('early', 'blamed'), [(1, True), (10, False)])
def test_a_few_slow_ones_before_any_fault_do_not_acquit_it(early: int, blamed: bool) -> None:
    slow = [op(n, took=0.9) for n in range(early)]
    quick = [op(20 + n / 2) for n in range(60)]
    struck = [op(60 + n / 2, took=0.9) for n in range(20)]
    parts = [*slow, *quick, *struck, fault(55, 56, 75)]
    held = expect.Expect(thresholds=(('get', (('p95', 0.5),)),))
    found = thresholds.thresholds(trial_of(*parts, expected=held))
    assert found.outcome is FAIL
    entries = of_parts(*parts).entries
    assert suspects.before_any_fault(entries, found.evidence) is not blamed
