"""Copies of the store: one is kept at a start of the controller, others are made when the user asks.

A copy holds what the store holds: models, their logs, what is known of layers. Files of machines are not in it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import sqlite3
import time

from .. import aside, paths

AGE_S = 24 * 3600.0
"""A copy is made at a start if the last one is older."""

KEPT = 5
"""Copies of our own that are kept; those that the user made are not counted, and stay."""

_AUTOMATIC = 'automatic-'


@dataclasses.dataclass(frozen=True)
class Backup:
    """One copy."""

    path: pathlib.Path
    made: float
    """Seconds since the epoch."""


def folder(root: pathlib.Path) -> pathlib.Path:
    """Where copies are, in the folder of all state."""
    return root / 'backups'


def copies(root: pathlib.Path) -> list[Backup]:
    """All copies there, the newest first."""
    found = [Backup(path, path.stat().st_mtime) for path in folder(root).glob('*.db')]
    return sorted(found, key=lambda each: each.made, reverse=True)


def problem(path: pathlib.Path) -> str:
    """What keeps a file from being a store, in SQLite's words; empty if nothing does."""
    if not path.is_file():
        return 'no such file'
    try:
        # As it is: nothing beside it is made or needed.
        with contextlib.closing(
            sqlite3.connect(f'{path.absolute().as_uri()}?mode=ro', uri=True)
        ) as db:
            said = str(db.execute('PRAGMA quick_check(1)').fetchone()[0])
            db.execute('SELECT count(*) FROM entity').fetchone()
    except sqlite3.Error as error:
        return str(error)
    return '' if said == 'ok' else said


def good(root: pathlib.Path) -> Backup | None:
    """The last copy that is whole."""
    return next((each for each in copies(root) if not problem(each.path)), None)


def make(root: pathlib.Path, target: pathlib.Path) -> None:
    """Copy the store as it is at this moment to *target*, whole or not at all; the controller may run.

    Raises:
        OSError: there is no store, or *target* cannot be written.
        sqlite3.Error: the store is damaged, or the disk is full.
    """
    store = paths.database(root)
    with aside.opened(target.parent) as (file, become):
        with (
            contextlib.closing(
                sqlite3.connect(f'{store.absolute().as_uri()}?mode=ro', uri=True)
            ) as old,
            contextlib.closing(sqlite3.connect(f'/proc/self/fd/{file.fileno()}')) as new,
        ):
            old.backup(new)
            new.execute('PRAGMA journal_mode = DELETE')
        os.fsync(file.fileno())
        become(target)


def name(now: float) -> str:
    """``20261129-203000.db``: of a copy made at *now* (seconds since the epoch), in UTC."""
    return time.strftime('%Y%m%d-%H%M%S.db', time.gmtime(now))


def make_own(root: pathlib.Path, now: float) -> pathlib.Path | None:
    """Keep a copy of a store that is whole, if the last is older than a day, and no more than some; where it is.

    Raises:
        OSError, sqlite3.Error: as :func:`make`.
    """
    place = folder(root)
    place.mkdir(mode=0o700, exist_ok=True)
    known = copies(root)
    if known and now - known[0].made < AGE_S:
        return None
    target = place / f'{_AUTOMATIC}{name(now)}'
    make(root, target)
    own = [each for each in copies(root) if each.path.name.startswith(_AUTOMATIC)]
    for each in own[KEPT:]:
        each.path.unlink(missing_ok=True)
    return target


def restore(root: pathlib.Path, source: pathlib.Path, now: float) -> pathlib.Path | None:
    """Put a copy in the place of the store, which is kept beside it; where that is. Nothing may have it open.

    Raises:
        OSError: *source* cannot be read, or the folder not be written to.
    """
    store = paths.database(root)
    with source.open('rb') as copy, aside.opened(root) as (file, become):
        while chunk := copy.read(1 << 20):
            file.write(chunk)
        old = None
        if store.exists():
            folder(root).mkdir(mode=0o700, exist_ok=True)
            old = folder(root) / f'replaced-{name(now)}'
            store.replace(old)
            for more in ('-wal', '-shm'):  # What SQLite keeps beside a file belongs to that file.
                with contextlib.suppress(FileNotFoundError):
                    store.with_name(store.name + more).replace(old.with_name(old.name + more))
        become(store)
    return old
