"""A RabbitMQ cluster goes to the next base by `juju lifecycle`: as one unit, and as many again after it."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from collections.abc import Generator

import jubilant
import pytest

from .conftest import CHARMS, Model, settle
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


def test_a_cluster_is_moved_once_that_is_accepted(juju: jubilant.Juju):
    move = ('upgrade', '--to', 'debian@13', '--yes', 'rabbitmq-server')
    before = answers(juju)
    refused = lifecycle(juju, *move)
    assert refused.returncode == 1
    assert 'juju lifecycle skip rabbitmq-server.shrinks --reason' in refused.stderr
    skipped = lifecycle(juju, 'skip', 'rabbitmq-server.shrinks', '--reason', 'it is night')
    assert skipped.returncode == 0, skipped.stderr
    done = lifecycle(juju, *move)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
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
