"""A command whose controller does not come says whether it failed or is only slow."""

from __future__ import annotations

import pathlib
import subprocess
from collections.abc import Iterator

import pytest

from jujulet import client, paths

SLOW, FAILS = ('sleep', '60'), ('sh', '-c', 'exit 3')


@pytest.fixture
def launched(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The programs that were begun in the controller's place."""
    begun: list[subprocess.Popen[bytes]] = []

    def launch(*_: object) -> subprocess.Popen[bytes]:
        begun.append(subprocess.Popen(request.param))
        return begun[-1]

    monkeypatch.setattr(client.Controller, '_launch', launch)
    monkeypatch.setattr(client, 'START_TIMEOUT_S', 0.2)
    yield begun
    for one in begun:
        one.kill()
        one.wait()


@pytest.mark.parametrize('launched', [SLOW], indirect=True)
def test_one_that_is_slow_is_left_running_and_the_command_is_to_be_repeated(
    launched: list[subprocess.Popen[bytes]], tmp_path: pathlib.Path
):
    with pytest.raises(
        client.Unreachable, match='still starting after 0 s: run the command again'
    ):
        client.Controller(tmp_path).start()
    assert [one.poll() for one in launched] == [None]


@pytest.mark.parametrize('launched', [FAILS], indirect=True)
def test_one_that_failed_says_its_last_words(
    launched: list[subprocess.Popen[bytes]],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(client, 'START_TIMEOUT_S', 30.0)
    paths.log(tmp_path).write_text('before\nno room left\n')
    with pytest.raises(client.Unreachable, match='did not start: no room left'):
        client.Controller(tmp_path).start()
    assert [one.poll() for one in launched] == [3]
