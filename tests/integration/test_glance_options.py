"""What operators set on glance is in force in glance itself: imports, rules of its policy, origins, its own options."""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from typing import Any

import jubilant
import pytest

from tools import cloud as cloud_

from .conftest import CHARMS, Model, settle

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(2400)]

ALLOWED, ORIGIN = 'images.example', 'https://dashboard.example'
OPTIONS = {
    'web-download-hosts': ALLOWED,
    'cors-allowed-origins': ORIGIN,
    'policy-overrides': json.dumps({'delete_image': '!'}),
    'config-flags': '[DEFAULT]\nimage_size_cap = 1000',
}
INSIDE = (
    'http://169.254.169.254/latest/meta-data',
    'http://127.0.0.1:9292/',
    'http://[::1]/',
    'http://localhost/',
    'http://2130706433/',
    f'http://{ALLOWED}@127.0.0.1/',
    f'http://127.0.0.1/{ALLOWED}',
    f'http://{ALLOWED}.elsewhere.example/',
    f'http://{ALLOWED}:3306/',
    f'ftp://{ALLOWED}/',
    'file:///etc/glance/glance-api.conf',
)
"""What a user must not have glance fetch, in spellings that slip through naive checks."""
WEB = """
import http.server
class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Length', '2')
        self.end_headers()
        self.wfile.write(b'it')
http.server.HTTPServer(('', 80), Site).serve_forever()
"""


@pytest.fixture(scope='module', params=['debian@12', 'debian@13'])
def juju(request: pytest.FixtureRequest, model: Model) -> Generator[jubilant.Juju]:
    with model(request.param) as juju:
        for charm in ('mysql', 'keystone', 'glance'):
            juju.deploy(CHARMS / charm)
        juju.integrate('keystone', 'mysql')
        juju.integrate('glance', 'mysql')
        juju.integrate('glance:identity-service', 'keystone')
        settle(juju)
        yield juju


@pytest.fixture
def images(juju: jubilant.Juju) -> Any:
    """Glance's API, as its administrator."""
    address = juju.status().apps['keystone'].units['keystone/0'].public_address
    password = str(juju.run('keystone/0', 'get-admin-password').results['password'])
    url = {'public': f'http://{address}:5000/v3'}
    return cloud_.connect(cloud_.Cloud({'keystone': url}, password)).image


def imported(images: Any, uri: str) -> tuple[int, str]:
    """What glance says to an import from *uri*, and the image's state once that is no longer under way."""
    made = images.post(
        '/images', json={'name': uri[:80], 'disk_format': 'raw', 'container_format': 'bare'}
    )
    image = made.json()['id']
    said = images.post(
        f'/images/{image}/import', json={'method': {'name': 'web-download', 'uri': uri}}
    )
    end = time.monotonic() + 60
    while True:
        shown = images.get(f'/images/{image}').json()
        tasks = images.get(f'/images/{image}/tasks').json().get('tasks', [])
        over = all(t['status'] in ('success', 'failure') for t in tasks) and (
            tasks or said.status_code >= 400
        )
        if over or time.monotonic() > end:
            return said.status_code, str(shown['status'])
        time.sleep(0.5)


def test_nothing_is_fetched_for_users_unless_hosts_are_allowed(juju: jubilant.Juju, images: Any):
    methods = images.get('/info/import').json()['import-methods']['value']
    assert 'web-download' not in methods
    for uri in ('http://images.example/', *INSIDE):
        status, state = imported(images, uri)
        assert (400 <= status < 500, state) == (True, 'queued'), uri


def test_what_a_release_knows_of_images_is_there(juju: jubilant.Juju, images: Any):
    spaces = images.get('/metadefs/namespaces').json()['namespaces']
    assert 'OS::Compute::Libvirt' in {one['namespace'] for one in spaces}


@pytest.fixture(scope='module')
def optioned(juju: jubilant.Juju) -> None:
    """Glance with the options, and a host of images that its unit knows by name: keystone's."""
    address = juju.status().apps['keystone'].units['keystone/0'].public_address
    juju.config('glance', OPTIONS)
    settle(juju)
    juju.exec(f'echo {address} {ALLOWED} >> /etc/hosts', unit='glance/0')
    script = WEB.replace('"', '\\"')
    juju.exec(f'systemd-run --quiet --unit=images python3 -c "{script}"', unit='keystone/0')


@pytest.mark.usefixtures('optioned')
def test_images_are_fetched_from_the_hosts_that_are_allowed_and_from_nowhere_else(
    juju: jubilant.Juju, images: Any
):
    assert imported(images, f'http://{ALLOWED}/image')[1] == 'active'
    for uri in INSIDE:
        status, state = imported(images, uri)
        assert (400 <= status < 500, state) == (True, 'queued'), uri


@pytest.mark.usefixtures('optioned')
def test_a_web_page_of_an_allowed_origin_may_ask_and_another_may_not(
    juju: jubilant.Juju, images: Any
):
    for origin, allowed in ((ORIGIN, ORIGIN), ('https://elsewhere.example', None)):
        said = images.get('/images', headers={'Origin': origin})
        assert said.headers.get('Access-Control-Allow-Origin') == allowed


@pytest.mark.usefixtures('optioned')
def test_rules_of_the_policy_are_the_operators(juju: jubilant.Juju, images: Any):
    made = images.create_image('kept', data=b'it', disk_format='raw', container_format='bare')
    assert images.delete(f'/images/{made.id}').status_code == 403
    juju.cli('config', 'glance', '--reset', 'policy-overrides')
    settle(juju)
    assert images.delete(f'/images/{made.id}').status_code == 204
    juju.config('glance', {'policy-overrides': OPTIONS['policy-overrides']})
    settle(juju)


@pytest.mark.usefixtures('optioned')
def test_more_configuration_by_section_is_the_operators(juju: jubilant.Juju, images: Any):
    made = images.post(
        '/images', json={'name': 'x', 'disk_format': 'raw', 'container_format': 'bare'}
    )
    kind = {'Content-Type': 'application/octet-stream'}
    for size, status in ((2000, 413), (500, 204)):
        said = images.put(f'/images/{made.json()["id"]}/file', data=b'x' * size, headers=kind)
        assert said.status_code == status
