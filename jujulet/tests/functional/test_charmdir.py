"""Dependencies really installed: the charm runs, an edit of a shared library is noticed, and packing ships the same."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess

import pytest

from jujulet import charmdir
from jujulet.charmdir import tree
from jujulet.core import bases, environment

DEBIAN12 = bases.parse('debian@12')


def write(folder: pathlib.Path, files: dict[str, str]) -> pathlib.Path:
    for name, text in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return folder


def names(folder: pathlib.Path) -> set[str]:
    return {name for name, _ in tree.walk(folder)}


def project(folder: pathlib.Path) -> pathlib.Path:
    """A charm of plugin "uv" beside a library of its own, which needs nothing from any index."""
    return write(
        folder,
        {
            'charms/app/charmcraft.yaml': 'name: app\nsummary: s\nbase: ubuntu@24.04\nplatforms: {amd64: }\n'
            'parts: {charm: {plugin: uv, source: ../.., source-subdir: charms/app}}\n'
            'config: {options: {a: {type: int, default: 1}}}\nactions: {go: {}}\n',
            'charms/app/pyproject.toml': '[project]\nname = "app-charm"\nversion = "0"\ndependencies = ["kit"]\n'
            '[tool.uv]\npackage = false\n[tool.uv.sources]\nkit = { path = "../../kit" }\n',
            'charms/app/src/charm.py': 'import kit, sys\nprint(kit.WORD, sys.version_info[:2])\n',
            'charms/app/tests/test_x.py': '',
            'kit/pyproject.toml': '[project]\nname = "kit"\nversion = "0"\n'
            '[build-system]\nrequires = ["uv_build>=0.9"]\nbuild-backend = "uv_build"\n',
            'kit/src/kit/__init__.py': 'WORD = "first"\n',
        },
    ) / 'charms/app'  # fmt: skip


def run(folder: pathlib.Path, work: pathlib.Path) -> str:
    """What the charm's dispatch prints, run from a copy as a machine would."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(folder, work, symlinks=True)
    done = subprocess.run(
        [work / 'dispatch'],
        capture_output=True,
        text=True,
        cwd=work,
        env={'PATH': environment.AGENT_PATH},  # A machine has no python3 but its own.
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def host_python() -> str:
    text = subprocess.run(
        ['/usr/bin/python3', '-c', 'import sys; print("%d.%d" % sys.version_info[:2])'],
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    return text.stdout.strip()


@pytest.mark.functional
def test_a_project_runs_with_its_library_and_an_edit_is_noticed(
    tmp_path: pathlib.Path, host_python: str, monkeypatch: pytest.MonkeyPatch
):
    folder, store = project(tmp_path / 'p'), tmp_path / 's'
    found = charmdir.load(folder, DEBIAN12, store, python=host_python)
    assert run(store / 'charms' / found.digest, tmp_path / 'w').startswith('first')
    with monkeypatch.context() as patch:
        patch.setenv('PATH', '/nowhere')  # Nothing is installed or compiled a second time.
        assert charmdir.load(folder, DEBIAN12, store, python=host_python).digest == found.digest
    (tmp_path / 'p/kit/src/kit/__init__.py').write_text('WORD = "second"\n')
    edited = charmdir.load(folder, DEBIAN12, store, python=host_python)
    assert edited.digest != found.digest
    assert run(store / 'charms' / edited.digest, tmp_path / 'w').startswith('second')


@pytest.mark.functional
def test_one_file_for_two_bases_runs_on_each(tmp_path: pathlib.Path):
    """Units of both may then be of one application, which has one charm on Juju."""
    folder, store = project(tmp_path / 'p'), tmp_path / 's'
    noble = bases.parse('ubuntu@24.04')
    packed = charmdir.pack(folder, tmp_path / 'out', noble, DEBIAN12)
    machine = os.uname().machine.replace('x86_64', 'amd64')
    assert packed.name == f'app_ubuntu-24.04-{machine}_debian-12-{machine}.charm'
    assert charmdir.read(packed).bases == (noble, DEBIAN12)
    for base, python in ((noble, '3.12'), (DEBIAN12, '3.11')):
        found = charmdir.load(packed, base, store)
        library = store / 'charms' / found.digest / 'venv/lib' / f'python{python}'
        assert not library.is_symlink()
        assert (library / 'site-packages/kit/__init__.py').read_text() == 'WORD = "first"\n'


@pytest.mark.functional
def test_what_is_packed_is_what_runs(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch):
    folder, store = project(tmp_path / 'p'), tmp_path / 's'
    runs = store / 'charms' / charmdir.load(folder, DEBIAN12, store).digest
    monkeypatch.chdir(
        tmp_path
    )  # As `make charms` does: the path is relative, and uv runs elsewhere.
    packed = charmdir.pack(folder, 'out', DEBIAN12)
    assert packed.name == f'app_debian-12-{os.uname().machine.replace("x86_64", "amd64")}.charm'
    unpacked = store / 'charms' / charmdir.load(packed, DEBIAN12, store).digest
    # What the installer wrote of this machine stays here: two packings are to be the same.
    of_machine = {'direct_url.json', 'uv_cache.json', 'uv_build.json'}
    there = {name for name in names(runs) if pathlib.PurePath(name).name not in of_machine}
    assert there < names(runs)
    assert names(unpacked) == there
    assert 'tests/test_x.py' not in names(runs)
    skipped = '.dist-info/'  # A wheel's record names the time of its installation.
    for name, file in tree.walk(runs):
        if skipped not in name:
            assert (unpacked / name).read_bytes() == file.read_bytes(), name
            assert (unpacked / name).stat().st_mode == file.stat().st_mode, name
