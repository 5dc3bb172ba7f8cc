"""Suspects, on journals whose culprit is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matrix.blame import suspects
from matrix.history import journal
from matrix.judge import verdict
from matrix.plans import streams


def run(
    bands: dict[str, tuple[float, float]],
    culprit: str | None,
    *,
    seed: int = 1,
    noise: float = 0.0,
    seconds: int = 200,
) -> list[journal.Entry]:
    """Ten operations a second; while the culprit bites, most of them fail."""
    chance = streams.stream(seed, 'test')
    timeline: list[tuple[float, journal.What]] = []
    for name, (start, end) in bands.items():
        kind, targets = f'kind-{name}', (f'{name}/0',)
        timeline.append((start, journal.Fault(name, kind, 'armed', targets)))
        timeline.append((start + 0.1, journal.Fault(name, kind, 'landed', targets)))
        timeline.append((end, journal.Fault(name, kind, 'healed', targets)))
    for number in range(seconds * 10):
        at = number / 10
        struck = culprit is not None and bands[culprit][0] <= at <= bands[culprit][1]
        failed = chance.random() < (0.8 if struck else noise)
        timeline.append((at, journal.Operation(str(number), 'get', 'invoke')))
        phase = 'fail' if failed else 'ok'
        timeline.append((at + 0.05, journal.Operation(str(number), 'get', phase)))
    timeline.sort(key=lambda one: one[0])
    return [journal.Entry(n, at, '', what) for n, (at, what) in enumerate(timeline, start=1)]


BANDS = {'a': (20.0, 35.0), 'b': (60.0, 70.0), 'c': (90.0, 110.0), 'd': (140.0, 150.0)}


@pytest.mark.parametrize('culprit', BANDS)
def test_the_fault_that_bit_while_things_failed_is_first(culprit: str) -> None:
    first, *others = suspects.rank(run(BANDS, culprit, noise=0.002))
    assert first.event == culprit
    assert first.score > 0 > max(one.score for one in others)
    assert 'failures while it bit' in first.why[0]
    assert first.targets == (f'{culprit}/0',)


def test_without_a_failure_nobody_is_suspected() -> None:
    assert all(one.score <= 0.5 for one in suspects.rank(run(BANDS, None)))


def test_without_a_fault_there_is_no_suspect() -> None:
    assert suspects.rank(run({}, None, noise=0.5)) == ()


def test_evidence_narrows_what_counts_as_failure() -> None:
    entries = run(BANDS, 'a')
    late = [
        one.seq
        for one in entries
        if isinstance(one.what, journal.Operation)
        and one.what.phase == 'invoke'
        and 141 < one.at < 149
    ]
    assert suspects.rank(entries, late)[0].event == 'd'


def test_a_unit_that_fell_ill_points_at_who_struck_it() -> None:
    entries = run(BANDS, None)
    ill = journal.Entry(10**6, 91.0, '', journal.Status('c/0', 'error', 'hook failed: "x"'))
    first = suspects.rank([*entries, ill])[0]
    assert first.event == 'c'
    assert "c/0 said 'hook failed" in first.why[-1]


def test_a_fault_that_never_healed_is_suspected_to_the_end() -> None:
    entries = [
        one
        for one in run(BANDS, 'd')
        if not (isinstance(one.what, journal.Fault) and one.what.phase == 'healed')
    ]
    assert suspects.rank(entries)[0].event == 'd'


@given(st.integers(0, 50), st.sampled_from(sorted(BANDS)))
def test_every_armed_fault_is_ranked_once(seed: int, culprit: str) -> None:
    ranked = suspects.rank(run(BANDS, culprit, seed=seed, seconds=160))
    assert sorted(one.event for one in ranked) == sorted(BANDS)
    assert [one.score for one in ranked] == sorted((one.score for one in ranked), reverse=True)


@pytest.mark.parametrize('culprit', BANDS)
def test_damage_that_lasts_is_laid_to_the_fault_in_which_it_began(culprit: str) -> None:
    entries: list[journal.Entry] = []
    for entry in run(BANDS, None):
        what = entry.what
        began = int(what.id) / 10 if isinstance(what, journal.Operation) else 0.0
        if began > BANDS[culprit][0] + 2 and isinstance(what, journal.Operation):
            phase = what.phase if what.phase == 'invoke' else 'info'
            # Each waits ten seconds for its answer: it is felt long after it began.
            at = entry.at + (10.0 if phase == 'info' else 0.0)
            entry = journal.Entry(entry.seq, at, '', journal.Operation(what.id, 'get', phase))
        entries.append(entry)
    entries.sort(key=lambda one: one.at)
    first, *others = suspects.rank(entries)
    assert first.event == culprit
    assert first.score > 0 > max(one.score for one in others)


def test_failures_that_end_with_their_fault_are_no_lasting_damage() -> None:
    first, *_ = suspects.rank(run(BANDS, 'd'))
    assert first.event == 'd'
    assert not any('lasts' in why for one in suspects.rank(run(BANDS, 'a')) for why in one.why)


def _seqs(entries: list[journal.Entry], start: float, end: float) -> list[int]:
    return [
        one.seq
        for one in entries
        if isinstance(one.what, journal.Operation)
        and one.what.phase == 'invoke'
        and start <= one.at < end
    ]


def test_what_failed_before_any_fault_is_laid_to_none() -> None:
    entries = run(BANDS, 'a')
    found = suspects.rank(entries, _seqs(entries, 5, 8), check='errors')
    assert all(one.score < 0 and one.why == (suspects.BEFORE,) for one in found)
    assert suspects.before_any_fault(entries, _seqs(entries, 5, 8))
    assert not suspects.before_any_fault(entries, _seqs(entries, 25, 30))


@given(st.integers(0, 20), st.sampled_from(sorted(BANDS)))
def test_who_is_suspected_saw_more_failures_than_there_were_otherwise(
    seed: int, culprit: str
) -> None:
    entries = run(BANDS, culprit, seed=seed, noise=0.05, seconds=160)
    done = journal.operations(entries)

    def rate(bad: list[journal.Done]) -> float:
        return sum(one.how != 'ok' for one in bad) / max(1, len(bad))

    for one in suspects.rank(entries):
        start, end = BANDS[one.event]
        inside = [d for d in done if start <= d.at <= end + suspects.TAIL]
        outside = [d for d in done if not start <= d.at <= end + suspects.TAIL]
        # Half a case of smoothing, and the moment at which an operation is felt: hence the small slack.
        assert one.score <= 0 or rate(inside) > rate(outside) - 0.01


def test_each_check_has_its_own_suspects() -> None:
    entries = run(BANDS, 'a')
    failed = verdict.Outcome.FAIL
    found = suspects.of_checks(
        entries,
        [
            verdict.Verdict('errors', failed, '', tuple(_seqs(entries, 20, 35))),
            verdict.Verdict('latency', failed, '', tuple(_seqs(entries, 141, 149))),
            verdict.Verdict('load', verdict.Outcome.PASS, ''),
        ],
    )
    assert {name: ranked[0].event for name, ranked in found.items()} == {
        'errors': 'a',
        'latency': 'd',
    }
    assert {one.check for one in found['latency']} == {'latency'}


_MOMENTS = st.lists(st.tuples(st.integers(0, 100), st.booleans()), min_size=1, max_size=30)
_TIMES = st.lists(st.tuples(st.integers(0, 90), st.integers(1, 20)), min_size=1, max_size=3)


@given(_TIMES, _MOMENTS)
def test_no_fault_is_suspected_while_no_larger_share_failed_than_otherwise(
    times: list[tuple[int, int]], moments: list[tuple[int, bool]]
) -> None:
    timeline: list[tuple[float, journal.What]] = []
    for n, (start, hold) in enumerate(times):
        timeline += [
            (start + 0.3, journal.Fault(f'e{n}', 'freeze', 'armed', ('api/0',))),
            (start + 0.4, journal.Fault(f'e{n}', 'freeze', 'landed', ('api/0',))),
            (start + hold + 0.4, journal.Fault(f'e{n}', 'freeze', 'healed', ('api/0',))),
        ]
    for n, (at, ok) in enumerate(moments):
        timeline.append((at, journal.Operation(str(n), 'get', 'invoke')))
        timeline.append((at + 0.1, journal.Operation(str(n), 'get', 'ok' if ok else 'fail')))
    timeline.sort(key=lambda one: one[0])
    entries = [journal.Entry(n, at, '', what) for n, (at, what) in enumerate(timeline, 1)]
    for one in suspects.rank(entries):
        start, hold = times[int(one.event[1:])]
        end = start + hold + 0.4 + suspects.TAIL
        # A failure is felt when it ends, a success when it begins.
        inside = [ok for at, ok in moments if start + 0.3 <= at + 0.1 * (not ok) <= end]
        bad, rest = inside.count(False), len(moments) - len(inside)
        others = sum(not ok for _, ok in moments) - bad
        if not bad or (rest and bad / len(inside) <= others / rest):
            assert one.score <= 0, (one, inside)
