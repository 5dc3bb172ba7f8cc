"""Whoever removes the controller's socket cuts nobody off: it listens again, and says so where it cannot."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import fcntl
import os
import pathlib
import shutil
import socket
import sys
from collections.abc import Callable, Generator
from typing import IO, Any

import pytest

from jujulet import client, paths
from jujulet.controller import server, service


async def hello() -> str:
    return 'hello'


def served(folder: pathlib.Path, disturb: Callable[[pathlib.Path], object]) -> str:
    """What a controller replies once its socket was disturbed; it has the lock meanwhile, as it always has."""

    async def run() -> str:
        running = server.Server(folder, {'info': hello}, lock.fileno(), pytest.fail)
        await running.start()
        before = paths.socket(folder).lstat().st_ino
        try:
            disturb(paths.socket(folder))
            async with asyncio.timeout(20):
                while not paths.socket(folder).is_socket() or (
                    paths.socket(folder).lstat().st_ino == before
                ):
                    await asyncio.sleep(0.01)
            return str(await asyncio.to_thread(client.Controller(folder).ask, 'info'))
        finally:
            await running.stop()

    with locked(folder) as lock:
        return asyncio.run(run())


@contextlib.contextmanager
def locked(folder: pathlib.Path) -> Generator[IO[str]]:
    """The lock of *folder*, held as by its controller."""
    with paths.lock(folder).open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield lock


async def until(true: Callable[[], object]) -> None:
    """Wait for it, a turn of the loop at a time."""
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0)


def _replaced(path: pathlib.Path) -> None:
    path.rename(path.with_name('aside'))
    path.symlink_to('/dev/null')


@pytest.mark.parametrize('disturb', [pathlib.Path.unlink, _replaced])
def test_a_socket_that_is_removed_is_made_again(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    disturb: Callable[[pathlib.Path], object],
):
    monkeypatch.setattr(server, 'KEEP_S', 0.01)
    assert served(tmp_path, disturb) == 'hello'
    assert not paths.socket(tmp_path).exists()


@pytest.mark.parametrize('anew', [False, True])
def test_a_controller_whose_folder_is_gone_ends_and_takes_nothing_of_the_next_one(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    anew: bool,
):
    monkeypatch.setattr(server, 'KEEP_S', 0.01)
    folder = tmp_path / 'data'
    folder.mkdir()

    async def later() -> str:
        return 'the next one'

    async def run(lock: IO[str]) -> None:
        ended = asyncio.Event()
        old = server.Server(folder, {'info': hello}, lock.fileno(), ended.set)
        await old.start()
        if not anew:
            shutil.rmtree(folder)
            await until(ended.is_set)
            await old.stop()
            assert not folder.exists()
            return
        shutil.rmtree(folder)
        folder.mkdir()
        with locked(folder) as next_lock:
            new = server.Server(folder, {'info': later}, next_lock.fileno(), pytest.fail)
            await new.start()
            made = paths.socket(folder).lstat().st_ino
            await until(ended.is_set)
            await old.stop()
            await asyncio.sleep(server.KEEP_S * 3)
            assert paths.socket(folder).lstat().st_ino == made
            assert await asyncio.to_thread(client.Controller(folder).ask, 'info') == 'the next one'
            await new.stop()
            assert not paths.socket(folder).exists()

    with locked(folder) as lock:
        asyncio.run(run(lock))
    assert f'the lock is gone, as when {folder} is removed: ending' in caplog.text
    assert 'listening again' not in caplog.text


def test_a_lock_that_cannot_be_looked_at_is_not_a_lock_that_is_lost(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(server, 'KEEP_S', 0.01)
    holds = server.holds

    def failing(*args: Any) -> bool:
        if 'cannot be made again: [Errno 13]' not in caplog.text:
            raise PermissionError(errno.EACCES, 'Permission denied')
        return holds(*args)

    monkeypatch.setattr(server, 'holds', failing)
    assert served(tmp_path, pathlib.Path.unlink) == 'hello'


def test_a_controller_that_locked_what_was_removed_meanwhile_does_not_serve(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    lock = fcntl.flock

    def removed_first(file: IO[str], how: int) -> None:
        paths.lock(tmp_path).unlink()
        lock(file, how)

    monkeypatch.setattr(fcntl, 'flock', removed_first)
    monkeypatch.setattr(service, 'serve', pytest.fail)
    monkeypatch.setattr(sys, 'argv', ['controller', str(tmp_path)])
    before = os.umask(0o077)
    try:
        assert service.main() == 0
    finally:
        os.umask(before)


def test_a_controller_that_stops_while_it_listens_again_leaves_no_socket(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(server, 'KEEP_S', 0.01)

    async def run(lock: IO[str]) -> None:
        running = server.Server(tmp_path, {'info': hello}, lock.fileno(), pytest.fail)
        await running.start()
        paths.socket(tmp_path).unlink()
        await until(paths.socket(tmp_path).exists)  # Made, and listening again not yet at its end.
        await running.stop()
        assert not paths.socket(tmp_path).exists()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with locked(tmp_path) as lock:
        asyncio.run(run(lock))


def test_a_socket_that_nobody_finds_is_closed_though_no_other_could_be_made(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(server, 'KEEP_S', 0.01)
    aside = tmp_path / 'aside'

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, 'No space left on device')

    async def run(lock: IO[str]) -> None:
        running = server.Server(tmp_path, {'info': hello}, lock.fileno(), pytest.fail)
        await running.start()
        monkeypatch.setattr(pathlib.Path, 'chmod', full)
        paths.socket(tmp_path).rename(aside)
        await until(lambda: 'cannot be made again' in caplog.text)
        with (
            socket.socket(socket.AF_UNIX) as connection,
            client.short_path(aside) as name,
            pytest.raises(ConnectionRefusedError),
        ):
            connection.connect(name)
        monkeypatch.undo()
        await running.stop()

    with locked(tmp_path) as lock:
        asyncio.run(run(lock))


SILENT, STARTING = 'the controller runs, and does not answer', 'the controller is still starting'


@pytest.mark.parametrize(
    ('polls', 'held', 'says'),
    [
        ((0,), True, SILENT),
        ((0, 0, None), True, SILENT),
        ((None,), True, STARTING),
        ((0, None), False, STARTING),
    ],
    ids=['each ends', 'the last has just begun', 'it is ours that holds it', 'nobody holds it'],
)
def test_a_controller_that_hangs_is_told_from_one_that_starts(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    polls: tuple[int | None, ...],
    held: bool,
    says: str,
):
    """*polls*: what becomes of each daemon that is launched, the last ones alike; 0: it found the lock held."""
    launched: list[Daemon] = []

    def launch(*_: object) -> Daemon:
        launched.append(Daemon(polls[min(len(launched), len(polls) - 1)]))
        return launched[-1]

    monkeypatch.setattr(client.Controller, '_launch', launch)
    monkeypatch.setattr(client, 'START_TIMEOUT_S', 1.0)
    found = client.Controller(tmp_path)
    assert not found.held()
    with locked(tmp_path) if held else contextlib.nullcontext():
        assert (found.running(), found.held()) == (False, held)
        with pytest.raises(client.Unreachable, match=says):
            found.ask('stop-controller')
    assert not found.held()
    assert len(launched) >= len(polls)


@dataclasses.dataclass(frozen=True)
class Daemon:
    """One that was launched, and ended with a code or goes on."""

    code: int | None

    def poll(self) -> int | None:
        return self.code
