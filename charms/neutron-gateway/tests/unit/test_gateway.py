"""What a network node runs, what it waits for, and what it says of its bridges."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from charmkit import testing as machines
from ops import testing

from charms import conftest as shared

from . import gateway_scenes as scenes

AGENTS = (
    'neutron-openvswitch-agent',
    'neutron-dhcp-agent',
    'neutron-l3-agent',
    'neutron-metadata-agent',
)
OVS = '/etc/neutron/plugins/ml2/openvswitch_agent.ini'
SCRIPT = '/usr/local/sbin/ovs-bridges'


@pytest.fixture
def ctx(machine: machines.FakeMachine) -> testing.Context[Any]:
    scenes.prepare(machine)
    return testing.Context(shared.load(scenes.NAME).NeutronGatewayCharm)


def test_all_agents_run_after_the_bridges(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    ctx.run(ctx.on.config_changed(), scenes.state())
    at = machine.steps.index
    for name in AGENTS:
        assert machine.service(name) == 'running'
        assert at('run userspace-tso') < at('start ovs-bridges') < at(f'start {name}')


def test_no_package_starts_a_server_of_its_own(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    ctx.run(ctx.on.config_changed(), scenes.state())
    install = next(n for n, step in enumerate(machine.steps) if step.startswith('install'))
    for name in ('haproxy', 'keepalived', 'radvd'):
        assert machine.steps.index(f'mask {name}') < install


@pytest.mark.parametrize('endpoint', ['amqp', 'neutron-plugin-api', 'quantum-network-service'])
def test_what_it_has_no_answer_from_is_waited_for(
    ctx: testing.Context[Any], machine: machines.FakeMachine, endpoint: str
):
    out = ctx.run(ctx.on.config_changed(), scenes.state(testing.Relation(endpoint)))
    assert out.unit_status.name == 'waiting'
    assert endpoint in out.unit_status.message
    assert machine.service('neutron-l3-agent') == 'stopped'


def test_the_secret_is_in_one_file_that_only_agents_read(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    out = ctx.run(ctx.on.config_changed(), scenes.state())
    holders = [f for f in machine.desired.files if scenes.SECRET in f.content]
    assert [(f.path, f.mode, f.group) for f in holders] == [
        ('/etc/neutron/metadata_agent.ini', 0o640, 'neutron')
    ]
    assert scenes.SECRET not in ''.join(machine.steps) + out.unit_status.message


def test_a_card_by_which_the_unit_is_reached_is_left_alone_and_told(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    out = ctx.run(ctx.on.config_changed(), scenes.state(at={'external': '10.0.0.2'}))
    assert out.unit_status == testing.BlockedStatus(
        'br-ex: eth0 has the address 10.0.0.2, by which this unit is reached: bind it to another '
        'space, or say which network card it has in data-port'
    )
    assert 'bridge br-ex' not in machine.file(SCRIPT)
    assert 'bridge_mappings = physnet2:br-data\n' in machine.file(OVS)
    assert machine.service('neutron-l3-agent') == 'running'


def test_nothing_is_done_again_once_addresses_are_on_the_bridges(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    out = ctx.run(ctx.on.config_changed(), scenes.state())
    machine.interfaces = {'10.0.0.2': 'eth0', '10.8.0.2': 'br-data', '192.0.2.2': 'br-ex'}
    machine.steps.clear()
    ctx.run(ctx.on.config_changed(), out)
    assert machine.steps == []


def test_a_change_of_options_never_restarts_the_switch(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    out = ctx.run(ctx.on.config_changed(), scenes.state())
    machine.steps.clear()
    changed = {'data-port': 'br-ex:eth2 br-data:eth1', 'debug': True}
    ctx.run(ctx.on.config_changed(), dataclasses.replace(out, config=changed))
    assert 'restart ovs-bridges' in machine.steps
    assert not [s for s in machine.steps if 'switch' in s.replace('openvswitch-agent', '')]
    assert 'run userspace-tso' not in machine.steps
    assert '    bridge br-ex netdev eth2\n' in machine.file(SCRIPT)


def test_the_agents_have_what_the_api_has(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    told = scenes.settings(
        security_groups=False, tunnels=('vxlan',), l2_population=True, dns_domain='a.example.'
    )
    ctx.run(ctx.on.config_changed(), scenes.state(told, bridge_mappings='physnet1:br-ex'))
    ovs = machine.file(OVS)
    assert 'enable_security_group = false\n' in ovs
    assert 'tunnel_types = vxlan\n' in ovs
    assert 'local_ip = 10.8.0.2\n' in ovs
    assert 'dns_domain = a.example.\n' in machine.file('/etc/neutron/neutron.conf')
    # In userspace a tunnel ends on a bridge, also where no physical network is on it.
    assert 'bridge br-data netdev' in machine.file(SCRIPT)


def test_dhcp_asks_the_name_servers_that_it_is_given(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    ctx.run(ctx.on.config_changed(), scenes.state(dns_servers='192.0.2.53 2001:db8::53'))
    dhcp = machine.file('/etc/neutron/dhcp_agent.ini')
    assert 'dnsmasq_dns_servers = 192.0.2.53,2001:db8::53\n' in dhcp


def test_a_paused_unit_keeps_its_bridges(ctx: testing.Context[Any], machine: machines.FakeMachine):
    out = ctx.run(ctx.on.config_changed(), scenes.state())
    ctx.run(ctx.on.action('pause'), out)
    assert machine.service('neutron-l3-agent') == 'stopped'
    assert machine.service('ovs-bridges') == 'running'


def test_an_upgrade_leaves_the_switch_that_the_networks_run_on(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    out = ctx.run(ctx.on.config_changed(), scenes.state())
    assert 'openvswitch-switch' in machine.seen.packages
    machine.steps.clear()
    ctx.run(ctx.on.action('openstack-upgrade'), out)
    (step,) = [s for s in machine.steps if s.startswith('upgrade ')]
    assert 'neutron-l3-agent' in step
    assert 'openvswitch-switch' not in step


def test_a_new_unit_has_the_switch_of_the_archive_that_it_is_to_have(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    machine.base = 'ubuntu@24.04'
    ctx.run(ctx.on.config_changed(), scenes.state(openstack_origin='cloud:noble-epoxy'))
    (step,) = [s for s in machine.steps if s.startswith('upgrade ')]
    assert 'openvswitch-switch' in step


def test_what_agents_have_started_goes_on_without_them(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    ctx.run(ctx.on.config_changed(), scenes.state())
    for name in ('neutron-dhcp-agent', 'neutron-l3-agent'):
        drop_in = machine.file(f'/etc/systemd/system/{name}.service.d/charm.conf')
        assert 'KillMode=process\n' in drop_in
