"""Whole deployments on a jujulet of the session's own: real charms, in system containers."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Generator

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope='session', autouse=True)
def jujulet(tmp_path_factory: pytest.TempPathFactory) -> Generator[pathlib.Path]:
    """What `eval "$(jujulet env)"` gives a shell; the controller ends with the session."""
    home = tmp_path_factory.mktemp('jujulet')
    program = shutil.which('jujulet') or str(pathlib.Path(sys.executable).parent / 'jujulet')
    patch = pytest.MonkeyPatch()
    patch.setenv('JUJULET_DATA', str(home))
    subprocess.run([program, 'env'], check=True, capture_output=True)
    patch.setenv('PATH', f'{home}/bin{os.pathsep}{os.environ["PATH"]}')
    yield home
    subprocess.run([program, 'controller', 'stop'], check=True, capture_output=True)
    patch.undo()
