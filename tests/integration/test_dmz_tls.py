"""bundles/dmz.yaml as `make up` deploys it: TLS from the client to the last service, and nothing without it."""

from __future__ import annotations

import http.client
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Generator

import jubilant
import pytest
import yaml

from tools import cloud as cloud_
from tools import proofs

from .accounts import accounts_with_tls
from .conftest import BUNDLES, Model, settle
from .test_dmz import SPACES, vips

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(2400)]


@pytest.fixture(scope='module')
def juju(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Generator[jubilant.Juju]:
    """Both on Debian 12, active, with VIPs in another overlay."""
    overlay = tmp_path_factory.mktemp('overlay') / 'vips.yaml'
    with model('debian@12', SPACES) as juju:
        overlay.write_text(yaml.safe_dump({'applications': vips(juju)}))
        if not juju.status().apps:
            juju.deploy(
                BUNDLES / 'dmz.yaml', overlays=[BUNDLES / 'overlays/dmz-tls.yaml', overlay]
            )
        settle(juju)
        yield juju


@pytest.fixture(scope='module')
def cloud(juju: jubilant.Juju) -> cloud_.Cloud:
    """Where its endpoints are, and its administrator's password."""
    return cloud_.find(juju)


def test_clients_are_served_by_verified_tls_and_by_nothing_else(cloud: cloud_.Cloud):
    trusting = ssl.create_default_context(cafile=cloud_.ca_file(cloud.ca))
    for urls in cloud.urls.values():
        for url in urls.values():
            assert url.startswith('https://')
            assert get(url, trusting) < 500
            with pytest.raises(urllib.error.URLError, match='CERTIFICATE_VERIFY_FAILED'):
                get(url, ssl.create_default_context())
            with pytest.raises((urllib.error.URLError, http.client.RemoteDisconnected)):
                get(url.replace('https://', 'http://'))


def test_units_and_the_database_are_reached_by_verified_tls_and_by_nothing_else(
    juju: jubilant.Juju,
):
    for unit in ('lb-public/0', 'lb-internal/0'):
        text = juju.exec('cat /etc/haproxy/haproxy.cfg', unit=unit).stdout
        servers = re.findall(r'^ *server (?:keystone|placement|glance).*', text, re.MULTILINE)
        assert servers
        assert all('ssl' in each and 'verify required' in each for each in servers)
    services = ('keystone', 'placement', 'glance')
    assert accounts_with_tls(juju, *services) == dict.fromkeys(services, '1')


def test_what_make_up_proves_holds(juju: jubilant.Juju, cloud: cloud_.Cloud):
    proven = {one.what: one.prove() for one in proofs.steps(juju, cloud)}
    assert 'admin endpoints refused from the public DMZ' in proven
    assert 'none lost' in proven['one keystone stopped, and nothing lost']


def get(url: str, context: ssl.SSLContext | None = None) -> int:
    """The status that *url* answers."""
    try:
        with urllib.request.urlopen(url, timeout=20, context=context) as response:  # noqa: S310 -- ours
            return response.status
    except urllib.error.HTTPError as e:
        return e.code
