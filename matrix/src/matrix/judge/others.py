"""Checks of others: of installed packages, and of the bundle's own tests. The one module here that loads code.

A package offers a check by an entry point of the group `matrix.checks` that names a function; a file of a bundle's
`tests/` by a module attribute `CHECKS`, a sequence of functions or a mapping from names to them. Each is given the
journal of one test, and returns a `verdict.Verdict`; see `checks.Check`.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from matrix.grammar import problem
from matrix.judge import checks

GROUP = 'matrix.checks'


def find(bundle: pathlib.Path | None = None) -> dict[str, checks.Check]:
    """Every check of others, by name.

    Args:
        bundle: the bundle's folder, or its file.

    Raises:
        problem.RefusedError: what cannot be loaded or is no check, and two checks of one name.
    """
    found: dict[str, checks.Check] = {}
    problems: list[problem.Problem] = []
    for where, name, offered in (*_packages(problems), *_tests(bundle, problems)):
        if not callable(offered):
            message = f'{name!r} is no check: a check is a function from a journal to a verdict'
            problems.append(problem.Problem(where, message))
        elif name in found:
            problems.append(problem.Problem(where, f'there is another check called {name!r}'))
        else:
            found[name] = cast('checks.Check', offered)
    if problems:
        raise problem.RefusedError(problems)
    return found


_Offers = Iterator[tuple[problem.Where, str, object]]


def _packages(problems: list[problem.Problem]) -> _Offers:
    for point in importlib.metadata.entry_points(group=GROUP):
        where = problem.Where(f'{point.value} (entry point {point.name!r} of {GROUP})', 1)
        try:
            yield where, point.name, point.load()
        except (
            Exception
        ) as error:  # Whatever the code of others raises is reported, with its place.
            problems.append(_problem(error, where))


def _tests(bundle: pathlib.Path | None, problems: list[problem.Problem]) -> _Offers:
    if bundle is None:
        return
    folder = (bundle if bundle.is_dir() else bundle.parent) / 'tests'
    for path in sorted(folder.glob('*.py')):
        # A file that offers none is not run for it: it may be a load, or a test of something else.
        if 'CHECKS' not in path.read_text(encoding='utf-8', errors='replace'):
            continue
        where = problem.Where(str(path), 1)
        try:
            offered = _offered(path)
        except Exception as error:
            problems.append(_problem(error, where))
            continue
        if isinstance(offered, Mapping):
            for name, one in cast('Mapping[object, object]', offered).items():
                yield where, str(name), one
        elif isinstance(offered, Sequence):
            for one in cast('Sequence[object]', offered):
                yield where, str(getattr(one, '__name__', one)).replace('_', ' '), one
        elif offered is not None:
            problems.append(problem.Problem(where, "'CHECKS' is a list of functions"))


def _offered(path: pathlib.Path) -> object:
    name = f'matrix_bundle_checks_{path.stem}'
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise ImportError('not a module')
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    found.loader.exec_module(module)
    return getattr(module, 'CHECKS', None)


def _problem(error: Exception, where: problem.Where) -> problem.Problem:
    return problem.Problem(where, f'cannot be loaded: {type(error).__name__}: {error}')
