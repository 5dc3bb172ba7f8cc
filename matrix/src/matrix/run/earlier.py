"""What an earlier run was given, from the journal beside a plan or in a run's folder."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Mapping

from matrix.faults import heal
from matrix.grammar import located
from matrix.history import journal, journalfile, notes
from matrix.juju import link
from matrix.plans import planfile
from matrix.run import prepare, rundir, writing

_MOST = 50  # runs that are looked at, the newest first
_TAIL = 4096  # bytes of a journal in which its end stands
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


def killed(
    below: pathlib.Path, model: str, *, but: pathlib.Path | None = None
) -> tuple[pathlib.Path, ...]:
    """The journals of runs in a folder that broke this model last and have no end, the newest first.

    `but` is the folder of a run that goes on. One that was healed by a later run says so, and is not among them.
    """
    found: list[pathlib.Path] = []
    newest = sorted(below.glob(f'*/{rundir.JOURNAL}'), reverse=True)[:_MOST]
    for path in newest:
        if (but is None or path.parent.resolve() != but.resolve()) and not _ended(path):
            if journalfile.written(path):
                continue  # It goes on.
            entries = journalfile.read(path).entries
            models = [
                one.what.value
                for one in entries
                if isinstance(one.what, journal.Note) and one.what.kind == notes.MODEL
            ]
            if models and _bare(models[-1]) == _bare(model) and not over(entries):
                found.append(path)
    return tuple(found)


def over(entries: Iterable[journal.Entry]) -> bool:
    """Whether a run has ended, or was healed after it was killed. Pure."""
    for entry in reversed(tuple(entries)):
        if isinstance(entry.what, journal.Note):
            if entry.what.kind == notes.RUN_END:
                return True
            if entry.what.kind == notes.KILLED and isinstance(entry.what.value, dict):
                return not entry.what.value.get('failed')
    return False


def _bare(model: object) -> str:
    return str(model).rpartition(':')[2].rpartition('/')[2]


def _ended(path: pathlib.Path) -> bool:
    with path.open('rb') as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        return f'"kind": "{notes.RUN_END}"'.encode() in file.read()


async def heal_all(
    at: link.Link, journals: Iterable[pathlib.Path], *, holding: bool = False
) -> heal.Report:
    """Undo what runs left in a model: what lies on its machines, and what stands in these journals, which say so then.

    Doing it twice does nothing more. `holding`: the model's lease is held.

    Raises:
        OSError: a journal cannot be read.
    """
    done = [await heal.machines(at, holding=holding)]
    for path in journals:
        entries = journalfile.read(path).entries
        made = await heal.amends(at, entries)
        done.append(made)
        if not over(entries) and not journalfile.written(path):
            with writing.opened(path, lambda _: None) as write:
                write(heal.killed(entries, heal.together(done[0], made)))
    return heal.together(*done)
