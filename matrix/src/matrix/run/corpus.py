"""The runs that were made beside one another, as far as they show what has been tried of a bundle."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from matrix.grammar import located
from matrix.history import journal, notes
from matrix.plans import covering
from matrix.run import rundir

MOST = 200
"""Runs that are looked at, the newest first."""

# Of a journal of hundreds of thousands of lines, a few are asked for.
_WANTED = ('"is": "fault"', f'"kind": "{notes.CELLS}"', f'"kind": "{notes.RUN}"')
_SHOWN = 12


def runs(below: pathlib.Path, digest: str = '') -> tuple[pathlib.Path, ...]:
    """The journals of runs in a folder, the newest first; with a digest, those of this bundle alone."""
    found = sorted(below.glob(f'*/{rundir.JOURNAL}'), reverse=True)[:MOST]
    return tuple(path for path in found if not digest or _digest(path) == digest)


def read(path: pathlib.Path) -> tuple[journal.Entry, ...]:
    """The entries of a journal that say what was tried; none of one that cannot be read."""
    found: list[journal.Entry] = []
    try:
        with path.open(errors='replace') as lines:
            for line in lines:
                if any(word in line for word in _WANTED):
                    try:
                        found.append(journal.from_line(line.rstrip('\n')))
                    except ValueError:
                        continue  # A torn line shows nothing.
    except OSError:
        return ()
    return tuple(found)


def _digest(path: pathlib.Path) -> str:
    for entry in read(path):
        if isinstance(entry.what, journal.Note) and entry.what.kind == notes.RUN:
            value = entry.what.value
            return str(value.get('digest', '')) if isinstance(value, dict) else ''
    return ''


def of_newest(below: pathlib.Path) -> tuple[pathlib.Path, ...]:
    """The journals of runs of the bundle of the newest run; none where there is no run."""
    newest = runs(below)[:1]
    return runs(below, _digest(newest[0])) if newest else ()


def coverage(paths: Sequence[pathlib.Path]) -> covering.Coverage:
    """What the runs of these journals have tried."""
    return covering.coverage(read(path) for path in paths)


def note(found: covering.Coverage) -> dict[str, located.Plain]:
    """The note `coverage` of a run."""
    said = [in_words(cell) for cell in found.never]
    return {
        'runs': found.runs,
        'never': [*said[:_SHOWN]],
        'more': max(0, len(said) - _SHOWN),
        **{sort: [*found.of(sort)] for sort in ('on', 'in', 'with')},
    }


def in_words(cell: covering.Cell) -> str:
    """One cell for people: `freeze on mysql`, `freeze with kill at once`."""
    sort, first, second = cell
    if sort == 'on':
        return f'{first} on {second}'
    if sort == 'with':
        return f'{first} with {second} at once'
    when = {
        'alone': 'alone',
        'overlap': 'while another fault strikes',
        'after': 'just after a heal',
    }
    return f'{first} {when[second]}'
