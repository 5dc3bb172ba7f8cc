"""OpenStack's own test suite against bundles/small-cloud.yaml with a second compute node (docs/how-to/run-tempest.md).

All suites of what the cloud has, and the smoke scenarios: hours for each base, since processors are emulated.
"""

from __future__ import annotations

from collections.abc import Generator

import jubilant
import pytest
import yaml

from tools import cloud as cloud_
from tools import machines, run_tempest, tempest_servers

from .conftest import BUNDLES, ROOT, Model, settle

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(10 * 3600)]
PATIENCE_S = 1800
SECOND_COMPUTE = {'applications': {'nova-compute': {'num_units': 2}}}
"""For what moves servers from one to the other, and for what makes them on both."""


@pytest.fixture(scope='module')
def juju(
    base: str, model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Generator[jubilant.Juju]:
    """The bundle with two compute nodes, active."""
    overlay = tmp_path_factory.mktemp('overlay') / 'second-compute.yaml'
    overlay.write_text(yaml.safe_dump(SECOND_COMPUTE))
    with model(base, ('data', 'dmz')) as juju:
        if not juju.status().apps:
            juju.deploy(BUNDLES / 'small-cloud.yaml', overlays=[overlay])
        settle(juju, PATIENCE_S)
        yield juju


def test_tempest_passes_but_for_what_is_known(juju: jubilant.Juju, base: str):
    cloud = cloud_.find(juju)
    with tempest_servers.made(juju, cloud) as made, machines.image_served(juju) as url:
        folder = ROOT / 'build/tempest' / f'small-cloud-{base}'
        verdict = run_tempest.run(
            cloud,
            base,
            folder,
            image_url=url,
            compliance=run_tempest.compliance(juju),
            suites=tempest_servers.SUITES,
            there=made,
        )
    print(verdict)
    assert verdict.faults == (), f'{verdict}\nAll that was said: {folder}'
