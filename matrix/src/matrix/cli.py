"""The command `juju-matrix` (so `juju matrix`), and `matrix`.

    matrix lint FILE...     say what is wrong with suites and plans, with file and line

Exit codes: 0 nothing is wrong, 1 something is, 2 the command was not understood.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Sequence

from matrix.grammar import lint, located, problem, suitefile
from matrix.plans import chaosplan, planfile


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog='matrix', description='Check what a bundle is to be tested with.'
    )
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    checking = commands.add_parser('lint', help='say what is wrong with suites and plans')
    checking.add_argument('files', nargs='+', type=pathlib.Path, metavar='FILE')
    checking.add_argument(
        '--strict-compat',
        action='store_true',
        help='read suites as juju-solutions/matrix 0.10 did',
    )
    call = parser.parse_args(argv)
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


if __name__ == '__main__':
    sys.exit(main())
