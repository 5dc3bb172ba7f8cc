"""`juju matrix check RUNDIR`: judge a finished run again."""

from __future__ import annotations

import argparse
import pathlib

from matrix.history import journalfile
from matrix.judge import panel, verdict
from matrix.run import rundir

HELP = 'Judge a finished run again, from its journal alone. Exit code 0 when all passes, 101 when not.'


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    parser.add_argument('run', type=pathlib.Path, metavar='RUNDIR')


def run(call: argparse.Namespace) -> int:
    """Print each verdict, a test at a time.

    Raises:
        problem.RefusedError: there is no journal.
    """
    found = panel.judge(journalfile.read(rundir.journal_of(call.run)))
    for test in found.tests:
        print(f'{test.test}: {test.sentence}')
        for one in test.verdicts:
            print(f'  {one.outcome.name.lower():8} {one.check}: {one.sentence}')
    return 0 if found.outcome is verdict.Outcome.PASS else 101
