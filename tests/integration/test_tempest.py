"""OpenStack's own test suite, Tempest, against bundles/core.yaml: `make tempest`, docs/how-to/run-tempest.md."""

from __future__ import annotations

from collections.abc import Generator

import jubilant
import pytest
import yaml

from tools import cloud as cloud_
from tools import machines, run_tempest

from .conftest import BUNDLES, ROOT, Model, settle

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(5400)]


OVERLAY = {'applications': {'keystone': {'num_units': 2}}}
"""What one unit has just written, the other must know: so Tempest finds whether they share what they cache."""


@pytest.fixture(scope='module', params=['debian@12', 'debian@13'])
def base(request: pytest.FixtureRequest) -> str:
    """What the units run on."""
    return str(request.param)


@pytest.fixture(scope='module')
def juju(
    base: str, model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Generator[jubilant.Juju]:
    """The bundle with two units of keystone, active."""
    overlay = tmp_path_factory.mktemp('overlay') / 'two-keystones.yaml'
    overlay.write_text(yaml.safe_dump(OVERLAY))
    with model(base) as juju:
        if not juju.status().apps:
            juju.deploy(BUNDLES / 'core.yaml', overlays=[overlay])
        settle(juju)
        yield juju


def test_tempest_passes_but_for_what_is_known(juju: jubilant.Juju, base: str):
    with machines.image_served(juju) as url:
        folder = ROOT / 'build/tempest' / base
        verdict = run_tempest.run(
            cloud_.find(juju),
            base,
            folder,
            image_url=url,
            compliance=run_tempest.compliance(juju),
        )
    print(verdict)
    assert verdict.faults == (), f'{verdict}\nAll that was said: {folder}'
