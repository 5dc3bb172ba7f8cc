"""Backups on the unit's disk: a consistent dump of every database, and the way back. An edge."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import gzip
import hashlib
import os
import pathlib
import subprocess
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Generator
from typing import IO, Protocol

import charmkit
import grants
import mariadb
import server

REACH: tuple[str, ...] = ()
"""What goes before each of MariaDB's programs to run it where the server is: nothing, here."""
Say = Callable[[str], object]

_END = b'-- Dump completed'
_CHUNK = 1 << 20
_SAY_EVERY_S = 10.0
_LOCK_WAIT_S = 120
"""How long a restore waits for a table; the server's own limit is a day."""


class _Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Target(Protocol):
    def write(self, data: bytes, /) -> object: ...


class BackupError(Exception):
    """A backup could not be made, read or restored: the message says which, and what to do."""


@dataclasses.dataclass(frozen=True)
class Backup:
    """A backup that was made."""

    path: pathlib.Path
    databases: tuple[str, ...]
    bytes: int
    sha256: str
    seconds: float

    def results(self) -> dict[str, str]:
        """As an action's results."""
        return {
            'file': str(self.path),
            'databases': ' '.join(self.databases),
            'bytes': str(self.bytes),
            'sha256': self.sha256,
            'seconds': f'{self.seconds:.1f}',
        }


@dataclasses.dataclass(frozen=True)
class Failed:
    """Why a task could not be done, in words for the operator."""

    reason: str


@dataclasses.dataclass(frozen=True)
class Make:
    """Make a backup; the result is the action's, or :class:`Failed`."""

    now: float
    """Seconds since the epoch: the backup's name."""
    name: str = 'backup'

    def carry_out(self, machine: charmkit.Machine) -> dict[str, str] | Failed:
        """Do it."""
        at = datetime.datetime.fromtimestamp(self.now, datetime.UTC)
        try:
            return make(machine, pathlib.Path(mariadb.BACKUPS), at, _say).results()
        except (BackupError, server.ServerError) as e:
            return Failed(f'No backup was made: {e}')


@dataclasses.dataclass(frozen=True)
class Restore:
    """Restore the backup at *path*; the result is the action's, or :class:`Failed`."""

    path: str
    name: str = 'restore'

    def carry_out(self, machine: charmkit.Machine) -> dict[str, str] | Failed:
        """Do it."""
        try:
            restore(machine, pathlib.Path(self.path), _say)
        except (BackupError, server.ServerError) as e:
            return Failed(str(e))
        return {'restored': self.path}


@dataclasses.dataclass(frozen=True)
class List:
    """What backups there are; the result is the text."""

    name: str = 'list-backups'

    def carry_out(self, _: charmkit.Machine) -> str:
        """Look."""
        return '\n'.join(found(pathlib.Path(mariadb.BACKUPS)))


def _say(line: str) -> None:
    """Tell the operator who runs the action: `juju` shows it while it is under way."""
    with contextlib.suppress(OSError):
        subprocess.run(['action-log', line], check=False)


def make(
    machine: charmkit.Machine, folder: pathlib.Path, now: datetime.datetime, say: Say
) -> Backup:
    """Dump every database that is not the server's own into a new file in *folder*.

    The dump is one transaction (``--single-transaction``), so services go on writing meanwhile.
    The file appears under its name only when it is whole.

    Raises:
        BackupError: when there is nothing to dump, the dump fails, or the disk is full.
        server.ServerError: when the server does not answer.
    """
    began = time.monotonic()
    names = tuple(
        sorted(
            {r['name'] for r in server.query(machine, grants.DATABASES)}
            - {*grants.SYSTEM_DATABASES}
        )
    )
    if not names:
        raise BackupError('there is no database yet')
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f'{now:%Y%m%dT%H%M%S}Z.sql.gz'
    if path.exists():
        raise BackupError(f'{path} is there already')
    aside = path.with_name(f'.{path.name}.partial')
    say(f'dumping {len(names)} databases to {path}')
    try:
        _dump(names, aside, say)
        check(aside)
        sha256 = _sha256(aside)
        aside.rename(path)
    except OSError as e:
        raise BackupError(f'{path}: {e.strerror or e}') from e
    finally:
        aside.unlink(missing_ok=True)
    return Backup(path, names, path.stat().st_size, sha256, time.monotonic() - began)


def _dump(names: tuple[str, ...], path: pathlib.Path, say: Say) -> None:
    argv = (
        *REACH, 'mariadb-dump', '--protocol=socket', '--single-transaction', '--quick', '--routines',
        '--events', '--triggers', '--hex-blob', '--add-drop-database', '--databases', *names,
    )  # fmt: skip
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with (
        open(handle, 'wb') as raw,
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=errors) as dump,
    ):
        assert dump.stdout is not None  # noqa: S101 -- a pipe was asked for.
        try:
            with gzip.open(raw, 'wb', compresslevel=1) as out:
                _copy(dump.stdout, out, say, 'dumped')
            raw.flush()
            os.fsync(raw.fileno())
        except BaseException:
            dump.kill()
            raise
        if dump.wait():
            raise BackupError(_said(errors))


def check(path: pathlib.Path) -> None:
    """Read the whole of *path*, and make sure that it is a dump that was ended.

    Raises:
        BackupError: when it is not there, is damaged, or ends too early.
    """
    tail = b''
    try:
        with gzip.open(path, 'rb') as dump:
            while chunk := dump.read(_CHUNK):
                tail = (tail + chunk)[-200:]
    except FileNotFoundError:
        raise BackupError(f'{path} is not there: list-backups shows what is') from None
    except (OSError, EOFError, zlib.error) as e:
        raise BackupError(f'{path} is damaged ({e}); nothing was changed') from e
    if _END not in tail:
        raise BackupError(f'{path} does not end as a dump does; nothing was changed')


def restore(machine: charmkit.Machine, path: pathlib.Path, say: Say) -> None:
    """Put the databases in *path* in the place of those of the same names.

    The file is read to its end first, so that a damaged one changes nothing.

    Raises:
        BackupError: when the file is no whole dump, or the server refuses a part of it: then
            some databases are restored and some are not, and restoring again is safe.
    """
    check(path)
    say(f'restoring {path}')
    patience = f'--init-command=SET lock_wait_timeout={_LOCK_WAIT_S}'
    argv = (*REACH, *server.CLIENT, '--binary-mode', patience)
    with (
        _clients_kept_off(machine),
        gzip.open(path, 'rb') as dump,
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=errors) as client,
    ):
        assert client.stdin is not None  # noqa: S101 -- a pipe was asked for.
        # When the client stops reading, its own words, below, say why.
        with contextlib.suppress(BrokenPipeError):
            _copy(dump, client.stdin, say, 'restored')
        with contextlib.suppress(BrokenPipeError):
            client.stdin.close()
        if client.wait():
            raise BackupError(f'{path} was restored in part ({_said(errors)}): restore again')


@contextlib.contextmanager
def _clients_kept_off(machine: charmkit.Machine) -> Generator[None]:
    """Meanwhile, end every connection of a service again and again.

    A service that is in the middle of a transaction holds its tables, and a restore that must replace them would wait
    for it, while the service waits for the restore.
    """
    over = threading.Event()

    def keep_off() -> None:
        while True:
            with contextlib.suppress(server.ServerError):
                server.disconnect_clients(machine)
            if over.wait(1.0):
                return

    guard = threading.Thread(target=keep_off, daemon=True)
    guard.start()
    try:
        yield
    finally:
        over.set()
        guard.join()


def found(folder: pathlib.Path) -> list[str]:
    """Name, size in bytes and SHA-256 of each backup, oldest first."""
    return [
        f'{path.name} {path.stat().st_size} {_sha256(path)}'
        for path in sorted(folder.glob('[!.]*.sql.gz'))
    ]


def _copy(source: _Source, target: _Target, say: Say, done: str) -> None:
    copied, said = 0, time.monotonic()
    while chunk := source.read(_CHUNK):
        target.write(chunk)
        copied += len(chunk)
        if time.monotonic() - said > _SAY_EVERY_S:
            said = time.monotonic()
            say(f'{done} {copied >> 20} MiB')


def _said(errors: IO[bytes]) -> str:
    errors.seek(0)
    return errors.read().decode(errors='replace').strip()


def _sha256(path: pathlib.Path) -> str:
    with open(path, 'rb') as f:
        return hashlib.file_digest(f, 'sha256').hexdigest()
