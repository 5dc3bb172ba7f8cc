"""A model that an earlier fault has broken for good says nothing of the plan that is replayed in it."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib

import pytest

from matrix.grammar import located
from matrix.history import journal, notes
from matrix.judge import panel, verdict
from matrix.juju import link
from matrix.plans import plan
from matrix.run import rundir, shrinking

SIGNATURE = verdict.Signature('errors', 'get', 'timeout')
FAILED = panel.Judged(
    't',
    (verdict.Verdict('errors', verdict.Outcome.FAIL, 'get failed', signature=SIGNATURE),),
    ending='failed',
)
EVENT = plan.FaultEvent('e1', 'kill', 1.0, 5.0, (), ('a/0',))
ONE, NONE = plan.Plan(1, (EVENT,)), plan.Plan(1, ())
REFUSED = panel.Judged(
    't',
    (verdict.Verdict('rules', verdict.Outcome.FAIL, 'no load: http 503'),),
    ending='failed',
)
SILENT = panel.Judged('t', ending='infrastructure')


def _entries(*edges: tuple[float, str, str, object]) -> tuple[journal.Entry, ...]:
    """Operations `(at, id, phase, value)`, and a fault from second 10 to second 12."""
    written: list[tuple[float, journal.What]] = [(0.0, journal.Note(notes.TEST_START, 't'))]
    for at, name, phase, value in edges:
        written.append((at, journal.Operation(name, 'get', phase, value=value)))  # type: ignore[arg-type]
    for at, phase in ((10.0, 'armed'), (10.5, 'landed'), (12.0, 'healed')):
        written.append((at, journal.Fault('e1', 'kill', phase, ('a/0',))))  # type: ignore[arg-type]
    written.sort(key=lambda one: one[0])
    return tuple(journal.Entry(n, at, '', what) for n, (at, what) in enumerate(written, 1))


@pytest.mark.parametrize(
    ('edges', 'broken'),
    [
        ([(1, 'o1', 'invoke', None), (2, 'o1', 'ok', True)], False),
        ([(1, 'o1', 'invoke', None), (2, 'o1', 'fail', None)], True),
        ([(1, 'o1', 'invoke', None), (2, 'o1', 'info', None)], True),
        ([(1, 'o1', 'invoke', None), (2, 'o1', 'ok', False)], True),
        ([(11, 'o1', 'invoke', None), (11.5, 'o1', 'fail', None)], False),
    ],
)
def test_what_fails_before_the_first_fault_no_fault_of_this_replay_broke(
    edges: list[tuple[float, str, str, object]], broken: bool
) -> None:
    assert shrinking.broken_before(FAILED, _entries(*edges)) is broken


def test_a_transfer_that_was_refused_before_the_first_fault_broke_nothing() -> None:
    models: located.Plain = {'b': {'is': 'bank', 'transfer': 'get', 'read': 'other'}}
    said = journal.Entry(0, 0.5, '', journal.Note(notes.LOAD, {'models': models}))
    start, *rest = _entries((1, 'o1', 'invoke', None), (2, 'o1', 'ok', False))
    assert not shrinking.broken_before(FAILED, (start, said, *rest))


@pytest.mark.parametrize('how', [FAILED, REFUSED, SILENT])
def test_a_replay_that_fails_with_no_fault_begun_was_broken_before(how: panel.Judged) -> None:
    """By its plan, or since its clients waited in vain for the first operation that works."""
    said = (journal.Entry(1, 0.0, '', journal.Note(notes.TEST_START, 't')),)
    assert shrinking.broken_before(how, said)
    assert not shrinking.broken_before(panel.Judged('t', ending='passed'), said)


class _Models(shrinking._Replaying):  # pyright: ignore[reportPrivateUsage]
    """Replays that come to what the name of their model says; a model that is gone makes place for another."""

    async def once(
        self, candidate: plan.Plan, folder: pathlib.Path
    ) -> tuple[panel.Judged, tuple[journal.Entry, ...]]:
        if self.replay_model.name == 'gone':
            try:
                await self.replay_model.move()
            except link.LinkError:
                return SILENT, ()
        (folder / rundir.JOURNAL).write_text(self.replay_model.name)
        self.replay_model.deployed = True
        begun = (journal.Entry(1, 0.0, '', journal.Note(notes.TEST_START, 't')),)
        judged = panel.Judged('t', ending='passed') if self.replay_model.name == 'new' else FAILED
        return judged, begun


@dataclasses.dataclass
class _Another:
    """Makes models of some names; without any left, none."""

    names: list[str]

    async def __call__(self, old: str) -> str:
        if not self.names:
            raise link.LinkError('the machine is full')
        return self.names.pop(0)


def _replay(
    what: plan.Plan, folder: pathlib.Path, another: _Another | None, model: str = 'used'
) -> panel.Judged:
    place = shrinking.ReplayModel(model, another)
    test = type('Test', (), {'name': 't'})()
    return asyncio.run(_Models(None, test, place, {}).run(what, folder))  # type: ignore[arg-type]


@pytest.mark.parametrize('what', [NONE, ONE], ids=['no fault', 'a fault that had not begun'])
def test_it_is_done_again_in_a_new_model_and_only_that_one_counts(
    what: plan.Plan, tmp_path: pathlib.Path
) -> None:
    assert _replay(what, tmp_path, _Another(['new'])).ending == 'passed'
    assert (tmp_path / rundir.JOURNAL).read_text() == 'new'


@pytest.mark.parametrize('another', [None, _Another([])], ids=['may not be made', 'cannot be'])
def test_without_a_new_model_nothing_is_known_of_the_plan(
    another: _Another | None, tmp_path: pathlib.Path
) -> None:
    assert _replay(NONE, tmp_path, another).ending == 'infrastructure'


def test_what_failed_in_a_new_model_is_not_done_again(tmp_path: pathlib.Path) -> None:
    """The used one did not come back, so this replay had a new one already."""
    another = _Another(['second', 'third'])
    assert _replay(NONE, tmp_path, another, 'gone') is FAILED
    assert another.names == ['third']


def test_a_replay_that_had_no_model_is_judged_by_no_other_replay(tmp_path: pathlib.Path) -> None:
    assert _replay(NONE, tmp_path, _Another([]), 'gone') is SILENT
    assert not (tmp_path / rundir.JOURNAL).exists()
