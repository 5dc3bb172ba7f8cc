"""A journal with lines cut out, changed, or of another run is noticed; one that has no room ends in order."""

from __future__ import annotations

import errno
import os
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matrix import cli
from matrix.history import journal, journalfile, redact
from matrix.judge import panel, verdict
from matrix.run import writing


def lines_of(path: pathlib.Path, count: int, word: str) -> list[str]:
    """A journal of so many notes."""
    with journalfile.Writer(
        path, now=lambda: 1.0, wall=lambda: 'w', secrets=redact.secrets(())
    ) as on:
        for number in range(count):
            on.write(journal.Note(word, number))
    return path.read_text().splitlines(keepends=True)


@pytest.fixture(scope='module')
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], list[str]]:
    """The journals of two runs."""
    folder = tmp_path_factory.mktemp('two')
    return lines_of(folder / 'a', 12, 'a'), lines_of(folder / 'b', 12, 'b')


def problems(lines: list[str]) -> list[str]:
    """What is wrong with a journal of these lines."""
    return [one.message for one in journal.read(''.join(lines), 'j').problems]


@given(first=st.integers(0, 10), count=st.integers(1, 5))
def test_lines_that_were_cut_out_are_noticed(
    two: tuple[list[str], list[str]], first: int, count: int
) -> None:
    whole = two[0]
    assert problems(whole) == []
    cut = whole[:first] + whole[first + count :]
    if first + count < len(whole):
        assert 'missing' in problems(cut)[0]


@given(at=st.integers(1, 11))
def test_lines_of_another_run_are_noticed(two: tuple[list[str], list[str]], at: int) -> None:
    ours, theirs = two
    assert 'of another run' in problems(ours[:at] + theirs[at:])[0]


def test_a_changed_line_is_noticed_and_makes_a_run_unknown(
    two: tuple[list[str], list[str]],
) -> None:
    lines = list(two[0])
    lines[4] = lines[4].replace('"value": 4', '"value": 5')
    assert 'of another run' in problems(lines)[0]
    assert panel.judge(journal.read(''.join(lines), 'j')).outcome is verdict.Outcome.UNKNOWN


def test_a_journal_that_is_gone_on_with_is_whole_also_after_a_torn_line(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / 'j'
    lines_of(path, 3, 'a')
    assert problems(lines_of(path, 3, 'a')) == []
    path.write_text(path.read_text()[:-9])
    assert len(problems(lines_of(path, 2, 'a'))) == 1


def test_a_full_disk_ends_the_journal_at_one_place_and_is_told_once(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    with writing.opened(tmp_path / 'j', lambda _: None) as on:
        on.on_full = lambda: told.append(on.full)
        on(journal.Note('a'))
        write = os.write

        def full(file: int, data: bytes) -> int:
            if len(data) > 10:
                return write(file, data[:10])  # What still has room is written.
            raise OSError(errno.ENOSPC, 'No space left on device')

        monkeypatch.setattr(os, 'write', full)
        for _ in range(50):
            on(journal.Note('b' * 30))
        monkeypatch.setattr(os, 'write', write)
        on(journal.Note('c'))
    assert told == ['the journal cannot be written any more: No space left on device']
    found = journalfile.read(tmp_path / 'j')
    assert (len(found.entries), len(found.problems)) == (1, 1)


def test_reports_go_to_a_folder_that_is_made_for_them(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines_of(tmp_path / 'journal.jsonl', 3, 'a')
    folder = tmp_path / 'new' / 'one'
    assert cli.main(['report', str(tmp_path), '-o', str(folder)]) == 0
    assert {one.name for one in folder.iterdir()} >= {'report.html', 'junit.xml'}
    # Where none can be made, each file is told, and nothing claims to be there.
    (tmp_path / 'file').write_text('')
    assert cli.main(['report', str(tmp_path), '-o', str(tmp_path / 'file' / 'one')]) == 1
    assert 'report.html cannot be written' in capsys.readouterr().err
