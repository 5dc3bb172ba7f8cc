"""Keystone on two units with MariaDB: shared keys, a leader that goes, hooks that die, a backup."""

from __future__ import annotations

from collections.abc import Generator

import jubilant
import pytest

from .conftest import CHARMS, Model, gone, lie_in_wait, settle

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(2400)]

REPOSITORY = '/etc/keystone/fernet-keys'
LOGIN = """
import json, sys
from urllib import request
password = sys.stdin.readline().strip()
default = {'id': 'default'}
user = {'name': 'admin', 'domain': default, 'password': password}
body = {'auth': {'identity': {'methods': ['password'], 'password': {'user': user}},
                 'scope': {'project': {'name': 'admin', 'domain': default}}}}
answer = request.urlopen(request.Request(
    'http://127.0.0.1:5000/v3/auth/tokens', data=json.dumps(body).encode(),
    headers={'Content-Type': 'application/json'}))
print(answer.headers['X-Subject-Token'])
"""
ENDPOINTS = """
import json, sys
from urllib import request
answer = request.urlopen(request.Request(
    'http://127.0.0.1:5000/v3/endpoints', headers={'X-Auth-Token': sys.stdin.readline().strip()}))
print(' '.join(sorted({e['url'] for e in json.load(answer)['endpoints']})))
"""
KILLER = (
    'n=0; while [ $n -lt 2 ]; do '
    "pkill -KILL -f '[/]charm/src/charm.py' && n=$((n+1)) && sleep 1; sleep 0.05; done"
)


@pytest.fixture(scope='module', params=['debian@12', 'debian@13'])
def cloud(request: pytest.FixtureRequest, model: Model) -> Generator[jubilant.Juju]:
    """MariaDB, and two units of keystone, active."""
    with model(request.param) as juju:
        juju.deploy(CHARMS / 'mysql')
        juju.deploy(CHARMS / 'keystone', num_units=2)
        juju.integrate('keystone', 'mysql')
        settle(juju)
        yield juju


def python(juju: jubilant.Juju, unit: str, script: str, line: str) -> str:
    """What *script* prints on *unit*, given *line* on its standard input."""
    quoted = script.replace("'", '"')
    return juju.exec(f"echo {line} | python3 -c '{quoted}'", unit=unit).stdout.strip()


def units(juju: jubilant.Juju) -> tuple[str, str]:
    """The leader of keystone, and the other."""
    found = juju.status().apps['keystone'].units
    (leader,) = [name for name, unit in found.items() if unit.leader]
    (other,) = [name for name in found if name != leader]
    return leader, other


def token(juju: jubilant.Juju, unit: str) -> str:
    password = juju.run(unit, 'get-admin-password').results['password']
    return python(juju, unit, LOGIN, password)


def test_a_token_of_one_unit_is_good_on_the_other(cloud: jubilant.Juju):
    leader, other = units(cloud)
    assert python(cloud, other, ENDPOINTS, token(cloud, leader)).endswith(':5000/v3')
    assert python(cloud, leader, ENDPOINTS, token(cloud, other)).endswith(':5000/v3')


def test_keys_are_rotated_on_every_unit_and_tokens_go_on(cloud: jubilant.Juju):
    leader, other = units(cloud)
    mine = token(cloud, other)
    cloud.run(leader, 'rotate-keys')
    # At once again: it must wait until the other unit has the keys of the first.
    cloud.run(leader, 'rotate-keys')
    settle(cloud)
    keys = [
        cloud.exec(f'cd {REPOSITORY} && md5sum *', unit=unit).stdout for unit in (leader, other)
    ]
    assert keys[0] == keys[1]
    assert keys[0].rstrip().endswith('  3')
    for unit in (leader, other):
        assert python(cloud, unit, ENDPOINTS, mine).endswith(':5000/v3')


def test_hooks_that_are_killed_are_finished(cloud: jubilant.Juju):
    every = ('mysql/0', *units(cloud))
    cloud.remove_relation('keystone', 'mysql')
    cloud.wait(lambda s: not s.apps['keystone'].relations.get('shared-db'), timeout=300)
    cloud.wait(jubilant.all_agents_idle, timeout=300)
    for unit in every:
        lie_in_wait(cloud, unit, KILLER)
    cloud.integrate('keystone', 'mysql')
    cloud.wait(lambda _: all(gone(cloud, unit) for unit in every), timeout=300, successes=1)
    settle(cloud)
    leader, other = units(cloud)
    assert python(cloud, other, ENDPOINTS, token(cloud, leader)).endswith(':5000/v3')


def test_a_backup_brings_back_what_was_lost(cloud: jubilant.Juju):
    leader, _ = units(cloud)
    file = cloud.run('mysql/0', 'backup').results['file']
    cloud.exec("mariadb keystone -e 'SET foreign_key_checks=0; DROP TABLE user'", unit='mysql/0')
    with pytest.raises(jubilant.TaskError):
        token(cloud, leader)
    cloud.run('mysql/0', 'restore', {'file': file})
    assert token(cloud, leader)


def test_a_second_unit_of_mysql_says_what_to_do(cloud: jubilant.Juju):
    cloud.add_unit('mysql')
    status = cloud.wait(
        lambda s: (
            s.apps['mysql'].units['mysql/1'].is_blocked
            and s.apps['mysql'].units['mysql/1'].juju_status.current == 'idle'
        ),
        timeout=900,
    )
    said = status.apps['mysql'].units['mysql/1'].workload_status.message
    assert said == 'the databases are on mysql/0: remove this unit (juju remove-unit mysql/1)'
    cloud.remove_unit('mysql/1')
    settle(cloud)


def test_another_unit_leads_when_the_leader_goes(cloud: jubilant.Juju):
    leader, other = units(cloud)
    cloud.remove_unit(leader)
    cloud.wait(lambda s: leader not in s.apps['keystone'].units, timeout=600)
    status = settle(cloud)
    address = status.apps['keystone'].units[other].public_address
    assert status.apps['keystone'].units[other].leader
    found = python(cloud, other, ENDPOINTS, token(cloud, other))
    assert found == f'http://{address}:5000/v3'
