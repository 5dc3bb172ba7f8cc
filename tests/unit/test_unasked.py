"""Hooks that ask for nothing end before `ops` is loaded: a charm is held to it by being there."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import pytest
from charmkit import unasked

CHARMS = sorted((pathlib.Path(__file__).parents[2] / 'charms').glob('*/src/charm.py'))


def run(program: pathlib.Path, hook: str) -> tuple[int, bool]:
    """Run a charm as Juju would: its exit code, and whether it has loaded ops."""
    done = subprocess.run(
        [sys.executable, '-X', 'importtime', str(program)],
        env={**os.environ, 'JUJU_DISPATCH_PATH': f'hooks/{hook}'},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, bool(re.search(r'\|\s+ops$', done.stderr, re.M))


@pytest.mark.parametrize('program', CHARMS, ids=lambda p: p.parents[1].name)
def test_a_hook_that_asks_for_nothing_does_not_load_ops(program: pathlib.Path) -> None:
    assert run(program, 'peers-relation-joined') == (0, False)


def test_it_would_be_seen(tmp_path: pathlib.Path) -> None:
    late = tmp_path / 'charm.py'
    late.write_text('import ops\nimport charmkit\n')
    assert run(late, 'peers-relation-joined') == (0, True)


def test_a_hook_that_asks_for_something_goes_on() -> None:
    assert run(CHARMS[0], 'peers-relation-changed')[1]


@pytest.mark.parametrize(
    ('path', 'nothing'),
    [
        ('hooks/shared-db-relation-joined', True),
        ('hooks/shared-db-relation-created', True),
        ('hooks/shared-db-relation-changed', False),
        ('hooks/shared-db-relation-departed', False),
        ('hooks/shared-db-relation-broken', False),
        ('hooks/config-changed', False),
        ('actions/pause', False),
        ('', False),
    ],
)
def test_which_hooks_ask_for_nothing(path: str, nothing: bool) -> None:
    assert unasked.is_hook({'JUJU_DISPATCH_PATH': path}) is nothing
