"""OpenStack's own tools against bundles/core.yaml: its client, and its test suite (docs/how-to/run-tempest.md)."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Generator

import jubilant
import pytest
import yaml

from tools import cloud as cloud_
from tools import machines, run_tempest

from .conftest import BUNDLES, ROOT, Model, settle

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(5400)]


RULES = {'lockout_failure_attempts': 2, 'lockout_duration': 5, 'unique_last_password_count': 2}
KEYSTONE = {
    'num_units': 2,  # What one has just written, the other must know.
    'options': {'password-security-compliance': json.dumps(RULES)},
}

NAME = 'Zoë 🦄'


@pytest.fixture(scope='module')
def juju(
    base: str, model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Generator[jubilant.Juju]:
    """The bundle with two units of keystone, and rules for passwords; active."""
    overlay = tmp_path_factory.mktemp('overlay') / 'keystone.yaml'
    overlay.write_text(yaml.safe_dump({'applications': {'keystone': KEYSTONE}}))
    with model(base) as juju:
        if not juju.status().apps:
            juju.deploy(BUNDLES / 'core.yaml', overlays=[overlay])
        settle(juju)
        yield juju


@pytest.fixture(scope='module')
def cloud(juju: jubilant.Juju) -> cloud_.Cloud:
    """Where its endpoints are, and its administrator's password."""
    return cloud_.find(juju)


def test_names_with_emoji_are_kept_by_the_openstack_command(
    cloud: cloud_.Cloud, tmp_path: pathlib.Path
):
    config = tmp_path / 'clouds.yaml'
    config.touch(mode=0o600)
    config.write_text(cloud_.clouds_yaml(cloud))
    environ = {**os.environ, 'OS_CLIENT_CONFIG_FILE': str(config), 'OS_CLOUD': 'rambla'}
    program = pathlib.Path(sys.executable).with_name('openstack')

    def openstack(*argv: str) -> str:
        done = subprocess.run(
            [program, *argv], env=environ, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout

    name = NAME
    for kind in ('project', 'user'):
        openstack(kind, 'create', name)
        assert json.loads(openstack(kind, 'show', name, '-f', 'json'))['name'] == name
    for kind in ('user', 'project'):
        assert name in openstack(kind, 'list', '-f', 'value', '-c', 'Name')
        openstack(kind, 'delete', name)


def test_tempest_passes_but_for_what_is_known(juju: jubilant.Juju, base: str, cloud: cloud_.Cloud):
    with machines.image_served(juju) as url:
        folder = ROOT / 'build/tempest' / base
        verdict = run_tempest.run(
            cloud,
            base,
            folder,
            image_url=url,
            compliance=run_tempest.compliance(juju),
        )
    print(verdict)
    assert verdict.faults == (), f'{verdict}\nAll that was said: {folder}'
