"""`juju matrix export`: a run as other tools read it."""

from __future__ import annotations

import argparse
import pathlib
import sys

from matrix.grammar import problem
from matrix.history import journalfile
from matrix.report import annotations, chaostoolkit, spans, write
from matrix.run import rundir

HELP = 'Print a run as the journal of the Chaos Toolkit, as annotations for Grafana, or as OpenTelemetry traces.'

FORMATS = ('chaos-toolkit', 'grafana', 'otlp')


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    parser.add_argument('run', type=pathlib.Path, metavar='RUNDIR')
    parser.add_argument(
        '--as', dest='format', choices=FORMATS, default=FORMATS[0], help='which (chaos-toolkit)'
    )
    parser.add_argument(
        '-t', '--test', default='', help='which test; without it, the one that fared worst'
    )
    parser.add_argument(
        '-o',
        '--output',
        type=pathlib.Path,
        metavar='FILE',
        help='here, and not on standard output',
    )


def run(call: argparse.Namespace) -> int:
    """Print or write it; 0, or 1 when it cannot be written.

    Raises:
        problem.RefusedError: there is no journal, or no such test.
    """
    path = rundir.journal_of(call.run)
    read = journalfile.read(path)
    report = write.rebuilt(read, str(path.parent))
    try:
        if call.format == 'grafana':
            text = annotations.render(report, read)
        elif call.format == 'otlp':
            text = spans.render(report, read)
        else:
            text = chaostoolkit.render(report, call.test)
    except ValueError as error:
        raise problem.RefusedError(
            [problem.Problem(problem.Where(str(path), 1), str(error))]
        ) from error
    if call.output is None:
        print(text, end='')
        return 0
    if wrong := write.file(call.output, text):
        print(f'ERROR {wrong}', file=sys.stderr)
        return 1
    return 0
