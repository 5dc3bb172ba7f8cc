"""One application on machines of two bases: `juju set-application-base`, then unit after unit replaced."""

from __future__ import annotations

import pathlib
import shutil

import jubilant
import pytest

from .conftest import CHARMS
from .waiting import settle

START = 400.0
DECLARED = 'version: 1\nprovides: [test]\n'


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A charm of plain shell that says for itself what it is."""
    place = tmp_path_factory.mktemp('charm') / 'ubuntu'
    shutil.copytree(CHARMS / 'ubuntu', place)
    (place / 'lifecycle.yaml').write_text(DECLARED)
    return place


def test_units_are_replaced_by_units_of_the_next_base(boxed: jubilant.Juju, folder: pathlib.Path):
    boxed.deploy(folder, 'app', base='debian@12')
    settle(boxed, jubilant.all_active, START)

    boxed.cli('set-application-base', 'app', 'debian@13')
    boxed.add_unit('app')
    status = settle(
        boxed, lambda s: len(s.apps['app'].units) == 2 and jubilant.all_active(s), START
    )
    assert status.apps['app'].base == jubilant.statustypes.FormattedBase('debian', '13')
    assert [status.machines[m].base for m in '01'] == [
        jubilant.statustypes.FormattedBase('debian', '12'),
        jubilant.statustypes.FormattedBase('debian', '13'),
    ]
    for unit, version in (('app/0', '12'), ('app/1', '13')):
        release = boxed.exec('. /etc/os-release && echo $VERSION_ID', unit=unit)
        assert release.stdout == f'{version}\n'
        manifest = boxed.exec('cat manifest.yaml', unit=unit)
        assert f"channel: '{version}'" in manifest.stdout
        declared = boxed.exec('cat', 'lifecycle.yaml', unit=unit)
        assert (declared.stdout, declared.return_code) == (DECLARED, 0)

    boxed.remove_unit('app/0')
    settle(
        boxed, lambda s: list(s.apps['app'].units) == ['app/1'] and set(s.machines) == {'1'}, START
    )
    assert boxed.exec('cat', 'lifecycle.yaml', unit='app/leader').stdout == DECLARED
