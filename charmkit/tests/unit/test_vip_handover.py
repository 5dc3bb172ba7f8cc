"""What nft and systemd are told while VIPs go from one unit to another; whether it holds: the load balancer's
functional tests.
"""

from __future__ import annotations

import pytest
from charmkit import host
from charmkit.proxy import vip_handover

V4 = vip_handover.PassedOn(address='10.0.0.250', interface='eth0', to='10.0.0.2')
V6 = vip_handover.PassedOn(address='fd00::250', interface='eth0', to='fd00::2')
ELSEWHERE = vip_handover.PassedOn(address='10.9.0.250', interface='ens-4.7', to='10.9.0.2')


def service(of: host.Host, name: str) -> str:
    return next(s.state for s in of.services if s.name == name)


def file(of: host.Host, path: str) -> host.File:
    return next(f for f in of.files if f.path == path)


def test_what_was_begun_here_stays_and_the_rest_goes_to_the_former_owner():
    key = 'ip saddr . tcp sport . ip daddr . tcp dport'
    known = f'update @begun_ip {{ {key} }} accept'
    assert (
        vip_handover.rules([V4])
        == f"""\
# Written by the charm: changes are lost.
table netdev openstack_vips
delete table netdev openstack_vips
table netdev openstack_vips {{
  set begun_ip {{
    typeof {key}
    flags dynamic,timeout
    timeout 3600s
    size 262144
  }}
  chain in_0 {{
    type filter hook ingress device "eth0" priority 0; policy accept;
    ip daddr 10.0.0.250 tcp flags & (syn | ack) == syn {known}
    ip daddr 10.0.0.250 {key} @begun_ip {known}
    ip daddr 10.0.0.250 meta l4proto tcp fwd ip to 10.0.0.2 device "eth0"
  }}
}}
"""
    )


def test_each_interface_has_its_chain_and_each_family_its_set():
    said = vip_handover.rules([V4, V6, ELSEWHERE])
    assert said.count('set begun_ip {') == said.count('set begun_ip6 {') == 1
    assert 'chain in_0 {\n    type filter hook ingress device "ens-4.7"' in said
    assert 'chain in_1 {\n    type filter hook ingress device "eth0"' in said
    assert 'ip6 daddr fd00::250 meta l4proto tcp fwd ip6 to fd00::2 device "eth0"' in said
    assert 'ip daddr 10.9.0.250 meta l4proto tcp fwd ip to 10.9.0.2 device "ens-4.7"' in said


def test_with_nothing_to_pass_on_there_is_no_table():
    assert vip_handover.rules([]) == '# Written by the charm: changes are lost.\n'


def test_a_unit_that_keeps_nothing_and_passes_nothing_on_runs_neither():
    quiet = vip_handover.beside()
    assert service(quiet, vip_handover.KEEPER) == service(quiet, vip_handover.PASSER) == 'stopped'
    assert quiet.packages == {'nftables'}


@pytest.mark.parametrize(
    ('kept', 'passed_on', 'running'),
    [
        ([vip_handover.Kept(address='10.0.0.250', interface='eth0')], [], vip_handover.KEEPER),
        ([], [V4], vip_handover.PASSER),
    ],
)
def test_what_is_wanted_runs_and_starts_again_when_it_changes(
    kept: list[vip_handover.Kept], passed_on: list[vip_handover.PassedOn], running: str
):
    wanted = vip_handover.beside(kept, passed_on)
    assert [s.name for s in wanted.services if s.state == 'running'] == [running]
    assert wanted.config_digest(running) != vip_handover.beside().config_digest(running)
    (other,) = {vip_handover.KEEPER, vip_handover.PASSER} - {running}
    assert wanted.config_digest(other) == vip_handover.beside().config_digest(other)


def test_the_file_of_what_is_kept_names_where_each_was():
    kept = [
        vip_handover.Kept(address='10.0.0.250', interface='eth0'),
        vip_handover.Kept(address='fd00::250', interface='eth1'),
    ]
    path = '/usr/local/lib/openstack-haproxy/kept-vips'
    assert file(vip_handover.beside(kept), path).content == '10.0.0.250 eth0\nfd00::250 eth1\n'
    assert vip_handover.KEPT.startswith('/run/')
