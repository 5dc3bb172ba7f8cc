"""OpenStack's own tools against bundles/core.yaml: its client, and its test suite (docs/how-to/run-tempest.md)."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Generator
from typing import Any

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

NAMES = ('Zoë 🦄', 'Zoë 🐎')
"""They differ in an emoji alone, which some collations take for the same."""


@pytest.fixture(scope='module', params=['debian@12', 'debian@13'])
def base(request: pytest.FixtureRequest) -> str:
    """What the units run on."""
    return str(request.param)


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


def test_names_with_emoji_are_kept_and_told_apart_by_openstacksdk(cloud: cloud_.Cloud):
    sdk: Any = cloud_.connect(cloud)
    role = sdk.identity.find_role('member', ignore_missing=False)
    made = {name: sdk.identity.create_project(name=name, description=name) for name in NAMES}
    for name, project in made.items():
        assert sdk.identity.get_project(project.id).name == name
        assert sdk.identity.find_project(name, ignore_missing=False).id == project.id
        user = sdk.identity.create_user(name=name, description=name, password=f'{name} secret')
        assert sdk.identity.find_user(name, ignore_missing=False).description == name
        sdk.identity.assign_project_role_to_user(project, user, role)
        login = cloud_.login(cloud)
        login['auth'].update(username=name, project_name=name, password=f'{name} secret')
        mine: Any = cloud_.connected(login)
        assert mine.current_project_id == project.id
        image = mine.image.create_image(name, data=b'data', disk_format='raw', tags=list(NAMES))
        assert mine.image.get_image(image.id).name == name
        assert sorted(mine.image.get_image(image.id).tags) == sorted(NAMES)
        assert [found.id for found in mine.image.images(name=name)] == [image.id]
        mine.image.delete_image(image.id)
        sdk.identity.delete_user(user)
    for project in made.values():
        sdk.identity.delete_project(project)


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

    name = NAMES[0]
    for kind in ('project', 'user'):
        openstack(kind, 'create', name)
        assert json.loads(openstack(kind, 'show', name, '-f', 'json'))['name'] == name
    (tmp_path / 'data').write_bytes(b'data')
    openstack(
        'image', 'create', name, '--disk-format', 'raw', '--file', str(tmp_path / 'data')
    )  # fmt: skip
    assert json.loads(openstack('image', 'show', name, '-f', 'json'))['status'] == 'active'
    for kind in ('image', 'user', 'project'):
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
