"""bundles/core.yaml as a user deploys and uses it: MariaDB, keystone, placement, glance, and a load balancer."""

from __future__ import annotations

import json
import os
import pathlib
import signal
from collections.abc import Generator
from typing import Any

import jubilant
import openstack.exceptions
import pytest

from tools import cloud as cloud_
from tools import proofs

from .conftest import BUNDLES, Model, gone, lie_in_wait, settle

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(1800)]

UNIT = 'placement/0'
NAMES = ('Zoë 🦄', 'Zoë 🐎')
"""They differ in an emoji alone, which some collations take for the same."""
CLIENT = """
import io, json, os, sys, uuid, openstack
cloud = openstack.connect(
    auth_url=sys.argv[1], username='admin', password=sys.stdin.readline().strip(),
    project_name='admin', user_domain_name='Default', project_domain_name='Default',
    region_name='RegionOne', load_yaml_config=False, placement_interface='internal')
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
GET = """
import sys
from urllib import request
asked = request.Request('http://127.0.0.1:8778/resource_providers',
                        headers={'X-Auth-Token': sys.stdin.readline().strip()})
print([request.urlopen(asked).status for _ in range(50)].count(200))
"""
CONF = '/etc/placement/placement.conf'
# It lies in wait: the hook has written the file, and has not yet renewed the processes that read it.
KILLER = (
    f'until grep -qx "debug = true" {CONF} && '
    "pkill -KILL -f '[u]nit-placement-0/charm/src/charm.py'; do sleep 0.02; done"
)
OLDEST = "pgrep -f '^placement-api' | xargs -n 1 ps -o etimes= -p | sort -n | tail -1"


@pytest.fixture(scope='module', params=['debian@12', 'debian@13'])
def juju(request: pytest.FixtureRequest, model: Model) -> Generator[jubilant.Juju]:
    """The bundle, active."""
    with model(request.param) as juju:
        if not juju.status().apps:
            juju.deploy(BUNDLES / 'core.yaml')
        settle(juju)
        yield juju


@pytest.fixture
def cloud(juju: jubilant.Juju) -> cloud_.Cloud:
    """Where its endpoints are, and its administrator's password."""
    return cloud_.find(juju)


def test_what_make_up_proves_holds(juju: jubilant.Juju, cloud: cloud_.Cloud):
    proven = [one.prove() for one in proofs.steps(juju, cloud)]
    assert len(proven) == 2


def test_openstacksdk_gets_a_project_an_image_and_an_inventory(
    juju: jubilant.Juju, cloud: cloud_.Cloud
):
    """As the base has it, on a machine that has it, through the load balancer."""
    url = cloud.urls['keystone']['public']
    answer = python(juju, 'keystone/0', CLIENT, cloud.password, url)
    assert json.loads(answer) == {'project': True, 'image': True, 'inventory': 201}


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
        sdk.identity.delete_user(user)
    for project in made.values():
        sdk.identity.delete_project(project)


def test_glance_refuses_emoji_in_words_and_keeps_other_characters(cloud: cloud_.Cloud):
    """It has a check of its own against characters of four bytes (glance.common.utils)."""
    images: Any = cloud_.connect(cloud).image
    name = 'Zoë 画像'
    image = images.create_image(name, data=b'data', disk_format='raw', tags=[name])
    assert (images.get_image(image.id).name, images.get_image(image.id).tags) == (name, [name])
    assert [found.id for found in images.images(name=name)] == [image.id]
    images.delete_image(image.id)
    for wrong in ({'name': NAMES[0]}, {'name': 'plain', 'tags': [NAMES[0]]}):
        with pytest.raises(openstack.exceptions.BadRequestException, match='4 byte unicode'):
            images.create_image(data=b'data', disk_format='raw', **wrong)


def test_a_token_is_validated_once_and_then_known(juju: jubilant.Juju, cloud: cloud_.Cloud):
    token, before = cloud_.token(cloud), validations(juju)
    assert python(juju, UNIT, GET, token) == '50'
    assert python(juju, UNIT, GET, token) == '50'
    assert validations(juju) == before + 1


def test_without_its_cache_every_request_would_be_a_validation(
    juju: jubilant.Juju, cloud: cloud_.Cloud
):
    """The sabotaged twin of the one before, and what the unit does about it."""
    token, before = cloud_.token(cloud), validations(juju)
    juju.exec('systemctl mask --now memcached', unit=UNIT)
    assert python(juju, UNIT, GET, token) == '50'
    assert validations(juju) >= before + 50
    juju.exec('JUJU_DISPATCH_PATH=hooks/update-status ./dispatch', unit=UNIT)
    assert juju.exec('systemctl is-active memcached', unit=UNIT).stdout.strip() == 'active'


def test_a_hook_that_is_killed_half_way_is_finished_by_the_next(
    juju: jubilant.Juju, cloud: cloud_.Cloud
):
    lie_in_wait(juju, UNIT, KILLER)
    juju.config('placement', {'debug': True})
    juju.wait(lambda _: gone(juju, UNIT), timeout=300, successes=1)
    settle(juju)
    written, oldest = (
        int(juju.exec(command, unit=UNIT).stdout)
        for command in (f'echo $(( $(date +%s) - $(stat -c %Y {CONF}) ))', OLDEST)
    )
    assert oldest <= written + 1, 'processes are older than the configuration that they must have'
    assert python(juju, UNIT, GET, cloud_.token(cloud)) == '50'


def test_a_controller_that_is_killed_in_mid_hook_goes_on(
    juju: jubilant.Juju, cloud: cloud_.Cloud, jujulet: pathlib.Path
):
    juju.config('placement', {'threads': 3})
    juju.wait(
        lambda s: s.apps['placement'].units[UNIT].juju_status.current == 'executing',
        delay=0.05, successes=1, timeout=120,
    )  # fmt: skip
    killed = controller(jujulet)
    os.kill(killed, signal.SIGKILL)
    settle(juju)
    assert controller(jujulet) != killed
    site = juju.exec('cat /etc/apache2/sites-enabled/placement-api.conf', unit=UNIT).stdout
    assert 'threads=3' in site
    assert python(juju, UNIT, GET, cloud_.token(cloud)) == '50'


def test_the_only_unit_is_paused_by_force_alone(juju: jubilant.Juju, cloud: cloud_.Cloud):
    url = cloud.urls['placement']['internal']
    juju.run(UNIT, 'pause')
    said = message(juju, 'draining, refused')
    assert 'would have 0 of 1 units left' in said
    assert cloud_.status(cloud, url) == 200
    juju.run(UNIT, 'pause', {'force': True, 'deadline': 30})
    message(juju, 'paused')
    assert cloud_.status(cloud, url) == 503
    juju.run(UNIT, 'resume')
    settle(juju)
    assert cloud_.status(cloud, url) == 200


def test_without_the_load_balancer_a_service_has_its_own_endpoint_again(
    juju: jubilant.Juju, cloud: cloud_.Cloud
):
    balanced = cloud.urls['placement']['internal']
    assert registered(cloud) == balanced
    juju.remove_relation('placement:internal-backend', 'lb:backend')
    own = f'http://{juju.status().apps["placement"].units[UNIT].public_address}:8778'
    juju.wait(lambda _: registered(cloud) == own, timeout=300, successes=1)
    settle(juju)
    assert cloud_.status(cloud, own) == 200
    juju.integrate('placement:internal-backend', 'lb:backend')
    juju.wait(lambda _: registered(cloud) == balanced, timeout=300, successes=1)
    settle(juju)
    assert cloud_.status(cloud, balanced) == 200


def python(juju: jubilant.Juju, unit: str, script: str, line: str, *args: str) -> str:
    """What *script* prints on *unit*, given *line* on its standard input."""
    quoted = script.replace("'", '"')
    command = f"echo {line} | python3 -c '{quoted}' {' '.join(args)}"
    return juju.exec(command, unit=unit).stdout.strip()


def validations(juju: jubilant.Juju) -> int:
    """How many tokens keystone was asked about until now."""
    log = '/var/log/openstack-apache/keystone-access.log'
    return int(juju.exec(f'grep -c "GET /v3/auth/tokens" {log} || true', unit='keystone/0').stdout)


def registered(cloud: cloud_.Cloud) -> str:
    """Placement's internal endpoint, as the catalogue has it."""
    return str(cloud_.connect(cloud).endpoint_for('placement', interface='internal'))


def message(juju: jubilant.Juju, beginning: str) -> str:
    """The unit's message, once it begins so."""
    status = juju.wait(
        lambda s: s.apps['placement'].units[UNIT].workload_status.message.startswith(beginning),
        timeout=300, successes=1,
    )  # fmt: skip
    return status.apps['placement'].units[UNIT].workload_status.message


def controller(home: pathlib.Path) -> int:
    """The process of the controller that serves *home*."""
    for process in pathlib.Path('/proc').glob('[0-9]*'):
        try:
            words = (process / 'cmdline').read_text().split('\0')
        except OSError:  # It has ended meanwhile.
            continue
        if 'jujulet.controller' in words and str(home.absolute()) in words:
            return int(process.name)
    raise LookupError(f'no controller serves {home}')
