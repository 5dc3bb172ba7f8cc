"""Unmodified jubilant and pytest-jubilant, against the `juju` command that jujulet puts on the PATH.

Models have machines that are plain processes, unless `--juju-cloud localhost` asks for system containers; tests that
are about machines ask for containers themselves (the fixture `boxed`).
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Iterator

import jubilant
import pytest
import pytest_jubilant

from jujulet import paths

CHARMS = pathlib.Path(__file__).parents[1] / 'charms'


def pytest_configure(config: pytest.Config) -> None:
    if config.option.juju_cloud is None:
        config.option.juju_cloud = 'processes'


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = pathlib.Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.integration)
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope='session', autouse=True)
def jujulet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pathlib.Path]:
    """A jujulet of this session's own, as `eval "$(jujulet env)"` gives it; its controller ends with it.

    It shares the bases that `jujulet image` has built for the user.
    """
    home = tmp_path_factory.mktemp('jujulet')
    program = shutil.which('jujulet') or str(pathlib.Path(sys.executable).parent / 'jujulet')
    patch = pytest.MonkeyPatch()
    (home / 'bases').mkdir()
    for built in (paths.root() / 'bases').glob(
        '*-*-*'
    ):  # Building one takes long; it is only read.
        (home / 'bases' / built.name).symlink_to(built)
    patch.setenv('JUJULET_DATA', str(home))
    subprocess.run([program, 'env'], check=True, capture_output=True)
    patch.setenv('PATH', f'{home}/bin{os.pathsep}{os.environ["PATH"]}')
    patch.setenv('JUJULET_CHARMS', f'ubuntu={CHARMS / "ubuntu"}')
    yield home
    subprocess.run([program, 'controller', 'stop'], check=True, capture_output=True)
    patch.undo()


@pytest.fixture(scope='module')
def boxed(jujulet: pathlib.Path, juju_factory: pytest_jubilant.JujuFactory) -> jubilant.Juju:
    """A model whose machines are system containers."""
    return juju_factory.get_juju('boxed', cloud='localhost')
