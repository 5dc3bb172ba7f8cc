"""What decides touches nothing: no file, clock, process, or randomness but a seeded stream."""

from __future__ import annotations

import ast
import importlib.resources
import pathlib

import pytest

_EDGES = {
    'runner': {'asyncio'},  # waits for tasks
    'custom': {'asyncio', 'threading', 'logging'},  # calls what others wrote
    'model': {'asyncio', 'logging', 'pathlib'},  # what those are given
    'utils': {'asyncio', 'logging'},
    'journalfile': {'os', 'pathlib'},
    'cli': {'argparse', 'pathlib', 'sys'},
    'selectors': {'random'},  # the type of the stream that it is given
    'streams': {'random'},
}
_IMPURE = {
    'argparse', 'asyncio', 'logging', 'os', 'pathlib', 'random', 'secrets', 'shutil', 'socket',
    'subprocess', 'sys', 'tempfile', 'threading', 'time', 'uuid', 'datetime', 'jubilant',
}  # fmt: skip
_FOLDER = pathlib.Path(str(importlib.resources.files('matrix')))
_MODULES = sorted(_FOLDER.glob('*.py'))


def _imports(text: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {name.name.partition('.')[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition('.')[0])
    return found


@pytest.mark.parametrize('path', _MODULES, ids=lambda path: path.stem)
def test_a_module_touches_only_what_it_may(path: pathlib.Path) -> None:
    assert _imports(path.read_text()) & _IMPURE <= _EDGES.get(path.stem, set())
    assert len(path.read_text().splitlines()) <= 400


def test_an_impure_import_would_be_seen() -> None:
    assert _imports('def f():\n    from time import sleep\n    import os.path') == {'time', 'os'}
