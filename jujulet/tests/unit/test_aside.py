"""A file that is written aside is whole or not there, whatever happens while it is written."""

from __future__ import annotations

import os
import pathlib
import re
import stat

import pytest

from jujulet import aside

SOURCE = pathlib.Path(aside.__file__).parent


def test_a_file_takes_the_place_of_the_old_one(tmp_path: pathlib.Path):
    target = tmp_path / 'a.json'
    target.write_text('old')
    old = target.open()
    before = os.umask(0o077)
    try:
        aside.write(target, 'né', mode=0o755)
    finally:
        os.umask(before)
    assert (target.read_text(), old.read()) == ('né', 'old')
    assert stat.S_IMODE(target.stat().st_mode) == 0o755
    assert list(tmp_path.iterdir()) == [target]
    old.close()


def test_what_breaks_while_it_is_written_leaves_the_old_one_and_nothing_else(
    tmp_path: pathlib.Path,
):
    target = tmp_path / 'a.json'
    target.write_text('old')
    with pytest.raises(ZeroDivisionError), aside.opened(tmp_path) as (file, become):
        file.write(b'half')
        assert stat.S_IMODE(next(tmp_path.glob('.new-*')).stat().st_mode) == 0o600
        print(1 / 0)
        become(target)
    assert target.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [target]


def test_two_that_are_written_at_once_are_two_files(tmp_path: pathlib.Path):
    with aside.opened(tmp_path) as (one, first), aside.opened(tmp_path) as (two, second):
        one.write(b'1')
        two.write(b'2')
        second(tmp_path / 'b')
        first(tmp_path / 'a')
    assert [(tmp_path / name).read_text() for name in 'ab'] == ['1', '2']


# Who moves a file or folder into its place otherwise, and why.
OTHERWISE = {
    'aside.py': 'it is this',
    'machines/agent.py': "runs in a machine, by the machine's own Python alone",
    'machines/leftovers.py': 'the agent has it: it is given nothing else of jujulet',
    'machines/files.py': 'follows no link that a machine made',
}
_MOVES = re.compile(
    r'os\.(?:replace|rename)\(|\b(?:fresh|aside|copy|Path\([^)]*\))\.(?:replace|rename)\('
)
_FOLDER = re.compile(r'\b(?:fresh|folder|made)\.rename\(')


def by_hand(text: str) -> list[str]:
    """Lines that move a *file* into its place themselves; folders are moved as they are."""
    return [
        line.strip()
        for line in text.splitlines()
        if _MOVES.search(line) and not _FOLDER.search(line)
    ]


def test_nobody_else_does_it_by_hand():
    found = {
        name: lines
        for path in SOURCE.rglob('*.py')
        if (lines := by_hand(path.read_text()))
        and (name := str(path.relative_to(SOURCE))) not in OTHERWISE
    }
    assert found == {}
    assert by_hand('    fresh.replace(path)\n    os.replace(a, b)\n    fresh.rename(folder)') == [
        'fresh.replace(path)',
        'os.replace(a, b)',
    ]
