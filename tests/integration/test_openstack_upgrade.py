"""A newer package in the archive, and the actions that bring a unit and its database to it."""

from __future__ import annotations

import json
from collections.abc import Generator

import jubilant
import pytest

from .conftest import CHARMS, Model, settle

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(2400)]

APIS = {'keystone': 'keystone', 'placement': 'placement-api', 'glance': 'glance-api'}
"""Each API, and its package that comes in a newer version."""
PORTS = {'keystone': 5000, 'placement': 8778, 'glance': 9292}
CONTRACTING = ('keystone', 'glance')
NEWER = """
set -e
rm -rf /srv/newer; mkdir -p /srv/newer; cd /srv/newer
apt-get -q update >/dev/null
apt-get -q download PACKAGE >/dev/null
dpkg-deb -R PACKAGE_*.deb unpacked
sed -i "s/^Version: .*/&+newer1/" unpacked/DEBIAN/control
dpkg-deb -b unpacked newer.deb >/dev/null
rm -r unpacked PACKAGE_*.deb
dpkg-deb -f newer.deb > Packages
echo "Filename: ./newer.deb" >> Packages
echo "Size: $(stat -c %s newer.deb)" >> Packages
echo "SHA256: $(sha256sum newer.deb | cut -d " " -f 1)" >> Packages
echo "deb [trusted=yes] file:/srv/newer ./" > /etc/apt/sources.list.d/newer.list
"""
VERSION = "dpkg-query -W -f '${Version}' PACKAGE"


@pytest.fixture(scope='module', params=['debian@12', 'debian@13'])
def cloud(request: pytest.FixtureRequest, model: Model) -> Generator[jubilant.Juju]:
    """MariaDB and the three APIs, active."""
    with model(request.param) as juju:
        if not juju.status().apps:
            deploy(juju)
        settle(juju)
        yield juju


def deploy(juju: jubilant.Juju) -> None:
    juju.deploy(CHARMS / 'mysql')
    for app in APIS:
        juju.deploy(CHARMS / app)
        juju.integrate(f'{app}:shared-db', 'mysql:shared-db')
        if app != 'keystone':
            juju.integrate(f'{app}:identity-service', 'keystone:identity-service')


def said(juju: jubilant.Juju, app: str, script: str) -> str:
    return juju.exec(script.replace('PACKAGE', APIS[app]), unit=f'{app}/0').stdout.strip()


def processes(juju: jubilant.Juju, app: str) -> set[str]:
    """Process ids of the API."""
    name = 'keystone' if app == 'keystone' else APIS[app]
    return set(said(juju, app, f"pgrep -f '^{name}'").split())


def status_code(juju: jubilant.Juju, app: str) -> str:
    ask = (
        'import urllib.request as r; '
        f'print(r.urlopen("http://127.0.0.1:{PORTS[app]}/healthcheck").status)'
    )
    return said(juju, app, f"python3 -c '{ask}'")


def schema(juju: jubilant.Juju, app: str) -> dict[str, object]:
    """What the leader has told all units about the database."""
    ask = f'relation-get -r $(relation-ids peers) --app schema {app}/0'
    return json.loads(said(juju, app, ask))


@pytest.mark.parametrize('app', APIS)
def test_with_nothing_newer_nothing_is_upgraded(cloud: jubilant.Juju, app: str):
    before = processes(cloud, app)
    assert cloud.run(f'{app}/0', 'openstack-upgrade').results['upgraded'] == 'none'
    assert processes(cloud, app) == before
    assert status_code(cloud, app) == '200'


@pytest.mark.parametrize('app', APIS)
def test_a_newer_package_is_installed_migrated_for_and_served(cloud: jubilant.Juju, app: str):
    said(cloud, app, NEWER)
    before = processes(cloud, app)
    assert before
    assert cloud.run(f'{app}/0', 'openstack-upgrade').results['upgraded'] == APIS[app]
    settle(cloud)
    version = said(cloud, app, VERSION)
    assert version.endswith('+newer1')
    assert schema(cloud, app)['version'] == version
    after = processes(cloud, app)
    assert len(after) == len(before)
    assert not after & before, 'some of its processes run what was there before'
    assert status_code(cloud, app) == '200'
    shown = said(cloud, app, f'systemctl show -p LoadState,ActiveState {APIS[app]}')
    assert set(shown.split()) == {'LoadState=masked', 'ActiveState=inactive'}


@pytest.mark.parametrize('app', APIS)
def test_the_database_is_expanded(cloud: jubilant.Juju, app: str):
    results = cloud.run(f'{app}/0', 'db-expand').results
    assert results['schema-version'] == said(cloud, app, VERSION)
    settle(cloud)
    assert status_code(cloud, app) == '200'


@pytest.mark.parametrize('app', CONTRACTING)
def test_the_database_is_contracted(cloud: jubilant.Juju, app: str):
    results = cloud.run(f'{app}/0', 'db-contract').results
    assert results['schema-version'] == said(cloud, app, VERSION)
    settle(cloud)
    assert status_code(cloud, app) == '200'


@pytest.mark.parametrize('app', APIS)
def test_a_migration_that_fails_says_so_and_is_tried_again(cloud: jubilant.Juju, app: str):
    """Its twin is the one before: the commands are really run."""
    hidden = 'mv /usr/bin/NAME-manage /usr/bin/NAME-manage.away'.replace('NAME', app)
    said(cloud, app, hidden)
    try:
        with pytest.raises(jubilant.TaskError):
            cloud.run(f'{app}/0', 'db-expand')
    finally:
        said(cloud, app, 'mv /usr/bin/NAME-manage.away /usr/bin/NAME-manage'.replace('NAME', app))
    assert cloud.run(f'{app}/0', 'db-expand').results['schema-version']
    settle(cloud)
