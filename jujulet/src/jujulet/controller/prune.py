"""What is kept on disk and needed by no model: charms, resources and environments of charms, found and removed."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
import stat
import time
from collections.abc import Iterable

from .. import paths
from ..core import model as model_

FRESH_S = 600.0
"""What is younger may be a charm that somebody is deploying: a model has it in a moment."""
UNFINISHED = '.making-'
"""How what is not there yet begins (see ``charmdir.tree``, ``aside``)."""


@dataclasses.dataclass(frozen=True)
class Pruned:
    """Of one kind of things: how many were removed, and how large they were in bytes."""

    what: str
    many: int
    size: int


def needed(models: Iterable[model_.Model]) -> tuple[frozenset[str], frozenset[str]]:
    """Digests of the charms and of the resources that models have."""
    charms: set[str] = set()
    resources: set[str] = set()
    for model in models:
        for charm in model.charms.values():
            charms |= charm.digests
        for application in model.applications.values():
            resources.update(r.digest for r in application.resources.values())
    return frozenset(charms), frozenset(resources)


def unneeded(
    folder: pathlib.Path, models: Iterable[model_.Model], now: float
) -> dict[str, list[pathlib.Path]]:
    """By kind: what lies below *folder* and is neither needed nor fresh. Environments are copied, so none is needed."""
    charms, resources = needed(models)
    places = {
        'charms': (paths.charms(folder), charms),
        'resources': (paths.blobs(folder), resources),
        'environments of charms': (folder / 'venvs', frozenset[str]()),
    }
    return {
        what: [
            p
            for p in sorted(place.iterdir() if place.is_dir() else ())
            if p.name not in wanted and now - p.lstat().st_ctime > FRESH_S
        ]
        for what, (place, wanted) in places.items()
    }


def prune(
    folder: pathlib.Path, models: Iterable[model_.Model], now: float | None = None
) -> list[Pruned]:
    """Remove what is unneeded. What cannot be removed stays, and is not counted."""
    found = unneeded(folder, models, time.time() if now is None else now)
    return [_removed(what, all_) for what, all_ in found.items()]


def _removed(what: str, all_: Iterable[pathlib.Path]) -> Pruned:
    many = size = 0
    for path in all_:
        found = size_of(path)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        if not os.path.lexists(path):
            many, size = many + 1, size + found
    return Pruned(what, many, size)


def size_of(path: pathlib.Path) -> int:
    """Bytes of a file, or of all files below a folder; links are not followed."""
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        return found.st_size
    return sum(
        os.lstat(os.path.join(here, name)).st_size
        for here, _, names in os.walk(path)
        for name in names
    )
