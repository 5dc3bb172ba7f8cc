"""What a killed run left is healed by the next, and told in both journals."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
from collections.abc import Mapping

import pytest
from enginestage import on_virtual_clock
from executionstage import Execution
from faultstage import FakeLink
from hypothesis import given
from hypothesis import strategies as st

from matrix import model, tasks
from matrix.faults import heal
from matrix.history import journal, journalfile, notes
from matrix.judge import panel
from matrix.juju import link
from matrix.plans import snapshot
from matrix.report import story, terminal
from matrix.run import earlier, writing


def _whole(events: int) -> list[journal.What]:
    """All that a run writes of events that change the model, each healed in the end."""
    found: list[journal.What] = []
    for n in range(events):
        event = f'e{n}'
        counts = journal.Note(notes.UNITS, {'event': event, 'counts': {'db': 2}})
        undo = journal.Note(notes.UNDO, {'event': event, 'commands': [['config', 'db', f'o={n}']]})
        phases = [
            journal.Fault(event, 'k', phase, ('db/0',)) for phase in ('armed', 'landed', 'healed')
        ]
        found += [counts, undo, *phases]
    return found


def _entries(whats: list[journal.What]) -> tuple[journal.Entry, ...]:
    return tuple(journal.Entry(n, float(n), '', what) for n, what in enumerate(whats, start=1))


@given(st.integers(0, 20), st.booleans())
def test_after_any_part_of_a_journal_nothing_is_left_and_twice_is_as_once(
    cut: int, sound: bool
) -> None:
    before = _whole(4)[:cut]
    done = heal.Report(('x',), () if sound else ('y',))
    once = [*before, heal.killed(_entries(before), done)]
    left = heal.open_faults(_entries(once))
    # What could not be undone is still to be undone by whoever comes next.
    assert left == (() if sound else heal.open_faults(_entries(before)))
    assert earlier.over(_entries(once)) == sound
    if sound:
        assert heal.undo(_entries(once)) == () and heal.counts(_entries(once)) == {}
        assert heal.killed(_entries(once), done).value == {
            'left': [],
            'healed': ['x'],
            'failed': [],
        }


def _killed(folder: pathlib.Path, of: str = 'm') -> pathlib.Path:
    path = folder / 'matrix-1' / 'journal.jsonl'
    path.parent.mkdir(mode=0o700)
    with writing.opened(path, lambda _: None) as write:
        for what in (
            journal.Note(notes.RUN, {}),
            journal.Note(notes.MODEL, of),
            journal.Note(notes.TEST_START, 't'),
            *_whole(1)[:-1],
        ):
            write(what)
        # Somebody writes it, so the run goes on: it is not for others to heal.
        assert earlier.killed(folder, of) == ()
    return path


def test_the_next_run_heals_what_a_killed_one_left_and_both_journals_say_so(
    tmp_path: pathlib.Path,
) -> None:
    path = _killed(tmp_path)
    own = tmp_path / 'matrix-2'
    own.mkdir()
    here = Execution(own, model='m', control=True)
    db = snapshot.Application('db', (snapshot.Unit('db/1', '1'),))
    here.link.state = snapshot.Model((db,), here.link.state.machines)
    (own / 'plan.yaml').write_text('matrix-plan: 2\nseed: 7\nevents: []\n')
    with contextlib.suppress(model.TestFailure, model.InfraFailure):  # Another test's.
        on_virtual_clock(here.task(tasks.chaos, control=1))
    (said,) = here.notes(notes.EARLIER)
    assert 'db: 1 unit(s) added in place of those removed' in str(said)
    assert earlier.killed(tmp_path, 'm') == ()
    read = journalfile.read(path)
    assert not read.problems
    judged = panel.judge_finished(read)
    told = story.summarise(read, judged.tests)
    assert told.ending == 'interrupted'
    assert 'left e0 k db/0' in terminal.summary(told) or 'left e0 k db/0' in told.sentence
    assert any(
        'was killed, and left e0 k db/0' in line for line in terminal.progress(read.entries)
    )


def test_what_cannot_be_healed_refuses_the_run_and_says_what(tmp_path: pathlib.Path) -> None:
    here = Execution(tmp_path)

    def answer(_target: str, text: str, _env: Mapping[str, str]) -> link.ScriptResult:
        return (
            link.ScriptResult(1, 'failed e3\n')
            if 'failed $event' in text
            else link.ScriptResult(0, '')
        )

    here.link.answer = answer
    with pytest.raises(model.InfraFailure, match='e3 on machine 0 could not be undone'):
        on_virtual_clock(here.task(tasks.chaos, control=1))


def test_a_run_that_heals_before_it_strikes_keeps_its_own_lease() -> None:
    at = FakeLink()
    asyncio.run(heal.machines(at, holding=True))
    assert {env['KEEP_LEASE'] for _, _, env in at.ran} == {'1'}
    assert {env['MATRIX_MODEL'] for _, _, env in at.ran} == {'m'}
