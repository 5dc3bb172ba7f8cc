"""MariaDB under a keystone, when somebody stops it, fills its disk, restores it, or rotates passwords."""

from __future__ import annotations

import json
from collections.abc import Generator

import jubilant
import pytest

from .conftest import CHARMS, Model, settle

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(2400)]

# keystone reads its catalogue from the database to answer this; 401 is well, 500 is not.
LOGIN = (
    "curl -s -o /dev/null -w '%{http_code}' -H 'Content-Type: application/json' "
    '-d \'{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"nobody",'
    '"domain":{"id":"default"},"password":"x"}}}}}\' http://127.0.0.1:5000/v3/auth/tokens'
)


@pytest.fixture(scope='module', params=['debian@12', 'debian@13'])
def cloud(request: pytest.FixtureRequest, model: Model) -> Generator[jubilant.Juju]:
    with model(request.param) as juju:
        juju.deploy(CHARMS / 'mysql')
        juju.deploy(CHARMS / 'keystone')
        juju.integrate('keystone', 'mysql')
        settle(juju)
        juju.cli('model-config', 'update-status-hook-interval=10s')
        yield juju


def answer(juju: jubilant.Juju) -> dict[str, str]:
    """What the server tells keystone."""
    shown = json.loads(juju.cli('show-unit', 'keystone/0', '--format', 'json'))
    (relation,) = (r for r in shown['keystone/0']['relation-info'] if r['endpoint'] == 'shared-db')
    return relation['related-units']['mysql/0']['data']


def says(juju: jubilant.Juju, words: str) -> None:
    """Wait until the status of mysql says *words*."""
    juju.wait(lambda s: words in s.apps['mysql'].units['mysql/0'].workload_status.message)


def on_server(juju: jubilant.Juju, command: str) -> str:
    return juju.exec(command, unit='mysql/0').stdout.strip()


def test_a_server_that_somebody_stops_runs_again_and_the_status_says_so(cloud: jubilant.Juju):
    on_server(cloud, 'systemctl stop mariadb')
    says(cloud, 'mariadb was found stopped and was started again')
    assert on_server(cloud, 'systemctl is-active mariadb') == 'active'


def test_a_full_disk_is_told_by_name(cloud: jubilant.Juju):
    at = '/var/backups/mysql-charm'
    on_server(cloud, f'mount -t tmpfs -o size=4m none {at}; fallocate -l 4M {at}/x')
    says(cloud, f'the file system {at} is full')
    on_server(cloud, f'umount {at}')
    settle(cloud)


def test_a_rotation_lets_keystone_in_all_the_while(cloud: jubilant.Juju):
    before = answer(cloud)['password']
    cloud.run('mysql/0', 'rotate-password', {'user': 'keystone'})
    settle(cloud)
    assert answer(cloud)['password'] != before
    conf = cloud.exec('grep ^connection /etc/keystone/keystone.conf', unit='keystone/0').stdout
    assert answer(cloud)['password'] in conf
    assert cloud.exec(LOGIN, unit='keystone/0').stdout == '401'


def test_a_restore_gives_a_new_generation(cloud: jubilant.Juju):
    before = answer(cloud)['generation']
    made = cloud.run('mysql/0', 'backup').results['file']
    assert answer(cloud)['generation'] == before
    cloud.run('mysql/0', 'restore', {'file': made})
    settle(cloud)
    assert answer(cloud)['generation'] != before
    assert cloud.exec(LOGIN, unit='keystone/0').stdout == '401'
