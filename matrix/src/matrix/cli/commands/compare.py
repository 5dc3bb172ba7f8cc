"""`juju matrix compare RUN RUN`: what is other in the second."""

from __future__ import annotations

import argparse
import pathlib

from matrix.history import journalfile
from matrix.report import comparison, words
from matrix.run import rundir

HELP = (
    'Compare two runs, each kind of operation in each period: the whole distribution of latency, and how many failed. '
    'Exit code 0 when nothing is worse in the second beyond chance, 101 when something is.'
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    parser.add_argument('before', type=pathlib.Path, metavar='RUNDIR')
    parser.add_argument('after', type=pathlib.Path, metavar='RUNDIR')


def run(call: argparse.Namespace) -> int:
    """Print each kind and period that both have.

    Raises:
        problem.RefusedError: there is no journal.
    """
    before, after = (
        journalfile.read(rundir.journal_of(one)).entries for one in (call.before, call.after)
    )
    found = comparison.compare(before, after)
    if not found:
        print('the two runs have no kind of operation in common')
        return 101
    for one in found:
        print(f'{_mark(one)} {one.kind} {one.period}: {_figures(one)}')
    worse = sum(one.worse for one in found)
    print(f'{worse} of {len(found)} are worse' if worse else 'nothing is worse beyond chance')
    return 101 if worse else 0


def _mark(one: comparison.Line) -> str:
    return '✘' if one.worse else '✔' if one.faster else '·'


def _figures(one: comparison.Line) -> str:
    parts = [
        f'{name} {words.took(getattr(one.before, name))} → {words.took(getattr(one.after, name))}'
        for name in ('p50', 'p90', 'p99')
    ]
    lost = f'{one.before.bad} of {one.before.total} not ok → {one.after.bad} of {one.after.total}'
    return f'{", ".join(parts)}; {lost}'
