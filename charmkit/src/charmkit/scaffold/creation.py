"""Write a new charm: all of it, or nothing."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import tempfile

from .. import generate
from . import Wanted, rendering
from .library import WHEELS


class RefusedError(Exception):
    """It was not made; the text says why."""


def create(wanted: Wanted, folder: pathlib.Path, wheel: pathlib.Path | None = None) -> None:
    """Make the charm in *folder*, which must not be there; *wheel* goes with it.

    Raises:
        RefusedError: something is there already, or it cannot be written.
    """
    if os.path.lexists(folder):
        raise RefusedError(
            f'{folder} is there already: nothing of it was changed; take another name or folder'
        )
    if not folder.parent.is_dir():
        raise RefusedError(
            f'{folder.parent} is not a folder: the charm is made in one that is there'
        )
    try:
        with tempfile.TemporaryDirectory(prefix='.new-charm-', dir=folder.parent) as aside:
            work = pathlib.Path(aside, folder.name)
            _write(wanted, work, wheel)
            _rename(work, folder)
    except OSError as e:
        raise RefusedError(f'{folder}: it cannot be written: {e.strerror or e}') from None


def _write(wanted: Wanted, work: pathlib.Path, wheel: pathlib.Path | None) -> None:
    for inner, text in rendering.render(wanted).items():
        path = work / inner
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8')
    (work / 'src/charm.py').chmod(0o755)
    if wheel:
        (work / WHEELS).mkdir()
        shutil.copyfile(wheel, work / WHEELS / wheel.name)
    for path, text in generate.stale([work]).items():
        path.write_text(text, encoding='utf-8')
    for cache in work.rglob('__pycache__'):
        shutil.rmtree(cache)


def _rename(work: pathlib.Path, folder: pathlib.Path) -> None:
    """Into its place. A folder that came meanwhile is kept, unless it is empty: that is all that rename(2) replaces."""
    try:
        work.rename(folder)
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            folder.lstat()
            raise RefusedError(f'{folder} is there already: nothing of it was changed') from None
        raise
