"""`matrix lint FILE…`: exit code 0 when nothing is wrong, 1 when something is."""

from __future__ import annotations

import argparse
import pathlib

from matrix.grammar import lint, located, problem, suitefile
from matrix.plans import chaosplan, planfile

HELP = 'Say what is wrong with suites and plans, with file and line.'


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    parser.add_argument('files', nargs='+', type=pathlib.Path, metavar='FILE')
    parser.add_argument(
        '--strict-compat',
        action='store_true',
        help='read suites as juju-solutions/matrix 0.10 did',
    )


def run(call: argparse.Namespace) -> int:
    """Print every problem."""
    found = [one for path in call.files for one in check(path, strict_compat=call.strict_compat)]
    for one in found:
        print(one)
    return 1 if any(one.severity == 'error' for one in found) else 0


def check(path: pathlib.Path, *, strict_compat: bool = False) -> tuple[problem.Problem, ...]:
    """Every problem of one file, which may be a suite or a plan of either format."""
    try:
        text = path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else 'not UTF-8 text'
        return (problem.Problem(problem.Where(str(path), 1), f'cannot be read: {reason}'),)
    try:
        return _check(text, str(path), strict_compat=strict_compat)
    except problem.RefusedError as refused:
        return refused.problems


def _check(text: str, source: str, *, strict_compat: bool) -> tuple[problem.Problem, ...]:
    document = located.load(text, source)
    keys = (
        {entry.key for entry in document.entries}
        if isinstance(document, located.Mapping)
        else set[str]()
    )
    if planfile.is_second_format(document):
        planfile.read(text, source)
        return ()
    if 'tests' not in keys and not {'actions', 'chaos', 'glitch'}.isdisjoint(keys):
        chaosplan.read(text, source)
        return ()
    return lint.check(suitefile.read(text, source, strict_compat=strict_compat))
