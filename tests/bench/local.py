"""A jujulet of a benchmark's own, with nothing in it that another run left behind."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator

import jubilant

JUJULET = pathlib.Path(sys.executable).with_name('jujulet')
ROOT = pathlib.Path(__file__).resolve().parents[2]
CHARMS = ROOT / 'jujulet/tests/charms'


@contextlib.contextmanager
def fresh() -> Generator[pathlib.Path]:
    """An empty state folder, in use until the block ends; then everything in it is removed."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix='jb-'))
    with _using(folder):
        yield folder
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def kept() -> Generator[pathlib.Path]:
    """The state folder of the integration tests, whose bases and layers stay from run to run; its models do not."""
    folder = pathlib.Path(os.environ.get('JUJULET_TEST_DATA', ROOT / 'build/test-jujulet'))
    folder.mkdir(parents=True, exist_ok=True)
    with _using(folder):
        yield folder


@contextlib.contextmanager
def _using(folder: pathlib.Path) -> Generator[None]:
    before = os.environ.get('JUJULET_DATA')
    os.environ['JUJULET_DATA'] = str(folder)
    try:
        yield
    finally:
        for name in _models():
            run('destroy-model', '--no-prompt', '--force', name)
        run('controller', 'stop')
        if before is None:
            del os.environ['JUJULET_DATA']
        else:
            os.environ['JUJULET_DATA'] = before


def _models() -> list[str]:
    lines = run('models', '--format', 'json')
    return [m['short-name'] for m in json.loads(lines)['models']]


def run(*args: str) -> str:
    """A command of jujulet; its output. CalledProcessError when it fails."""
    return subprocess.run([str(JUJULET), *args], check=True, capture_output=True, text=True).stdout


def model(name: str, cloud: str = 'localhost') -> jubilant.Juju:
    """A new model."""
    run('add-model', '--no-switch', name, cloud)
    return jubilant.Juju(model=name, cli_binary=str(JUJULET))


def seconds_until_active(juju: jubilant.Juju, *apps: str, timeout: float = 900) -> float:
    """How long it takes from now until all units of *apps* are active and idle."""
    began = time.monotonic()
    juju.wait(
        lambda s: jubilant.all_active(s, *apps) and jubilant.all_agents_idle(s, *apps),
        error=lambda s: jubilant.any_error(s, *apps),
        delay=0.05,
        successes=1,
        timeout=timeout,
    )
    return time.monotonic() - began
