"""bundles/dmz.yaml in networks of its own: what `make up` proves of it, and what each network must not see."""

from __future__ import annotations

import ipaddress
import urllib.parse
from collections.abc import Generator
from typing import Any

import jubilant
import pytest
import yaml

from tools import cloud as cloud_
from tools import proofs

from .conftest import BUNDLES, Model, settle, subnet

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(2400)]

SPACES: tuple[str, ...] = tuple(yaml.safe_load((BUNDLES / 'spaces.yaml').read_text()))
OF_TYPE = {'public': 'dmz', 'internal': 'internal', 'admin': 'admin'}


@pytest.fixture(scope='module')
def juju(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Generator[jubilant.Juju]:
    """The bundle on Debian 12, active, with its VIPs in an overlay."""
    overlay = tmp_path_factory.mktemp('overlay') / 'vips.yaml'
    with model('debian@12', SPACES) as juju:
        overlay.write_text(yaml.safe_dump({'applications': vips(juju)}))
        if not juju.status().apps:
            juju.deploy(BUNDLES / 'dmz.yaml', overlays=[overlay])
        settle(juju)
        yield juju


@pytest.fixture(scope='module')
def cloud(juju: jubilant.Juju) -> cloud_.Cloud:
    """Where its endpoints are, and its administrator's password."""
    return cloud_.find(juju)


def test_each_endpoint_type_is_at_the_vip_of_its_network(juju: jubilant.Juju, cloud: cloud_.Cloud):
    for urls in cloud.urls.values():
        for kind, url in urls.items():
            address = ipaddress.ip_address(urllib.parse.urlsplit(url).hostname or '')
            assert address in subnet(juju, OF_TYPE[kind])
            assert str(address).endswith('.250')


def test_what_make_up_proves_holds(juju: jubilant.Juju, cloud: cloud_.Cloud):
    proven = {one.what: one.prove() for one in proofs.steps(juju, cloud)}
    assert 'admin endpoints refused from the public DMZ' in proven
    assert 'none lost' in proven['one keystone stopped, and nothing lost']


def test_the_proof_would_notice_an_admin_endpoint_in_the_dmz(
    juju: jubilant.Juju, cloud: cloud_.Cloud
):
    """Its sabotaged twin: the public endpoint, said to be the admin one."""
    url = cloud.urls['keystone']['public']
    leaking = cloud_.Cloud({'keystone': {'public': url, 'admin': url}}, cloud.password)
    with pytest.raises(proofs.Unproven, match='answered'):
        proofs.admin_refused(juju, leaking)


def test_a_unit_of_the_load_balancer_that_dies_is_replaced_by_the_other(
    juju: jubilant.Juju, cloud: cloud_.Cloud
):
    vip = urllib.parse.urlsplit(cloud.urls['keystone']['public']).hostname
    units = [*juju.status().get_units('lb-public')]
    (owner,) = [u for u in units if f' {vip}/' in juju.exec('ip -o address', unit=u).stdout]
    (other,) = [u for u in units if u != owner]
    juju.exec('systemctl kill -s KILL keepalived; systemctl stop keepalived', unit=owner)
    juju.wait(
        lambda _: f' {vip}/' in juju.exec('ip -o address', unit=other).stdout,
        timeout=60, successes=1,
    )  # fmt: skip
    assert cloud_.token(cloud)


def vips(juju: jubilant.Juju, bundle: str = 'dmz.yaml') -> dict[str, Any]:
    """The *bundle*'s own VIPs, each at the same place in the subnet that its space has here.

    `make up` may have the bundle's own subnets on this host.
    """
    own = yaml.safe_load((BUNDLES / 'spaces.yaml').read_text())
    applications: dict[str, Any] = yaml.safe_load((BUNDLES / bundle).read_text())['applications']
    found: dict[str, Any] = {}
    for name, app in applications.items():
        if vip := app.get('options', {}).get('vip'):
            here = [moved(juju, own, one) for one in vip.split()]
            found[name] = {'options': {'vip': ' '.join(here)}}
    return found


def moved(juju: jubilant.Juju, own: dict[str, str], vip: str) -> str:
    """The *vip* of one of our *own* subnets, in this model's subnet of the same space."""
    ((space, network),) = (
        (space, network)
        for space, cidr in own.items()
        if ipaddress.ip_address(vip) in (network := ipaddress.ip_network(cidr))
    )
    number = int(ipaddress.ip_address(vip)) - int(network.network_address)
    return str(subnet(juju, space)[number])
