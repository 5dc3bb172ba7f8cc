"""MariaDB, keystone, glance and placement, one unit each, as a user deploys and uses them."""

from __future__ import annotations

import json
import pathlib

import jubilant
import pytest
import pytest_jubilant

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

CHARMS = pathlib.Path(__file__).parents[2] / 'charms'
APIS = ('keystone', 'placement', 'glance')
CLIENT = """
import io, json, os, sys, uuid, openstack
cloud = openstack.connect(
    auth_url=sys.argv[1], username='admin', password=sys.stdin.readline().strip(),
    project_name='admin', user_domain_name='Default', project_domain_name='Default',
    region_name='RegionOne', load_yaml_config=False)
project = cloud.identity.create_project(name=f'p-{uuid.uuid4()}')
data = os.urandom(3_000_000)
image = cloud.image.create_image(
    name=f'i-{uuid.uuid4()}', disk_format='raw', container_format='bare',
    data=io.BytesIO(data), validate_checksum=False, wait=True)
back = cloud.image.download_image(image).content
provider = cloud.placement.create_resource_provider(name=f'r-{uuid.uuid4()}')
inventory = cloud.placement.post(
    f'/resource_providers/{provider.id}/inventories',
    json={'resource_class': 'VCPU', 'total': 8}, microversion='1.36')
print(json.dumps({'project': bool(project.id), 'image': back == data,
                  'inventory': inventory.status_code}))
"""
GET = (
    "from urllib import request; r = request.Request('http://127.0.0.1:8778/resource_providers', "
    "headers={'X-Auth-Token': '%s'}); print([request.urlopen(r).status for _ in range(50)].count(200))"
)


@pytest.fixture(scope='module', params=['debian@12', 'debian@13'])
def cloud(
    request: pytest.FixtureRequest, juju_factory: pytest_jubilant.JujuFactory
) -> jubilant.Juju:
    """The four charms, active."""
    juju = juju_factory.get_juju(request.param.replace('@', '-'), cloud='localhost')
    for name in ('mysql', *APIS):
        juju.deploy(CHARMS / name, base=request.param)
    for name in APIS:
        juju.integrate(f'{name}:shared-db', 'mysql:shared-db')
    for name in APIS[1:]:
        juju.integrate(f'{name}:identity-service', 'keystone:identity-service')
    juju.wait(jubilant.all_active, error=jubilant.any_error, timeout=1500)
    return juju


def use(juju: jubilant.Juju) -> dict[str, object]:
    """What a user gets, by openstacksdk as the base has it, on the machine that has it."""
    password = juju.run('keystone/0', 'get-admin-password').results['password']
    address = juju.status().apps['keystone'].units['keystone/0'].public_address
    script = f"python3 -c '{CLIENT.replace(chr(39), chr(34))}' http://{address}:5000/v3"
    return json.loads(juju.exec(f'echo {password} | {script}', unit='keystone/0').stdout)


def test_a_real_client_gets_a_project_an_image_and_an_inventory(cloud: jubilant.Juju):
    assert use(cloud) == {'project': True, 'image': True, 'inventory': 201}


def test_a_token_is_validated_once_and_then_known(cloud: jubilant.Juju):
    token = _token(cloud)
    _ask(cloud, token)
    before = _validations(cloud)
    assert _ask(cloud, token) == 50
    assert _validations(cloud) == before


def test_without_its_cache_every_request_would_be_a_validation(cloud: jubilant.Juju):
    """The sabotaged twin of the one before, and what the unit does about it."""
    token = _token(cloud)
    before = _validations(cloud)
    cloud.exec('systemctl mask --now memcached', unit='placement/0')
    assert _ask(cloud, token) == 50
    assert _validations(cloud) >= before + 50
    cloud.exec('JUJU_DISPATCH_PATH=hooks/update-status ./dispatch', unit='placement/0')
    assert (
        cloud.exec('systemctl is-active memcached', unit='placement/0').stdout.strip() == 'active'
    )


def test_a_hook_that_is_killed_is_finished_by_the_next(cloud: jubilant.Juju):
    unit, hook = 'placement/0', '[u]nit-placement-0/charm/src/charm.py'
    # It lies in wait: the hook is killed while it renews the processes of the API.
    armed = f"until pgrep -f '{hook}' && sleep 1 && pkill -9 -f '{hook}'; do sleep 0.1; done"
    cloud.cli('ssh', unit, f'sudo systemd-run --quiet --unit=killer sh -c "{armed}"')
    cloud.config('placement', {'debug': True})
    cloud.wait(
        lambda s: _killed(cloud, unit) and jubilant.all_agents_idle(s), timeout=600, successes=1
    )
    cloud.wait(jubilant.all_active, timeout=300)
    assert 'debug = true' in cloud.exec('cat /etc/placement/placement.conf', unit=unit).stdout
    assert _ask(cloud, _token(cloud)) == 50


def _killed(juju: jubilant.Juju, unit: str) -> bool:
    return 'inactive' in juju.cli('ssh', unit, 'systemctl is-active killer || true')


def test_pause_and_resume(cloud: jubilant.Juju):
    cloud.run('placement/0', 'pause')
    status = cloud.wait(
        lambda s: s.apps['placement'].units['placement/0'].workload_status.current == 'maintenance'
    )
    assert 'resume' in status.apps['placement'].units['placement/0'].workload_status.message
    cloud.run('placement/0', 'resume')
    cloud.wait(jubilant.all_active)
    assert use(cloud)['inventory'] == 201


def _token(juju: jubilant.Juju) -> str:
    password = juju.run('keystone/0', 'get-admin-password').results['password']
    address = juju.status().apps['keystone'].units['keystone/0'].public_address
    script = (
        'import openstack, sys; print(openstack.connect(auth_url=sys.argv[1], username="admin", '
        'password=sys.stdin.readline().strip(), project_name="admin", user_domain_name="Default", '
        'project_domain_name="Default", load_yaml_config=False).auth_token)'
    )
    command = f"echo {password} | python3 -c '{script}' http://{address}:5000/v3"
    return juju.exec(command, unit='keystone/0').stdout.strip()


def _ask(juju: jubilant.Juju, token: str) -> int:
    """How many of 50 authenticated requests placement answers."""
    return int(juju.exec(f'python3 -c "{GET % token}"', unit='placement/0').stdout)


def _validations(juju: jubilant.Juju) -> int:
    log = '/var/log/openstack-apache/keystone-access.log'
    return int(juju.exec(f'grep -c "GET /v3/auth/tokens" {log} || true', unit='keystone/0').stdout)
