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


def run(program: pathlib.Path, hook: str, charm_dir: pathlib.Path) -> tuple[int, bool]:
    """Run a charm as Juju would: its exit code, and whether it has loaded ops."""
    given = {'JUJU_DISPATCH_PATH': f'hooks/{hook}', 'JUJU_CHARM_DIR': str(charm_dir)}
    done = subprocess.run(
        [sys.executable, '-X', 'importtime', str(program)],
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, bool(re.search(r'\|\s+ops$', done.stderr, re.M))


@pytest.mark.parametrize('program', CHARMS, ids=lambda p: p.parents[1].name)
def test_a_hook_that_asks_for_nothing_does_not_load_ops(
    program: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    assert run(program, 'peers-relation-joined', tmp_path) == (0, False)
    assert run(program, 'peers-relation-created', tmp_path) == (0, False)


def test_it_would_be_seen(tmp_path: pathlib.Path) -> None:
    late = tmp_path / 'charm.py'
    late.write_text('import ops\nimport charmkit\n')
    assert run(late, 'peers-relation-joined', tmp_path) == (0, True)


def test_a_hook_that_asks_for_something_goes_on(tmp_path: pathlib.Path) -> None:
    assert run(CHARMS[0], 'peers-relation-changed', tmp_path)[1]


@pytest.mark.parametrize(
    ('path', 'before', 'after'),
    [
        ('hooks/shared-db-relation-joined', True, True),
        ('hooks/shared-db-relation-created', True, False),
        ('hooks/shared-db-relation-changed', False, False),
        ('hooks/shared-db-relation-departed', False, False),
        ('hooks/shared-db-relation-broken', False, False),
        ('hooks/config-changed', False, False),
        ('actions/pause', False, False),
        ('actions/tell-relation-joined', False, False),
        ('', False, False),
    ],
)
def test_which_hooks_ask_for_nothing_before_and_after_the_first_config_changed(
    path: str, before: bool, after: bool, tmp_path: pathlib.Path
) -> None:
    given = {'JUJU_DISPATCH_PATH': path, 'JUJU_CHARM_DIR': str(tmp_path)}
    assert unasked.is_hook(given) is before
    unasked.note_configured(tmp_path)
    assert unasked.is_hook(given) is after
