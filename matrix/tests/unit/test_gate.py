"""Is it worse? Runs of a simulated service against runs of another, and of the same."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import pytest
from chronicle import Line, note, of_parts, op
from gatestage import Service, run, several
from hypothesis import given, settings
from hypothesis import strategies as st

from matrix.history import journal, redact
from matrix.judge import costs, gate, permutation, verdict
from matrix.plans import streams

CLEAN = Service()
REGRESSIONS = {
    'a slower path': Service(latency=0.05),
    'one kind of operation slower': Service(slow_reads=1.7),
    'a long tail': Service(tail=0.9),
    'a lost drain': Service(drained=0.25),
    'operations lost without a fault': Service(lost=0.03),
    'a leaked connection': Service(leak=5),
    'a wrong default: more memory': Service(memory=700e6),
    'a hook twice as long': Service(hook=2.4),
    'hooks that run again and again': Service(more_hooks=8),
    'a deployment twice as long': Service(settle=80),
    'a hook that fails': Service(error_after=True),
    'a service that does not work': Service(works=False),
}


@pytest.mark.parametrize('name', REGRESSIONS)
def test_a_planted_regression_is_found(name: str) -> None:
    found = gate.judge(several(CLEAN, 1), several(REGRESSIONS[name], 2))
    assert found.result == 'worse', found.sentence
    # The other way round nobody is alarmed: it got better.
    assert gate.judge(several(REGRESSIONS[name], 2), several(CLEAN, 1)).result != 'worse'


@pytest.mark.parametrize(
    ('service', 'alarms'),
    # Where one run differs from the next by two fifths, one alarm in a hundred is what was promised.
    [(CLEAN, 0), (Service(noise=0.4, flaky=0.1, tail=0.8), 1)],
)
def test_twenty_times_the_same_against_itself_gives_no_alarm(
    service: Service, alarms: int
) -> None:
    few = dataclasses.replace(service, answers=2)
    answers = [
        gate.judge(several(few, 100 + 2 * n), several(few, 101 + 2 * n)).result for n in range(20)
    ]
    assert answers.count('worse') <= alarms
    assert answers.count('not worse') >= 18


def test_what_grows_worse_with_time_strikes_both_sides_alike() -> None:
    def drifting(numbers: Sequence[int], seed: int) -> list[costs.Costs]:
        few = [Service(latency=0.03 * 1.1**n, answers=2) for n in numbers]
        return [costs.of(run(one, seed + n)) for n, one in enumerate(few)]

    # Runs in turn, each pair the other way round: 0 3 4 7 8 and 1 2 5 6 9.
    found = gate.judge(drifting((0, 3, 4, 7, 8), 900), drifting((1, 2, 5, 6, 9), 950))
    assert found.result == 'not worse', found.sentence


def test_one_bad_run_of_five_is_no_reason_and_three_are_a_reason_to_look_again() -> None:
    old = several(CLEAN, 1)
    failing = several(Service(error_after=True), 3)
    assert gate.judge(old, (*several(CLEAN, 2, 4), failing[0])).result == 'not worse'
    three = gate.judge(old, (*several(CLEAN, 2, 2), *failing[:3]), look=1)
    assert (three.result, three.again) == ('cannot tell', True)
    assert (
        'the check quiet did not pass in 0 of 5 runs before, and in 3 of 5 now' in three.sentence
    )
    assert not gate.judge(old, (*several(CLEAN, 2, 2), *failing[:3])).again
    ten = gate.judge(
        several(CLEAN, 1, 10), (*several(CLEAN, 2, 3), *several(Service(error_after=True), 3, 7))
    )
    assert ten.result == 'worse'


def test_too_few_runs_or_runs_that_show_nothing_cannot_tell() -> None:
    old, broken = several(CLEAN, 1), costs.Costs(broken='no model could be made')
    four = gate.judge(old, (*several(CLEAN, 2, 4), broken))
    assert four.result == 'cannot tell'
    assert four.sentence == (
        '4 of 5 runs of the candidate can be used, and 5 are needed: no model could be made'
    )
    assert gate.judge((), ()).result == 'cannot tell'
    dead = several(Service(works=False), 2)
    both = gate.judge(dead, several(Service(works=False), 3))
    assert both.result == 'cannot tell'
    assert '5 of 5 runs of the bundle as it is show nothing, by their check load' in both.sentence


def test_a_kind_of_operation_that_is_gone_is_a_loss() -> None:
    def without(one: costs.Costs) -> costs.Costs:
        kept = {key: value for key, value in one.figures.items() if key.of != 'put'}
        return dataclasses.replace(one, figures=kept)

    found = gate.judge(several(CLEAN, 1), [without(one) for one in several(CLEAN, 2)])
    assert found.result == 'worse'
    assert 'operations of put that did not work' in found.sentence


def test_a_run_that_is_torn_open_or_without_a_bundle_says_nothing() -> None:
    whole = run(CLEAN, 1)
    assert costs.of(whole).broken == ''
    assert 'did not come to its end' in costs.of(journal.Journal(whole.entries[:-1])).broken
    lines = [journal.to_line(one, redact.secrets(())) for one in whole.entries]
    torn = journal.read(''.join((*lines[:50], lines[50][:20], '\n', *lines[51:])), 'journal.jsonl')
    assert costs.of(torn).broken.startswith('its journal is damaged: journal.jsonl:51')
    gone = of_parts(
        note(0, 'test.start', 't'),
        note(
            1,
            'rule.done',
            {'task': 'model', 'phase': 'broken', 'message': 'no model', 'gates': True},
        ),
        note(2, 'run.end', {'ending': 'no-model', 'code': 200}),
    )
    assert costs.of(gone).broken


def test_figures_of_two_tests_are_kept_apart() -> None:
    def test(name: str, at: float, took: float) -> list[Line]:
        return [note(at, 'test.start', name), *(op(at + 1 + n, took=took) for n in range(30))]

    both = of_parts(
        *test('a', 0, 0.1),
        *test('b', 100, 0.2),
        note(200, 'run.end', {'ending': 'passed', 'code': 0}),
    )
    found = costs.of(both).figures
    assert found[costs.Figure('p50', 'a: get', 'before')] == pytest.approx(0.1)
    assert found[costs.Figure('p50', 'b: get', 'before')] == pytest.approx(0.2)


VALUES = st.lists(st.floats(0, 100), min_size=10, max_size=10)


@settings(max_examples=20, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=3))
def test_a_chance_is_exact_and_no_figure_alone_is_surer_than_among_all(
    some: list[list[float]],
) -> None:
    rows = [permutation.Row(tuple(one), 0.1) for one in some]
    for one in permutation.rises(rows, 5, 5):
        assert 1 / 252 <= one.alone <= one.among <= 1


def _divided(values: Sequence[float], second: Sequence[int]) -> tuple[float, ...]:
    return (
        *(value for n, value in enumerate(values) if n not in second),
        *(values[n] for n in second),
    )


def test_of_all_divisions_of_the_same_values_one_in_a_hundred_seems_as_rare() -> None:
    chance = streams.stream(7, 'gate')
    values = [chance.gauss(0, 1) for _ in range(10)]
    seen = [
        permutation.rises([permutation.Row(_divided(values, second), 0.1)], 5, 5)[0].alone
        for second in itertools.combinations(range(10), 5)
    ]
    for share in (0.01, 0.05, 0.2, 0.5):
        assert sum(one <= share for one in seen) / 252 <= share + 1e-9


def test_many_figures_of_noise_make_no_more_alarms_than_one() -> None:
    chance = streams.stream(3, 'gate')
    alone = among = 0
    for _ in range(40):
        rows = [
            permutation.Row(tuple(chance.gauss(0, 1) for _ in range(10)), 0.02) for _ in range(30)
        ]
        found = permutation.rises(rows, 5, 5)
        alone += any(one.alone <= 0.02 for one in found)
        among += any(one.among <= 0.02 for one in found)
    # The sabotaged twin: each figure asked by itself alarms nearly every second time.
    assert alone >= 12
    assert among <= 3


def test_a_sample_of_divisions_says_nearly_the_same_as_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [permutation.Row((1, 2, 1, 3, 2, 4, 2, 3, 5, 4), 0.1)]
    exact = permutation.rises(rows, 5, 5)[0]
    monkeypatch.setattr(permutation, 'EXACT', 10)
    sample = permutation.rises(rows, 5, 5)[0]
    assert sample.alone == pytest.approx(exact.alone, abs=0.03)
    assert permutation.rises(rows, 5, 5) == permutation.rises(rows, 5, 5)


def test_the_least_number_of_runs_is_the_least_that_can_show_anything() -> None:
    allowed = gate.CHANCE / gate.LOOKS
    assert permutation.least(gate.RUNS, gate.RUNS) <= allowed
    assert permutation.least(gate.RUNS - 1, gate.RUNS - 1) > allowed
    assert permutation.least(0, 5) == 1.0


@given(st.sampled_from(sorted(costs.MEASURES)), st.floats(0, 1e9))
def test_what_hardly_differs_never_matters(sort: costs.Sort, value: float) -> None:
    if sort == 'check':
        return
    measure = costs.MEASURES[sort]
    rise = permutation.Rise(99.0, 0.0, 0.0)
    figure = costs.Figure(sort, 'x')
    old = (value,) * 5
    more = (value + measure.small * measure.share * 0.9,) * 5
    assert not gate._difference(figure, old, more, rise).worse  # pyright: ignore[reportPrivateUsage]
    much = ((value + measure.small) * (1 + measure.share) * 1.01 - measure.small,) * 5
    assert gate._difference(figure, old, much, rise).worse  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(
    ('unit', 'value', 'words'),
    [('seconds', 0.012, '12 ms'), ('seconds', 1.5, '1.50 s'), ('share', 0.031, '3.1 %'),
     ('bytes', 48 * 2**20, '48 MiB'), ('count', 7.0, '7')],
)  # fmt: skip
def test_figures_are_told_as_people_say_them(unit: str, value: float, words: str) -> None:
    assert gate.shown(unit, value) == words


def test_an_outcome_is_the_worst_of_its_checks() -> None:
    assert costs.Costs().outcome is verdict.Outcome.UNKNOWN
    assert several(Service(works=False), 1, 1)[0].outcome is verdict.Outcome.FAIL
