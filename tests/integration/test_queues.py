"""Three RabbitMQ units and a client: they come to one cluster, and take a killed, a paused and a removed one."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Generator

import jubilant
import pytest

from .conftest import CHARMS, Model, settle

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(2400)]

CLIENT = """name: client
summary: Asks for an account.
description: Asks for an account.
requires: {amqp: {interface: rabbitmq}}
"""
DISPATCH = """#!/bin/sh
case $JUJU_DISPATCH_PATH in
    hooks/amqp-relation-created) relation-set username=nova vhost=openstack takes-username=true;;
esac
status-set active
"""
NODES = ['rabbit@rabbitmq-server-0', 'rabbit@rabbitmq-server-1', 'rabbit@rabbitmq-server-2']


@pytest.fixture(scope='module', params=['debian@12', 'debian@13'])
def cloud(
    request: pytest.FixtureRequest, model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Generator[jubilant.Juju]:
    client = tmp_path_factory.mktemp('client')
    (client / 'metadata.yaml').write_text(CLIENT)
    (client / 'dispatch').write_text(DISPATCH)
    (client / 'dispatch').chmod(0o755)
    with model(request.param) as juju:
        juju.deploy(CHARMS / 'rabbitmq-server', num_units=3)
        juju.deploy(pathlib.Path(client))
        juju.integrate('client:amqp', 'rabbitmq-server:amqp')
        settle(juju)
        yield juju


def answers(juju: jubilant.Juju) -> dict[str, dict[str, str]]:
    """What each member tells the client."""
    shown = json.loads(juju.cli('show-unit', 'client/0', '--format', 'json'))
    (relation,) = (r for r in shown['client/0']['relation-info'] if r['endpoint'] == 'amqp')
    return {unit: r['data'] for unit, r in relation['related-units'].items() if 'data' in r}


def status(juju: jubilant.Juju, unit: str = 'rabbitmq-server/0') -> dict[str, str]:
    return juju.run(unit, 'cluster-status').results


def lets_in(juju: jubilant.Juju, unit: str, bag: dict[str, str]) -> bool:
    login = f'rabbitmqctl -q authenticate_user {bag["username"]} {bag["password"]}'
    return (
        juju.exec(f'{login} >/dev/null 2>&1 && echo in || echo out', unit=unit).stdout.strip()
        == 'in'
    )


def test_three_units_are_one_cluster_and_all_of_them_are_told(cloud: jubilant.Juju):
    said = status(cloud)
    assert said['members'].split() == said['running'].split() == NODES
    told = answers(cloud)
    assert len({bag['hostname'] for bag in told.values()}) == 3
    assert len({bag['password'] for bag in told.values()}) == 1
    assert all(lets_in(cloud, unit, bag) for unit, bag in told.items())
    assert not lets_in(cloud, 'rabbitmq-server/0', {'username': 'nova', 'password': 'wrong'})


def test_a_rotation_gives_every_member_the_other_account(cloud: jubilant.Juju):
    before = answers(cloud)
    cloud.run('rabbitmq-server/leader', 'rotate-password', {'user': 'nova'})
    settle(cloud)
    after = answers(cloud)
    assert {bag['username'] for bag in after.values()} == {'nova.2'}
    assert all(lets_in(cloud, unit, bag) for unit, bag in (*before.items(), *after.items()))


def test_a_member_pauses_and_comes_back(cloud: jubilant.Juju):
    cloud.run('rabbitmq-server/1', 'pause')
    assert status(cloud)['running'].split() == [NODES[0], NODES[2]]
    cloud.run('rabbitmq-server/1', 'resume')
    assert status(cloud)['running'].split() == NODES
    settle(cloud)


def test_who_was_forgotten_while_away_comes_back(cloud: jubilant.Juju):
    cloud.exec('systemctl stop rabbitmq-server', unit='rabbitmq-server/2')
    cloud.run('rabbitmq-server/0', 'forget-cluster-node', {'node': NODES[2]})
    assert status(cloud)['members'].split() == NODES[:2]
    cloud.cli('model-config', 'update-status-hook-interval=10s')
    cloud.wait(
        lambda s: (
            'started anew'
            in s.apps['rabbitmq-server'].units['rabbitmq-server/2'].workload_status.message
        )
    )
    cloud.cli('model-config', 'update-status-hook-interval=60m')
    assert status(cloud)['running'].split() == NODES


def test_a_unit_leaves_and_another_joins(cloud: jubilant.Juju):
    cloud.cli('remove-unit', '--no-prompt', 'rabbitmq-server/1')
    cloud.wait(lambda s: len(s.apps['rabbitmq-server'].units) == 2)
    cloud.add_unit('rabbitmq-server')
    settle(cloud)
    new = 'rabbit@rabbitmq-server-3'
    assert (
        status(cloud)['members'].split()
        == status(cloud)['running'].split()
        == [NODES[0], NODES[2], new]
    )
    told = answers(cloud)
    assert told.keys() == {f'rabbitmq-server/{n}' for n in (0, 2, 3)}
    assert all(lets_in(cloud, unit, bag) for unit, bag in told.items())
