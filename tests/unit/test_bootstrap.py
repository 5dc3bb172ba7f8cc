"""`tools/bootstrap` on machines of every kind: the system's programs are stood in for, the script is the real one."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[2]
OPTIONAL = 'netavark'

APT_CACHE = """#!/bin/bash
# apt-cache policy NAME: says more than a pipe holds, in the user's own language.
word=Installationskandidat; [[ $LC_ALL = C* ]] && word=Candidate
version='(none)'; grep -qx "$2" "$MACHINE/lists" && version=1.0
printf '%s:\\n  Installed: (none)\\n  %s: %s\\n  Version table:\\n' "$2" "$word" "$version"
printf '%200000s\\n' 'an archive with a long name'
"""
APT_GET = """#!/bin/bash
echo "apt-get $*" >> "$MACHINE/did"
case " $* " in
    *' update '*) cp "$MACHINE/archive" "$MACHINE/lists" ;;
    *' install '*) for name in "$@"; do
        case $name in -*|install|DPkg*) continue ;; esac
        grep -qx "$name" "$MACHINE/lists" || { echo "E: Unable to locate package $name" >&2; exit 100; }
        echo "$name" >> "$MACHINE/installed"
    done ;;
esac
"""
DPKG_QUERY = """#!/bin/bash
# dpkg-query -W -f=… NAME
grep -qx "${!#}" "$MACHINE/installed" || exit 1
printf installed
"""
NOTHING = '#!/bin/sh\nexit 0\n'


@dataclasses.dataclass(frozen=True)
class Machine:
    """A machine on which the script can be run."""

    folder: pathlib.Path

    def lines(self, name: str) -> list[str]:
        """What is written in one of its files."""
        path = self.folder / name
        return path.read_text().split('\n')[:-1] if path.exists() else []

    def write(self, name: str, lines: list[str]) -> None:
        """Write one of its files."""
        (self.folder / name).write_text(''.join(f'{line}\n' for line in lines))

    def bootstrap(self, **more: str) -> list[str]:
        """Run the script: what it had done by others."""
        self.write('did', [])
        path = f'{self.folder}/bin:{os.environ["PATH"]}'
        done = subprocess.run(
            [self.folder / 'tree/tools/bootstrap'], capture_output=True, text=True, check=False,
            env={**os.environ, 'PATH': path, 'MACHINE': str(self.folder), **more},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return self.lines('did')


NAMES = [
    line.split()[0].rstrip('?')
    for line in (ROOT / 'tools/host-packages').read_text().splitlines()
    if line.strip() and not line.startswith('#')
]


@pytest.fixture
def machine(tmp_path: pathlib.Path) -> Machine:
    """One with its environment made, and every package but the optional ones."""
    tree, bin_ = tmp_path / 'tree', tmp_path / 'bin'
    (tree / 'tools').mkdir(parents=True)
    bin_.mkdir()
    text = (ROOT / 'tools/bootstrap').read_text()
    assert '/var/lib/rambla' in text
    script = tree / 'tools/bootstrap'
    script.write_text(text.replace('/var/lib/', f'{tmp_path}/'))
    script.chmod(0o755)
    shutil.copy(ROOT / 'tools/host-packages', tree / 'tools')
    for name in ('constraints.txt', 'pyproject.toml', 'part/pyproject.toml'):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_text('')
    programs = {'apt-cache': APT_CACHE, 'apt-get': APT_GET, 'dpkg-query': DPKG_QUERY}
    programs |= {'dpkg': NOTHING, 'sudo': '#!/bin/sh\nexec "$@"\n'}
    for name, body in programs.items():
        (bin_ / name).write_text(body)
        (bin_ / name).chmod(0o755)
    made = Machine(tmp_path)
    made.write('archive', NAMES)
    made.write('lists', NAMES)
    made.write('installed', [n for n in NAMES if n != OPTIONAL])
    environment(made)
    return made


def environment(machine: Machine) -> None:
    """Have it a .venv that stands on its Python and folder, with an installer that says what it did."""
    (machine.folder / 'tree/.venv/bin').mkdir(parents=True, exist_ok=True)
    uv = machine.folder / 'tree/.venv/bin/uv'
    uv.write_text('#!/bin/sh\necho "uv $1" >> "$MACHINE/did"\n')
    uv.chmod(0o755)
    python = ['/usr/bin/python3', '-c', 'import sys; print(sys.version)']
    version = subprocess.run(python, capture_output=True, text=True, check=True).stdout.strip()
    (machine.folder / 'tree/.venv/.stands-on').write_text(f'{version} {machine.folder}/tree\n')


def installed(did: list[str]) -> set[str]:
    """The packages that were installed."""
    return {word for line in did for word in line.split() if ' install ' in line and word in NAMES}


def test_a_package_that_the_release_has_is_installed_however_much_apt_says(machine: Machine):
    assert installed(machine.bootstrap()) == {OPTIONAL}
    assert [line for line in machine.bootstrap() if line.startswith('apt')] == []


@pytest.mark.parametrize(
    ('old', 'new'),
    [
        (
            'said=$(apt-cache policy "$1")',
            'apt-cache policy "$1" | grep -q "Candidate: [^(]"; return',
        ),
        ('export LC_ALL=C.UTF-8', 'export LC_ALL=de_DE.UTF-8'),
    ],
    ids=['asked through a pipe that closes', 'asked in another language'],
)
def test_a_script_that_misreads_apt_would_be_noticed(machine: Machine, old: str, new: str):
    script = machine.folder / 'tree/tools/bootstrap'
    assert old in script.read_text()
    script.write_text(script.read_text().replace(old, new))
    assert installed(machine.bootstrap()) == set()


def test_a_wrong_answer_of_an_earlier_version_is_not_believed(machine: Machine):
    machine.write('rambla-optional-packages', [OPTIONAL])
    machine.write('rambla-looked-for', [OPTIONAL])
    assert installed(machine.bootstrap()) == {OPTIONAL}


def test_a_release_without_the_package_is_asked_once_a_day_and_has_it_as_soon_as_it_comes(
    machine: Machine,
):
    without = [n for n in NAMES if n != OPTIONAL]
    machine.write('archive', without)
    machine.write('lists', without)
    assert any('update' in line for line in machine.bootstrap())
    assert not any('apt-get' in line for line in machine.bootstrap())
    stamp = machine.folder / 'rambla-looked-for'
    yesterday = stamp.stat().st_mtime - 90_000
    os.utime(stamp, (yesterday, yesterday))
    assert any('update' in line for line in machine.bootstrap())
    machine.write('lists', NAMES)  # Somebody else updated them.
    assert installed(machine.bootstrap()) == {OPTIONAL}


def test_a_machine_that_knows_no_archive_yet_asks_it_and_installs_all(machine: Machine):
    machine.write('lists', [])
    machine.write('installed', [])
    assert installed(machine.bootstrap()) == set(NAMES)


def test_one_that_is_cut_off_is_tried_again(machine: Machine):
    machine.write('archive', ['nothing'])
    machine.write('lists', [])
    machine.write('installed', [])
    with pytest.raises(AssertionError, match=r'(?s)Unable to locate.*ERROR installing packages'):
        machine.bootstrap()
    machine.write('archive', NAMES)
    assert installed(machine.bootstrap()) == set(NAMES)


def test_the_environment_is_made_anew_for_what_it_is_made_from_and_what_it_stands_on(
    machine: Machine,
):
    assert 'uv pip' in machine.bootstrap()
    assert 'uv pip' not in machine.bootstrap()
    (machine.folder / 'tree/constraints.txt').write_text('ops==3\n')
    assert 'uv pip' in machine.bootstrap()
    script = machine.folder / 'tree/tools/bootstrap'
    assert ' -m venv --clear .venv' in script.read_text()
    script.write_text(
        script.read_text().replace(' -m venv --clear', ' -m venv --without-pip --clear')
    )
    old = machine.folder / 'tree/.venv/old'
    old.touch()
    # Another Python, or another folder: what is installed says where it is, and for which Python.
    (machine.folder / 'tree/.venv/.stands-on').write_text('3.9.1 /elsewhere\n')
    (machine.folder / 'tree/.venv/.made-from').write_text('what was right for that one\n')
    with pytest.raises(AssertionError, match=r'ERROR making \.venv failed'):
        machine.bootstrap()  # A new one was begun: it has not even its installer yet.
    assert not old.exists()
