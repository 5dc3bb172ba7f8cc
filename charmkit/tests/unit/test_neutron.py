"""Neutron's interfaces: each side understands the other, and what is wrong is not taken."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from charmkit.relations import Need, Relation, Site, neutron, neutron_plugins, subordinate
from hypothesis import given
from hypothesis import strategies as st

SITE = Site(unit='agent/0', leader=True, address='10.0.0.7')


def said(*bags: Mapping[str, str]) -> tuple[Relation, ...]:
    units = {f'other/{i}': bag for i, bag in enumerate(bags)}
    return (Relation(id=1, name='r', app='other', units=units),)


API = neutron.Api(url='http://10.1.0.5:9696', dns_domain='example.com.')
SETTINGS = neutron.Settings(
    l2_population=True, tunnels=('vxlan',), dns_domain='example.com.', region='RegionOne', mtu=1450
)
METADATA = neutron.Metadata('fd00::5', 's3cret', 8775)
NOVA_CONF = {'/etc/nova/nova.conf': {'neutron': {'ovs_bridge': 'br-int'}}}


def test_nova_reads_what_neutron_says():
    assert neutron.api().read(said(neutron.api_databag(API)), SITE) == API


def test_agents_read_what_neutron_says():
    bag = neutron.settings_databag(SETTINGS, '10.0.0.5')
    assert bag['addr'] == '10.0.0.5'
    assert bag['overlay-network-type'] == 'vxlan'
    assert neutron.plugin_api().read(said(bag), SITE) == SETTINGS


def test_metadata_agents_read_what_nova_says():
    bag = neutron.metadata_databag(METADATA, 'RegionOne')
    found = neutron.metadata().read(said(bag), SITE)
    assert found == METADATA
    assert found and found.url == 'http://[fd00::5]:8775'
    assert 's3cret' not in repr(found)


def test_what_is_not_said_is_as_usual():
    ready = {'neutron-api-ready': neutron.settings_databag(SETTINGS)['neutron-api-ready']}
    found = neutron.plugin_api().read(said(ready), SITE)
    assert found
    assert (found.tunnels, found.dns_domain, found.region) == ((), '', '')
    assert (found.l2_population, found.mtu) == (False, neutron.Settings().mtu)
    bag = neutron.metadata_databag(METADATA, 'RegionOne')
    del bag['nova-metadata-port']
    heard = neutron.metadata().read(said(bag), SITE)
    assert heard and heard.port == 8775


def contributed(bag: Mapping[str, str], service: str) -> subordinate.Contribution:
    """What a subordinate that says *bag* has for the files of *service*."""
    found = subordinate.need('any', service).read(said(bag), SITE)
    assert found
    return found[0]


def test_nova_compute_reads_what_the_agent_beside_it_says():
    bag = neutron.plugin_databag(neutron.Plugin(host='node-1'), NOVA_CONF)
    assert neutron.plugin().read(said(bag), SITE) == neutron.Plugin('ovs', 'node-1')
    found = contributed(bag, 'nova-compute')
    assert found.sections == NOVA_CONF
    assert not found.refused


def test_neutron_reads_what_a_subordinate_brings():
    backend = neutron_plugins.Backend(
        name='ovn',
        core_plugin='neutron.plugins.ml2.plugin.Ml2Plugin',
        plugin_config='/etc/neutron/plugins/ml2/ml2_conf.ini',
        service_plugins='ovn-router,qos',
        mechanism_drivers='ovn',
        tenant_network_types='geneve,vlan',
    )
    bag = neutron_plugins.databag(backend, {'/etc/neutron/neutron.conf': {'ovn': {'a': 'b'}}})
    assert neutron_plugins.backend().read(said({}, bag), SITE) == backend
    found = contributed(bag, 'neutron-api')
    assert found.sections == {'/etc/neutron/neutron.conf': {'ovn': {'a': 'b'}}}
    told = neutron_plugins.principal_databag({'extension_drivers': ['port_security']})
    assert neutron_plugins.is_ready(told)
    assert json.loads(told['neutron_config_data']) == {'extension_drivers': ['port_security']}


def test_charmed_openstacks_neutron_api_is_understood():
    """As its hook writes it: what is false is there, what it does not know is not."""
    bag = {
        'neutron-security-groups': 'True',
        'l2-population': 'True',
        'enable-dvr': 'False',
        'enable-l3ha': 'False',
        'overlay-network-type': 'vxlan gre',
        'addr': '10.5.0.3',
        'polling-interval': '2',
        'rpc-response-timeout': '120',
        'report-interval': '30',
        'service_password': 'x',
        'region': 'RegionOne',
        'neutron-api-ready': 'yes',
    }
    assert neutron.plugin_api().read(said(bag), SITE) == neutron.Settings(
        l2_population=True,
        tunnels=('gre', 'vxlan'),
        rpc_response_timeout=120,
        region='RegionOne',
    )


NEEDS: tuple[Need[Any], ...] = (
    neutron.api(),
    neutron.plugin_api(),
    neutron.metadata(),
    neutron.plugin(),
    neutron_plugins.backend(),
)


@pytest.mark.parametrize('need', NEEDS, ids=lambda n: n.relation)
def test_silence_is_no_answer(need: Need[Any]):
    assert need.read(said({}), SITE) is None
    assert need.read(said(), SITE) is None


@pytest.mark.parametrize('need', [neutron.api(), neutron.plugin_api()], ids=lambda n: n.relation)
def test_neutron_that_is_not_ready_is_waited_for(need: Need[Any]):
    bag = {**neutron.api_databag(API), **neutron.settings_databag(SETTINGS)}
    assert need.read(said(bag), SITE)
    assert need.read(said({**bag, 'neutron-api-ready': 'no'}), SITE) is None


@pytest.mark.parametrize(
    'url',
    [
        '',
        '10.1.0.5:9696',
        'ftp://10.1.0.5',
        'http://',
        'http://a b:9696',
        'http://a:99999',
        'http://u@h:1',
        'http://h:9696\nx',
        'http://h/?q',
    ],
)
def test_an_url_that_is_none_is_no_answer(url: str):
    bag = {**neutron.api_databag(API), 'neutron-url': url}
    assert neutron.api().read(said(bag), SITE) is None


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('nova-metadata-host', 'a b'),
        ('nova-metadata-host', ''),
        ('nova-metadata-port', '0'),
        ('nova-metadata-port', '65536'),
        ('nova-metadata-port', 'http'),
        ('shared-metadata-secret', ''),
        ('shared-metadata-secret', 'two\nlines'),
    ],
)
def test_metadata_that_cannot_be_used_is_no_answer(key: str, value: str):
    bag = {**neutron.metadata_databag(METADATA), key: value}
    assert neutron.metadata().read(said(bag), SITE) is None


@pytest.mark.parametrize('value', ['0', '-1', '99999', 'two', '9' * 30])
def test_a_number_that_will_not_do_leaves_the_usual_one(value: str):
    bag = {**neutron.settings_databag(SETTINGS), 'report-interval': value}
    assert neutron.plugin_api().read(said(bag), SITE) == SETTINGS


def test_a_path_outside_of_neutrons_own_is_not_taken():
    for path in ('/etc/shadow', '/etc/neutron/../shadow', 'relative'):
        bag = {'core-plugin': 'ml2', 'neutron-plugin-config': path}
        assert neutron_plugins.backend().read(said(bag), SITE) == neutron_plugins.Backend(
            core_plugin='ml2'
        )


KEYS = sorted(
    {
        *neutron.api_databag(API),
        *neutron.settings_databag(SETTINGS),
        *neutron.metadata_databag(METADATA),
        *neutron.plugin_databag(neutron.Plugin('ovs', 'h'), NOVA_CONF),
        *neutron_plugins.databag(neutron_plugins.Backend(name='a', core_plugin='b'), {}),
    }
)


@given(st.dictionaries(st.sampled_from(KEYS), st.text(max_size=60)))
def test_nonsense_is_survived_and_no_text_of_it_has_two_lines(bag: dict[str, str]):
    for need in NEEDS:
        found = need.read(said({**bag, 'neutron-api-ready': 'yes'}), SITE)
        assert '\\n' not in repr(found), found
