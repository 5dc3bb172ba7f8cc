"""The panel: which checks apply to a journal, what it says of each test, and the one sentence for people."""

from __future__ import annotations

import chronicle as c
import rehearsal

from matrix.grammar import located
from matrix.history import journal, redact
from matrix.judge import expect, panel, verdict

PASS, UNKNOWN, FAIL = verdict.Outcome.PASS, verdict.Outcome.UNKNOWN, verdict.Outcome.FAIL


def _test(name: str, *parts: c.Line, start: float = 0, end: float = 100) -> c.Line:
    inside = [(start + at, what) for part in parts for at, what in part]
    return [
        *c.note(start, 'test.start', name),
        *inside,
        *c.note(start + end - 0.5, 'rule.done', {'task': 'chaos', 'phase': 'complete'}),
        *c.note(start + end, 'test.complete', name),
    ]


LOAD = c.note(
    1, 'load', {'kinds': ['get'], 'weights': [1], 'rate': 2, 'sentence': 's', 'writes': []}
)
PRINTS = [
    *c.units(api=2),
    *c.note(
        95,
        'fingerprint',
        {'moment': 'after', 'applications': {'api': {'units': ['active', 'active']}}},
    ),
]
PLAN = c.note(2, 'plan', {'events': [{'id': 'e1'}]})
QUIET: c.Line = [(1, journal.Status('api/0', 'active'))]
GOOD = [LOAD, *[c.ops(1, 99)], c.fault(), PRINTS, PLAN, QUIET]


def _judge(*tests: c.Line) -> panel.Judgement:
    return panel.judge(c.of_parts(*tests))


def test_a_good_run_passes_and_says_what_was_done() -> None:
    run = _judge(_test('chaos', *GOOD))
    assert (run.outcome, run.sentence) == (
        PASS,
        '1 fault landed and healed; all 196 operations worked',
    )
    assert [one.check for one in run.tests[0].verdicts] == [
        'rules', 'load', 'errors', 'latency', 'faults', 'fingerprint', 'quiet',
    ]  # fmt: skip
    assert (run.tests[0].ending, run.tests[0].signature) == ('passed', None)


def test_a_test_without_load_or_faults_is_judged_by_its_rules() -> None:
    run = _judge(_test('deployment'))
    assert [one.check for one in run.tests[0].verdicts] == ['rules']
    assert (run.outcome, run.sentence) == (PASS, 'every rule did what it should')


def test_the_sentence_says_what_failed_when_and_under_what() -> None:
    bad = c.ops(10.1, 40, 'token.validate', 'info', error='timeout')
    run = _judge(_test('deployment'), _test('chaos', *GOOD, bad, start=200))
    assert run.outcome is FAIL
    assert run.sentence == (
        'chaos: token.validate failed 60 times in 210.1 to 239.6 s (timeout), '
        'only while freeze struck api/0: unavailable for 30 s, allowed 15 s'
    )
    worst = run.worst
    assert worst is not None
    assert worst.signature == verdict.Signature('errors', 'token.validate', 'timeout')
    assert worst.ending == 'failed'


def test_each_test_is_judged_by_its_own_part_of_the_journal() -> None:
    other = [*[c.ops(1, 99)], LOAD, c.op(5, how='fail')]
    run = _judge(_test('good', *GOOD), _test('bad', *other, start=200))
    assert [one.outcome for one in run.tests] == [PASS, FAIL]


def test_what_is_lost_is_told_before_what_is_late() -> None:
    lost = [
        c.note(1, 'load', {'kinds': [], 'rate': 0, 'own': True, 'writes': [['put', 'get']]}),
        c.op(3, 'put', value='k', answer='k'),
        c.op(9, 'get', value='k', answer=False),
        c.op(10, how='fail'),
    ]
    worst = _judge(_test('t', *lost)).worst
    assert worst is not None
    assert worst.signature == verdict.Signature('acknowledged writes', 'put', 'lost')
    assert {one.check for one in worst.signatures} == {'acknowledged writes', 'reads', 'errors'}


def test_two_kinds_of_write_may_be_read_back_by_one() -> None:
    pairs: list[located.Plain] = [['put', 'get'], ['change', 'get']]
    lost = [
        c.note(1, 'load', {'kinds': [], 'rate': 0, 'own': True, 'writes': pairs}),
        c.op(3, 'put', value='k', answer='k'),
        c.op(4, 'change', value='c', answer='c'),
        c.op(9, 'get', value='k', answer=False),
        c.op(9, 'get', value='c', answer=True),
    ]
    found = {one.check: one.outcome for one in _judge(_test('t', *lost)).tests[0].verdicts}
    assert [found[f'reads of {kind}'] for kind in ('put', 'change')] == [FAIL, PASS]
    assert [found[f'acknowledged {kind}'] for kind in ('put', 'change')] == [FAIL, PASS]


def test_a_kind_of_write_that_was_never_tried_is_for_the_load_to_answer_for() -> None:
    load = c.note(1, 'load', {'kinds': ['get'], 'rate': 0, 'writes': [['put', 'get']]})
    asked = [one.check for one in _judge(_test('t', load, c.op(5))).tests[0].verdicts]
    assert not [one for one in asked if one.startswith('acknowledged')]
    tried = _judge(_test('t', load, c.op(5), c.op(6, 'put', 'info', value='k'))).tests[0]
    assert [one.outcome for one in tried.verdicts if one.check == 'acknowledged put'] == [UNKNOWN]


def test_a_bundle_that_nobody_used_is_unknown_unless_it_says_so() -> None:
    assert _judge(_test('t', c.note(1, 'load.none', 'no port'))).outcome is UNKNOWN
    wanted = c.note(1, 'load.none', 'the bundle says that it has no load')
    assert _judge(_test('t', wanted)).outcome is PASS


def test_a_plan_of_which_nothing_was_carried_out_is_unknown() -> None:
    assert _judge(_test('t', PLAN)).outcome is UNKNOWN
    nothing = c.note(2, 'plan', {'events': []})
    assert _judge(_test('t', nothing)).outcome is UNKNOWN
    assert _judge(_test('t', c.note(1, 'control.run'), nothing, QUIET)).outcome is PASS


def test_what_a_bundle_expects_is_in_the_journal_and_may_be_wrong() -> None:
    strict = c.note(0.1, 'expect', {'effects': ['leader']})
    assert _judge(_test('t', *GOOD, strict)).outcome is UNKNOWN
    seen: c.Line = [(12, journal.Effect('leader'))]
    assert _judge(_test('t', *GOOD, strict, seen)).outcome is PASS
    wrong = c.note(0.1, 'expect', {'effect': ['leader']})
    assert 'did you mean' in _judge(_test('t', *GOOD, wrong)).sentence
    given = expect.Expect(ignore=('faults',))
    read = c.of_parts(_test('t', *GOOD[:2], PLAN, QUIET))
    assert panel.judge(read, expected=given).outcome is PASS
    assert panel.judge(read).outcome is UNKNOWN


def test_checks_of_others_are_asked_for_each_test() -> None:
    def mine(read: journal.Journal) -> verdict.Verdict:
        return verdict.Verdict('mine', FAIL if len(read.entries) > 3 else PASS, 'too long')

    run = panel.judge(c.of_parts(_test('a'), _test('b', QUIET, start=200)), more={'mine': mine})
    assert [one.outcome for one in run.tests] == [PASS, FAIL]


def test_a_broken_run_is_the_infrastructures_unless_something_failed_too() -> None:
    broken = c.note(5, 'rule.done', {'task': 'deploy', 'phase': 'broken', 'message': 'x'})
    run = _judge(_test('t', broken))
    assert (run.outcome, run.tests[0].ending) == (UNKNOWN, 'infrastructure')
    run = _judge(_test('t', broken, LOAD, c.ops(1, 99), c.op(5, how='fail')))
    assert run.tests[0].ending == 'failed'


def test_an_empty_journal_is_unknown() -> None:
    assert (_judge().outcome, _judge().sentence) == (UNKNOWN, 'nothing ran')


def test_many_operations_are_read_and_judged() -> None:
    read = rehearsal.run(20_000)
    text = ''.join(journal.to_line(one, redact.Secrets()) for one in read.entries)
    found = panel.judge(journal.read(text, 'journal.jsonl'))
    assert (
        found.tests[1].outcome is not PASS
    )  # Their number squared would not be done by this test's limit.
