"""What an earlier run was given, from the journal beside a plan or in a run's folder."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

from matrix.grammar import located
from matrix.history import journal, journalfile, notes
from matrix.plans import planfile
from matrix.run import prepare, rundir

_UP = 4  # folders: a plan of a replay stands below replays/TEST/NN


def note(place: pathlib.Path) -> Mapping[str, located.Plain]:
    """The note `run` of the run that a path belongs to, with its words; empty where there is none."""
    for folder in (place, *place.resolve().parents[:_UP]):
        path = folder / rundir.JOURNAL
        if path.is_file():
            found = _run(journalfile.read(path))
            if 'words' in found:
                return found
    return {}


def _run(read: journal.Journal) -> Mapping[str, located.Plain]:
    for entry in read.entries:
        if isinstance(entry.what, journal.Note) and entry.what.kind == notes.RUN:
            return entry.what.value if isinstance(entry.what.value, dict) else {}
    return {}


def words(place: pathlib.Path) -> list[str]:
    """The words of the command line of that run, its bundle by its whole path."""
    found = note(place)
    said = found.get('words')
    return [str(one) for one in said] if isinstance(said, list) else []


def seed(path: pathlib.Path) -> int:
    """The seed of a plan, which its load is made from too; 0 where the format has none.

    Raises:
        problem.RefusedError: it cannot be read.
    """
    text = prepare.read_text(path, 'the plan')
    document = located.load(text, str(path))
    return planfile.read(text, str(path)).seed if planfile.is_second_format(document) else 0
