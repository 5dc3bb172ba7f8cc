"""`juju matrix metrics RUNDIR`: a run as Prometheus' text."""

from __future__ import annotations

import argparse
import pathlib

from matrix.history import journalfile
from matrix.report import metrics, write
from matrix.run import rundir

HELP = "Print a finished run in Prometheus' text format: its checks, faults, and a histogram of each kind of operation."


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    parser.add_argument('run', type=pathlib.Path, metavar='RUNDIR')
    parser.add_argument('-o', '--output', type=pathlib.Path, metavar='FILE', help='write it here')


def run(call: argparse.Namespace) -> int:
    """Print it.

    Raises:
        problem.RefusedError: there is no journal.
    """
    path = rundir.journal_of(call.run)
    text = metrics.render(write.rebuilt(journalfile.read(path), str(path.parent)))
    if call.output is None:
        print(text, end='')
    else:
        call.output.write_text(text, encoding='utf-8')
    return 0
