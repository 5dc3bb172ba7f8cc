"""Checks over a test's journal; each has a journal that makes it fail and one that makes it unknown."""

from __future__ import annotations

import itertools

import chronicle as c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matrix.blame import suspects
from matrix.grammar import located, problem
from matrix.history import journal, periods
from matrix.judge import checks, expect, ran, recovery, safety, service, stats, trial, verdict

PASS, UNKNOWN, FAIL = verdict.Outcome.PASS, verdict.Outcome.UNKNOWN, verdict.Outcome.FAIL

SHORT = expect.Expect(recovery=0.0)
TWO = c.units(api=2)
ONE = c.units(api=1)


# When a fault explains what.


def test_an_operation_that_overlaps_a_fault_is_during_it() -> None:
    def period(at: float, took: float) -> str:
        of = c.trial_of(c.fault(), c.op(at, took=took), expected=SHORT)
        return next(name for name, some in of.split.items() if some)

    assert [period(5, 1), period(5, 6), period(15, 1), period(15, 9), period(21, 1)] == [
        'before',
        'during',
        'during',
        'during',
        'after',
    ]


def test_periods_are_told_alike_by_reports_and_checks_where_a_fault_explains_nothing_more() -> (
    None
):
    of = c.trial_of(c.fault(), *(c.op(at) for at in range(30)), expected=SHORT)
    bands = periods.bands(of.read.entries)
    assert all(periods.of(one, bands) == name for name, some in of.split.items() for one in some)


def test_a_fault_that_was_never_healed_lasts_to_the_end() -> None:
    of = c.trial_of(c.fault(healed=None), c.op(900))
    assert of.split['during']


@pytest.mark.parametrize(
    ('counts', 'targets', 'redundant'),
    [
        (TWO, ('api/0',), True),
        (TWO, ('api/0', 'api/1'), False),
        (TWO, ('api',), False),
        (ONE, ('api/0',), False),
        (TWO, ('3',), False),
        ([], ('api/0',), False),
    ],
)
def test_what_has_another_unit_that_is_not_struck_promises_to_serve(
    counts: c.Line, targets: tuple[str, ...], redundant: bool
) -> None:
    of = c.trial_of(counts, c.fault(targets=targets))
    assert of.spared(of.strikes[0], 11, 12) is redundant
    said = c.trial_of(counts, c.fault(targets=targets), expected=expect.Expect(ha=not redundant))
    assert said.spared(said.strikes[0], 11, 12) is not redundant


def test_two_faults_at_once_leave_nothing_to_serve_while_both_strike() -> None:
    other = c.fault(12, 13, 18, id='e2', targets=('api/1',))
    of = c.trial_of(TWO, c.fault(), other)
    assert not any(of.spared(one, 14, 15) for one in of.strikes)
    first = of.strikes[0]
    assert of.spared(first, first.band.start, 11.5)


@given(st.lists(st.tuples(st.floats(5, 80), st.floats(0, 30)), max_size=5))
def test_periods_fill_the_test_and_do_not_overlap(faults: list[tuple[float, float]]) -> None:
    some = [
        c.fault(start, start, start + length, id=str(n))
        for n, (start, length) in enumerate(faults)
    ]
    of = c.trial_of(c.note(0, 'load'), *some, c.note(120, 'test.complete'), expected=SHORT)
    spans = sorted(span for every in ran.spans(of).values() for span in every)
    assert (spans[0][0], spans[-1][1]) == (0, 120)
    assert all(one[1] == other[0] for one, other in itertools.pairwise(spans))


# The load.

LOAD = c.note(
    1, 'load', {'kinds': ['get'], 'weights': [1], 'rate': 2, 'sentence': '', 'writes': []}
)


def _load(*parts: c.Line, expected: expect.Expect | None = None) -> verdict.Verdict:
    return ran.load(
        c.trial_of(LOAD, c.note(60, 'load.end', {'seconds': 59}), *parts, expected=expected)
    )


def test_load_that_ran_in_every_period_passes() -> None:
    assert _load(c.ops(1, 60), c.fault(), expected=SHORT).outcome is PASS
    assert _load(c.ops(1, 60)).outcome is PASS


@pytest.mark.parametrize('missing', [(1, 10), (10, 20), (21, 60)])
def test_load_that_skipped_a_period_is_unknown(missing: tuple[float, float]) -> None:
    some = [(at, what) for at, what in c.ops(1, 60) if not missing[0] <= at <= missing[1] + 0.2]
    found = _load(some, c.fault(), expected=SHORT)
    assert found.outcome is UNKNOWN
    assert 'ran' in found.sentence


def test_load_that_did_less_than_planned_is_unknown() -> None:
    every_other = [line for n, line in enumerate(c.ops(1, 60)) if n % 4 < 2]
    found = _load(every_other)
    assert (found.outcome, found.sentence.partition(' of ')[0]) == (UNKNOWN, 'only 50%')
    assert _load(every_other, expected=expect.Expect(ran=0.4)).outcome is PASS


def test_a_kind_may_have_had_nothing_to_do_for_a_while_but_not_for_ever() -> None:
    kinds: list[located.Plain] = ['get', 'change']
    load = c.note(1, 'load', {'kinds': kinds, 'weights': [1, 1], 'rate': 2, 'writes': []})

    def found(end: float, gave_away: list[located.Plain], *parts: c.Line) -> str:
        over = c.note(end, 'load.end', {'seconds': end - 1, 'gave_away': gave_away})
        return ran.load(c.trial_of(load, over, c.ops(1, end), *parts)).sentence

    assert 'ran in every period' in found(20, ['change'])
    assert found(20, []) == 'no change ran before any fault'
    assert found(60, ['change']) == 'no change ran: it never had anything to do'
    assert 'ran in every period' in found(60, ['change'], c.op(50, 'change'))


@pytest.mark.parametrize('start', [1, 21])
def test_load_that_never_worked_before_or_after_the_faults_fails(start: float) -> None:
    good = [line for line in c.ops(1, 60) if not start <= line[0] < start + 39]
    found = _load(good, c.ops(start, start + 8, how='fail'), c.fault(), expected=SHORT)
    if start == 1:
        good = c.ops(9.9, 60)
        found = _load(c.ops(1, 9, how='fail'), c.ops(10, 60), c.fault(), expected=SHORT)
    else:
        found = _load(c.ops(1, 20), c.ops(21, 60, how='fail'), c.fault(), expected=SHORT)
    assert found.outcome is FAIL
    assert found.signature is not None


def test_load_that_never_worked_while_a_fault_struck_is_for_others_to_judge() -> None:
    some = [*c.ops(1, 9.9), *c.ops(10, 20, how='fail'), *c.ops(20.5, 60)]
    assert _load(some, c.fault(), expected=SHORT).outcome is PASS


def test_no_load_is_unknown_and_says_why() -> None:
    assert ran.load(c.trial_of(c.note(1, 'load.none', 'no port'))).sentence == 'no port'
    assert _load().outcome is UNKNOWN


def test_a_load_of_the_bundles_own_that_does_not_speak_proves_nothing_unless_that_is_expected() -> (
    None
):
    own = c.note(1, 'load', {'kinds': [], 'rate': 0, 'own': True, 'writes': []})
    assert ran.load(c.trial_of(own)).outcome is UNKNOWN
    mute = expect.Expect(operations=False)
    assert ran.load(c.trial_of(own, expected=mute)).outcome is PASS
    assert ran.load(c.trial_of(own, c.op(5))).outcome is PASS
    silent = c.trial_of(own, c.op(5), c.fault(10, 11, 40), c.op(90))
    assert ran.load(silent).sentence == 'no operation ran while faults struck'


# Errors.


def _errors(*parts: c.Line, expected: expect.Expect | None = None) -> verdict.Verdict:
    return service.errors(c.trial_of(*parts, expected=expected))


@pytest.mark.parametrize('how', ['fail', 'info', None])
def test_nothing_may_fail_before_the_faults_whether_or_not_it_is_answered(how: str | None) -> None:
    found = _errors(c.op(5, how=how), c.op(6), c.fault() if how else [], TWO)
    assert found.outcome is FAIL
    assert found.evidence
    allowed = expect.Expect(before=expect.Budget(errors=0.5))
    assert _errors(c.op(5, how=how), c.op(6), expected=allowed).outcome is PASS


def test_nothing_may_fail_when_the_faults_are_over() -> None:
    found = _errors(c.op(5), c.fault(), c.op(55, how='fail', error='http 503'), TWO)
    assert found.outcome is FAIL
    assert found.sentence == (
        'get failed once in 55.0 s (http 503), '
        'when no fault was there any more: 35 s after freeze struck api/0'
    )
    assert _errors(c.op(5), c.fault(), c.op(45, how='fail'), TWO).outcome is PASS


def test_where_another_unit_could_serve_a_fault_explains_a_takeover_and_no_more() -> None:
    takeover = c.ops(10, 18, how='fail', error='timeout')
    assert _errors(c.ops(1, 9), takeover, c.fault(), TWO).outcome is PASS
    longer = c.ops(10, 40, how='info', error='timeout')
    found = _errors(c.ops(1, 9), longer, c.fault(), TWO)
    assert found.outcome is FAIL
    assert found.sentence == (
        'get failed 60 times in 10.0 to 39.5 s (timeout), only while freeze struck api/0: '
        'unavailable for 30 s, allowed 15 s'
    )
    assert found.signature == verdict.Signature('errors', 'get', 'timeout')
    assert (
        _errors(
            c.ops(1, 9), longer, c.fault(), TWO, expected=expect.Expect(unavailable=30)
        ).outcome
        is PASS
    )


def test_what_nobody_promised_is_said_and_is_no_failure() -> None:
    found = _errors(c.ops(1, 9), c.ops(10, 40, how='fail'), c.fault(), ONE)
    assert found.outcome is PASS
    excuse = '60 failed while freeze struck api/0, which nothing could stand in for'
    assert found.excused == (excuse,)
    assert found.sentence.endswith(f'; {excuse}')
    promised = expect.Expect(ha=True)
    assert (
        _errors(c.ops(1, 9), c.ops(10, 40, how='fail'), c.fault(), ONE, expected=promised).outcome
        is FAIL
    )


def test_who_asks_the_struck_unit_itself_has_no_other() -> None:
    asked = c.ops(10, 40, how='fail', value='api/0')
    assert _errors(asked, c.fault(), TWO).outcome is PASS
    other = c.ops(10, 40, how='fail', value='api/1')
    assert _errors(other, c.fault(), TWO).outcome is FAIL


def test_a_share_may_be_set_for_the_time_of_faults_too() -> None:
    some = [c.op(5), c.op(12, how='fail'), c.op(13), c.fault(), TWO]
    strict = expect.Expect(during=expect.Budget(errors=0.0))
    assert _errors(*some).outcome is PASS
    found = _errors(*some, expected=strict)
    assert (found.outcome, found.signature) == (FAIL, verdict.Signature('errors', 'get', 'failed'))


def test_every_way_of_failing_is_a_signature() -> None:
    found = _errors(c.op(1, error='reset', how='info'), c.op(2, 'put', 'fail', error='refused'))
    assert {found.signature, *found.other_signatures} == {
        verdict.Signature('errors', 'get', 'reset'),
        verdict.Signature('errors', 'put', 'refused'),
    }


def test_what_was_in_flight_when_the_load_stopped_is_nobodys_fault() -> None:
    assert _errors(c.op(1), c.op(2, how='info', error='stopped')).outcome is PASS
    assert _errors(c.op(2, how='info', error='stopped')).outcome is UNKNOWN


# Latency.


def _latency(*parts: c.Line, expected: expect.Expect | None = None) -> verdict.Verdict:
    return service.latency(c.trial_of(*parts, expected=expected))


def test_slow_answers_fail_and_name_themselves() -> None:
    strict = expect.Expect(before=expect.Budget(p99=0.5))
    found = _latency(c.ops(1, 5), c.op(6, took=0.7), expected=strict)
    assert (found.outcome, found.sentence) == (
        FAIL,
        'answers were slow before any fault: p99 0.70 s, allowed 0.50 s (most: get)',
    )
    assert len(found.evidence) == 1
    assert _latency(c.ops(1, 5), c.op(6, took=0.7)).outcome is PASS
    assert _latency(c.ops(1, 5), c.op(6, took=5.7)).outcome is FAIL


def test_answers_may_be_slow_while_faults_strike_unless_it_is_said_and_not_after() -> None:
    during = [*c.ops(1, 5), *c.ops(12, 15, took=4), *c.ops(60, 65)]
    assert _latency(during, c.fault()).outcome is PASS
    strict = expect.Expect(during=expect.Budget(p99=1))
    assert _latency(during, c.fault(), expected=strict).outcome is FAIL
    after = [*c.ops(1, 5), *c.ops(60, 65, took=2.5)]
    assert _latency(after, c.fault()).outcome is FAIL
    assert _latency([*c.ops(1, 5, took=0.6), *c.ops(60, 65, took=2.5)], c.fault()).outcome is PASS


def test_a_late_runner_says_nothing_of_the_bundle() -> None:
    late = c.ops(1, 5, late=0.5)
    assert _latency(late).outcome is UNKNOWN
    assert _latency(c.op(1)).outcome is UNKNOWN
    some = expect.Expect(before=expect.Budget(p99=0.5))
    assert _latency(c.ops(1, 30), c.op(31, late=3.0), expected=some).outcome is PASS


# Writes and reads.

PAIR = {'write': 'put', 'read_back': 'get'}


def _written(*parts: c.Line) -> verdict.Outcome:
    return safety.acknowledged(c.trial_of(*parts), **PAIR).outcome


def _put(at: float, how: str | None = 'ok') -> c.Line:
    return c.op(at, 'put', how, value='k', answer='k')


def _get(at: float, found: bool, how: str = 'ok') -> c.Line:
    return c.op(at, 'get', how, value='k', answer=found)


def test_an_acknowledged_write_that_is_read_back_passes() -> None:
    assert _written(_put(5), c.fault(), _get(25, True)) is PASS


def test_an_acknowledged_write_that_is_gone_fails() -> None:
    found = safety.acknowledged(c.trial_of(_put(12), c.fault(), _get(25, False)), **PAIR)
    assert found.outcome is FAIL
    assert found.sentence == (
        "1 of 1 acknowledged write is lost, first 'k' "
        '(put at 12.0 s, missed at 25.0 s, while freeze struck api/0)'
    )


def test_what_shows_a_loss_is_the_first_read_that_missed_it_if_a_fault_struck_then() -> None:
    put, amid, after = _put(5), _get(15, False), _get(25, False)
    found = safety.acknowledged(c.trial_of(put, c.fault(), amid, after), **PAIR)
    (seq,) = found.evidence
    of = c.trial_of(put, c.fault(), amid, after)
    assert next(one for one in of.done if one.seq == seq).at == 15


def test_what_was_there_before_any_fault_or_was_found_once_was_not_lost_as_it_was_written() -> (
    None
):
    def shown(*parts: c.Line) -> float:
        of = c.trial_of(*parts, c.fault(), _get(25, False))
        found = safety.acknowledged(of, **PAIR)
        (seq,) = found.evidence
        assert found.outcome is FAIL
        return next(one for one in of.done if one.seq == seq).at

    assert shown(_put(12)) == 12
    assert shown(_put(9.95)) == 9.95  # Its answer came when the fault had begun.
    assert shown(_put(5)) == 25
    assert shown(_put(12), _get(15, False)) == 15
    assert shown(_put(12), _get(14, True)) == 25
    assert shown(_put(12), _get(14, False), _get(16, True)) == 14
    # So no fault is acquitted of what it lost, since that had been written before.
    entries = c.of_parts(_put(5), c.fault(), _get(25, False)).entries
    found = safety.acknowledged(c.trial_of(_put(5), c.fault(), _get(25, False)), **PAIR)
    assert not suspects.before_any_fault(entries, found.evidence)
    gone = c.of_parts(_put(5), _get(6, False), c.fault(), _get(25, False))
    found = safety.acknowledged(
        c.trial_of(_put(5), _get(6, False), c.fault(), _get(25, False)), **PAIR
    )
    assert suspects.before_any_fault(gone.entries, found.evidence)


@pytest.mark.parametrize('how', ['fail', 'info', None])
def test_a_write_that_was_not_acknowledged_may_be_gone(how: str | None) -> None:
    assert _written(_put(5, how), _put(6), _get(25, True)) is PASS
    assert _written(_put(5, how), _get(25, False)) is UNKNOWN  # nothing was acknowledged


def test_only_a_read_after_the_heal_and_after_the_write_counts() -> None:
    assert _written(_put(5), c.fault(), _get(15, True)) is UNKNOWN
    assert _written(_put(25), c.fault(), _get(24, False)) is UNKNOWN
    assert _written(_put(5), c.fault(), _get(25, True, 'fail')) is UNKNOWN


def test_without_faults_some_writes_may_be_unread() -> None:
    other = c.op(6, 'put', value='other', answer='other')
    assert _written(_put(5), other, _get(7, True)) is PASS
    assert _written(_put(5), other) is UNKNOWN
    assert _written(_put(5), other, _get(25, True), c.fault()) is UNKNOWN


def test_what_was_written_once_reading_back_had_begun_may_be_unread() -> None:
    late = c.op(31, 'put', value='late', answer='late')
    assert _written(_put(5), _get(25, True), c.fault(), late) is UNKNOWN
    begun = c.note(30, 'phase', 'readback')
    assert _written(_put(5), _get(25, True), c.fault(), late, begun) is PASS
    assert _written(_put(5), c.fault(), late, begun) is UNKNOWN
    found = safety.acknowledged(
        c.trial_of(_put(5), _get(25, True), c.fault(), late, begun), **PAIR
    )
    assert found.sentence == '1 of 2 acknowledged writes were read back, 1 came later'


def _reads(*parts: c.Line, expected: expect.Expect | None = None) -> verdict.Outcome:
    return safety.reads(c.trial_of(*parts, expected=expected), **PAIR).outcome


def test_a_read_that_misses_what_was_acknowledged_is_stale() -> None:
    assert _reads(_put(5), _get(6, True)) is PASS
    assert _reads(_put(5), _get(6, False), _get(7, True)) is FAIL
    lazy = expect.Expect(stale=True)
    assert _reads(_put(5), _get(6, False), _get(7, True), expected=lazy) is PASS


def test_a_read_before_the_answer_of_the_write_may_miss_it() -> None:
    assert _reads(_put(5), _get(5.05, False), _get(7, True)) is PASS
    assert _reads(_put(5), _get(5.05, False)) is UNKNOWN


# Tokens.


def _tokens(*parts: c.Line) -> verdict.Verdict:
    return safety.tokens(c.trial_of(*parts))


def _issue(at: float, name: str = 't1', how: str = 'ok') -> c.Line:
    return c.op(at, safety.ISSUE, how, value=name, answer=name)


def _validate(at: float, valid: bool, name: str = 't1', endpoint: str = 'http://a') -> c.Line:
    return c.op(at, safety.VALIDATE, value=name, answer=valid, endpoint=endpoint)


def test_a_token_stays_valid_on_every_endpoint() -> None:
    found = _tokens(_issue(1), _validate(2, True), _validate(3, True, endpoint='http://b'))
    assert (found.outcome, found.sentence) == (PASS, 'tokens were valid 2 times at 2 endpoints')
    assert _tokens(_issue(1)).outcome is UNKNOWN


def test_no_fault_explains_a_valid_token_that_is_refused() -> None:
    found = _tokens(
        _issue(1), _validate(2, True), c.fault(), _validate(15, False, endpoint='http://b'), ONE
    )
    assert found.outcome is FAIL
    assert 'at http://b, while freeze struck api/0' in found.sentence


def test_a_token_that_was_revoked_or_not_yet_issued_proves_nothing() -> None:
    revoke = c.op(3, safety.REVOKE, value='t1')
    assert _tokens(_issue(1), _validate(2, True), revoke, _validate(4, False)).outcome is PASS
    assert _tokens(_issue(5, 't2'), _validate(2, False, 't2')).outcome is UNKNOWN


# VIPs.


def _held(at: float, *units: str, unseen: tuple[str, ...] = ()) -> c.Line:
    names: list[located.Plain] = [*units]
    blind: list[located.Plain] = [*unseen]
    return c.note(at, 'owners', {'address': '10.0.0.9', 'units': names, 'at': at, 'unseen': blind})


def _owners(*parts: c.Line, expected: expect.Expect | None = None) -> verdict.Verdict:
    return safety.owners(c.trial_of(*parts, expected=expected))


def test_one_owner_passes_and_a_takeover_is_told() -> None:
    found = _owners(_held(1, 'lb/0'), _held(2, 'lb/0', 'lb/1'), _held(3, 'lb/1'))
    assert (found.outcome, found.sentence) == (PASS, '10.0.0.9 had one owner (0 takeovers)') or (
        found.outcome is PASS
    )


def test_two_owners_for_longer_than_a_takeover_fail() -> None:
    both = [_held(at, 'lb/0', 'lb/1') for at in range(2, 8)]
    found = _owners(_held(1, 'lb/0'), *both)
    assert found.outcome is FAIL
    assert found.sentence == '10.0.0.9 had two owners, lb/0 and lb/1, for 5.0 s from 2.0 s'


def test_who_is_struck_cannot_know_but_must_when_it_is_healed() -> None:
    struck = c.fault(2, 3, 20, targets=('lb/0',))
    both = [_held(at, 'lb/0', 'lb/1') for at in range(4, 21)]
    assert _owners(_held(1, 'lb/0'), *both, _held(21, 'lb/1'), struck).outcome is PASS
    strict = expect.Expect(owners_under_fault=10)
    assert _owners(_held(1, 'lb/0'), *both, struck, expected=strict).outcome is FAIL
    longer = [_held(at, 'lb/0', 'lb/1') for at in range(21, 30)]
    assert _owners(_held(1, 'lb/0'), *both, *longer, struck).outcome is FAIL


def test_what_is_expected_is_read_under_the_old_name_of_a_key_too() -> None:
    for key in ('owners-under-fault', 'owners-struck'):
        assert expect.of_note({key: 7}) == expect.Expect(owners_under_fault=7)
    assert expect.of_note({'owners-struck': 1, 'owners-under-fault': 2}).owners_under_fault == 2


def test_a_fault_of_another_time_is_no_excuse_and_what_was_not_seen_is_not_counted() -> None:
    earlier = c.fault(2, 3, 4, targets=('lb/0',))
    both = [_held(1, 'lb/0'), _held(30, 'lb/0', 'lb/1'), _held(36, 'lb/1')]
    assert _owners(*both, earlier).outcome is FAIL
    blind = [*both[:2], _held(36, 'lb/1', unseen=('lb/0',))]
    assert _owners(*blind).outcome is PASS


def test_what_is_told_later_of_the_same_time_stands() -> None:
    early = [_held(1, 'lb/0'), _held(2, 'lb/1'), _held(9, 'lb/1')]
    assert _owners(*early).outcome is PASS
    late: c.Line = [
        (20, what)
        for part in (_held(2, 'lb/0', 'lb/1'), _held(12, 'lb/0', 'lb/1'))
        for _, what in part
    ]
    found = _owners(*early, late)
    assert (found.outcome, len(found.evidence)) == (FAIL, 2)


def test_a_vip_that_nobody_holds_in_the_end_fails_and_one_never_seen_is_unknown() -> None:
    assert _owners(_held(1, 'lb/0'), _held(9)).outcome is FAIL
    assert _owners(_held(1, 'lb/0'), _held(9, unseen=('lb/0',))).outcome is PASS
    assert _owners(_held(1), _held(9)).outcome is UNKNOWN
    assert _owners().outcome is UNKNOWN


# The model.


def _plan(*ids: str) -> c.Line:
    return c.note(2, 'plan', {'events': [{'id': one} for one in ids]})


@pytest.mark.parametrize(
    ('fault', 'outcome'),
    [
        (c.fault(), PASS),
        (c.fault(landed=None), UNKNOWN),
        (c.fault(healed=None), UNKNOWN),
        ([], UNKNOWN),
    ],
)
def test_a_fault_that_is_not_proven_is_never_a_pass(
    fault: c.Line, outcome: verdict.Outcome
) -> None:
    assert recovery.faults(c.trial_of(_plan('e1'), fault)).outcome is outcome


def test_a_fault_beside_the_plan_must_be_proven_too_and_no_fault_proves_nothing() -> None:
    assert recovery.faults(c.trial_of(c.fault(landed=None))).outcome is UNKNOWN
    assert recovery.faults(c.trial_of()).outcome is UNKNOWN


def test_an_event_that_was_refused_says_why() -> None:
    refused = c.note(5, 'refused', {'event': 'e2', 'fault': 'reboot', 'reason': 'one unit'})
    found = recovery.faults(c.trial_of(_plan('e1', 'e2'), c.fault(), refused))
    assert (found.outcome, found.sentence) == (
        UNKNOWN,
        'e2 (reboot) was not carried out: one unit',
    )


def test_effects_that_had_to_be_seen_were_seen() -> None:
    seen: c.Line = [(3, journal.Effect('failover'))]
    wanted = expect.Expect(effects=('failover',))
    assert recovery.effects(c.trial_of(seen, expected=wanted)).outcome is PASS
    assert recovery.effects(c.trial_of(expected=wanted)).outcome is UNKNOWN
    assert recovery.effects(c.trial_of(seen)).outcome is UNKNOWN


def _print(at: float, moment: str, **units: list[located.Plain]) -> c.Line:
    some: dict[str, located.Plain] = {name: {'units': one} for name, one in units.items()}
    return c.note(at, 'fingerprint', {'moment': moment, 'applications': some})


def _fingerprint(*parts: c.Line, expected: expect.Expect | None = None) -> verdict.Verdict:
    return recovery.fingerprint(c.trial_of(*parts, expected=expected))


def test_the_model_comes_back_as_it_was() -> None:
    before = _print(1, 'before', api=['active', 'active'], db=['active'])
    assert (
        _fingerprint(before, _print(9, 'after', api=['active', 'active'], db=['active'])).outcome
        is PASS
    )
    after = _print(9, 'after', api=['active', 'blocked: no db'], db=['active'])
    found = _fingerprint(before, after)
    assert (found.outcome, found.sentence) == (
        FAIL,
        'api did not come back: units active → blocked: no db',
    )
    assert found.signature == verdict.Signature('fingerprint', 'api')
    assert _fingerprint(before, after, expected=expect.Expect(changes=('api',))).outcome is PASS
    assert _fingerprint(before).outcome is UNKNOWN


def test_an_application_or_unit_that_is_gone_did_not_come_back() -> None:
    before = _print(1, 'before', api=['active', 'active'], db=['active'])
    gone = _fingerprint(before, _print(9, 'after', api=['active', 'active']))
    assert (gone.outcome, gone.sentence) == (FAIL, 'db did not come back: it is gone')
    fewer = _fingerprint(before, _print(9, 'after', api=['active'], db=['active']))
    assert (fewer.outcome, fewer.sentence) == (
        FAIL,
        'api did not come back: units active → (nothing)',
    )


def _quiet(*parts: c.Line) -> verdict.Verdict:
    return recovery.quiet(c.trial_of(*parts))


def _status(at: float, workload: str, agent: str = 'idle') -> c.Line:
    return [(at, journal.Status('api/0', workload, 'hook failed', agent))]


def _hook(at: float, code: int) -> c.Line:
    return [(at, journal.Hook('api/0', 'config-changed', 'ended', code))]


def test_no_unit_is_in_error_and_no_hook_fails_while_no_fault_strikes() -> None:
    assert _quiet(_status(1, 'active')).outcome is PASS
    assert _quiet(_status(1, 'error'), _status(2, 'active')).outcome is FAIL
    assert _quiet(_status(1, 'active', 'lost'), _status(2, 'active')).outcome is FAIL
    assert _quiet(_status(1, 'active'), _hook(3, 1)).outcome is FAIL
    assert _quiet(_status(1, 'active'), _hook(3, 0)).outcome is PASS
    assert _quiet().outcome is UNKNOWN


def test_a_fault_explains_an_error_but_not_one_that_stays() -> None:
    struck = [_status(15, 'error'), _hook(15, 1), c.fault()]
    assert _quiet(*struck, _status(30, 'active')).outcome is PASS
    found = _quiet(*struck)
    assert (found.outcome, found.sentence) == (FAIL, 'api/0 was left so: error (hook failed)')


def _rules(*parts: c.Line) -> verdict.Verdict:
    return recovery.rules(c.trial_of(*parts))


def _done(phase: str, **more: located.Plain) -> c.Line:
    value: dict[str, located.Plain] = {
        'task': 'matrix.tasks.chaos',
        'phase': phase,
        'message': 'x',
        **more,
    }
    return c.note(5, 'rule.done', value)


OVER = c.note(9, 'test.complete', 'test')


def test_a_rule_that_failed_fails_unless_it_does_not_gate() -> None:
    assert _rules(_done('complete'), OVER).outcome is PASS
    assert _rules(_done('failed', gates=True), OVER).outcome is FAIL
    assert _rules(_done('stuck'), OVER).outcome is FAIL
    found = _rules(_done('failed', gates=False), OVER)
    assert found.outcome is PASS
    assert 'which does not count' in found.sentence


def test_a_run_that_broke_or_stopped_in_the_midst_is_unknown_and_one_that_is_overdue_fails() -> (
    None
):
    assert _rules(_done('broken'), OVER).outcome is UNKNOWN
    assert _rules(_done('complete')).outcome is UNKNOWN
    assert _rules(c.note(5, 'test.overdue', 'chaos waits'), OVER).outcome is FAIL


# What is expected.


def test_what_is_expected_is_read_with_every_problem_at_its_line() -> None:
    text = 'expect:\n  during: {errors: 2}\n  unavailabel: 3\n  ha: maybe\n  effects: leader\n'
    document = located.load(text, 'tests/test.yaml')
    assert isinstance(document, located.Mapping)
    with pytest.raises(problem.RefusedError) as caught:
        expect.read(document.get('expect'))
    assert [one.where.line for one in caught.value.problems] == [2, 3, 4]
    assert "did you mean 'unavailable'?" in str(caught.value)


def test_a_note_holds_what_is_expected() -> None:
    value: located.Plain = {
        'ha': True,
        'during': {'p99': 2},
        'effects': ['leader'],
        'unavailable': 4,
    }
    found = expect.of_note(value)
    assert found == expect.Expect(
        ha=True, during=expect.Budget(p99=2.0), effects=('leader',), unavailable=4.0
    )
    assert c.trial_of(c.note(1, 'expect', value)).expect == found
    assert expect.both(value, {'ha': False, 'during': {'errors': 1}}) == {
        **value, 'ha': False, 'during': {'p99': 2, 'errors': 1},
    }  # fmt: skip
    assert expect.both(None, value) == value == expect.both(value, None)


# What a check is.


def test_a_check_that_breaks_or_returns_nothing_and_a_damaged_journal_are_unknown() -> None:
    def broken(_: journal.Journal) -> verdict.Verdict:
        raise KeyError('x')

    def careless(_: journal.Journal) -> verdict.Verdict:
        return None  # pyright: ignore[reportReturnType]

    found = checks.run({'mine': broken, 'other': careless}, c.of_parts())
    assert [(one.check, one.outcome) for one in found] == [('mine', UNKNOWN), ('other', UNKNOWN)]
    torn = journal.Journal((), (problem.Problem(problem.Where('j', 3), 'torn'),))
    assert checks.run({}, torn)[0].outcome is UNKNOWN


def test_the_worst_verdict_is_the_verdict() -> None:
    def say(outcome: verdict.Outcome) -> verdict.Verdict:
        return verdict.Verdict('c', outcome, '')

    assert PASS < UNKNOWN < FAIL
    assert verdict.worst([say(PASS), say(FAIL), say(UNKNOWN)]) is FAIL
    assert verdict.worst([]) is UNKNOWN


@given(st.lists(st.floats(0, 100), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_a_value_that_enough_values_do_not_exceed(
    values: list[float], share: float
) -> None:
    found = stats.percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9


def test_a_trial_of_nothing_is_empty() -> None:
    of = c.trial_of()
    assert (of.start, of.end, of.done, of.writes) == (0.0, 0.0, (), ())
    assert trial.split(journal.Journal(())) == ()
