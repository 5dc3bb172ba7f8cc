"""A release of two clean clones is the same bytes: wheels, sdists, and a charm for every base."""

from __future__ import annotations

import os
import pathlib
import shlex
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(900)]


def released(clone: pathlib.Path, umask: str, *words: str) -> dict[str, str]:
    """The checksums of what a rehearsal in a clone makes."""
    subprocess.run(['git', 'clone', '--quiet', str(ROOT), str(clone)], check=True)
    make = [
        sys.executable,
        '-m',
        'tools.release',
        '--without=ecosystem',
        '--without=upgrade',
        *words,
    ]
    environment = {key: value for key, value in os.environ.items() if key != 'SOURCE_DATE_EPOCH'}
    done = subprocess.run(
        ['bash', '-c', f'umask {umask}; exec {shlex.join(make)}'],
        cwd=clone, env={**environment, 'PYTHONPATH': str(clone)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (sums,) = clone.glob('build/release/*/out/SHA256SUMS')
    pairs = (line.split('  ') for line in sums.read_text().splitlines())
    return {name: digest for digest, name in pairs}


def test_two_clean_clones_give_the_same_bytes(tmp_path: pathlib.Path) -> None:
    first = released(tmp_path / 'first', '022', '--charm=placement')
    second = released(tmp_path / 'a' / 'longer' / 'path', '077', '--charm=placement')
    assert first == second
    assert sum(name.startswith('python/') for name in first) == 8
    assert any(name.endswith('.charm') for name in first)
    assert 'sbom/placement.cdx.json' in first
