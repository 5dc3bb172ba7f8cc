"""Clusters of RabbitMQ and of MariaDB go to the next base by `juju lifecycle`: as one unit, then as many as before."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from collections.abc import Generator

import jubilant
import pytest

from .conftest import CHARMS, Model, settle
from .test_databases import LOGIN
from .test_queues import CLIENT, DISPATCH, answers, lets_in, status

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(1800)]
LIFECYCLE = pathlib.Path(sys.executable).with_name('juju-lifecycle')
UNITS = 2


@pytest.fixture
def juju(model: Model, tmp_path: pathlib.Path) -> Generator[jubilant.Juju]:
    (tmp_path / 'metadata.yaml').write_text(CLIENT)
    (tmp_path / 'dispatch').write_text(DISPATCH)
    (tmp_path / 'dispatch').chmod(0o755)
    with model('debian@12') as juju:
        juju.deploy(CHARMS / 'rabbitmq-server', num_units=UNITS)
        juju.deploy(tmp_path)
        juju.integrate('client:amqp', 'rabbitmq-server:amqp')
        settle(juju)
        yield juju


def lifecycle(juju: jubilant.Juju, *words: str) -> subprocess.CompletedProcess[str]:
    argv = (LIFECYCLE, words[0], '--model', str(juju.model), *words[1:])
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_a_cluster_of_queues_is_moved_once_that_is_accepted(juju: jubilant.Juju):
    move = ('upgrade', '--to', 'debian@13', '--yes', 'rabbitmq-server')
    before = answers(juju)
    refused = lifecycle(juju, *move)
    assert refused.returncode == 1
    assert 'juju lifecycle skip rabbitmq-server.shrinks --reason' in refused.stderr
    skipped = lifecycle(juju, 'skip', 'rabbitmq-server.shrinks', '--reason', 'it is night')
    assert skipped.returncode == 0, skipped.stderr
    done = lifecycle(juju, *move)
    assert done.returncode == 0, done.stdout + done.stderr
    settle(juju)
    units = juju.status().get_units('rabbitmq-server')
    assert len(units) == UNITS
    told = answers(juju)
    assert told.keys() == units.keys()
    assert not {bag['hostname'] for bag in told.values()} & {
        bag['hostname'] for bag in before.values()
    }
    first = min(units)
    said = status(juju, first)
    assert len(said['members'].split()) == len(said['running'].split()) == UNITS
    assert said['versions'].startswith('4.')
    assert all(lets_in(juju, unit, bag) for unit, bag in told.items())


@pytest.fixture
def databases(model: Model) -> Generator[jubilant.Juju]:
    with model('debian@12') as juju:
        juju.cli('model-config', 'update-status-hook-interval=10s')
        juju.deploy(CHARMS / 'mysql', num_units=3)
        juju.deploy(CHARMS / 'keystone')
        juju.integrate('keystone:shared-db', 'mysql:shared-db')
        settle(juju)
        yield juju


def _cluster(juju: jubilant.Juju) -> dict[str, str]:
    """What each server says of its cluster's size, and which series it is."""
    asked = "SHOW STATUS WHERE Variable_name = 'wsrep_cluster_size'; SELECT VERSION()"
    return {
        unit: ' '.join(juju.exec(f'mariadb -N -e "{asked}"', unit=unit).stdout.split()[1:])
        for unit in juju.status().get_units('mysql')
    }


def test_a_cluster_of_databases_is_moved_once_that_is_accepted(databases: jubilant.Juju):
    juju = databases
    assert {said.split()[0] for said in _cluster(juju).values()} == {'3'}
    juju.run('mysql/leader', 'backup')
    move = ('upgrade', '--to', 'debian@13', '--yes', 'mysql')
    refused = lifecycle(juju, *move)
    assert refused.returncode == 1
    assert 'juju lifecycle skip mysql.shrinks --reason' in refused.stderr
    assert lifecycle(juju, 'skip', 'mysql.shrinks', '--reason', 'it is night').returncode == 0
    done = lifecycle(juju, *move)
    assert done.returncode == 0, done.stdout + done.stderr
    settle(juju)
    found = _cluster(juju)
    assert len(found) == 3
    assert all(said.startswith('3 11.') for said in found.values()), found
    assert juju.exec(LOGIN, unit='keystone/0').stdout == '401'
