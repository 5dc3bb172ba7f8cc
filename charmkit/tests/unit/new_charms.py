"""Charms as `charmkit new` makes them, for tests: each kind is made once."""

from __future__ import annotations

import functools
import pathlib
import shutil
import tempfile

from charmkit import scaffold
from charmkit.scaffold import creation

LIBRARY = scaffold.Library('0.1.0', 'wheels/charmkit-0.1.0-py3-none-any.whl')
NAME = 'my-charm'


@functools.cache
def _made(kind: str) -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix='new-charms-')
    wanted = scaffold.Wanted(NAME, scaffold.KINDS[kind], LIBRARY)
    creation.create(wanted, pathlib.Path(folder.name, NAME))
    return folder


def copied(kind: str, into: pathlib.Path) -> pathlib.Path:
    """A charm of *kind* in a folder of its own."""
    return pathlib.Path(shutil.copytree(pathlib.Path(_made(kind).name, NAME), into / NAME))
