"""A unit that took another's place is as good as it; what the others say of it must be as it was, too."""

from __future__ import annotations

import dataclasses
from typing import Any

from faultstage import MODEL, FakeLink, run

from matrix.faults import inject, units
from matrix.history import journal, notes
from matrix.judge import recovery, trial, verdict
from matrix.plans import plan, snapshot


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


def test_a_hook_that_fails_on_what_is_removed_ends_the_wait() -> None:
    stuck = dataclasses.replace(
        MODEL.applications[0].units[1], agent_status='error', message='hook failed: "stop"'
    )
    model = snapshot.Model(
        (
            dataclasses.replace(
                MODEL.applications[0], units=(MODEL.applications[0].units[0], stuck)
            ),
        ),
        MODEL.machines,
    )
    written: list[journal.What] = []
    event = plan.FaultEvent('e1', 'remove-unit', 0, 0, (), ('db/1',))
    at = FakeLink(state=model)
    driven = run(inject.drive(units.REMOVE, event, at, written.append, pause=0.01))
    assert driven.outcome == 'unproven'
    assert 'db/1 is being removed and is in error: hook failed: "stop"' in driven.sentence
    assert at.asked == ['remove db/1', 'add db 1']
