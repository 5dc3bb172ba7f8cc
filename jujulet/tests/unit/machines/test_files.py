"""The host writes into a machine without following what the machine laid there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jujulet.machines import files


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    path = tmp_path / 'outside'
    path.mkdir()
    (path / 'secret').write_text("the host's")
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / 'root'
    path.mkdir()
    return path


def test_a_file_is_made_with_its_directories_and_read_back(root: Path) -> None:
    files.write(root, 'etc/a/b', 'text', mode=0o640)
    assert files.read(root, 'etc/a/b') == 'text'
    assert (root / 'etc/a/b').stat().st_mode & 0o777 == 0o640
    assert os.listdir(root / 'etc/a') == ['b']


def test_a_link_in_place_of_the_file_is_replaced_not_followed(root: Path, outside: Path) -> None:
    (root / 'etc').mkdir()
    (root / 'etc/hosts').symlink_to(outside / 'secret')
    assert files.read(root, 'etc/hosts') == ''
    files.write(root, 'etc/hosts', 'new')
    assert (outside / 'secret').read_text() == "the host's"
    assert not (root / 'etc/hosts').is_symlink()


def test_a_link_in_place_of_a_directory_is_refused(root: Path, outside: Path) -> None:
    (root / 'etc').symlink_to(outside)
    assert files.read(root, 'etc/secret') == ''
    with pytest.raises(OSError, match='directory'):
        files.write(root, 'etc/new', 'x')
    assert os.listdir(outside) == ['secret']


def test_a_pipe_does_not_hang_the_reader(root: Path) -> None:
    os.mkfifo(root / 'pipe')
    assert files.read(root, 'pipe') == ''


def test_a_file_may_have_the_owner_of_a_directory(root: Path) -> None:
    (root / 'home').mkdir()
    if os.geteuid() == 0:
        os.chown(root / 'home', 1234, 1234)
    files.write(root, 'home/.ssh/keys', 'k', mode=0o600, like='home')
    assert (root / 'home/.ssh/keys').stat().st_uid == (root / 'home').stat().st_uid
    assert (root / 'home/.ssh').stat().st_uid == (root / 'home').stat().st_uid
