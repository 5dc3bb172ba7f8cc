"""A lost store: nothing is deleted, what is there is taken up or comes back from a backup."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from .conftest import CHARMS


class Own:
    """A jujulet of a test's own."""

    def __init__(self, home: pathlib.Path):
        self.home = home
        self.environment = {**os.environ, 'JUJULET_DATA': str(home), 'JUJULET_CLOUD': 'processes'}

    def __call__(self, *words: str, fails: bool = False) -> str:
        """Output of one command, or its error."""
        juju = shutil.which('juju') or 'juju'
        said = subprocess.run(
            [juju, *words], env=self.environment, capture_output=True, text=True, check=False
        )
        assert bool(said.returncode) == fails, said.stderr
        return said.stderr if fails else said.stdout


@pytest.fixture
def own(tmp_path: pathlib.Path) -> Iterator[Own]:
    found = Own(tmp_path / 'home')
    found('add-model', 't')
    found('deploy', str(CHARMS / 'recorder'), '--wait')
    yield found
    found('controller', 'stop')
    for lost in found.home.glob('jujulet.db*'):
        lost.unlink()
    found('recover', '--remove')
    found('controller', 'stop')


def test_a_lost_store_deletes_no_machine_and_they_are_taken_up(own: Own):
    (note,) = own.home.glob('machines/*/root')
    (note / 'precious').write_text('data')
    own('controller', 'stop')
    for lost in own.home.glob('jujulet.db*'):
        lost.unlink()
    said = own('status', '-m', 't', fails=True)
    assert 'jujulet recover --adopt' in said
    assert 'Traceback' not in said
    assert (note / 'precious').read_text() == 'data'
    assert '0' in own('recover')
    own('recover', '--adopt')
    assert own('exec', '-m', 't', '--machine', '0', '--', 'cat', f'{note}/precious') == 'data\n'


def test_a_backup_brings_all_of_it_back(own: Own, tmp_path: pathlib.Path):
    copy = own('backup', str(tmp_path / 'copy')).strip()
    assert 'controller stop' in own('restore', copy, fails=True)
    own('controller', 'stop')
    for lost in own.home.glob('jujulet.db*'):
        lost.write_text('damaged')
    assert 'is damaged' in own('status', '-m', 't', fails=True)
    own('restore', copy)
    assert 'recorder/0' in own('status', '-m', 't')


def test_a_folder_that_is_made_anew_has_one_controller(tmp_path: pathlib.Path):
    """The one of the folder that was removed ends, and what the next one has is left alone."""
    own = Own(tmp_path / 'home')
    own('add-model', 'old')
    first = serving(own)
    shutil.rmtree(own.home)
    own('add-model', 'new')
    second = serving(own)
    assert second != first
    deadline = time.monotonic() + 60
    while alive(first):
        assert time.monotonic() < deadline, 'the controller of the folder that was removed goes on'
        time.sleep(0.05)
    assert serving(own) == second
    os.kill(
        second, signal.SIGKILL
    )  # What it wrote is there, though the other one closed its store.
    assert [m['short-name'] for m in json.loads(own('models', '--format', 'json'))['models']] == [
        'new'
    ]
    own('controller', 'stop')


def serving(own: Own) -> int:
    """The process of the controller that replies."""
    return int(json.loads(own('controller', 'status', '--format', 'json'))['pid'])


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not yet waited for has no command line."""
    try:
        return bool(pathlib.Path(f'/proc/{pid}/cmdline').read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False
