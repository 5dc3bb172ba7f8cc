"""`juju matrix check RUNDIR`: judge a finished run again."""

from __future__ import annotations

import argparse
import pathlib

from matrix.history import journalfile
from matrix.judge import checks, others, panel, verdict
from matrix.run import bundlefile, earlier, rundir

HELP = 'Judge a finished run again, from its journal alone. Exit code 0 when all passes, 101 when not.'


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    parser.add_argument('run', type=pathlib.Path, metavar='RUNDIR')


def run(call: argparse.Namespace) -> int:
    """Print each verdict, a test at a time.

    Raises:
        problem.RefusedError: there is no journal, or a check of the bundle's own cannot be loaded.
    """
    path = rundir.journal_of(call.run)
    found = panel.judge_finished(journalfile.read(path), more=_own(path))
    for test in found.tests:
        print(f'{test.test}: {test.sentence}')
        for one in test.verdicts:
            print(f'  {one.outcome.name.lower():8} {one.check}: {one.sentence}')
    return 0 if found.outcome is verdict.Outcome.PASS else 101


def _own(path: pathlib.Path) -> dict[str, checks.Check]:
    """Checks of others, and those of the bundle where it still is."""
    said = earlier.note(path).get('bundle')
    file = pathlib.Path(str(said)) if said else None
    return others.find(
        bundlefile.find(file).folder if file is not None and file.is_file() else None
    )
