"""`juju matrix import-zaza`: a suite from zaza's tests.yaml."""

from __future__ import annotations

import argparse
import pathlib
import sys

from matrix.grammar import problem, zaza

HELP = "Make a suite from zaza's tests.yaml, and say what of it has no place in one."


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    parser.add_argument('file', type=pathlib.Path, metavar='TESTS_YAML')
    parser.add_argument(
        '-o',
        '--output-dir',
        type=pathlib.Path,
        metavar='DIR',
        help="the bundle's folder `tests`; without it, beside TESTS_YAML",
    )


def run(call: argparse.Namespace) -> int:
    """Write matrix.yaml, test.yaml and zaza.py; never over a file that is there. 0, or 1 when one was.

    Raises:
        problem.RefusedError: it is not a tests.yaml, or cannot be read.
    """
    try:
        text = call.file.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else 'not UTF-8'
        where = problem.Where(str(call.file), 1)
        raise problem.RefusedError(
            [problem.Problem(where, f'cannot be read: {reason}')]
        ) from error
    found = zaza.read(text, str(call.file))
    folder = call.output_dir or call.file.parent
    files = {
        'matrix.yaml': found.matrix_yaml,
        'test.yaml': found.test_yaml,
        'zaza.py': found.zaza_py,
    }
    for one in found.left:
        print(one)
    wrong = [said for name, text in files.items() if (said := _new(folder / name, text))]
    for said in wrong:
        print(f'ERROR {said}', file=sys.stderr)
    for name in found.bundles:
        print(f'it was for the bundle {name}: juju matrix -p {name}.yaml')
    return 1 if wrong else 0


def _new(path: pathlib.Path, text: str) -> str:
    """Write a file that is not there yet; '' or why it could not be done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open('x', encoding='utf-8') as out:
            out.write(text)
    except FileExistsError:
        return f'{path} is there already, and was left as it is'
    except OSError as error:
        return f'{path} cannot be written: {error.strerror or error}'
    print(f'wrote {path}')
    return ''
