"""Tests that share a machine, or what a machine has once, go to one worker."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import pytest

from tests import groups

ROOT = pathlib.Path(__file__).parents[2]
MYSQL, FAULTS = 'charms/mysql/tests/functional', 'matrix/tests/functional/test_faults.py'


@pytest.mark.parametrize(
    ('test', 'group'),
    [
        (f'{MYSQL}/test_server.py::test_it', MYSQL),
        (f'{MYSQL}/test_outside.py::test_it[::1]', MYSQL),
        (f'{FAULTS}::test_it[a/b]', FAULTS),
        ('matrix/tests/integration/test_run.py::test_it', groups.PARTS),
        ('jujulet/tests/integration/test_links.py::TestIt::test_it', groups.PARTS),
    ],
)
def test_a_test_goes_with_those_that_share_its_machine(test: str, group: str):
    assert groups.of(test) == group


ALONE = {'PYTEST_DISABLE_PLUGIN_AUTOLOAD': '1', 'PYTEST_ADDOPTS': ''}
"""What is installed besides, and takes its time to start, has no say in it."""
TESTS = """
import pathlib, time, pytest

@pytest.mark.parametrize('number', range(4))
def test_it(number):
    time.sleep(0.1)
    pathlib.Path(__file__).with_name('one').touch(exist_ok=False)
    time.sleep(0.1)
    pathlib.Path(__file__).with_name('one').unlink()
"""


@pytest.mark.parametrize('together', [True, False])
def test_a_group_is_with_one_worker(tmp_path: pathlib.Path, together: bool):
    """Of what cannot be there twice, a second worker would make a second."""
    for name in ('first', 'second'):
        folder = tmp_path / name / 'integration'
        folder.mkdir(parents=True)
        (folder / f'test_{name}.py').write_text(
            TESTS.replace("with_name('one')", "parents[2].joinpath('one')")
        )
    (tmp_path / 'conftest.py').write_text(
        'from tests import groups\n'
        'def pytest_configure(config):\n'
        '    config.pluginmanager.register(groups.Groups())\n'
    )
    how = 'loadscope' if together else 'load'
    done = subprocess.run(
        (sys.executable, '-m', 'pytest', '-q', '-p', 'xdist', '-n', '2', '--dist', how, '--rootdir', tmp_path,
         '-p', 'no:cacheprovider', '--import-mode=importlib', tmp_path),
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, **ALONE},
    )  # fmt: skip
    failed = re.search(r'[0-9]+ failed', done.stdout)
    assert (failed is None) is together, done.stdout + done.stderr


WHERE = ('functional', 'integration')
UNMARKED = """
import pathlib, sys, pytest

class Said:
    def pytest_collection_finish(self, session):
        for item in session.items:
            kind = item.path.parent.name
            if kind in ('functional', 'integration') and not item.get_closest_marker(kind):
                print('UNMARKED', item.nodeid)
        print('SEEN', len(session.items))

sys.exit(pytest.main(['-q', '--collect-only', '-p', 'no:xdist', *sys.argv[1:]], plugins=[Said()]))
"""


def unmarked(*folders: pathlib.Path) -> tuple[list[str], int]:
    """Tests without the marker of their kind, and how many were looked at."""
    done = subprocess.run(
        (sys.executable, '-c', UNMARKED, *folders),
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    seen = next(int(rest[0]) for word, *rest in filter(None, lines) if word == 'SEEN')
    return [rest[0] for word, *rest in filter(None, lines) if word == 'UNMARKED'], seen


def test_every_test_in_containers_says_so_or_no_command_would_run_it(tmp_path: pathlib.Path):
    folders = [
        folder
        for kind in WHERE
        for folder in (*ROOT.glob(f'*/tests/{kind}'), *ROOT.glob(f'charms/*/tests/{kind}'))
    ]
    found, seen = unmarked(*folders, ROOT / 'tests/integration')
    assert found == []
    assert seen > 500
    (tmp_path / 'functional').mkdir()
    (tmp_path / 'functional/test_lost.py').write_text('def test_it():\n    pass\n')
    lost, _ = unmarked(tmp_path / 'functional')
    assert [name.rpartition('::')[2] for name in lost] == ['test_it']
