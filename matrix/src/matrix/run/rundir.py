"""The folder of a run: for its owner alone."""

from __future__ import annotations

import datetime
import pathlib

from matrix.grammar import problem

JOURNAL = 'journal.jsonl'


def make(below: pathlib.Path, prefix: str) -> pathlib.Path:
    """A new folder for a run, in `matrix-runs`.

    Raises:
        problem.RefusedError: it cannot be made.
    """
    stamp = datetime.datetime.now(datetime.UTC).strftime('%Y%m%dT%H%M%SZ')
    for number in range(1, 100):
        path = below / 'matrix-runs' / (f'{prefix}-{stamp}' + (f'-{number}' if number > 1 else ''))
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.mkdir(mode=0o700)
            (path / 'logs').mkdir(mode=0o700)
        except FileExistsError:
            continue
        except OSError as error:
            where = problem.Where(str(path), 1)
            message = f'the folder of the run cannot be made: {error.strerror or error}'
            raise problem.RefusedError([problem.Problem(where, message)]) from error
        return path.resolve()
    raise problem.RefusedError(
        [problem.Problem(problem.Where(str(below), 1), 'there are too many runs of this second')]
    )


def journal_of(path: pathlib.Path) -> pathlib.Path:
    """The journal of a run's folder, or of a path to it.

    Raises:
        problem.RefusedError: there is none.
    """
    found = path / JOURNAL if path.is_dir() else path
    if not found.is_file():
        where = problem.Where(str(path), 1)
        raise problem.RefusedError([problem.Problem(where, f'there is no {JOURNAL} here')])
    return found
