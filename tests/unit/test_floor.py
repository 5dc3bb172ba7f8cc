"""The benchmark's floor installs what we install: a change there must reach the shell script too."""

from __future__ import annotations

import pathlib
import re

import pytest

from jujulet.machines import images

from . import charm_at_work as work

ROOT = pathlib.Path(__file__).parents[2]
FLOOR = (ROOT / 'tests/bench/floor.sh').read_text()
CHARMS = ('keystone', 'placement', 'glance')


def base_packages(script: str) -> set[str]:
    """What the script's base has."""
    found = re.search(r'^base_packages=(\S+)$', script, re.MULTILINE)
    return set(found[1].split(',')) if found else set()


def test_its_base_has_the_packages_of_ours():
    assert base_packages(FLOOR) == set(images.PACKAGES)


def test_a_package_less_in_it_would_be_noticed():
    assert base_packages(FLOOR.replace(',less,', ',')) != set(images.PACKAGES)


@pytest.mark.parametrize('name', CHARMS)
def test_it_installs_what_an_api_charm_installs(name: str):
    folder = work.Folder(ROOT / 'charms' / name)
    wanted = work.at_work(folder, 'debian@12').machine.desired.packages
    assert wanted <= words(FLOOR)
    assert not wanted <= words(
        FLOOR.replace('memcached python3', 'python3')
    )  # It would be noticed.


def words(text: str) -> set[str]:
    """Everything in *text* that could be the name of a package."""
    lines = (
        line for line in text.splitlines() if 'api_packages=' in line or 'install "$name"' in line
    )
    return set(re.findall(r'[\w.-]+', ' '.join(lines)))
