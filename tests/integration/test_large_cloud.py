"""bundles/cloud.yaml, on both bases: what `make up` proves, with a server that moves to the other compute node."""

from __future__ import annotations

from collections.abc import Generator

import jubilant
import pytest
import yaml

from tools import cloud as cloud_
from tools import moves, proofs, servers

from .conftest import BUNDLES, Model, settle
from .test_dmz import vips

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(7200)]
PATIENCE_S = 3600


@pytest.fixture(scope='module', params=['debian@12', 'debian@13'])
def juju(
    request: pytest.FixtureRequest, model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Generator[jubilant.Juju]:
    """The bundle, active, with its VIPs in an overlay."""
    overlay = tmp_path_factory.mktemp('overlay') / 'vips.yaml'
    with model(request.param, ('dmz', 'internal', 'admin', 'data')) as juju:
        overlay.write_text(yaml.safe_dump({'applications': vips(juju, 'cloud.yaml')}))
        if not juju.status().apps:
            juju.deploy(BUNDLES / 'cloud.yaml', overlays=[overlay])
        settle(juju, PATIENCE_S)
        yield juju


def test_what_make_up_proves_holds(juju: jubilant.Juju):
    every = [*proofs.steps(juju, cloud_.find(juju))]
    assert [step.what for step in every if step.left_out] == []
    proven = {step.what: step.prove() for step in every}
    for what, said in proven.items():
        print(f'{what}: {said}')
    assert {moves.LIVE, moves.RESIZED, servers.CONSOLE} <= proven.keys()
    assert 'no allocation in placement' in proven['all deleted, and nothing left']
