"""A unit that took another's place is as good as it; what the others say of it must be as it was, too."""

from __future__ import annotations

from typing import Any

from matrix.history import journal, notes
from matrix.judge import recovery, trial, verdict


def _unit(machine: str, message: str = 'ready') -> dict[str, Any]:
    said = {'machine': machine, 'workload': 'active', 'message': message, 'agent': 'idle'}
    return {**said, 'ports': ''}


def _outcome(before: dict[str, Any], after: dict[str, Any]) -> verdict.Verdict:
    what = [
        journal.Note(notes.TEST_START, 't'),
        *(
            journal.Note(
                notes.FINGERPRINT, {'moment': moment, 'applications': {'a': {'units': units}}}
            )
            for moment, units in (('before', before), ('after', after))
        ),
    ]
    entries = tuple(journal.Entry(n, float(n), '', one) for n, one in enumerate(what, 1))
    return recovery.fingerprint(trial.of('t', journal.Journal(entries)))


def test_another_unit_in_its_place_is_as_good() -> None:
    before = {'a/0': _unit('0'), 'a/1': _unit('1')}
    assert _outcome(before, {'a/0': _unit('0'), 'a/2': _unit('2')}).outcome is verdict.Outcome.PASS


def test_a_unit_less_or_one_that_says_something_else_is_not() -> None:
    before = {'a/0': _unit('0'), 'a/1': _unit('1')}
    assert _outcome(before, {'a/0': _unit('0')}).outcome is verdict.Outcome.FAIL
    other = {'a/0': _unit('0', '3 backends'), 'a/2': _unit('2')}
    found = _outcome(before, other)
    assert found.outcome is verdict.Outcome.FAIL
    assert '3 backends' in found.sentence
