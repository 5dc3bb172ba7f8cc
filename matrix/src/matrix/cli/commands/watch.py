"""`juju matrix watch`: see a run on the terminal, while it goes on or long after."""

from __future__ import annotations

import argparse
import pathlib
import sys

from matrix.grammar import problem
from matrix.run import rundir

HELP = 'See a run on the terminal, while it goes on or long after. It only reads the journal; `q` ends it.'


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    parser.add_argument(
        'run',
        nargs='?',
        type=pathlib.Path,
        metavar='RUNDIR',
        help='a run; without it, the newest in matrix-runs',
    )


def run(call: argparse.Namespace) -> int:
    """Show it until `q`; 0, or 1 where Textual is not installed.

    Raises:
        problem.RefusedError: there is no run.
    """
    path = journal_of(call.run, pathlib.Path('matrix-runs'))
    try:
        from matrix.report import live  # Textual is an extra: only this command needs it.
    except ModuleNotFoundError as error:
        print(
            f"ERROR {error.name} is not installed: pip install 'rambla-matrix[tui]'",
            file=sys.stderr,
        )
        return 1
    live.View(path).run()
    return 0


def journal_of(asked: pathlib.Path | None, runs: pathlib.Path) -> pathlib.Path:
    """The journal of the run that was asked for, which may not be there yet, or of the newest.

    Raises:
        problem.RefusedError: there is no such folder.
    """
    if asked is not None:
        if asked.is_dir():
            return asked / rundir.JOURNAL
        return rundir.journal_of(asked)
    found = sorted(runs.glob(f'*/{rundir.JOURNAL}'), key=lambda path: path.stat().st_mtime)
    if not found:
        where = problem.Where(str(runs), 1)
        raise problem.RefusedError([problem.Problem(where, 'there is no run here')])
    return found[-1]
