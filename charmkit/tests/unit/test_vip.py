"""A VIP on the units themselves: who holds it, and where its haproxy sends requests."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest
from charmkit import host, limits, relations, state, vip

NETWORKS = {
    'public': (relations.Network('eth0', '203.0.113.2', '203.0.113.0/24'),),
    'internal': (
        relations.Network('eth1', '10.0.0.2', '10.0.0.0/24'),
        relations.Network('eth1', 'fd00::2', 'fd00::/64'),
    ),
}
ADDRESSES = ('127.0.0.1', '10.0.0.2', '203.0.113.2', 'fd00::2')
INPUTS = state.Inputs(
    site=relations.Site(unit='demo/0', leader=True, address='10.0.0.2', networks=NETWORKS),
    options={'vip': '203.0.113.99 10.0.0.99 fd00::99'},
    peer_units={
        'demo/10': {vip.KEY: json.dumps(['10.0.0.12', '203.0.113.12'])},
        'demo/2': {vip.KEY: json.dumps(['10.0.0.4', '203.0.113.4'])},
    },
)


APP = vip.App(8778, requests_at_once=16)


def desired(
    inputs: state.Inputs = INPUTS,
    *,
    holds: bool = True,
    app: vip.App = APP,
) -> host.Host:
    vips, _ = vip.placed(inputs)
    return vip.desired(inputs, vips, ADDRESSES, {'demo-api': app}, holds=holds)


def content(name: str, inputs: state.Inputs = INPUTS) -> str:
    return next(f.content for f in desired(inputs).files if f.path.endswith(name))


def test_each_vip_goes_to_the_network_that_it_is_in():
    vips, homeless = vip.placed(INPUTS)
    assert [(v.address, v.network.interface, v.prefix) for v in vips] == [
        ('203.0.113.99', 'eth0', 24),
        ('10.0.0.99', 'eth1', 24),
        ('fd00::99', 'eth1', 64),
    ]
    assert homeless == ()


def test_a_vip_in_no_network_is_named():
    lost = dataclasses.replace(INPUTS, options={'vip': '192.0.2.1 nonsense'})
    assert vip.placed(lost) == ((), ('192.0.2.1', 'nonsense'))


@pytest.mark.parametrize(
    'vip_', ['10.0.0.4', '10.0.0.2', '10.0.0.0', '10.0.0.255', 'fd00::2', 'fd00::']
)
def test_neither_a_units_own_address_nor_a_networks_is_a_vip_and_the_good_one_stays(vip_: str):
    before = {vip.IN_FORCE: '10.0.0.99'}
    wrong = dataclasses.replace(INPUTS, options={'vip': vip_}, memory=before)
    assert vip.placed(wrong)[1] == (vip_,)
    kept, named = vip.housed(wrong)
    assert (kept.options['vip'], named) == ('10.0.0.99', (vip_,))


def test_haproxy_binds_the_vips_alone_and_sends_to_every_unit():
    text = content('haproxy.cfg')
    binds = re.findall(r'bind (\S+)', text)
    assert binds == [
        '127.0.0.1:8799',
        '203.0.113.99:8778',
        '10.0.0.99:8778',
        '[fd00::99]:8778',
    ]
    assert re.findall(r'\n    server (demo\S+) (\S+)', text) == [
        ('demo-0', '10.0.0.2:8778'),
        ('demo-2', '10.0.0.4:8778'),
        ('demo-10', '10.0.0.12:8778'),
    ]


def test_a_new_configuration_is_checked_before_it_takes_its_place():
    cfg = next(f for f in desired().files if f.path.endswith('haproxy.cfg'))
    assert cfg.check[:2] == ('haproxy', '-c')


def test_the_first_unit_has_the_highest_priority_and_all_know_the_others():
    text = content('keepalived.conf')
    assert 'priority 200' in text
    assert '203.0.113.12\n' in text
    assert '203.0.113.4\n' in text
    assert 'fd00::99/64 dev eth1' in text.split('virtual_ipaddress_excluded')[1]


def test_a_unit_that_may_not_hold_the_vip_serves_all_the_same():
    without = desired(holds=False)
    assert {s.name: s.state for s in without.services} == {
        'haproxy': 'running',
        'keepalived': 'stopped',
        'openstack-haproxy-ready': 'stopped',
    }
    assert [a.path for a in without.absent] == ['/etc/keepalived/keepalived.conf']


def test_what_a_unit_says_to_its_peers_is_where_they_reach_it():
    assert json.loads(vip.request(ADDRESSES)[vip.KEY]) == ['10.0.0.2', '203.0.113.2', 'fd00::2']


def test_what_the_load_balancer_filters_is_filtered_here_too():
    named = dataclasses.replace(
        INPUTS, options={**INPUTS.options, 'os-public-hostname': 'cloud.example'}
    )
    text = content('haproxy.cfg', named)
    assert 'deny_status 404 if { path -i -m beg /healthcheck /server-info /server-status }' in text
    (hosts,) = re.findall(r'deny_status 421 unless { req.fhdr\(host\) -i (.*) }', text)
    assert {'203.0.113.99', '[fd00::99]:8778', 'cloud.example:8778'} < {*hosts.split()}
    assert 'evil.example' not in hosts


def test_a_check_that_ends_keeps_no_unit_from_holding_the_vip():
    assert '/bin/bash' not in ''.join(f.content for f in desired().files)
    assert 'vrrp_script' not in content('keepalived.conf')
    assert 'vrrp_rt_priority' in content('keepalived.conf')


def test_slow_clients_take_nothing_of_a_unit_unless_its_bodies_are_large():
    text = content('haproxy.cfg')
    assert 'option http-buffer-request' in text
    assert text.count(' maxconn 16 ') == 3
    assert 'timeout client 60000ms' in text
    bulk = desired(app=vip.App(9292, limits.BULK))
    (cfg,) = [f.content for f in bulk.files if f.path.endswith('haproxy.cfg')]
    assert 'http-buffer-request' not in cfg
    assert 'timeout client 3600000ms' in cfg
