"""bundles/small-cloud.yaml as `make up` deploys it, with TLS, on both bases: a guest, from its image to its volume."""

from __future__ import annotations

from collections.abc import Generator

import jubilant
import pytest

from tools import cloud as cloud_
from tools import moves, proofs, secret_search, servers

from .accounts import accounts_with_tls
from .conftest import BUNDLES, Model, settle

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]
PATIENCE_S = 1500
"""On a machine that has installed none of it yet, and whose processors emulate others."""


LATER = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(scope='module', params=['debian@12', pytest.param('debian@13', marks=LATER)])
def juju(request: pytest.FixtureRequest, model: Model) -> Generator[jubilant.Juju]:
    """The bundle, active."""
    with model(request.param, ('data', 'dmz')) as juju:
        if not juju.status().apps:
            juju.deploy(
                BUNDLES / 'small-cloud.yaml',
                overlays=[BUNDLES / 'overlays/small-cloud-tls.yaml'],
            )
        settle(juju, PATIENCE_S)
        yield juju


def test_what_make_up_proves_holds(juju: jubilant.Juju):
    every = [*proofs.steps(juju, cloud_.find(juju))]
    assert [step.what for step in every if step.left_out] == [moves.LIVE, moves.RESIZED]
    proven: dict[str, str] = {}
    for step in every:
        proven[step.what] = step.prove()
        print(f'{step.what}: {proven[step.what]}')
    assert 'hello from' in proven['its floating address, answering HTTP in the DMZ']
    assert 'written and read back' in proven['a volume attached, written and read back']
    assert servers.CONSOLE in proven
    assert 'no allocation in placement' in proven['all deleted, and nothing left']


def test_database_and_queue_take_clients_by_verified_tls_and_by_nothing_else(
    juju: jubilant.Juju,
):
    services = ('keystone', 'placement', 'glance', 'nova', 'neutron', 'cinder')
    assert accounts_with_tls(juju, *services) == dict.fromkeys(services, '1')
    outside = r"ss --no-header -ltn | awk '{print $4}' | grep -v '^127\.' | grep -oE ':567[12]$'"
    assert juju.exec(outside, unit='rabbitmq-server/0').stdout.split() == [':5671']


@pytest.mark.slow
def test_no_secret_lies_where_others_can_read_it(juju: jubilant.Juju):
    known, found = secret_search.search(juju)
    assert (
        known >= 20
    )  # Each service's accounts of the database, the queue and keystone, and keys.
    assert found == []
