"""bundles/small-cloud.yaml, on both bases: a guest, from its image to its floating address and its volume."""

from __future__ import annotations

from collections.abc import Generator

import jubilant
import pytest

from tools import cloud as cloud_
from tools import proofs

from .conftest import BUNDLES, Model, settle

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(3600)]
PATIENCE_S = 1800


@pytest.fixture(scope='module', params=['debian@12', 'debian@13'])
def juju(request: pytest.FixtureRequest, model: Model) -> Generator[jubilant.Juju]:
    """The bundle, active."""
    with model(request.param, ('data', 'dmz')) as juju:
        if not juju.status().apps:
            juju.deploy(BUNDLES / 'small-cloud.yaml')
        settle(juju, PATIENCE_S)
        yield juju


def test_what_make_up_proves_holds(juju: jubilant.Juju):
    proven = {one.what: one.prove() for one in proofs.steps(juju, cloud_.find(juju))}
    for what, said in proven.items():
        print(f'{what}: {said}')
    assert 'hello from' in proven['its floating address, answering HTTP in the DMZ']
    assert 'no allocation in placement' in proven['all deleted, and nothing left']
