"""What holds for the tests of all parts."""

from __future__ import annotations

import gc
import os

# Before pytest makes modules of the folders that have the same names.
import charmkit as charmkit
import hypothesis
import pytest

import jujulet as jujulet
import lifecycle as lifecycle
import matrix as matrix
from tests import groups, limits
from tests.examples import examples

# How long an example takes says more of the machine than of the code. CI tries the same examples each time: then what
# it says of a change is of that change; each run elsewhere tries others.
hypothesis.settings.register_profile(
    'rambla', deadline=None, max_examples=examples(100), derandomize=bool(os.environ.get('CI'))
)
hypothesis.settings.load_profile('rambla')

# Where control groups are of version 1, podman 5 says so at each command, among what a container's programs say.
os.environ['PODMAN_IGNORE_CGROUPSV1_WARNING'] = '1'


class Limits:
    """Each test has a limit of time, by its kind: after the folders' own conftest.py have said what their tests are."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Give each its limit."""
        for item in items:
            limits.give(item)


def pytest_collection_finish() -> None:
    """Thousands of tests, and all that they imported, stay to the end: garbage is looked for elsewhere."""
    gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    """Have limits; and groups, where tests run side by side."""
    config.pluginmanager.register(Limits())
    if config.pluginmanager.hasplugin('xdist'):
        config.pluginmanager.register(groups.Groups())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Debian 12 stands for both in `make test`; `make test-all` repeats what runs in a container on Debian 13.

    Which unit holds a VIP when it moves can only be told on a machine that does nothing else: `make test-all` has that,
    too.
    """
    for item in items:
        if 'functional' in item.nodeid and (
            'debian-13' in item.nodeid or 'test_vip.py' in item.nodeid
        ):
            item.add_marker(pytest.mark.slow)
