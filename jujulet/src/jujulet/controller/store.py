"""Keeps models in one SQLite file.

A model is a set of entities (an application, a unit, a relation …), a row each. Values are immutable, so saving a
change means writing the entities that are not the same object as before, in one transaction: after a crash
the file holds the model as it was after some whole change.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import json
import pathlib
import sqlite3
import stat
import typing
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .. import codec
from ..core import model as model_

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE entity (
    model TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (model, kind, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE log (
    id INTEGER PRIMARY KEY, model TEXT NOT NULL, at REAL NOT NULL, entity TEXT NOT NULL,
    level TEXT NOT NULL, module TEXT NOT NULL, message TEXT NOT NULL
) STRICT;
CREATE INDEX log_model ON log (model, id);
CREATE TABLE layer (key TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""

LOG_MOST = 20 << 20
"""Bytes of text that the log of a model keeps at least; older lines go (source: ``model-logs-size`` of Juju, 20M)."""

MODEL = 'model'
"""Kind of the one row that holds everything of a model that is in no collection."""


class LogLine(NamedTuple):
    """One line of the debug log."""

    at: float
    entity: str
    """``unit-placement-0``, ``machine-0`` or ``controller-0``."""
    level: str
    module: str
    message: str
    id: int = 0


class Unusable(Exception):  # noqa: N818 -- it is a condition that the user must hear of
    """The store, or what is beside it, is not what the controller can work with. The text says why and what helps."""


class NewerStore(Unusable):
    """The file was written by a newer jujulet than this one."""


class Damaged(Unusable):
    """The file is no store, or a part of it cannot be read."""


MIGRATIONS: Mapping[int, str] = {}
"""By the version that a file has: the SQL that makes the next of it. The file is copied beside it before."""


def _collections() -> dict[str, tuple[type, type]]:
    """Fields of Model that are collections of entities: name → (key type, entity type)."""
    out: dict[str, tuple[type, type]] = {}
    for name, hint in typing.get_type_hints(model_.Model).items():
        if typing.get_origin(hint) is not collections.abc.Mapping:
            continue
        key, item = typing.get_args(hint)
        if dataclasses.is_dataclass(item):
            out[name] = (key, typing.cast('type', item))
    return out


COLLECTIONS = _collections()


_NOT_WRITTEN = ('FULL', 'READONLY', 'CANTOPEN', 'IOERR', 'PERM', 'BUSY', 'LOCKED')
"""What SQLite says of the disk or of who else has the file, and not of what is in it: the first word of its names."""


def _unusable(path: pathlib.Path, error: OSError | sqlite3.Error) -> Unusable:
    """What an error means that came of opening the store at *path*."""
    name = getattr(error, 'sqlite_errorname', '')
    if isinstance(error, OSError) or name.split('_')[1:2] in [[kind] for kind in _NOT_WRITTEN]:
        said = (error.strerror or error) if isinstance(error, OSError) else error
        return Unusable(
            f'{path} cannot be written ({said}): see to that, and run the command again; what it has is kept'
        )
    return Damaged(f'{path} is damaged ({error})')


def _own_file(path: pathlib.Path) -> None:
    """See that *path* is a file, or not there: another's file behind a link would get our mode and content.

    Raises:
        Unusable: it is something else.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        kind = 'a link' if stat.S_ISLNK(mode) else 'a folder' if stat.S_ISDIR(mode) else 'no file'
        raise Unusable(
            f'{path} is {kind}, and the store of the models is a file: move it away, and put the file back '
            'or restore a backup (`jujulet restore FILE`)'
        )


class Store:
    """The open file. Used by one thread of one process."""

    def __init__(self, path: pathlib.Path):
        """Open *path*, making it if need be.

        Raises:
            NewerStore: a newer version wrote it.
            Damaged: SQLite finds it is not whole.
            Unusable: it is no file of its own, as a link is not, or it cannot be written.
        """
        self._path = path
        self._logged: dict[str, int] = {}
        """Bytes of each model's log, as far as they were counted."""
        try:
            _own_file(path)
            self._db = sqlite3.connect(path, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path, error) from None
        try:
            self._open(path)
        except (OSError, sqlite3.Error) as error:
            self._db.close()
            raise _unusable(path, error) from None

    def _open(self, path: pathlib.Path) -> None:
        path.chmod(0o600)
        self._db.execute('PRAGMA journal_mode = WAL')
        self._db.execute('PRAGMA synchronous = NORMAL')
        said = self._db.execute('PRAGMA quick_check(1)').fetchone()[0]
        if said != 'ok':
            raise sqlite3.DatabaseError(said)
        version = self._db.execute('PRAGMA user_version').fetchone()[0]
        if version > SCHEMA_VERSION:
            self._db.close()
            raise NewerStore(
                f'{path} was written by a newer jujulet (format {version}, '
                f'this one knows {SCHEMA_VERSION}): upgrade jujulet, or set JUJULET_DATA to another folder'
            )
        if version == 0:
            self._db.executescript(
                f'BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;'
            )
            version = SCHEMA_VERSION
        while version < SCHEMA_VERSION:
            step = MIGRATIONS[version]
            self._db.execute('VACUUM INTO ?', (f'{path}.version-{version}',))
            version += 1
            self._db.executescript(f'BEGIN; {step} PRAGMA user_version = {version}; COMMIT;')

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def load(self) -> list[model_.Model]:
        """All models, as last saved.

        Raises:
            Damaged: there is no table of rows, or one is not what this version writes: it says more, or less.
        """
        rows: dict[str, dict[str, dict[str, Any]]] = {}
        try:
            for uuid, kind, key, body in self._db.execute('SELECT * FROM entity'):
                rows.setdefault(uuid, {}).setdefault(kind, {})[key] = json.loads(body)
            return [_decode(kinds) for kinds in rows.values()]
        except sqlite3.DatabaseError as error:
            raise Damaged(f'{self._path} is damaged ({error})') from None
        except (ValueError, TypeError, KeyError) as error:
            raise Damaged(
                f'{self._path} holds what this jujulet does not know ({error}): it was written by another version'
            ) from None

    def save(
        self, old: model_.Model | None, new: model_.Model | None, lines: Iterable[LogLine] = ()
    ) -> None:
        """Write what differs between *old* and *new* (None: not there), and *lines* of its log: all or nothing."""
        uuid = (new or typing.cast('model_.Model', old)).uuid
        self._db.execute('BEGIN IMMEDIATE')
        try:
            if new is None:
                self._db.execute('DELETE FROM entity WHERE model = ?', (uuid,))
                self._db.execute('DELETE FROM log WHERE model = ?', (uuid,))
            else:
                self._write(old, new)
                self._log(uuid, lines)
        except BaseException:
            self._undo()
            raise
        self._db.execute('COMMIT')

    def _undo(self) -> None:
        if self._db.in_transaction:  # A full disk ends it by itself.
            self._db.execute('ROLLBACK')

    def _write(self, old: model_.Model | None, new: model_.Model) -> None:
        puts: list[tuple[str, str, str, str]] = []
        drops: list[tuple[str, str, str]] = []
        for kind in COLLECTIONS:
            before: Mapping[Any, Any] = getattr(old, kind) if old else {}
            after: Mapping[Any, Any] = getattr(new, kind)
            if before is after:
                continue
            puts += [
                (new.uuid, kind, str(key), json.dumps(codec.encode(item)))
                for key, item in after.items()
                if before.get(key) is not item
            ]
            drops += [(new.uuid, kind, str(key)) for key in before if key not in after]
        scalars = _scalars(new)
        if old is None or _scalars(old) != scalars:
            puts.append((new.uuid, MODEL, '', json.dumps(scalars)))
        self._db.executemany('INSERT OR REPLACE INTO entity VALUES (?, ?, ?, ?)', puts)
        self._db.executemany('DELETE FROM entity WHERE model = ? AND kind = ? AND key = ?', drops)

    def _log(self, uuid: str, lines: Iterable[LogLine]) -> None:
        lines = tuple(lines)
        self._db.executemany(
            'INSERT INTO log (model, at, entity, level, module, message) VALUES (?, ?, ?, ?, ?, ?)',
            [(uuid, x.at, x.entity, x.level, x.module, x.message) for x in lines],
        )
        if uuid not in self._logged:
            self._logged[uuid] = self._db.execute(
                'SELECT total(length(message)) FROM log WHERE model = ?', (uuid,)
            ).fetchone()[0]
        else:
            self._logged[uuid] += sum(len(x.message) for x in lines)
        if self._logged[uuid] > LOG_MOST * 1.25:
            self._shorten(uuid)

    def _shorten(self, uuid: str) -> None:
        """Drop the oldest lines of a model, down to :data:`LOG_MOST`."""
        kept = 0
        newest = 'SELECT id, length(message) FROM log WHERE model = ? ORDER BY id DESC'
        for number, size in self._db.execute(newest, (uuid,)):
            if kept + size > LOG_MOST:
                self._db.execute('DELETE FROM log WHERE model = ? AND id <= ?', (uuid, number))
                break
            kept += size
        self._logged[uuid] = kept

    def log(self, uuid: str, lines: Iterable[LogLine]) -> None:
        """Append *lines* to the debug log of a model."""
        self._db.execute('BEGIN IMMEDIATE')
        try:
            self._log(uuid, lines)
        except BaseException:
            self._undo()
            raise
        self._db.execute('COMMIT')

    def log_lines(self, uuid: str, *, limit: int = 0, after: int = 0) -> list[LogLine]:
        """Lines of the debug log with an id above *after*, oldest first; the last *limit* of them (0: all)."""
        rows = self._db.execute(
            'SELECT at, entity, level, module, message, id FROM log WHERE model = ? AND id > ? '
            'ORDER BY id DESC LIMIT ?',
            (uuid, after, limit or -1),
        ).fetchall()
        return [LogLine(*row) for row in reversed(rows)]

    def layers(self) -> dict[str, Any]:
        """Everything known of the install cache's layers, by key."""
        return {
            key: json.loads(body) for key, body in self._db.execute('SELECT key, body FROM layer')
        }

    def put_layer(self, key: str, body: Any) -> None:
        """Remember a layer; None forgets it."""
        if body is None:
            self._db.execute('DELETE FROM layer WHERE key = ?', (key,))
        else:
            self._db.execute('INSERT OR REPLACE INTO layer VALUES (?, ?)', (key, json.dumps(body)))


def _scalars(model: model_.Model) -> dict[str, Any]:
    return {
        f.name: codec.encode(getattr(model, f.name))
        for f in dataclasses.fields(model)
        if f.name not in COLLECTIONS and f.compare
    }


def _decode(kinds: Mapping[str, Mapping[str, Any]]) -> model_.Model:
    fields: dict[str, Any] = {}
    for kind, (key_type, item_type) in COLLECTIONS.items():
        fields[kind] = {
            key: codec.decode(item_type, body)
            for key, body in sorted(
                ((key_type(k), b) for k, b in kinds.get(kind, {}).items()), key=lambda kb: kb[0]
            )
        }
    scalars = codec.decode(model_.Model, kinds[MODEL][''])
    return dataclasses.replace(scalars, **fields)
