"""What a bundle says for itself in tests/test.yaml (or tests/tests.yaml)."""

from __future__ import annotations

import pathlib

from matrix.grammar import located
from matrix.run import prepare

_NAMES = ('test.yaml', 'tests.yaml')
KEYS = ('matrix', 'load', 'expect', 'probes', 'abort')


def read(folder: pathlib.Path) -> located.Mapping | None:
    """The mapping of the first of these files that says something for us, or None.

    Other tools keep their own keys in files of these names: they are left alone.

    Raises:
        problem.RefusedError: a file is not YAML.
    """
    for name in _NAMES:
        path = folder / 'tests' / name
        if not path.is_file():
            continue
        document = located.load(prepare.read_text(path, 'the file'), str(path))
        if isinstance(document, located.Mapping) and any(document.get(key) for key in KEYS):
            return document
    return None


def matrix(found: located.Mapping | None) -> located.Value | None:
    """The options among it."""
    return None if found is None else found.get('matrix')
