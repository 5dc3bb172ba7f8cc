"""Backups on the unit's disk: a consistent dump of every database, and the way back. An edge."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import gzip
import hashlib
import os
import pathlib
import threading
import zlib
from collections.abc import Callable, Generator

import binary_log_node
import charmkit
import grants
import mariadb
import server

Say = Callable[[str], object]

_END = b'-- Dump completed'
_CHUNK = 1 << 20
_SAY_EVERY_S = 10.0
_LOCK_WAIT_S = 120
"""How long a restore waits for a table; the server's own limit is a day."""


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
            return make(machine, pathlib.Path(mariadb.BACKUPS), at, machine.progress).results()
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
            restore(machine, pathlib.Path(self.path), machine.progress)
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


@dataclasses.dataclass
class _Progress:
    """How far a copy has come: the operator hears of it now and then."""

    machine: charmkit.Machine
    say: Say
    done: str
    copied: int = 0
    at: float = 0.0

    def more(self, piece: bytes) -> bytes:
        """Count *piece*, and give it back."""
        self.copied += len(piece)
        self.at = self.at or self.machine.now()
        if self.machine.now() - self.at > _SAY_EVERY_S:
            self.at = self.machine.now()
            self.say(f'{self.done} {self.copied >> 20} MiB')
        return piece


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
    began = machine.now()
    names = grants.client_databases(server.query(machine, grants.DATABASES))
    if not names:
        raise BackupError('there is no database yet')
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f'{now:%Y%m%dT%H%M%S}Z.sql.gz'
    if path.exists():
        raise BackupError(f'{path} is there already')
    aside = path.with_name(f'.{path.name}.partial')
    say(f'dumping {len(names)} databases to {path}')
    try:
        _dump(machine, names, aside, say)
        check(aside)
        sha256 = _sha256(aside)
        aside.rename(path)
    except OSError as e:
        raise BackupError(f'{path}: {e.strerror or e}') from e
    finally:
        aside.unlink(missing_ok=True)
    return Backup(path, names, path.stat().st_size, sha256, machine.now() - began)


def _dump(machine: charmkit.Machine, names: tuple[str, ...], path: pathlib.Path, say: Say) -> None:
    argv = (
        'mariadb-dump', '--protocol=socket', '--single-transaction', '--quick', '--routines', '--events',
        '--triggers', '--hex-blob', '--add-drop-database', *_position(machine), '--databases', *names,
    )  # fmt: skip
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(handle, 'wb') as raw:
        with gzip.open(raw, 'wb', compresslevel=1) as out:
            progress = _Progress(machine, say, 'dumped')
            done = machine.stream(
                *argv, sink=lambda piece: (out.write(piece), progress.more(piece))
            )
        if done.status:
            raise BackupError(done.output.strip())
        raw.flush()
        os.fsync(raw.fileno())


def _position(machine: charmkit.Machine) -> tuple[str, ...]:
    """What writes into the dump, as a comment, which of the binary log is after it. Nobody is locked for that."""
    return ('--master-data=2', '--gtid') if binary_log_node.is_on(machine) else ()


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
    if binary_log_node.is_on(machine):
        # It would be as large as the dump; and nobody follows: that is refused before. A cluster has none.
        patience += ', SESSION sql_log_bin=0'
    with _clients_kept_off(machine), gzip.open(path, 'rb') as dump:
        progress = _Progress(machine, say, 'restored')
        pieces = map(progress.more, iter(lambda: dump.read(_CHUNK), b''))
        done = machine.stream(*server.CLIENT, '--binary-mode', patience, source=pieces)
    if done.status:
        said = done.output.strip()
        raise BackupError(f'{path} was restored in part ({said}): restore again')


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


def _sha256(path: pathlib.Path) -> str:
    with open(path, 'rb') as f:
        return hashlib.file_digest(f, 'sha256').hexdigest()
