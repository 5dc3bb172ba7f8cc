"""What `juju scp` runs in a machine."""

from __future__ import annotations

import pathlib
import subprocess

import pytest

from jujulet.cli import copying


@pytest.mark.parametrize('to', ['', 'name', 'folder', 'folder/name'])
def test_a_file_keeps_its_mode_wherever_it_is_put(tmp_path: pathlib.Path, to: str) -> None:
    (tmp_path / 'folder').mkdir()
    put = ['/bin/sh', '-c', copying._PUT_FILE, 'scp', to or '.', 'kept', '750']  # pyright: ignore[reportPrivateUsage]
    subprocess.run(put, input=b'it', cwd=tmp_path, check=True)
    there = tmp_path / to if to.endswith('name') else tmp_path / to / 'kept'
    assert there.read_bytes() == b'it'
    assert there.stat().st_mode & 0o777 == 0o750
