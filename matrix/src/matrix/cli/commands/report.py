"""`juju matrix report`: make the reports of a run again, from its journal."""

from __future__ import annotations

import argparse
import contextlib
import os
import pathlib
import sys

from matrix.history import journalfile
from matrix.report import terminal, write
from matrix.run import rundir

HELP = 'Make the reports of a run again, from its journal alone: the page, JUnit, and the lines on the terminal.'


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    parser.add_argument('run', type=pathlib.Path, metavar='RUNDIR')
    parser.add_argument(
        '-o',
        '--output-dir',
        type=pathlib.Path,
        metavar='DIR',
        help="where report.html and junit.xml go; without it, the run's own folder",
    )
    parser.add_argument(
        '-x', '--xunit', type=pathlib.Path, metavar='FILE', help="JUnit's XML here too"
    )


def run(call: argparse.Namespace) -> int:
    """Make them; 0 when all could be written, 1 otherwise: what the run found is not judged here.

    Raises:
        problem.RefusedError: there is no journal.
    """
    path = rundir.journal_of(call.run)
    folder = call.output_dir or path.parent
    with contextlib.suppress(OSError):  # Where it cannot be made, each file says so.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with write.calm():
        read = journalfile.read(path)
    report = write.rebuilt(read, str(folder))
    wrong = write.everything(folder, report, xunit=call.xunit)
    painted = sys.stdout.isatty() and not os.environ.get('NO_COLOR')
    print(terminal.summary(report, painted=painted), end='')
    for said in wrong:
        print(f'ERROR {said}', file=sys.stderr)
    return 1 if wrong else 0
