"""What an agent runs is known to the next one, and to no process that came to have the same number."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from jujulet.machines import leftovers


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(['sleep', '600'], start_new_session=True) as process:
        yield process
        process.kill()


def test_what_is_left_is_ended(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    leftovers.keep(tmp_path / 'state', [sleeper.pid])
    leftovers.end(tmp_path / 'state')
    assert sleeper.wait(10) == -9
    assert list((tmp_path / 'state').iterdir()) == []


def test_a_process_that_has_its_number_now_is_left_alone(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    (tmp_path / leftovers.NAME).write_text(json.dumps({str(sleeper.pid): '1'}))
    leftovers.end(tmp_path)
    assert sleeper.poll() is None


@pytest.mark.parametrize('text', ['', 'no JSON', '[1]', '{"a": "b"}', '{"1": ""}'])
def test_what_cannot_be_read_ends_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / leftovers.NAME).write_text(text)
    leftovers.end(tmp_path)


def test_a_disk_that_cannot_be_written_stops_no_agent(tmp_path: Path) -> None:
    (tmp_path / 'state').write_text('in the way')
    leftovers.keep(tmp_path / 'state', [1])
