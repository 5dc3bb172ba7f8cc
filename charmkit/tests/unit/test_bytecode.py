"""Modules of packages are compiled in one run, whenever the hook that installs them ends, or dies."""

from __future__ import annotations

import pathlib
import subprocess

import pytest
from charmkit import bytecode


def py3compile(aside: pathlib.Path, *words: str) -> None:
    """What a package's script does: the first program of that name on dpkg's PATH."""
    environment = {'PATH': bytecode.path(aside)}
    subprocess.run(
        ['sh', '-c', 'py3compile "$@"', 'postinst', *words], env=environment, check=True
    )


@pytest.fixture
def modules(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    public = tmp_path / 'dist-packages'
    public.mkdir()
    (public / 'good.py').write_text('x = 1\n')
    (public / 'bad.py').write_text('this is no Python\n')
    (public / 'tests').mkdir()
    (public / 'tests/never.py').write_text('x = 1\n')
    monkeypatch.setattr(bytecode, '_PUBLIC', str(public))
    return public


def compiled(folder: pathlib.Path) -> list[str]:
    return sorted(p.name.partition('.')[0] for p in folder.glob('__pycache__/*.pyc'))


def test_what_packages_ask_for_is_compiled_at_once_and_only_once(
    tmp_path: pathlib.Path, modules: pathlib.Path
):
    own = tmp_path / 'own'
    own.mkdir()
    (own / 'private.py').write_text('y = 2\n')
    py3compile(tmp_path / 'aside', '-p', 'python3-good')
    py3compile(tmp_path / 'aside', '-p', 'app', str(own), '-V', '3.11-')
    assert compiled(modules) == []
    bytecode.catch_up(tmp_path / 'aside')
    assert compiled(modules) == ['good']
    assert compiled(modules / 'tests') == []
    assert compiled(own) == ['private']
    (modules / 'more.py').write_text('z = 3\n')
    bytecode.catch_up(tmp_path / 'aside')
    assert compiled(modules) == ['good'], 'nobody asked for anything again'


def test_nothing_is_done_where_nothing_was_asked_for(
    tmp_path: pathlib.Path, modules: pathlib.Path
):
    bytecode.catch_up(tmp_path / 'aside')
    assert compiled(modules) == []


def test_the_systems_own_program_is_what_everybody_else_finds(tmp_path: pathlib.Path):
    assert bytecode.path(tmp_path).split(':')[1:] == ['/usr/sbin', '/usr/bin', '/sbin', '/bin']
    assert not (tmp_path / 'asked').exists()


def test_folders_of_their_own_are_found_among_the_words():
    asked = '-p python3-x\n-p nova-common /usr/share/nova -V 3.11-\n-p b /usr/share/nova\n'
    assert bytecode.folders(asked)[1:] == ['/usr/share/nova']
