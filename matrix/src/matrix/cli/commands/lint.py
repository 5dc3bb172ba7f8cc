"""`matrix lint FILE…`: exit code 0 when nothing is wrong, 1 when something is."""

from __future__ import annotations

import argparse
import pathlib

from matrix.cli import flags
from matrix.faults import find
from matrix.grammar import located, problem, suitefile
from matrix.judge import others
from matrix.run import bundlefile, defaults, inspection, prepare

HELP = (
    'Say what is wrong with suites, plans and tests/test.yaml, with file and line: what a run would refuse, but for '
    'what it needs on this machine (drivers, files with accounts). '
    'The bundle is the one that a file stands beside, or the one of -p; without files, its own are looked at.'
)

_OWN = (prepare.OWN, *defaults.NAMES)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    parser.add_argument('files', nargs='*', type=pathlib.Path, metavar='FILE')
    parser.add_argument('-p', '--path', type=pathlib.Path, help='the bundle: its folder or file')
    parser.add_argument(
        '--strict-compat',
        action='store_true',
        help='read suites as juju-solutions/matrix 0.10 did',
    )


def run(call: argparse.Namespace) -> int:
    """Print every problem.

    Raises:
        problem.RefusedError: there is no bundle where -p says, or nothing to look at.
    """
    bundle = None if call.path is None else bundlefile.find(call.path)
    files = call.files or ([] if bundle is None else own(bundle))
    if not files:
        where = problem.Where('.' if bundle is None else str(bundle.folder / 'tests'), 1)
        names = ' or '.join(_OWN)
        message = f'there is nothing to look at: name a file, or a bundle that has {names} with -p'
        raise problem.RefusedError([problem.Problem(where, message)])
    found = [
        one
        for path in files
        for one in check(path, bundle=bundle, strict_compat=call.strict_compat)
    ]
    for one in found:
        print(one)
    return 1 if any(one.severity == 'error' for one in found) else 0


def own(bundle: bundlefile.Bundle) -> list[pathlib.Path]:
    """The files of a bundle's own that a run reads."""
    places = [bundle.folder / 'tests' / name for name in _OWN]
    return [path for path in places if path.is_file()]


def check(
    path: pathlib.Path,
    *,
    bundle: bundlefile.Bundle | None = None,
    strict_compat: bool = False,
) -> tuple[problem.Problem, ...]:
    """Every problem of one file: a suite, a plan of either format, or what tests/test.yaml is."""
    try:
        text = path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else 'not UTF-8 text'
        return (problem.Problem(problem.Where(str(path), 1), f'cannot be read: {reason}'),)
    try:
        return _check(text, path, bundle or _beside(path), strict_compat=strict_compat)
    except problem.RefusedError as refused:
        return refused.problems


def _beside(path: pathlib.Path) -> bundlefile.Bundle | None:
    """The bundle that a file is of: BUNDLE/tests/FILE, or BUNDLE.yaml beside BUNDLE/tests/FILE; None: there is none."""
    for folder in (path.resolve().parent, path.resolve().parent.parent):
        for place in (folder, folder.with_suffix('.yaml')):
            try:
                return bundlefile.find(place)
            except problem.RefusedError:
                continue
    return None


def _check(
    text: str, path: pathlib.Path, bundle: bundlefile.Bundle | None, *, strict_compat: bool
) -> tuple[problem.Problem, ...]:
    document = located.load(text, str(path))
    entries = document.entries if isinstance(document, located.Mapping) else ()
    keys = {entry.key for entry in entries}
    folder = None if bundle is None else bundle.folder
    there = inspection.known(bundle, find.faults(folder), others.find(folder))
    if _is_plan(document, keys):
        return inspection.of_plan(text, str(path), there)
    ours = isinstance(document, located.Mapping) and (
        keys & {*defaults.KEYS} or defaults.misspelt(document)
    )
    if isinstance(document, located.Mapping) and ours and 'tests' not in keys:
        flags.of_bundle(document.get('matrix'), folder or path.parent)
        return (*defaults.misspelt(document), *inspection.of_extra(document, there))
    read = suitefile.read(text, str(path), strict_compat=strict_compat)
    return inspection.of_suite(read, there, folder)


def _is_plan(document: located.Value, keys: set[str]) -> bool:
    """Whether a document is a plan, of either format."""
    said = document.get('format') if isinstance(document, located.Mapping) else None
    second = isinstance(said, located.Scalar) and said.value == 'v2'
    return second or ('tests' not in keys and not {'actions', 'chaos', 'glitch'}.isdisjoint(keys))
