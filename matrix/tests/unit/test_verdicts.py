"""Each check's whole verdict: its name, its sentence, what shows it, what shrinking holds on to; and where it turns."""

from __future__ import annotations

from typing import Literal

import chronicle as c
import pytest

from matrix.grammar import fields, located, problem
from matrix.history import journal
from matrix.judge import expect, panel, recovery, safety, service, trial, verdict
from matrix.judge.verdict import Signature, Verdict

PASS, FAIL, UNKNOWN = verdict.Outcome.PASS, verdict.Outcome.FAIL, verdict.Outcome.UNKNOWN


def put(at: float, what: str = 'a', how: str | None = 'ok') -> c.Line:
    return c.op(at, 'put', how, answer=what)


def get(at: float, found: bool, what: str = 'a', how: str = 'ok') -> c.Line:
    return c.op(at, 'get', how, value=what, answer=found)


def acknowledged(*parts: c.Line) -> Verdict:
    return safety.acknowledged(c.trial_of(*parts), 'put', 'get')


# Acknowledged writes. What shows them is the number of the journal's entry where an operation begins.

SEVERAL = (
    (
        'one of one',
        (put(1), get(5, True)),
        Verdict('acknowledged put', PASS, 'all 1 acknowledged writes were read back'),
    ),
    (
        'no write',
        (get(5, True),),
        Verdict('acknowledged put', UNKNOWN, 'no put was acknowledged'),
    ),
    (
        'a write that nobody answered',
        (put(1, how=None), put(2, how='fail'), get(5, True)),
        Verdict('acknowledged put', UNKNOWN, 'no put was acknowledged'),
    ),
    (
        'never looked for',
        (put(1), put(2, 'b')),
        Verdict(
            'acknowledged put', UNKNOWN, '2 of 2 acknowledged writes were never read back', (1, 3)
        ),
    ),
    (
        'looked for while a fault struck only',
        (put(1), c.fault(), get(15, True)),
        Verdict(
            'acknowledged put', UNKNOWN, '1 of 1 acknowledged writes were never read back', (1,)
        ),
    ),
    (
        'one of two, and there was a fault',
        (put(1), put(2, 'b'), c.fault(), get(25, True)),
        Verdict(
            'acknowledged put', UNKNOWN, '1 of 2 acknowledged writes were never read back', (3,)
        ),
    ),
    (
        'one of two, and there was none',
        (put(1), put(2, 'b'), get(25, True)),
        Verdict(
            'acknowledged put',
            PASS,
            '1 of 2 acknowledged writes were read back, 1 was not looked for',
        ),
    ),
    (
        'one was written when reading back had begun',
        (put(1), c.fault(), c.note(24, 'phase', 'readback'), put(25, 'b'), get(30, True)),
        Verdict(
            'acknowledged put', PASS, '1 of 2 acknowledged writes were read back, 1 came later'
        ),
    ),
    (
        'one lost, first missed after the faults',
        (put(1), put(2, 'b'), c.fault(), get(25, False), get(26, True, 'b')),
        Verdict(
            'acknowledged put',
            FAIL,
            "1 of 2 acknowledged writes is lost, first 'a' (put at 1.0 s, missed at 25.0 s, "
            'while freeze struck api/0)',
            (8,),  # The read: what was there before any fault was not lost as it was written.
            Signature('acknowledged writes', 'put', 'lost'),
        ),
    ),
    (
        'two lost, first missed amid the faults',
        (put(1), put(2, 'b'), c.fault(), get(12, False), get(25, False), get(26, False, 'b')),
        Verdict(
            'acknowledged put',
            FAIL,
            "2 of 2 acknowledged writes are lost, first 'a' (put at 1.0 s, missed at 12.0 s, "
            'while freeze struck api/0)',
            (7, 12),
            Signature('acknowledged writes', 'put', 'lost'),
        ),
    ),
)


@pytest.mark.parametrize(
    ('parts', 'wanted'), [one[1:] for one in SEVERAL], ids=[one[0] for one in SEVERAL]
)
def test_acknowledged_writes(parts: tuple[c.Line, ...], wanted: Verdict) -> None:
    assert acknowledged(*parts) == wanted


def test_a_write_is_looked_for_from_the_moment_it_is_acknowledged_and_all_is_healed() -> None:
    at_once = (put(1), get(1.1, True))
    assert acknowledged(*at_once).outcome is PASS
    assert acknowledged(put(1), get(1.05, True)).outcome is UNKNOWN
    healed = (put(1), c.fault(10, 11, 20))
    assert acknowledged(*healed, get(20, True)).outcome is PASS
    assert acknowledged(*healed, get(19.9, True)).outcome is UNKNOWN
    assert acknowledged(*healed, get(20, False)).outcome is FAIL


def test_a_write_is_missed_by_what_began_after_it_was_acknowledged_and_no_sooner() -> None:
    assert 'missed at 1.1 s' in acknowledged(put(1), get(1.1, False)).sentence
    assert 'missed at 25.0 s' in acknowledged(put(1), get(1.05, False), get(25, False)).sentence


def test_a_loss_is_shown_by_the_read_that_missed_it_while_not_all_was_healed() -> None:
    at_once = acknowledged(put(1), c.fault(10, 11, 20), get(20, False), get(30, False))
    assert at_once.evidence == (6,)
    later = acknowledged(put(12), c.fault(10, 11, 20), get(20.1, False), get(30, False))
    assert later.evidence == (3,)


def test_the_last_look_decides() -> None:
    assert acknowledged(put(1), get(5, False), get(6, True)).outcome is PASS
    assert acknowledged(put(1), get(5, True), get(6, False)).outcome is FAIL


def test_a_write_that_was_answered_as_reading_back_began_must_be_read() -> None:
    def of(at: float) -> verdict.Outcome:
        begun = c.note(25, 'phase', 'readback')
        return acknowledged(put(1), put(at, 'b'), c.fault(), begun, get(30, True)).outcome

    assert (of(24.9), of(24.95)) == (UNKNOWN, PASS)


# Reads.


@pytest.mark.parametrize(
    ('parts', 'wanted'),
    [
        (
            (put(1), get(2, True), get(3, True)),
            Verdict('reads of put', PASS, '2 reads found what was written before'),
        ),
        (
            (put(1), get(1.05, False)),
            Verdict('reads of put', UNKNOWN, 'nothing was read after it was written'),
        ),
        (
            (put(1), get(1.1, False)),
            Verdict(
                'reads of put',
                FAIL,
                "get missed what was acknowledged once, first 'a' at 1.1 s",
                (3,),
                Signature('reads', 'get', 'stale'),
            ),
        ),
        (
            (put(1), c.fault(), get(12, False), get(13, True), get(14, False)),
            Verdict(
                'reads of put',
                FAIL,
                "get missed what was acknowledged 2 times, first 'a' at 12.0 s, while freeze struck api/0",
                (5, 9),
                Signature('reads', 'get', 'stale'),
            ),
        ),
    ],
)
def test_reads(parts: tuple[c.Line, ...], wanted: Verdict) -> None:
    assert safety.reads(c.trial_of(*parts), 'put', 'get') == wanted


def test_reads_may_be_late_where_that_is_allowed() -> None:
    lazy = c.trial_of(put(1), get(2, False), get(3, True), expected=expect.Expect(stale=True))
    assert safety.reads(lazy, 'put', 'get').sentence == (
        '2 reads found what was written before, 1 of them late, as this bundle may'
    )


# Tokens.


def issue(at: float, name: str = 't') -> c.Line:
    return c.op(at, 'token.issue', answer=name)


def validate(at: float, valid: bool, endpoint: str = '', name: str = 't') -> c.Line:
    return c.op(at, 'token.validate', value=name, answer=valid, endpoint=endpoint)


def revoke(at: float, how: str = 'ok') -> c.Line:
    return c.op(at, 'token.revoke', how, value='t')


@pytest.mark.parametrize(
    ('parts', 'wanted'),
    [
        (
            (issue(1),),
            Verdict('tokens', UNKNOWN, 'no token was shown after it was issued'),
        ),
        (
            (issue(1), validate(2, True)),
            Verdict('tokens', PASS, 'tokens were valid once'),
        ),
        (
            (issue(1), validate(2, True, 'a'), validate(3, True, 'a')),
            Verdict('tokens', PASS, 'tokens were valid 2 times at 1 endpoint'),
        ),
        (
            (issue(1), validate(2, True, 'a'), validate(3, True, 'b')),
            Verdict('tokens', PASS, 'tokens were valid 2 times at 2 endpoints'),
        ),
        (
            (issue(1), validate(2, False)),
            Verdict(
                'tokens',
                FAIL,
                'a valid token was refused once in 2.0 to 2.0 s',
                (3,),
                Signature('tokens', 'token.validate', 'refused'),
            ),
        ),
        (
            (
                issue(1),
                c.fault(),
                validate(12, False, 'b'),
                validate(13, True, 'c'),
                validate(14, False, 'a'),
            ),
            Verdict(
                'tokens',
                FAIL,
                'a valid token was refused 2 times in 12.0 to 14.0 s at a, b, while freeze struck api/0',
                (5, 9),
                Signature('tokens', 'token.validate', 'refused'),
            ),
        ),
    ],
)
def test_tokens(parts: tuple[c.Line, ...], wanted: Verdict) -> None:
    assert safety.tokens(c.trial_of(*parts)) == wanted


def test_a_token_counts_from_its_issue_until_its_revocation_is_asked_for() -> None:
    def outcome(*parts: c.Line) -> verdict.Outcome:
        return safety.tokens(c.trial_of(*parts)).outcome

    assert outcome(issue(1), validate(1.05, False)) is UNKNOWN
    assert outcome(issue(1), validate(1.1, False)) is FAIL
    assert (
        outcome(issue(1), validate(4.9, False), revoke(5)) is UNKNOWN
    )  # It ended as the other began.
    assert outcome(issue(1), validate(4.8, False), revoke(5)) is FAIL
    assert outcome(issue(1), validate(6, False), revoke(5, 'info')) is UNKNOWN
    assert outcome(issue(1), validate(6, False), revoke(5, 'fail')) is FAIL
    assert outcome(issue(1), validate(6, False), revoke(5), revoke(7)) is UNKNOWN
    assert outcome(validate(2, False, name='issued before the load began')) is FAIL


# Who holds a VIP.


def held(
    at: float, *units: str, seen_at: float | None = None, unseen: tuple[str, ...] = ()
) -> c.Line:
    said: dict[str, located.Plain] = {'address': 'V', 'units': [*units], 'unseen': [*unseen]}
    return c.note(at, 'owners', said if seen_at is None else {**said, 'at': seen_at})


def owners(*parts: c.Line, expected: expect.Expect | None = None) -> Verdict:
    return safety.owners(c.trial_of(*parts, expected=expected))


def test_of_several_samples_of_one_instant_the_last_counts() -> None:
    both = [
        held(1, 'lb/0'),
        held(2, 'lb/0', 'lb/1', seen_at=2),
        held(9, 'lb/0', 'lb/1', seen_at=9),
    ]
    assert owners(*both).outcome is FAIL
    corrected = [*both, held(9.5, 'lb/0', seen_at=2), held(9.6, 'lb/0', seen_at=9)]
    assert owners(*corrected) == Verdict('owners', PASS, 'V had one owner (0 takeovers)')
    # One that is told later of an earlier time takes the place of all that came after it.
    assert owners(*both, held(10, 'lb/1', seen_at=1.5)).sentence == 'V had one owner (1 takeover)'


def test_two_owners_are_a_takeover_for_as_long_as_one_is_allowed_to_take() -> None:
    def outcome(seconds: float) -> verdict.Outcome:
        over = held(2 + seconds, 'lb/1')
        return owners(held(1, 'lb/0'), held(2, 'lb/0', 'lb/1'), over).outcome

    assert (outcome(3), outcome(3.1)) == (PASS, FAIL)


def test_two_owners_that_were_never_seen_to_part_held_it_as_long_as_they_were_seen() -> None:
    assert owners(held(1, 'lb/0', 'lb/1'), held(4, 'lb/0', 'lb/1')).outcome is PASS
    assert owners(held(1, 'lb/0', 'lb/1'), held(4.5, 'lb/0', 'lb/1')) == Verdict(
        'owners',
        FAIL,
        'V had two owners, lb/0 and lb/1, for 3.5 s from 1.0 s',
        (1, 2),
        Signature('owners', error='two'),
    )


def test_a_fault_on_an_application_is_one_on_its_units() -> None:
    both = [held(at, 'lb/0', 'lb/1') for at in range(5, 16)]
    end = held(16, 'lb/0')
    assert owners(*both, end, c.fault(4, 5, 14, targets=('lb',))).outcome is PASS
    assert owners(*both, end, c.fault(4, 5, 14, targets=('other/0',))).outcome is FAIL


@pytest.mark.parametrize(
    ('start', 'healed', 'excused'),
    [
        (10, None, True),  # It strikes to the end.
        (15, None, True),  # It began as the other ended.
        (15.1, None, False),
        (1, 3, False),  # It was healed, and then there was time for a takeover.
        (1, 7, True),
    ],
)
def test_a_fault_of_that_time_excuses_two_owners(
    start: float, healed: float | None, excused: bool
) -> None:
    both = [held(at, 'lb/0', 'lb/1') for at in (10, 15)]
    landed = start if healed is None else min(start + 1, healed)
    expected = expect.Expect(owners=8 if healed == 7 else 3)
    found = owners(*both, c.fault(start, landed, healed, targets=('lb/0',)), expected=expected)
    assert (found.outcome is PASS) is excused


def test_a_fault_is_named_that_was_healed_less_than_a_takeover_before() -> None:
    both = [held(at, 'lb/0', 'lb/1') for at in (10, 15)]

    def named(healed: float) -> bool:
        return 'struck' in owners(*both, c.fault(5, 6, healed, targets=('lb/0',))).sentence

    assert (named(7), named(6.9)) == (True, False)


def test_nobody_in_the_end_is_told_where_all_could_be_asked() -> None:
    assert owners(held(1, 'lb/0'), held(5)) == Verdict(
        'owners', FAIL, 'nobody held V in the end', (2,), Signature('owners', error='none')
    )
    assert owners(held(1, 'lb/0'), held(5, unseen=('lb/1',))).outcome is PASS
    assert owners(held(1), held(5)) == Verdict('owners', UNKNOWN, 'nobody was ever seen to hold V')
    assert owners() == Verdict('owners', UNKNOWN, 'nobody looked who holds a VIP')


# Errors, at the limit of what is allowed.


def test_as_many_errors_as_the_budget_allows_are_allowed() -> None:
    some = [c.op(at, how='fail' if at < 3 else 'ok') for at in range(1, 9)]  # 2 of 8

    def outcome(period: str, share: float) -> verdict.Outcome:
        budget = expect.Budget(errors=share)
        parts: dict[str, list[c.Line]] = {
            'before': some,
            'during': [*some, c.fault(0.5, 0.6, 20)],
            'after': [*some, c.fault(0.1, 0.2, 0.5)],
        }
        before, during, after = (
            budget if one == period else expect.Budget() for one in ('before', 'during', 'after')
        )
        held_to = expect.Expect(before=before, during=during, after=after, recovery=0)
        return service.errors(c.trial_of(*parts[period], expected=held_to)).outcome

    for period in ('before', 'during', 'after'):
        assert outcome(period, 0.25) is PASS, period
        assert outcome(period, 0.24) is FAIL, period
    assert outcome('before', 0.0) is FAIL


def test_a_fault_explains_as_many_seconds_as_are_allowed() -> None:
    two = c.units(api=2)
    bad = [c.op(at, how='fail') for at in (10.2, 10.7, 11.2)]  # in two different seconds

    def outcome(seconds: float) -> verdict.Outcome:
        held_to = expect.Expect(unavailable=seconds)
        return service.errors(c.trial_of(two, *bad, c.fault(), expected=held_to)).outcome

    assert (outcome(2), outcome(1)) == (PASS, FAIL)


# The way back.


def test_a_unit_that_is_left_in_error_or_a_hook_that_failed_is_told_with_all_that_it_said() -> (
    None
):
    def status(at: float, of: str, workload: str, agent: str = 'idle', said: str = '') -> c.Line:
        return [(at, journal.Status(of, workload, said, agent))]

    def hook(at: float, code: int) -> c.Line:
        return [(at, journal.Hook('a/0', 'start', 'ended', code))]

    def quiet(*parts: c.Line) -> Verdict:
        return recovery.quiet(c.trial_of(*parts))

    fine = status(9, 'a/0', 'active')
    assert quiet(status(1, 'a/0', 'active'), status(2, 'a/0', 'error', said='hook failed')) == (
        Verdict(
            'quiet',
            FAIL,
            'a/0 was left so: error (hook failed)',
            (2,),
            Signature('quiet', 'a', 'left'),
        )
    )
    assert quiet(status(1, 'a/0', 'active', 'lost')).sentence == 'a/0 was left so: agent lost'
    assert quiet(status(1, 'a/0', 'error'), fine) == Verdict(
        'quiet',
        FAIL,
        'a/0: error at 1.0 s, when no fault struck',
        (1,),
        Signature('quiet', 'a', 'error'),
    )
    assert quiet(status(1, 'a/0', 'active'), hook(2, 1), hook(3, 2)) == Verdict(
        'quiet',
        FAIL,
        'a/0: hook start failed with 1 at 2.0 s, when no fault struck (and 1 more)',
        (2,),
        Signature('quiet', 'a', 'hook'),
    )
    assert quiet(status(1, 'a/0', 'error'), fine, c.fault(0.5, 0.6, 2)) == Verdict(
        'quiet', PASS, 'no unit was in error while no fault struck'
    )
    assert quiet(hook(2, 0)) == Verdict('quiet', UNKNOWN, 'the status of no unit was ever seen')


Application = dict[str, located.Plain]


def fingerprint(before: Application, after: Application) -> Verdict:
    def note(at: float, moment: str, applications: Application) -> c.Line:
        return c.note(at, 'fingerprint', {'moment': moment, 'applications': {**applications}})

    return recovery.fingerprint(c.trial_of(note(1, 'before', before), note(50, 'after', after)))


def unit(workload: str = 'active', message: str = '', ports: str = '') -> located.Plain:
    return {'workload': workload, 'message': message, 'ports': ports}


def test_what_did_not_come_back_is_told_by_name_with_what_it_was_and_is() -> None:
    before: dict[str, located.Plain] = {
        'a': {'units': {'a/0': unit(), 'a/1': unit()}, 'exposed': False},
        'b': {'units': {'b/0': unit(ports='80/tcp')}},
        'c': {'units': {'c/0': unit()}},
    }
    assert fingerprint(before, before) == Verdict(
        'fingerprint', PASS, '3 applications are as they were'
    )
    replaced: dict[str, located.Plain] = {
        **before,
        'a': {'units': {'a/1': unit(), 'a/2': unit()}, 'exposed': False},
    }
    assert fingerprint(before, replaced).outcome is PASS
    blocked: dict[str, located.Plain] = {
        **before,
        'a': {'units': {'a/0': unit('blocked', 'no db'), 'a/1': unit()}, 'exposed': False},
    }
    assert fingerprint(before, blocked) == Verdict(
        'fingerprint',
        FAIL,
        'a did not come back: units active → blocked, no db',
        (2,),
        Signature('fingerprint', 'a'),
    )
    two: dict[str, located.Plain] = {**blocked, 'b': {'units': {'b/0': unit()}}}
    assert fingerprint(before, two) == Verdict(
        'fingerprint',
        FAIL,
        'a did not come back: units active → blocked, no db (and 1 more)',
        (2,),
        Signature('fingerprint', 'a'),
        (Signature('fingerprint', 'b'),),
    )
    closed: dict[str, located.Plain] = {**before, 'b': {'units': {'b/0': unit()}}}
    assert fingerprint(before, closed).sentence == (
        'b did not come back: units active, 80/tcp → active'
    )
    fewer: dict[str, located.Plain] = {**before, 'a': {'units': {'a/0': unit()}, 'exposed': True}}
    assert fingerprint(before, fewer).sentence == (
        'a did not come back: exposed False → True; units active → (nothing)'
    )
    gone = {name: one for name, one in before.items() if name != 'c'}
    assert fingerprint(before, gone).sentence == 'c did not come back: it is gone'
    assert fingerprint(gone, before).sentence == 'c did not come back: it was not there before'


# What is expected, and what a trial is made of.


def test_each_thing_that_is_expected_is_read_from_its_own_key() -> None:
    said: dict[str, located.Plain] = {
        'before': {'errors': 0.1, 'p99': 1},
        'during': {'errors': 0.2, 'p99': 2},
        'after': {'errors': 0.3, 'p99': 3},
        'ha': True,
        'ran': 0.5,
        'unavailable': 4,
        'recovery': 5,
        'owners': 6,
        'owners-under-fault': 7,
        'stale': True,
        'effects': ['x'],
        'changes': ['y'],
        'ignore': ['z'],
    }
    whole = expect.Expect(
        before=expect.Budget(0.1, 1),
        during=expect.Budget(0.2, 2),
        after=expect.Budget(0.3, 3),
        ha=True,
        ran=0.5,
        unavailable=4,
        recovery=5,
        owners=6,
        owners_under_fault=7,
        stale=True,
        effects=('x',),
        changes=('y',),
        ignore=('z',),
    )
    assert expect.of_note(said) == whole
    for key, value in said.items():
        name = key.replace('-', '_')
        assert expect.of_note({key: value}) == expect.Expect(**{name: getattr(whole, name)})
    for key in said:
        rest = {name: value for name, value in said.items() if name != key}
        value = fields.at(rest, problem.Where('t', 1))
        assert expect.read(value, otherwise=whole) == whole


def test_a_fault_of_which_nobody_said_whom_it_struck_struck_the_model() -> None:
    of = c.trial_of(c.fault(targets=()))
    assert [one.targets for one in of.strikes] == [()]
    assert of.strikes[0].sentence == 'freeze struck the model'


def test_a_fault_explains_until_it_is_healed_and_the_bundle_had_time() -> None:
    one = c.trial_of(c.fault(10, 11, 20), expected=expect.Expect(recovery=5)).strikes[0]
    touched = [(9, 10), (25, 26), (0, 100), (12, 13)]
    assert all(one.overlaps(*span) for span in touched)
    assert not any(one.overlaps(*span) for span in [(8, 9.9), (25.1, 26)])
    forever = c.trial_of(c.fault(10, 11, None)).strikes[0]
    assert forever.overlaps(1e9, 1e9)
    assert trial.ended(c.trial_of(c.op(1, how=None)).done[0]) == float('inf')


@pytest.mark.parametrize(
    ('said', 'problem_'),
    [
        ({'before': {'errors': 1.1}}, "'errors' is"),
        ({'before': {'errors': -0.5}}, "'errors' is"),
        ({'ran': 1.5}, "'ran' is"),
        ({'unavailable': -1}, "'unavailable' is"),
        ({'ha': 'perhaps'}, "'ha' is"),
        ({'stale': 3}, "'stale' is"),
        ({'effects': [{'a': 'b'}]}, "'effects' is a list of words"),
        ({'after': {'error': 0.1}}, "unknown key 'error' in 'after'"),
        ({'befor': {}}, "unknown key 'befor' in 'expect'"),
        ({'during': 0.1}, "'during'"),
    ],
)
def test_what_cannot_be_expected_is_refused_with_its_place(
    said: dict[str, located.Plain], problem_: str
) -> None:
    with pytest.raises(problem.RefusedError) as refused:
        expect.of_note(said)
    assert problem_ in str(refused.value)
    assert str(refused.value).startswith('journal:0: ')


def test_the_whole_of_a_budget_may_be_lost_and_the_whole_of_a_plan_asked_for() -> None:
    assert expect.of_note({'before': {'errors': 1.0}, 'ran': 1.0}) == expect.Expect(
        before=expect.Budget(errors=1.0), ran=1.0
    )
    assert expect.of_note({'before': {'errors': 0, 'p99': 0}}) == expect.Expect(
        before=expect.Budget(errors=0, p99=0)
    )


def effects(*seen: str, wanted: tuple[str, ...] = ()) -> Verdict:
    parts: c.Line = [(at, journal.Effect(name)) for at, name in enumerate(seen)]
    return recovery.effects(c.trial_of(parts, expected=expect.Expect(effects=wanted)))


def test_what_had_to_be_seen_is_named() -> None:
    assert effects('b', 'a', 'x', wanted=('a', 'b')) == Verdict('effects', PASS, 'seen: a, b')
    assert effects('x', wanted=('b', 'a')) == Verdict('effects', UNKNOWN, 'never seen: a, b')
    assert effects('x') == Verdict('effects', UNKNOWN, 'no effect was expected')


def test_a_model_that_was_not_looked_at_twice_is_unknown() -> None:
    once = c.note(1, 'fingerprint', {'moment': 'before', 'applications': {}})
    unseen = Verdict('fingerprint', UNKNOWN, 'the model was not looked at before and after')
    assert recovery.fingerprint(c.trial_of(once)) == unseen
    assert recovery.fingerprint(c.trial_of()) == unseen
    assert fingerprint({'a': None}, {'a': None}).outcome is PASS
    assert fingerprint({'a': {'units': ['x']}}, {'a': {'units': 'x'}}).sentence == (
        "a did not come back: units ['x'] → x"
    )
    assert fingerprint({'a': {'units': ['x']}}, {'a': {'units': []}}).sentence == (
        'a did not come back: units x → (nothing)'
    )
    allowed = expect.Expect(changes=('a',))
    changed = [
        c.note(at, 'fingerprint', {'moment': moment, 'applications': {'a': {'n': at}}})
        for at, moment in ((1, 'before'), (2, 'after'))
    ]
    assert recovery.fingerprint(c.trial_of(*changed, expected=allowed)).outcome is PASS


def done(
    at: float, phase: str, *, task: str = 'matrix.tasks.chaos', said: str = 'm', **more: bool
) -> c.Line:
    return c.note(at, 'rule.done', {'task': task, 'phase': phase, 'message': said, **more})


COMPLETE = c.note(90, 'test.complete', 't')


@pytest.mark.parametrize(
    ('parts', 'wanted'),
    [
        (
            (done(1, 'complete'), COMPLETE),
            Verdict('rules', PASS, '1 rule done'),
        ),
        (
            (done(1, 'complete'), done(2, 'complete'), COMPLETE),
            Verdict('rules', PASS, '2 rules done'),
        ),
        (
            (done(1, 'complete'),),
            Verdict('rules', UNKNOWN, 'the test did not come to its end'),
        ),
        (
            (done(1, 'failed', gates=False), done(2, 'stuck', gates=False), COMPLETE),
            Verdict('rules', PASS, '2 rules done; chaos failed: m (which does not count)'),
        ),
        (
            (done(1, 'complete'), done(2, 'failed', task='mine'), COMPLETE),
            Verdict('rules', FAIL, 'mine failed: m', (2,), Signature('rules', 'mine', 'failed')),
        ),
        (
            (done(1, 'stuck'), COMPLETE),
            Verdict(
                'rules',
                FAIL,
                'chaos could never start: m',
                (1,),
                Signature('rules', 'matrix.tasks.chaos', 'stuck'),
            ),
        ),
        (
            (done(1, 'broken'), done(2, 'failed'), COMPLETE),
            Verdict(
                'rules',
                UNKNOWN,
                'chaos could not be carried out: m',
                (1,),
                Signature('rules', 'matrix.tasks.chaos', 'broken'),
            ),
        ),
        (
            (done(1, 'failed'), c.note(80, 'test.overdue', 'x waits'), COMPLETE),
            Verdict(
                'rules',
                FAIL,
                'not over in time: x waits',
                (),
                Signature('rules', '', 'overdue'),
            ),
        ),
    ],
)
def test_rules(parts: tuple[c.Line, ...], wanted: Verdict) -> None:
    assert recovery.rules(c.trial_of(*parts)) == wanted


def plan(*ids: str) -> c.Line:
    return c.note(1, 'plan', {'events': [{'id': name} for name in ids]})


def refused(event: str) -> c.Line:
    return c.note(2, 'refused', {'event': event, 'fault': 'loss', 'reason': 'no nft'})


@pytest.mark.parametrize(
    ('parts', 'outcome', 'sentence'),
    [
        ((plan('e1'), c.fault()), PASS, 'freeze: each was seen to land and to heal'),
        (
            (c.fault(), c.fault(30, 31, 40, id='e2'), c.fault(50, 51, 60, id='e3', kind='loss')),
            PASS,
            '2 freeze, loss: each was seen to land and to heal',
        ),
        ((plan('e1'),), UNKNOWN, 'e1 was never armed'),
        (
            (plan('e1'), refused('e1')),
            UNKNOWN,
            'e1 (loss) was not carried out: no nft',
        ),
        (
            (plan('e1'), c.fault(landed=None)),
            UNKNOWN,
            'e1 (freeze struck api/0) was not seen to land',
        ),
        (
            (plan('e1'), c.fault(landed=None), refused('e1')),
            UNKNOWN,
            'e1 (freeze struck api/0) was not seen to land: no nft',
        ),
        (
            (plan('e1'), c.fault(healed=None)),
            UNKNOWN,
            'e1 (freeze struck api/0) was not seen to heal',
        ),
        (
            (plan('e1', 'e2', 'e3'),),
            UNKNOWN,
            'e1 was never armed; e2 was never armed (and 1 more)',
        ),
        ((plan('e1', 'e2'),), UNKNOWN, 'e1 was never armed; e2 was never armed'),
        ((), UNKNOWN, 'the plan has no fault: nothing was broken'),
    ],
)
def test_faults(parts: tuple[c.Line, ...], outcome: verdict.Outcome, sentence: str) -> None:
    found = recovery.faults(c.trial_of(*parts))
    assert found == Verdict('faults', outcome, sentence)


# Of a whole test, and of a whole run.


@pytest.mark.parametrize(
    ('endings', 'unknown_is', 'code'),
    [
        ([], 'fail', 0),
        (['passed'], 'fail', 0),
        (['passed', 'unknown'], 'fail', 101),
        (['passed', 'unknown'], 'pass', 0),
        (['unknown', 'infrastructure'], 'pass', 1),
        (['infrastructure', 'no-model'], 'fail', 200),
        (['no-model', 'failed'], 'fail', 101),
        (['failed', 'passed'], 'pass', 101),
    ],
)
def test_the_worst_ending_decides_the_exit_code(
    endings: list[verdict.Ending], unknown_is: Literal['pass', 'fail'], code: int
) -> None:
    assert verdict.exit_code(endings, unknown_is=unknown_is) == code
    if unknown_is == 'fail':
        assert verdict.exit_code(endings) == code


def test_what_decides_a_test_is_told_and_how_it_went_else() -> None:
    whole = (c.note(0, 'test.start', 't'), done(80, 'complete'), COMPLETE)
    many = [c.op(at) for at in (1, 2, 3, 4, 5, 6)]

    def judged(*parts: c.Line) -> panel.Judged:
        return panel.judge(c.of_parts(*whole, *parts)).tests[0]

    active: c.Line = [(70, journal.Status('a/0', 'active'))]
    assert judged().sentence == 'every rule did what it should'
    assert judged(*many).sentence == 'all 6 operations worked'
    api: dict[str, located.Plain] = {'api': {'units': ['active', 'active']}}
    after = c.note(85, 'fingerprint', {'moment': 'after', 'applications': api})
    fine = (c.units(api=2), plan('e1'), c.fault(), active, after)
    assert judged(*fine).sentence == '1 fault landed and healed'
    two = (c.fault(30, 31, 40, id='e2'), *many, c.op(12, how='fail'))
    assert judged(*fine, *two).sentence == (
        '2 faults landed and healed; 6 of 7 operations worked; the faults explain the rest'
    )
    assert judged(c.op(2, how='fail')).signature == Signature('errors', 'get', 'failed')
    assert judged(c.op(2, how='fail')).ending == 'failed'
    assert judged().ending == 'passed'
    assert judged().signature is None
    assert judged(done(70, 'broken')).ending == 'infrastructure'
    assert panel.judge(journal.Journal(())).sentence == 'nothing ran'


def test_a_write_must_be_read_back_where_there_was_time_for_it() -> None:
    load_ = c.note(0.5, 'load', {'kinds': ['put'], 'rate': 0, 'writes': [['put', 'get']]})
    begun = c.note(25, 'phase', 'readback')

    def checked(at: float) -> set[str]:
        found = panel.judge(c.of_parts(load_, put(at), begun)).tests[0].verdicts
        return {one.check for one in found}

    assert 'acknowledged put' in checked(25)
    assert 'acknowledged put' not in checked(25.1)


def test_each_check_is_left_out_by_its_own_name() -> None:
    read = c.of_parts(
        c.note(0.5, 'load', {'kinds': ['put'], 'rate': 0, 'writes': [['put', 'get']]}),
        *(put(at) for at in (1, 2, 3, 4, 5, 6)),
        issue(7),
        validate(8, True),
        get(60, True),
        c.note(9, 'owners', {'address': 'V', 'units': ['lb/0']}),
        c.units(api=2),
        c.fault(),
        COMPLETE,
    )
    names = [
        'rules', 'load', 'errors', 'latency', 'acknowledged put', 'reads of put', 'tokens', 'owners',
        'faults', 'fingerprint', 'quiet', 'effects',
    ]  # fmt: skip
    effect = expect.Expect(effects=('x',))
    assert [one.check for one in panel.judge(read, expected=effect).tests[0].verdicts] == names
    for name in names:
        without = expect.Expect(effects=('x',), ignore=(name,))
        found = [one.check for one in panel.judge(read, expected=without).tests[0].verdicts]
        assert found == [one for one in names if one != name]


def test_tokens_are_judged_where_they_are_issued_and_shown_and_nothing_else_is_done() -> None:
    def checks_of(*parts: c.Line) -> set[str]:
        return {one.check for one in panel.judge(c.of_parts(*parts)).tests[0].verdicts}

    assert 'tokens' in checks_of(issue(1), validate(2, True))
    assert 'tokens' not in checks_of(issue(1))
    assert panel.judge(c.of_parts(COMPLETE, issue(1))).tests[0].ending == 'unknown'
