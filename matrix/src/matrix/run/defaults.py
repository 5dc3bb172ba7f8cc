"""What a bundle says for itself in tests/test.yaml (or tests/tests.yaml)."""

from __future__ import annotations

import difflib
import pathlib

from matrix.grammar import located, problem
from matrix.run import prepare

NAMES = ('test.yaml', 'tests.yaml')
_ALMOST = 0.8  # of difflib's ratio
KEYS = ('matrix', 'load', 'expect', 'probes', 'abort')


def read(folder: pathlib.Path) -> located.Mapping | None:
    """The mapping of the first of these files that says something for us, or None.

    Other tools keep their own keys in files of these names: they are left alone, but for what is ours and misspelt.

    Raises:
        problem.RefusedError: a file is not YAML, or has a key that is almost one of ours.
    """
    for name in NAMES:
        path = folder / 'tests' / name
        if not path.is_file():
            continue
        document = located.load(prepare.read_text(path, 'the file'), str(path))
        if isinstance(document, located.Mapping) and (wrong := misspelt(document)):
            raise problem.RefusedError(wrong)
        if isinstance(document, located.Mapping) and any(document.get(key) for key in KEYS):
            return document
    return None


def misspelt(document: located.Mapping) -> tuple[problem.Problem, ...]:
    """Keys that are almost ours: what they ask for would never be looked at."""
    return tuple(
        problem.Problem(entry.where, f'unknown key {entry.key!r}; did you mean {near[0]!r}?')
        for entry in document.entries
        if entry.key not in KEYS
        and (near := difflib.get_close_matches(entry.key, KEYS, n=1, cutoff=_ALMOST))
    )


def matrix(found: located.Mapping | None) -> located.Value | None:
    """The options among it."""
    return None if found is None else found.get('matrix')
