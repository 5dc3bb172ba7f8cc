"""Checks over a journal; each has a journal that makes it fail and one that makes it unknown."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matrix.grammar import problem
from matrix.history import journal, periods
from matrix.judge import checks, verdict

PASS, UNKNOWN, FAIL = verdict.Outcome.PASS, verdict.Outcome.UNKNOWN, verdict.Outcome.FAIL

_ids = itertools.count()


def _op(
    at: float,
    kind: str = 'get',
    how: str | None = 'ok',
    *,
    took: float = 0.1,
    value: object = None,
    answer: object = None,
) -> list[tuple[float, journal.What]]:
    name = str(next(_ids))
    asked = journal.Operation(name, kind, 'invoke', value=value)  # pyright: ignore[reportArgumentType]
    if how is None:
        return [(at, asked)]
    end = dataclasses.replace(asked, phase=how, value=answer)
    return [(at, asked), (at + took, end)]


def _fault(
    start: float = 10, landed: float | None = 11, healed: float | None = 20
) -> list[tuple[float, journal.What]]:
    edges: tuple[tuple[Literal['armed', 'landed', 'healed'], float | None], ...] = (
        ('armed', start),
        ('landed', landed),
        ('healed', healed),
    )
    return [(at, journal.Fault('e1', 'freeze', phase)) for phase, at in edges if at is not None]


def _journal(*parts: list[tuple[float, journal.What]]) -> journal.Journal:
    ordered = sorted(itertools.chain(*parts), key=lambda pair: pair[0])
    return journal.Journal(
        tuple(journal.Entry(n, at, '', what) for n, (at, what) in enumerate(ordered, 1))
    )


def _load_ran(*parts: list[tuple[float, journal.What]]) -> verdict.Outcome:
    return checks.load_ran(_journal(*parts), ['get']).outcome


def test_load_that_ran_in_every_period_passes() -> None:
    assert _load_ran(_op(5), _fault(), _op(15), _op(25)) is PASS


@pytest.mark.parametrize('missing', [0, 1, 2])
def test_load_that_skipped_a_period_is_unknown(missing: int) -> None:
    operations = [_op(5), _op(15), _op(25)]
    del operations[missing]
    assert _load_ran(_fault(), *operations) is UNKNOWN


def test_load_that_never_worked_in_a_period_fails() -> None:
    assert _load_ran(_op(5), _fault(), _op(15), _op(25, how='fail')) is FAIL


def test_no_load_at_all_is_unknown_and_a_control_run_needs_one_period() -> None:
    assert _load_ran() is UNKNOWN
    assert checks.load_ran(_journal(_op(5)), []).outcome is UNKNOWN
    assert _load_ran(_op(5)) is PASS


def test_an_operation_that_overlaps_a_fault_is_during_it() -> None:
    def period(at: float, took: float) -> str:
        read = _journal(_fault(), _op(at, took=took))
        return periods.of(journal.operations(read.entries)[0], periods.bands(read.entries))

    assert [period(5, 1), period(5, 6), period(15, 1), period(15, 9), period(21, 1)] == [
        'before',
        'during',
        'during',
        'during',
        'after',
    ]


def test_a_fault_that_was_never_healed_lasts_to_the_end() -> None:
    assert _load_ran(_op(5), _fault(healed=None), _op(15), _op(900)) is UNKNOWN


BUDGETS: dict[periods.Period, checks.Budget] = {
    'before': checks.Budget(0.0, 0.5),
    'during': checks.Budget(0.5),
    'after': checks.Budget(0.0, 0.5),
}


def test_each_period_has_its_own_budget() -> None:
    read = _journal(_op(5), _fault(), _op(15, how='fail'), _op(16), _op(25))
    assert checks.service_level(read, BUDGETS).outcome is PASS


@pytest.mark.parametrize('how', ['fail', 'info', None])
def test_an_error_beyond_the_budget_fails_whether_or_not_it_was_answered(how: str | None) -> None:
    read = _journal(_op(5, how=how), _op(6))
    found = checks.service_level(read, BUDGETS)
    assert found.outcome is FAIL
    assert found.evidence


def test_slow_answers_fail_and_name_themselves() -> None:
    read = _journal(_op(5), _op(6, took=0.7))
    found = checks.service_level(read, BUDGETS)
    assert (found.outcome, found.sentence) == (
        FAIL,
        'p99 0.700 s before the faults, allowed 0.5 s',
    )
    assert found.evidence == (3,)


def test_a_service_level_without_operations_or_budgets_is_unknown() -> None:
    assert checks.service_level(_journal(), BUDGETS).outcome is UNKNOWN
    assert checks.service_level(_journal(_op(5)), {}).outcome is UNKNOWN


def _written(*parts: list[tuple[float, journal.What]]) -> verdict.Outcome:
    return checks.acknowledged(_journal(*parts), write='put', read_back='get').outcome


def _put(at: float, how: str | None = 'ok') -> list[tuple[float, journal.What]]:
    return _op(at, 'put', how, value='k', answer='k')


def _get(at: float, found: bool, how: str = 'ok') -> list[tuple[float, journal.What]]:
    return _op(at, 'get', how, value='k', answer=found)


def test_an_acknowledged_write_that_is_read_back_passes() -> None:
    assert _written(_put(5), _fault(), _get(25, True)) is PASS


def test_an_acknowledged_write_that_is_gone_fails() -> None:
    assert _written(_put(5), _fault(), _get(25, False)) is FAIL


@pytest.mark.parametrize('how', ['fail', 'info', None])
def test_a_write_that_was_not_acknowledged_may_be_gone(how: str | None) -> None:
    read = _journal(_put(5, how), _put(6), _get(25, True))
    assert checks.acknowledged(read, write='put', read_back='get').outcome is PASS
    assert _written(_put(5, how), _get(25, False)) is UNKNOWN  # nothing was acknowledged


def test_only_a_read_after_the_heal_and_after_the_write_counts() -> None:
    assert _written(_put(5), _fault(), _get(15, True)) is UNKNOWN
    assert _written(_put(25), _fault(), _get(24, False)) is UNKNOWN
    assert _written(_put(5), _fault(), _get(25, True, 'fail')) is UNKNOWN


@pytest.mark.parametrize(
    ('fault', 'outcome'),
    [
        (_fault(), PASS),
        (_fault(landed=None), UNKNOWN),
        (_fault(healed=None), UNKNOWN),
        ([], UNKNOWN),
    ],
)
def test_a_fault_that_is_not_proven_is_never_a_pass(
    fault: list[tuple[float, journal.What]], outcome: verdict.Outcome
) -> None:
    assert checks.faults_proven(_journal(fault), ['e1']).outcome is outcome


def test_a_fault_beside_the_plan_must_be_proven_too_and_no_fault_proves_nothing() -> None:
    assert checks.faults_proven(_journal(_fault(landed=None)), []).outcome is UNKNOWN
    assert checks.faults_proven(_journal(), []).outcome is UNKNOWN


def test_effects_that_had_to_be_seen_were_seen() -> None:
    read = _journal([(3, journal.Effect('failover'))])
    assert checks.effects_seen(read, ['failover']).outcome is PASS
    assert checks.effects_seen(read, ['failover', 'retry']).outcome is UNKNOWN
    assert checks.effects_seen(read, []).outcome is UNKNOWN


def test_a_check_that_breaks_and_a_damaged_journal_are_unknown() -> None:
    def broken(_: journal.Journal) -> verdict.Verdict:
        raise KeyError('x')

    found = checks.run({'mine': broken}, _journal())
    assert [(one.check, one.outcome) for one in found] == [('mine', UNKNOWN)]
    torn = journal.Journal((), (problem.Problem(problem.Where('j', 3), 'torn'),))
    assert checks.run({}, torn)[0].outcome is UNKNOWN


def test_the_worst_verdict_is_the_verdict() -> None:
    def say(outcome: verdict.Outcome) -> verdict.Verdict:
        return verdict.Verdict('c', outcome, '')

    assert PASS < UNKNOWN < FAIL
    assert verdict.worst([say(PASS), say(FAIL), say(UNKNOWN)]) is FAIL
    assert verdict.worst([]) is UNKNOWN


@pytest.mark.parametrize(
    ('endings', 'code'),
    [
        ([], 0),
        (['passed'], 0),
        (['passed', 'unknown'], 101),
        (['infrastructure', 'passed'], 1),
        (['failed', 'infrastructure'], 101),
        (['infrastructure', 'no-model'], 200),
    ],
)
def test_the_exit_code_is_that_of_the_worst_ending(
    endings: list[verdict.Ending], code: int
) -> None:
    assert verdict.exit_code(endings) == code
    assert verdict.exit_code(['unknown'], unknown_is='pass') == 0


@given(st.lists(st.floats(0, 100), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_a_value_that_enough_values_do_not_exceed(
    values: list[float], share: float
) -> None:
    found = checks.percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
