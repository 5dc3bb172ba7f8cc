"""What clients got, in whole verdicts: the load, what failed, how long answers took; and what a trial is made of."""

from __future__ import annotations

import chronicle as c

from matrix.grammar import located
from matrix.history import journal
from matrix.judge import expect, ran, service, trial, verdict
from matrix.judge.verdict import Signature, Verdict

PASS, FAIL, UNKNOWN = verdict.Outcome.PASS, verdict.Outcome.FAIL, verdict.Outcome.UNKNOWN


# What clients got.


def load(
    *parts: c.Line, kinds: tuple[str, ...] = ('get',), rate: float = 2, end: float = 60
) -> Verdict:
    said: dict[str, located.Plain] = {'kinds': [*kinds], 'rate': rate, 'writes': []}
    over = c.note(end, 'load.end', {'seconds': end - 1})
    return ran.load(c.trial_of(c.note(1, 'load', said), over, *parts))


def test_load_in_whole_verdicts() -> None:
    assert load(c.ops(1, 60)) == Verdict(
        'load', PASS, '118 operations of 1 kind ran in every period'
    )
    assert load(c.ops(1, 60), c.op(30, 'put')) == Verdict(
        'load', PASS, '119 operations of 2 kinds ran in every period'
    )
    assert load() == Verdict('load', UNKNOWN, 'the load did nothing')
    assert load(*(c.op(at, how='fail', error='reset') for at in range(2, 7)), rate=0.1) == Verdict(
        'load',
        FAIL,
        'get never worked before any fault (5 tried, reset)',
        (2, 4, 6, 8, 10),
        Signature('load', 'get', 'before'),
    )
    assert load(*(c.op(at, how='fail') for at in range(2, 6)), rate=0.1).outcome is PASS
    assert ran.load(c.trial_of(c.note(1, 'load.none', 'no port'))) == Verdict(
        'load', UNKNOWN, 'no port'
    )


def test_as_much_of_the_load_as_is_asked_for_is_enough() -> None:
    # 59 seconds at 2 a second are 118; 80 % of them are 94.4.
    assert load(c.ops(1, 48.4)).sentence == '95 operations of 1 kind ran in every period'
    assert load(c.ops(1, 47.9)) == Verdict(
        'load', UNKNOWN, 'only 80% of the planned operations ran before any fault (94 of 118)'
    )


def test_few_planned_operations_may_be_missed_by_chance() -> None:
    assert load(c.op(2), rate=0.1, end=61).outcome is PASS  # 6 were planned.
    assert load(c.op(2), rate=0.2, end=51).sentence == (  # 10 were.
        'only 10% of the planned operations ran before any fault (1 of 10)'
    )
    assert load(c.ops(1, 21), kinds=('get', 'put'), rate=1, end=21).sentence == (
        'no put ran before any fault'
    )
    assert load(c.ops(1, 20.5), kinds=('get', 'put'), rate=1, end=20.8).outcome is PASS


def test_when_it_failed_is_told_by_what_was_before() -> None:
    bad = c.op(55, how='fail')

    def of(*parts: c.Line) -> str:
        return service.errors(c.trial_of(c.op(1), bad, *parts)).sentence

    head = 'get failed once in 55.0 s (failed), '
    assert of() == head + 'and there was no fault'
    assert of(c.fault(60, 61, 65)) == head + 'before any fault'
    first, second = c.fault(), c.fault(14, 15, 24, id='e2', kind='loss')
    assert of(first, second) == (
        head + 'when no fault was there any more: 31 s after loss struck api/0'
    )
    assert of(second, c.fault(12, 13, 18)) == (
        head + 'when no fault was there any more: 31 s after loss struck api/0'
    )


def test_the_fault_that_all_failures_share_is_named_and_no_other() -> None:
    two, other = c.units(api=2), c.fault(13, 14, 15, id='e2', kind='loss')
    strict = expect.Expect(unavailable=0)

    def of(*times: float, recovery: float = 0) -> str:
        bad = [c.op(at, how='fail') for at in times]
        held_to = expect.Expect(unavailable=strict.unavailable, recovery=recovery)
        return service.errors(c.trial_of(two, c.fault(), other, *bad, expected=held_to)).sentence

    assert of(11, 12) == (
        'get failed 2 times in 11.0 to 12.0 s (failed), only while freeze struck api/0: '
        'unavailable for 2 s, allowed 0 s'
    )
    assert of(14) == (
        'get failed once in 14.0 s (failed), only while freeze struck api/0 and loss struck api/0: '
        'unavailable for 1 s, allowed 0 s'
    )


def test_of_all_failures_under_faults_those_are_named_that_strike_during_each() -> None:
    held_to = expect.Expect(during=expect.Budget(errors=0), recovery=0)
    other = c.fault(13, 14, 15, id='e2', kind='loss')
    last = c.fault(30, 31, 40, id='e3', kind='pause')

    def of(*times: float) -> str:
        bad = [c.op(at, how='fail') for at in times]
        return service.errors(c.trial_of(c.fault(), other, last, *bad, expected=held_to)).sentence

    more = ': 100.0% of all, allowed 0.0%'
    assert of(11, 14).endswith(f', only while freeze struck api/0{more}')
    assert of(14).endswith(f', only while freeze struck api/0 and loss struck api/0{more}')
    assert of(11, 35).endswith(f', while faults struck{more}')
    assert of(11, 14, 35).endswith(f', while faults struck{more}')


def test_what_failed_most_is_named_first_and_what_else_failed_counted() -> None:
    bad = [
        c.op(1, 'put', 'fail', error='refused'),
        c.op(2, 'get', 'info', error='timeout'),
        c.op(3, 'get', 'info', error='timeout'),
        c.op(4, 'get', 'fail', error='reset'),
        c.op(5, 'del', None),
    ]
    found = service.errors(c.trial_of(*bad))
    assert found == Verdict(
        'errors',
        FAIL,
        'get failed 3 times, and 2 other operations in 2.0 to 4.0 s (timeout), and there was no fault',
        (1, 3, 5, 7, 9),
        Signature('errors', 'get', 'timeout'),
        (
            Signature('errors', 'put', 'refused'),
            Signature('errors', 'get', 'reset'),
            Signature('errors', 'del', 'no answer'),
        ),
    )
    assert service.errors(c.trial_of(*bad[1:4], bad[4])).sentence.startswith(
        'get failed 3 times, and 1 other operation in '
    )
    assert service.errors(c.trial_of()) == Verdict('errors', UNKNOWN, 'no operation was recorded')


def test_errors_that_are_explained_are_told_and_shown() -> None:
    bad = [c.op(12, how='fail'), c.op(13, how='fail')]
    assert service.errors(c.trial_of(c.op(1), c.units(api=2), c.fault(), *bad)) == Verdict(
        'errors',
        PASS,
        '1 of 3 operations worked; 2 failed while freeze struck api/0, in 2 s of 15 s allowed',
        (6, 8),
        excused=('2 failed while freeze struck api/0, in 2 s of 15 s allowed',),
    )


def test_latency_in_whole_verdicts() -> None:
    def of(*parts: c.Line, expected: expect.Expect | None = None) -> Verdict:
        return service.latency(c.trial_of(*parts, expected=expected))

    assert of(c.ops(1, 3.5)) == Verdict('latency', PASS, 'p99 0.10 s before')
    assert of(c.ops(1, 3)) == Verdict(  # Four are too few, five are enough.
        'latency', UNKNOWN, 'too few answers to judge their latency'
    )
    budget = expect.Expect(before=expect.Budget(p99=0.5))
    slow = [c.op(4, took=0.75), c.op(5, 'put', took=1.0), c.op(6, 'put', took=1.0)]
    assert of(c.ops(1, 3.5), *slow, expected=budget) == Verdict(
        'latency',
        FAIL,
        'answers were slow before any fault: p99 1.00 s, allowed 0.50 s (most: put)',
        (11, 13, 15),
        Signature('latency', 'put', 'slow'),
        (Signature('latency', 'get', 'slow'),),
    )
    late = [c.op(at, late=0.2) for at in range(1, 6)]
    assert of(*late, *(c.op(at) for at in range(6, 11))).outcome is PASS  # Half of them.
    assert of(*late, *(c.op(at) for at in range(6, 10))) == Verdict(
        'latency',
        UNKNOWN,
        'this host was too slow to tell how slow the bundle is: it began 5 of 9 operations late',
    )
    assert of(*(c.op(at, late=0.1) for at in range(1, 6))).outcome is PASS


def test_latency_is_held_to_its_budget_and_not_to_less() -> None:
    def of(took: float, expected: expect.Expect, *parts: c.Line) -> verdict.Outcome:
        return service.latency(
            c.trial_of(c.ops(1, 5, took=took), *parts, expected=expected)
        ).outcome

    exact = expect.Expect(before=expect.Budget(p99=0.5), after=expect.Budget(p99=9))
    assert (of(0.5, exact), of(0.625, exact)) == (PASS, FAIL)
    after = c.ops(60, 65, took=3)
    assert (
        of(0.5, expect.Expect(), c.fault(), after) is FAIL
    )  # Five times 0.5 s are less than 3 s.
    assert of(0.75, expect.Expect(), c.fault(), after) is PASS
    assert of(0.5, exact, c.fault(), after) is PASS
    assert (
        of(0.1, expect.Expect(), c.fault(), c.ops(60, 65, took=2)) is PASS
    )  # 2 s are never slow.


def test_the_seconds_of_a_test_are_before_amid_and_after_its_faults() -> None:
    def spans(*parts: c.Line) -> dict[str, list[tuple[float, float]]]:
        ends = (c.note(0, 'a'), c.note(100, 'b'))
        held_to = expect.Expect(recovery=5)
        return {**ran.spans(c.trial_of(*ends, *parts, expected=held_to))}

    assert spans() == {'before': [(0, 100)], 'during': [], 'after': []}
    assert spans(c.fault(10, 11, 20)) == {
        'before': [(0, 10)],
        'during': [(10, 25)],
        'after': [(25, 100)],
    }
    assert spans(c.fault(10, 11, 20), c.fault(22, 23, 30, id='e2')) == {
        'before': [(0, 10)],
        'during': [(10, 25), (25, 35)],
        'after': [(35, 100)],
    }
    assert spans(c.fault(10, 11, 20), c.fault(40, 41, None, id='e2')) == {
        'before': [(0, 10)],
        'during': [(10, 25), (40, 100)],
        'after': [(25, 40), (100, 100)],
    }


def test_a_trial_is_what_the_journal_shows_and_nothing_that_it_does_not() -> None:
    of = c.trial_of(
        c.note(3, 'load', {'writes': [['put', 'get'], ['put', 'get'], 'no', ['one']]}),
        c.note(4, 'load', 'nonsense'),
        c.note(5, 'units', {'counts': {'a': 3, 'b': 2}}),
        c.note(6, 'units', {'counts': {'a': 9, 'c': 'no'}}),
        c.note(
            7,
            'fingerprint',
            {'moment': 'before', 'applications': {'b': {'units': ['x']}, 'd': {}}},
        ),
        c.note(8, 'fingerprint', {'moment': 'after', 'applications': {'a': {'units': ['x']}}}),
        c.op(9, how='info', error='stopped'),
        c.op(10, how=None),
    )
    assert of.writes == (('put', 'get'),)
    assert of.counts == {'a': 3, 'b': 1, 'c': 0}
    assert (of.start, of.end, len(of.done), of.first) == (3, 10, 1, float('inf'))
    assert of.values('load')[1] == 'nonsense'
    assert trial.split(journal.Journal(())) == ()
    read = c.of_parts(
        c.note(1, 'x'), c.note(2, 'test.start', 'a'), c.note(3, 'y'), c.note(4, 'test.start', 'b')
    )
    assert [(name, len(part.entries)) for name, part in trial.split(read)] == [('a', 2), ('b', 1)]
    assert [
        (name, len(part.entries)) for name, part in trial.split(c.of_parts(c.note(1, 'x')))
    ] == [('', 1)]
    assert [trial.number(one, 7) for one in (1, 2.5, True, '3', None)] == [1, 2.5, 7, 7, 7]
    assert trial.number('x') == 0
