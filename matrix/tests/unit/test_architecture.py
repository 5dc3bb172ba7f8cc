"""What decides touches nothing: no file, clock, process, or randomness but a seeded stream."""

from __future__ import annotations

import ast
import importlib.resources
import pathlib

import pytest

_PURE = ('blame', 'engine', 'grammar', 'history', 'judge', 'plans', 'report')
_EDGES = {
    'engine/runner': {'asyncio'},  # waits for tasks
    'engine/custom': {'asyncio', 'threading', 'logging'},  # calls what others wrote
    'history/journalfile': {'os', 'pathlib'},
    'judge/others': {'pathlib', 'sys'},  # loads checks that others wrote
    'report/crashdump': {'asyncio', 'pathlib', 'shutil'},  # asks machines for their logs
    'report/lanes': {'datetime'},  # reads times, asks no clock
    'report/live': {'asyncio', 'pathlib'},  # a program on the terminal
    'report/tail': {'pathlib'},  # reads a journal that grows
    'report/write': {'os', 'pathlib'},
    'judge/permutation': {'random'},  # a sample, the same each time
    'plans/selectors': {'random'},  # the type of the stream that it is given
    'plans/streams': {'random'},
}
_IMPURE = {
    'argparse', 'asyncio', 'logging', 'os', 'pathlib', 'random', 'secrets', 'shutil', 'socket',
    'subprocess', 'sys', 'tempfile', 'threading', 'time', 'uuid', 'datetime', 'jubilant',
}  # fmt: skip
_FOLDER = pathlib.Path(str(importlib.resources.files('matrix')))
_MODULES = sorted(_FOLDER.rglob('*.py'))


def _name(path: pathlib.Path) -> str:
    return str(path.relative_to(_FOLDER).with_suffix(''))


def _imports(text: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {name.name.partition('.')[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition('.')[0])
    return found


@pytest.mark.parametrize('path', [one for one in _MODULES if one.parent.name in _PURE], ids=_name)
def test_what_decides_touches_nothing(path: pathlib.Path) -> None:
    assert _imports(path.read_text()) & _IMPURE <= _EDGES.get(_name(path), set())


@pytest.mark.parametrize('path', _MODULES, ids=_name)
def test_a_module_holds_one_idea(path: pathlib.Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def test_an_impure_import_would_be_seen() -> None:
    assert _imports('def f():\n    from time import sleep\n    import os.path') == {'time', 'os'}
