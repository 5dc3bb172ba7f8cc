"""Fifteen lines, and the lines while a run goes on."""

from __future__ import annotations

import pytest
import rehearsal

from matrix.history import journal, notes
from matrix.judge import panel, verdict
from matrix.report import story, terminal

SMALL = story.Smallest(
    'format: v2\n',
    ('e3 freeze mysql/0', 'e6 netsplit keystone/0'),
    'juju matrix replay matrix-runs/x/smallest.yaml',
    6,
    ('e3', 'e6'),
)


def told(read: journal.Journal | None = None) -> story.Story:
    read = read or rehearsal.run(2000)
    judged = (
        panel.Judged('deployment', ending='passed'),
        panel.Judged('end_to_end', rehearsal.verdicts(read), 'images were lost', ending='failed'),
    )
    return story.summarise(read, judged, smallest=SMALL, folder='matrix-runs/x')


def test_a_failure_is_understood_from_the_terminal_alone() -> None:
    text = terminal.summary(told())
    lines = text.splitlines()
    assert len(lines) <= terminal.MOST
    assert '\x1b' not in text
    assert lines[0].startswith('✘ FAILED  dmz.yaml, end_to_end')
    assert lines[1].strip() == 'images were lost'
    for word in ('before', 'during', 'after', 'not proven: e5 loss', 'e3 freeze mysql/0', 'p99'):
        assert word in text
    assert lines[-2].split(maxsplit=1) == ['replay', SMALL.command]
    assert lines[-1].split() == ['evidence', 'matrix-runs/x/report.html']


def test_colours_only_when_they_are_asked_for() -> None:
    assert '\x1b[1;31m✘ FAILED' in terminal.summary(told(), painted=True)


def test_it_stays_within_fifteen_lines_however_much_there_is_to_say() -> None:
    read = rehearsal.run(500, hostile='\n\n\n')
    many = tuple(
        verdict.Verdict(f'check {n}', verdict.Outcome.FAIL, 'x\n' * 50) for n in range(40)
    )
    judged = panel.Judged('end_to_end', many, 'a\nb', ending='failed')
    text = terminal.summary(story.summarise(read, [judged], smallest=SMALL, folder='f'))
    assert len(text.splitlines()) <= terminal.MOST
    assert 'evidence' in text


def test_a_run_that_did_not_end_says_so() -> None:
    read = rehearsal.run(500)
    cut = journal.Journal(read.entries[:700])
    text = terminal.summary(story.summarise(cut, ()))
    assert '? UNKNOWN' in text
    assert 'the run did not end' in text


def test_a_sentence_is_no_command_to_githubs_runner() -> None:
    judged = panel.Judged('end_to_end', sentence='::set-env name=x::y', ending='failed')
    lines = terminal.summary(story.summarise(rehearsal.run(100), [judged])).splitlines()
    assert not any(line.strip().startswith('::') for line in lines)
    assert '"::set-env name=x::y"' in lines[1]


def test_an_empty_journal_is_no_pass() -> None:
    text = terminal.summary(story.summarise(journal.Journal(()), ()))
    assert '? UNKNOWN' in text
    assert 'no test ran' in text


def test_a_check_that_does_not_gate_is_shown_and_does_not_count() -> None:
    read = rehearsal.run(500)
    judged = (
        panel.Judged('deployment', ending='passed'),
        panel.Judged('end_to_end', rehearsal.verdicts(read), 'not gating', ending='passed'),
    )
    text = terminal.summary(story.summarise(read, judged))
    assert '✔ PASSED' in text
    assert 'service level' in text


def test_a_live_run_says_what_happens_and_not_each_operation() -> None:
    lines = list(terminal.progress(rehearsal.run(3000).entries))
    assert len(lines) < 80
    text = '\n'.join(lines)
    assert 'e3 freeze mysql/0: has landed (mysql/0: was seen to be struck)' in text
    assert 'e5 loss placement/1: has landed' not in text
    assert 'glance/0: blocked, the database does not answer' in text
    assert 'load without a fault, for comparison' in text


def test_what_is_waited_for_is_said_once() -> None:
    waits = ['health waits for deploy to be complete', 'chaos waits for health.status']
    entries = [
        journal.Entry(1, 1.0, '', journal.Note(notes.WAITS, [waits[0]])),
        journal.Entry(2, 2.0, '', journal.Note(notes.WAITS, [*waits])),
        journal.Entry(3, 3.0, '', journal.Note(notes.WAITS, [*waits])),
    ]
    first, second = terminal.progress(entries)
    assert first.endswith(f'waiting: {waits[0]}')
    assert second.endswith(f'waiting: {waits[1]}')


def test_the_details_of_a_wait_are_said_now_and_then() -> None:
    entries = [
        journal.Entry(
            n, float(n), '', journal.Note(notes.WAITS, [f'health: waits; a/{n} installs'])
        )
        for n in range(1, 41)
    ]
    at = [float(line.split()[0]) for line in terminal.progress(entries)]
    assert at == [1, 2, 3, 18, 33]


@pytest.mark.parametrize('evil', ['\x1b[2J', '\x9b31m', '\r\n::error::x', '\u202egpj.exe'])
def test_a_model_cannot_move_the_cursor(evil: str) -> None:
    read = rehearsal.run(300, hostile=evil)
    text = terminal.summary(told(read)) + '\n'.join(terminal.progress(read.entries))
    assert not any(one in text for one in '\x1b\x9b\r\u202e')


def test_a_run_that_passed_says_what_it_lost_and_to_which_fault() -> None:
    errors = verdict.Verdict(
        'errors',
        verdict.Outcome.PASS,
        '9 of 10 operations worked; 1 failed while loss struck api/0',
        excused=('1 failed while loss struck api/0',),
    )
    tests = (
        panel.Judged('deployment', (), 'every rule did what it should', ending='passed'),
        panel.Judged('end_to_end', (errors,), '1 fault landed; 9 of 10 worked', ending='passed'),
    )
    text = terminal.summary(story.summarise(rehearsal.run(100), tests))
    assert '1 fault landed; 9 of 10 worked' in text
    assert '  explained 1 failed while loss struck api/0\n' in text
