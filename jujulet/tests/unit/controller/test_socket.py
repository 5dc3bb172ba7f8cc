"""Whoever removes the controller's socket cuts nobody off: it listens again, and says so where it cannot."""

from __future__ import annotations

import asyncio
import fcntl
import pathlib
from collections.abc import Callable

import pytest

from jujulet import client, paths
from jujulet.controller import server


async def hello() -> str:
    return 'hello'


def served(folder: pathlib.Path, disturb: Callable[[pathlib.Path], object]) -> str:
    """What a controller replies once its socket was disturbed; it has the lock meanwhile, as it always has."""

    async def run() -> str:
        running = server.Server(folder, {'info': hello})
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

    with open(paths.lock(folder), 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return asyncio.run(run())


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


def test_a_controller_that_cannot_be_reached_is_not_said_to_be_stopped(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    class Ended:
        @staticmethod
        def poll() -> int:
            return 0  # As one ends that finds the lock held.

    def launch(*_: object) -> type[Ended]:
        return Ended

    monkeypatch.setattr(client.Controller, '_launch', launch)
    monkeypatch.setattr(client, 'START_TIMEOUT_S', 0.3)
    found = client.Controller(tmp_path)
    assert not found.held()
    with open(paths.lock(tmp_path), 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert (found.running(), found.held()) == (False, True)
        with pytest.raises(client.Unreachable, match='the controller runs, and does not answer'):
            found.ask('stop-controller')
    assert not found.held()
