"""Every fault by name: those that come with matrix, those of installed packages, and those of the bundle's own tests.

A package offers faults by an entry point of the group `matrix.faults` that names a `Fault`, or a sequence of them; a
file of a bundle's `tests/` by a module attribute `FAULTS`, such a sequence.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import pathlib
import sys
import traceback
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import cast

from matrix.faults import (
    agents,
    cache,
    changes,
    clock,
    disk,
    fault,
    latency,
    machines,
    network,
    processes,
    squeeze,
    units,
    upgrading,
)
from matrix.grammar import problem

GROUP = 'matrix.faults'
BUILT_IN: tuple[fault.Fault, ...] = (
    *processes.FAULTS,
    *machines.FAULTS,
    *units.FAULTS,
    *agents.FAULTS,
    *network.FAULTS,
    *latency.FAULTS,
    *disk.FAULTS,
    *clock.FAULTS,
    *cache.FAULTS,
    *changes.FAULTS,
    *squeeze.FAULTS,
)
_ONLY_IN_PLANS = (*units.ONLY_IN_PLANS, *squeeze.ONLY_IN_PLANS, *upgrading.ONLY_IN_PLANS)


def faults(bundle: pathlib.Path | None = None) -> dict[str, fault.Fault]:
    """Every fault that a plan can name; those that chance chooses from are `by_chance` of it.

    Args:
        bundle: the bundle's folder, or its file.

    Raises:
        problem.RefusedError: what does not load, each with file and line; or two faults share a name.
    """
    found = {one.kind.name: one for one in (*BUILT_IN, *_ONLY_IN_PLANS)}
    problems: list[problem.Problem] = []
    for where, offered in (*_packages(problems), *_tests(bundle, problems)):
        for one in offered:
            if one.kind.name in found:
                message = f'there is another fault called {one.kind.name!r}'
                problems.append(problem.Problem(where, message))
            found[one.kind.name] = one
    if problems:
        raise problem.RefusedError(problems)
    return found


def by_chance(known: Iterable[fault.Fault]) -> tuple[fault.Fault, ...]:
    """Those that a generated plan may use."""
    only = {one.kind.name for one in _ONLY_IN_PLANS}
    return tuple(one for one in known if one.kind.name not in only)


_Offers = list[tuple[problem.Where, Sequence[fault.Fault]]]


def _packages(problems: list[problem.Problem]) -> _Offers:
    found: _Offers = []
    for point in importlib.metadata.entry_points(group=GROUP):
        where = problem.Where(f'{point.value} (entry point {point.name!r} of {GROUP})', 1)
        try:
            offered: object = point.load()
        except Exception as error:
            problems.append(_problem(error, where))
            continue
        found.append((where, _validated(offered, where, problems)))
    return found


def _tests(bundle: pathlib.Path | None, problems: list[problem.Problem]) -> _Offers:
    if bundle is None:
        return []
    folder = (bundle if bundle.is_dir() else bundle.parent) / 'tests'
    found: _Offers = []
    for path in sorted(folder.glob('*.py')):
        where = problem.Where(str(path), 1)
        try:
            if 'FAULTS' not in path.read_text(encoding='utf-8'):
                continue  # Others' code is not run for nothing.
            module = _module(path)
        except Exception as error:
            problems.append(_problem(error, where))
            continue
        if hasattr(module, 'FAULTS'):
            found.append((where, _validated(module.FAULTS, where, problems)))
    return found


def _module(path: pathlib.Path) -> ModuleType:
    name = f'matrix_faults_of_{path.stem}'
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f'{path} is not a Python module')
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # Dataclasses look their module up.
    spec.loader.exec_module(module)
    return module


def _validated(
    offered: object, where: problem.Where, problems: list[problem.Problem]
) -> tuple[fault.Fault, ...]:
    if isinstance(offered, fault.Fault):
        return (offered,)
    if isinstance(offered, list | tuple):
        all_ = cast('Sequence[object]', offered)
        good = tuple(one for one in all_ if isinstance(one, fault.Fault))
        if len(good) == len(all_):
            return good
    message = f'FAULTS is a list of matrix.faults.fault.Fault, this is {offered!r:.80}'
    problems.append(problem.Problem(where, message))
    return ()


def _problem(error: Exception, where: problem.Where) -> problem.Problem:
    """What went wrong, at the line of the file that it went wrong in."""
    line = where.line
    if isinstance(error, SyntaxError):
        line = error.lineno or line
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == where.source:
            line = frame.lineno or line
    said = f'{type(error).__name__}: {error}'
    return problem.Problem(
        problem.Where(where.source, line), f'its faults cannot be loaded: {said}'
    )
