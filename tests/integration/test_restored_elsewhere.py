"""A backup of one cloud's databases, restored into another one as docs/how-to/look-after-the-databases.md says."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import subprocess
import urllib.parse
from collections.abc import Generator
from typing import Any

import jubilant
import openstack.exceptions
import pytest

from tools import cloud as cloud_

from .conftest import BUNDLES, Model, settle

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(2400)]

Clouds = tuple[jubilant.Juju, jubilant.Juju]
ACCESS = 'the-access-key-of-zoe'


@pytest.fixture(scope='module', params=['debian@12', 'debian@13'])
def clouds(request: pytest.FixtureRequest, model: Model) -> Generator[Clouds]:
    """Two of bundles/core.yaml: one that is backed up, and one that has that backup restored into it."""
    with contextlib.ExitStack() as stack:
        first, second = (stack.enter_context(model(request.param)) for _ in range(2))
        for juju in (first, second):
            juju.deploy(BUNDLES / 'core.yaml')
        for juju in (first, second):
            settle(juju)
        yield first, second


def use(juju: jubilant.Juju) -> None:
    """Make what is to be found again, and have glance use an account that is not its first."""
    with client(cloud_.find(juju)) as cloud:
        project = cloud.identity.create_project(name='kept')
        user = cloud.identity.create_user(name='zoe', password='a word of hers')
        blob = json.dumps({'access': ACCESS, 'secret': 's'})
        cloud.identity.create_credential(
            user_id=user.id, project_id=project.id, type='ec2', blob=blob
        )
        cloud.placement.create_resource_provider(name='node')
    juju.run('keystone/leader', 'rotate-password', {'user': 'glance', 'grace': 0})
    settle(juju)


def hosts(cloud: cloud_.Cloud) -> set[str]:
    """Where the endpoints of the catalogue are."""
    with client(cloud) as seen:
        return {str(urllib.parse.urlsplit(str(e.url)).hostname) for e in seen.identity.endpoints()}


def backup(juju: jubilant.Juju, folder: pathlib.Path) -> pathlib.Path:
    """A new backup, copied out of the unit."""
    made = str(juju.run('mysql/0', 'backup').results['file'])
    kept = folder / pathlib.Path(made).name
    argv = [
        'juju',
        'ssh',
        f'--model={juju.model}',
        '--pty=false',
        'mysql/0',
        '--',
        'sudo',
        'cat',
        made,
    ]
    with kept.open('wb') as out:
        subprocess.run(argv, stdout=out, stdin=subprocess.DEVNULL, check=True)
    return kept


def credential_keys(juju: jubilant.Juju) -> str:
    """Those of keystone, as `juju add-secret --file` takes them."""
    secrets = json.loads(juju.cli('secrets', '--format', 'json'))
    (identity,) = (i for i, s in secrets.items() if s.get('label') == 'credential-keys')
    shown = json.loads(juju.cli('show-secret', identity, '--reveal', '--format', 'json'))
    return json.dumps(shown[identity]['content']['Data'])


def client(cloud: cloud_.Cloud) -> contextlib.AbstractContextManager[Any]:
    """Its administrator."""
    return cloud_.connect(cloud)


def message(juju: jubilant.Juju) -> str:
    return juju.status().apps['keystone'].units['keystone/0'].workload_status.message


def idle(juju: jubilant.Juju) -> None:
    """Wait until no hook is due."""
    juju.wait(jubilant.all_agents_idle)


@pytest.fixture(scope='module')
def restored(clouds: Clouds, tmp_path_factory: pytest.TempPathFactory) -> cloud_.Cloud:
    """The second, with the databases of the first; its admin's password is that of the first."""
    first, second = clouds
    use(first)
    before = cloud_.find(second)
    assert not hosts(before) & hosts(cloud_.find(first))
    kept = backup(first, tmp_path_factory.mktemp('backup'))
    second.cli('scp', str(kept), 'mysql/0:')
    second.run('mysql/0', 'restore', {'file': f'/home/ubuntu/{kept.name}'})
    idle(second)
    return dataclasses.replace(before, password=cloud_.find(first).password)


def test_it_serves_what_was_restored_at_its_own_addresses(clouds: Clouds, restored: cloud_.Cloud):
    _, second = clouds
    units = [u for app in second.status().apps.values() for u in app.units.values()]
    assert {u.workload_status.current for u in units} == {'active', 'blocked'}
    own = [url for by_type in restored.urls.values() for url in by_type.values()]
    assert hosts(restored) == {str(urllib.parse.urlsplit(url).hostname) for url in own}
    with client(restored) as cloud:
        assert cloud.identity.find_project('kept')
        assert cloud.identity.find_user('zoe')
        assert [p.name for p in cloud.placement.resource_providers()] == ['node']
        image = cloud.image.create_image(
            name='new', disk_format='raw', container_format='bare', data=b'it', validate_checksum=False, wait=True,
        )  # fmt: skip
        assert cloud.image.download_image(image).content == b'it'
        # What the first one's glance logs in with is good for nothing here.
        (other,) = [u for u in cloud.identity.users() if u.name == 'glance-2']
        assert not other.is_enabled


def test_its_admin_gets_a_password_that_is_known_there(clouds: Clouds, restored: cloud_.Cloud):
    _, second = clouds
    said = second.run('keystone/leader', 'get-admin-password').results
    assert str(said['valid']).startswith('no: it was changed elsewhere')
    second.run('keystone/leader', 'rotate-password')
    said = second.run('keystone/leader', 'get-admin-password').results
    assert said['valid'] == 'yes'
    with client(cloud_.find(second)) as cloud:
        assert cloud.identity.find_user('zoe')


def test_stored_credentials_need_the_first_ones_keys(
    clouds: Clouds, restored: cloud_.Cloud, tmp_path: pathlib.Path
):
    first, second = clouds
    assert message(second).startswith('a stored credential is encrypted with keys of another')
    now = cloud_.find(second)
    with (
        client(now) as cloud,
        pytest.raises(openstack.exceptions.HttpException, match='500'),
    ):
        list(cloud.identity.credentials())
    second.run(
        'keystone/leader', 'rotate-keys', {'kind': 'credential'}
    )  # It fails for nothing of that.
    keys = tmp_path / 'keys.json'
    keys.write_text(credential_keys(first))
    uri = second.cli('add-secret', 'their-keys', '--file', str(keys)).strip()
    second.cli('grant-secret', 'their-keys', 'keystone')
    adopted = second.run('keystone/leader', 'adopt-credential-keys', {'secret': uri}).results
    assert adopted['encrypted-anew'] == '1'
    settle(second)
    second.cli('remove-secret', 'their-keys')
    with client(now) as cloud:
        assert [json.loads(c.blob)['access'] for c in cloud.identity.credentials()] == [ACCESS]
    second.run('keystone/leader', 'rotate-keys', {'kind': 'credential'})
    with client(now) as cloud:
        assert [json.loads(c.blob)['access'] for c in cloud.identity.credentials()] == [ACCESS]
