"""What a charm needs of its machine stands in its lxd-profile.yaml: it is in the charm, and Juju takes it."""

from __future__ import annotations

import pathlib

import pytest

from jujulet.charmdir import layout, source
from jujulet.core import bases, lxdprofile

ROOT = pathlib.Path(__file__).parents[2] / 'charms'
PROFILED = sorted(path.parent for path in ROOT.glob('*/lxd-profile.yaml'))


def check(folder: pathlib.Path) -> None:
    """Assert that a charm ships its profile, and that it is deployed without ``--force``."""
    found = source.find(folder)
    assert found.charm.profile is not None, 'nothing stands in it'
    lxdprofile.check(found.charm, force=False)
    assert source.PROFILE in layout.entries(found, bases.parse('debian@12')), (
        f'no part of charmcraft.yaml ships {source.PROFILE}'
    )


@pytest.mark.parametrize('folder', PROFILED, ids=lambda path: path.name)
def test_a_charm_ships_its_profile_and_juju_takes_it(folder: pathlib.Path):
    check(folder)


@pytest.mark.parametrize(
    ('shipped', 'device', 'wrong'),
    [
        (False, 'unix-char', 'no part of charmcraft.yaml ships'),
        (True, 'nic', 'contains device type "nic"'),
    ],
)
def test_one_that_is_not_shipped_or_not_allowed_is_caught(
    tmp_path: pathlib.Path, shipped: bool, device: str, wrong: str
):
    names = 'hooks, lxd-profile.yaml' if shipped else 'hooks'
    (tmp_path / 'hooks').mkdir()
    (tmp_path / 'hooks/install').touch()
    (tmp_path / 'charmcraft.yaml').write_text(
        f'name: a\nparts: {{files: {{plugin: dump, source: ., prime: [{names}]}}}}\n'
    )
    (tmp_path / 'lxd-profile.yaml').write_text(
        f'devices: {{tun: {{type: {device}, path: /dev/net/tun}}}}\n'
    )
    with pytest.raises(Exception, match=wrong):
        check(tmp_path)
