"""bundles/small-cloud.yaml with OVN, on Debian 13: the guest's proof, with OVN's controllers in place of agents."""

from __future__ import annotations

from collections.abc import Generator

import jubilant
import pytest

from tools import cloud as cloud_
from tools import proofs

from .conftest import BUNDLES, Model, settle

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(3600)]
PATIENCE_S = 1800


@pytest.fixture(scope='module')
def juju(model: Model) -> Generator[jubilant.Juju]:
    """The bundle with its overlay, active."""
    with model('debian@13', ('data', 'dmz')) as juju:
        if not juju.status().apps:
            juju.deploy(BUNDLES / 'small-cloud.yaml', overlays=[BUNDLES / 'overlays/ovn.yaml'])
        settle(juju, PATIENCE_S)
        yield juju


def test_what_make_up_proves_holds(juju: jubilant.Juju):
    proven: dict[str, str] = {}
    for step in proofs.steps(juju, cloud_.find(juju)):
        proven[step.what] = step.prove()
        print(f'{step.what}: {proven[step.what]}')
    assert 'OVN Controller Gateway agent' in proven['compute hosts that take servers']
    assert '(geneve)' in proven['a network, and a router to the DMZ']
    assert 'hello from' in proven['its floating address, answering HTTP in the DMZ']
