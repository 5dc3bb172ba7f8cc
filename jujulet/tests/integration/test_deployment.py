"""Deploying, scaling, refreshing and removing."""

from __future__ import annotations

import pathlib
import platform
import shutil

import jubilant
import pytest

from .conftest import CHARMS
from .waiting import settle

_OF = platform.freedesktop_os_release()
HERE = f'{_OF["ID"]}@{_OF["VERSION_ID"]}'
"""The base whose Python the machines of these tests have: they are plain processes of this host."""


def test_units_are_in_the_first_status_after_deploy(juju: jubilant.Juju):
    juju.deploy('ubuntu', 'machine', num_units=2)
    assert set(juju.status().apps['machine'].units) == {'machine/0', 'machine/1'}
    status = settle(juju, jubilant.all_active)
    assert status.apps['machine'].charm == 'local:ubuntu-0'
    assert [u.leader for u in status.apps['machine'].units.values()].count(True) == 1


def test_units_come_and_go(juju: jubilant.Juju):
    juju.add_unit('machine', num_units=2)
    settle(juju, lambda s: len(s.apps['machine'].units) == 4 and jubilant.all_active(s))
    juju.remove_unit('machine/0', 'machine/2')
    status = settle(juju, lambda s: set(s.apps['machine'].units) == {'machine/1', 'machine/3'})
    assert [u.leader for u in status.apps['machine'].units.values()].count(True) == 1


def test_an_application_goes_with_its_machines(juju: jubilant.Juju):
    juju.remove_application('machine')
    settle(juju, lambda s: 'machine' not in s.apps and not s.machines)


def test_a_resource_arrives(juju: jubilant.Juju, tmp_path: pathlib.Path):
    first, second = tmp_path / 'f.txt', tmp_path / 'g.txt'
    first.write_text('first')
    juju.deploy(CHARMS / 'testapp', resources={'test-file': str(first)})
    first.unlink()
    settle(juju, jubilant.all_blocked)
    assert juju.run('testapp/0', 'show-file').results == {
        'name': 'test-file.txt',
        'content': 'first',
    }
    second.write_text('second')
    juju.refresh('testapp', path=CHARMS / 'testapp', resources={'test-file': str(second)})
    settle(juju)
    assert juju.run('testapp/0', 'show-file').results['content'] == 'second'


def test_a_charm_is_refreshed_to_what_its_folder_now_holds(
    juju: jubilant.Juju, tmp_path: pathlib.Path
):
    folder = tmp_path / 'recorder'
    shutil.copytree(CHARMS / 'recorder', folder)
    juju.deploy(folder, 'kept')
    settle(juju, lambda s: jubilant.all_active(s, 'kept'))
    (folder / 'version').write_text('v2\n')
    juju.refresh('kept', path=folder)
    status = settle(juju, lambda s: s.apps['kept'].charm_rev == 1)
    assert status.apps['kept'].charm_version == 'v2'
    seen = juju.exec('cut -d " " -f 1 events', unit='kept/0').stdout.split()
    assert seen[-2:] == ['hook=upgrade-charm', 'hook=config-changed']
    assert seen[0] == 'hook=install'


def test_a_packed_charm(juju: jubilant.Juju, tmp_path: pathlib.Path):
    juju.cli(
        'pack',
        str(CHARMS / 'testdb'),
        '-o',
        str(tmp_path),
        '--base',
        HERE,
        include_model=False,
    )
    (packed,) = tmp_path.glob('*.charm')
    juju.deploy(packed, 'packed', config={'testoption': 'x'})
    status = settle(juju, lambda s: jubilant.all_active(s, 'packed'))
    base = status.apps['packed'].base
    assert base is not None
    assert HERE.startswith(f'{base.name}@{base.channel.partition("/")[0]}')


def test_a_subordinate_lives_with_its_principal(juju: jubilant.Juju):
    juju.deploy(CHARMS / 'subordinate', base=HERE)  # As its principal.
    juju.integrate('subordinate', 'packed')
    status = settle(juju, lambda s: jubilant.all_active(s, 'subordinate'))
    assert status.apps['subordinate'].subordinate_to == ['packed']
    (found,) = status.apps['packed'].units['packed/0'].subordinates.values()
    assert found.workload_status.message == 'beside packed/0'
    juju.remove_relation('subordinate', 'packed')
    settle(juju, lambda s: not s.apps['packed'].units['packed/0'].subordinates)


@pytest.mark.parametrize(
    ('what', 'says'),
    [
        ('./nowhere', 'no charm was found at "./nowhere"'),
        ('no-such-charm', 'Charmhub'),
        (str(CHARMS), 'neither charmcraft.yaml nor metadata.yaml'),
    ],
)
def test_what_cannot_be_deployed_leaves_nothing(juju: jubilant.Juju, what: str, says: str):
    before = set(juju.status().apps)
    with pytest.raises(jubilant.CLIError) as caught:
        juju.deploy(what, 'never')
    assert caught.value.returncode == 1
    assert caught.value.stderr.startswith('ERROR ')
    assert says in caught.value.stderr
    assert set(juju.status().apps) == before


def test_a_wrong_resource_or_option_leaves_nothing(juju: jubilant.Juju):
    for flag, given in (('--resource', 'nope=/etc/hostname'), ('--config', 'nope=1')):
        with pytest.raises(jubilant.CLIError) as caught:
            juju.cli('deploy', str(CHARMS / 'testapp'), 'never', flag, given)
        assert 'nope' in caught.value.stderr
    assert 'never' not in juju.status().apps
