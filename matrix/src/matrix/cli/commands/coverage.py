"""`juju matrix coverage [DIR]`: what the runs of a bundle have tried, and what never was."""

from __future__ import annotations

import argparse
import pathlib

from matrix.cli import flags
from matrix.grammar import problem
from matrix.run import bundlefile, corpus

HELP = (
    'Say what the runs in a folder have tried of a bundle: each fault on each application, in each phase, and each two '
    'at once; and what was never tried yet. Exit code 0 when all was tried, 1 when not.'
)
_SORTS = {
    'on': 'faults on applications',
    'in': 'faults and applications alone, while another strikes, and just after a heal',
    'with': 'two faults at once',
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    parser.add_argument(
        'runs', nargs='?', type=pathlib.Path, metavar='DIR', help='where runs are (matrix-runs)'
    )
    parser.add_argument('-p', '--path', type=pathlib.Path, help='the bundle (of the newest run)')
    parser.add_argument('-a', '--all', action='store_true', help='list all that was never tried')


def run(call: argparse.Namespace) -> int:
    """Print it.

    Raises:
        problem.RefusedError: there are no runs, or none with chaos of a plan that was drawn.
    """
    below = call.runs or flags.DEFAULTS.output_dir / 'matrix-runs'
    digest = '' if call.path is None else bundlefile.find(call.path).digest
    paths = corpus.runs(below, digest) if digest else corpus.of_newest(below)
    found = corpus.coverage(paths)
    if not found.possible:
        where = problem.Where(str(below), 1)
        message = 'there is no run here whose faults were drawn by chance'
        raise problem.RefusedError([problem.Problem(where, message)])
    print(f'{found.runs} run{"s" * (found.runs != 1)}')
    for sort, name in _SORTS.items():
        tried, every = found.of(sort)
        print(f'  {tried:4} of {every:4}  {name}')
    never = [corpus.in_words(cell) for cell in found.never]
    shown = never if call.all else never[:20]
    for one in shown:
        print(f'  never: {one}')
    if len(never) > len(shown):
        print(f'  never: {len(never) - len(shown)} more (--all)')
    return 1 if never else 0
