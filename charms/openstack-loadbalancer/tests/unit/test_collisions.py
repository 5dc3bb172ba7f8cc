"""An option that is right by itself and in somebody's way: it is named, and its last good value stays in force."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from charmkit import testing as machines
from charmkit.proxy import haproxy, keepalived
from charmkit.relations import host_in
from ops import testing

from .test_charm import ctx, keystone, machine, state, told
from .test_handover import OTHER
from .test_ports import listening, set_to

__all__ = ['ctx', 'machine']  # fixtures

VIP = '10.1.0.100'
STAYS = 'its last good value is in force'


def with_peer(before: testing.State) -> testing.State:
    said = {'addresses': json.dumps({'public': ['10.1.0.6']})}
    peers = dataclasses.replace(before.get_relation(1000), peers_data={7: said})
    others = {r for r in before.relations if r.id != 1000}
    return dataclasses.replace(before, relations={*others, peers})


@pytest.mark.parametrize('option', ['ready_port', 'metrics_port', 'peers_port'])
def test_a_port_that_a_service_has_is_not_taken_from_it(
    ctx: Any, machine: machines.FakeMachine, option: str
):
    first = ctx.run(ctx.on.config_changed(), state(keystone()))
    before = machine.file(haproxy.CONFIG)
    out = ctx.run(ctx.on.config_changed(), set_to(first, **{option: 5000}))
    name = option.replace('_', '-')
    assert out.unit_status == testing.BlockedStatus(
        f'option {name}: port 5000 is that of keystone; {STAYS}'
    )
    assert machine.file(haproxy.CONFIG) == before


def test_where_the_option_was_first_the_service_is_refused(
    ctx: Any, machine: machines.FakeMachine
):
    first = ctx.run(ctx.on.config_changed(), state(config={'ready-port': 5000}))
    related = dataclasses.replace(first, relations={*first.relations, keystone()})
    out = ctx.run(ctx.on.config_changed(), related)
    assert out.unit_status.message == 'keystone: keystone: port 5000 is kept for ready-port'


@pytest.mark.parametrize('limits', [{}, {'rate_limit': 5}, {'login_limit': 5}])
@pytest.mark.parametrize('option', ['ready_port', 'metrics_port', 'peers_port'])
def test_a_port_of_another_program_stays_its_own(
    ctx: Any, machine: machines.FakeMachine, option: str, limits: dict[str, int]
):
    listening(machine, '0.0.0.0:22')
    first = ctx.run(ctx.on.config_changed(), state(keystone()))
    out = ctx.run(ctx.on.config_changed(), set_to(first, **{option: 22}, **limits))
    name = option.replace('_', '-')
    assert f'option {name}: port 22 is used by sshd on this unit' in out.unit_status.message
    assert STAYS in out.unit_status.message
    assert ':22\n' not in machine.file(haproxy.CONFIG)


@pytest.mark.parametrize(
    ('options', 'same'),
    [
        ({'peers_port': 8405}, 'ready-port and peers-port'),
        ({'peers_port': 8404}, 'metrics-port and peers-port'),
        ({'ready_port': 8404}, 'ready-port and metrics-port'),
        ({'metrics_port': 8405, 'peers_port': 8405}, 'ready-port and metrics-port and peers-port'),
    ],
)
def test_two_ports_of_its_own_are_not_the_same(
    ctx: Any, machine: machines.FakeMachine, options: dict[str, int], same: str
):
    first = ctx.run(ctx.on.config_changed(), state(keystone(), config={'rate-limit': 5}))
    before = machine.file(haproxy.CONFIG)
    out = ctx.run(ctx.on.config_changed(), set_to(first, rate_limit=5, **options))
    assert out.unit_status == testing.BlockedStatus(f'options {same} are the same')
    assert machine.file(haproxy.CONFIG) == before


@pytest.mark.parametrize(
    ('vip', 'why'),
    [
        ('10.9.9.9', '10.9.9.9 is in no network of a binding'),
        (f'{VIP} 10.9.9.9', '10.9.9.9 is in no network of a binding'),
        ('10.1.0.255', '10.1.0.255 is in no network of a binding'),
        ('10.1.0.0', '10.1.0.0 is in no network of a binding'),
        ('10.1.0.6', f'10.1.0.6 is the address of {OTHER}'),
        ('10.1.0.5', '10.1.0.5 is the address of openstack-loadbalancer/0'),
    ],
)
def test_a_vip_that_cannot_be_takes_the_good_one_from_nobody(
    ctx: Any, machine: machines.FakeMachine, vip: str, why: str
):
    first = ctx.run(ctx.on.config_changed(), state(keystone(), config={'vip': VIP}))
    served = machine.file(haproxy.CONFIG)
    out = ctx.run(ctx.on.config_changed(), with_peer(set_to(first, vip=vip)))
    assert f'option vip: {why}; {STAYS}' in out.unit_status.message
    assert VIP in machine.file(keepalived.PATH)
    binds = [line for line in served.splitlines() if VIP in line and 'bind' in line]
    assert binds
    assert set(binds) <= set(machine.file(haproxy.CONFIG).splitlines())
    right = ctx.run(ctx.on.config_changed(), with_peer(set_to(out, vip='10.1.0.101')))
    assert STAYS not in right.unit_status.message
    assert '10.1.0.101/24' in machine.file(keepalived.PATH)


def test_a_vip_that_was_never_otherwise_is_named_and_the_rest_is_served(
    ctx: Any, machine: machines.FakeMachine
):
    out = ctx.run(ctx.on.config_changed(), state(keystone(), config={'vip': '10.9.9.9'}))
    assert 'option vip: in no network of a binding: 10.9.9.9' in out.unit_status.message
    assert ':5000' in machine.file(haproxy.CONFIG)


@pytest.mark.parametrize(
    ('option', 'value', 'why'),
    [
        ('address_families', 'ipv6', 'the public binding has no address of the families to serve'),
        ('endpoint_types', 'internal', 'this load balancer serves internal only'),
        ('endpoint_types', 'admin internal', 'this load balancer serves internal, admin only'),
        ('http_backends', False, 'no unit of keystone serves TLS'),
    ],
)
def test_no_option_takes_away_all_that_a_relation_asks_for(
    ctx: Any, machine: machines.FakeMachine, option: str, value: object, why: str
):
    r = keystone()
    first = ctx.run(ctx.on.config_changed(), state(r, config={'vip': VIP}))
    before = machine.file(haproxy.CONFIG)
    out = ctx.run(ctx.on.config_changed(), set_to(first, vip=VIP, **{option: value}))
    name = option.replace('_', '-')
    assert out.unit_status == testing.BlockedStatus(
        f'option {name}: nothing would be served for keystone any more: {why}; {STAYS}'
    )
    assert machine.file(haproxy.CONFIG) == before
    assert told(out, r, 'frontends')
    right = ctx.run(ctx.on.config_changed(), set_to(out, vip=VIP))
    assert right.unit_status == testing.ActiveStatus('1 frontend')


def test_what_takes_only_a_part_away_or_what_nobody_asks_for_is_in_force(
    ctx: Any, machine: machines.FakeMachine
):
    config = {'address-families': 'ipv4', 'endpoint-types': 'public admin'}
    first = ctx.run(ctx.on.config_changed(), state(keystone(), config=config))
    out = ctx.run(ctx.on.config_changed(), set_to(first, endpoint_types='public'))
    assert out.unit_status == testing.ActiveStatus('1 frontend')
    # Without the relation nothing is lost any more.
    lonely = dataclasses.replace(out, relations={r for r in out.relations if r.id == 1000})
    out = ctx.run(ctx.on.config_changed(), set_to(lonely, endpoint_types='internal', linger=0))
    assert out.unit_status == testing.ActiveStatus('0 frontends')


@pytest.mark.parametrize(
    ('option', 'value', 'why'),
    [
        ('maxconn', 1, 'is not a number from 100 to 1000000: 1'),
        ('proxy_protocol_from', '10.0.0.0/8 0.0.0.0/0', ': 0.0.0.0/0 is everybody'),
        ('forwarded_from', '::/0', ': ::/0 is everybody'),
    ],
)
def test_an_option_that_shuts_everybody_out_is_refused(
    ctx: Any, machine: machines.FakeMachine, option: str, value: object, why: str
):
    first = ctx.run(ctx.on.config_changed(), state(keystone()))
    before = machine.file(haproxy.CONFIG)
    out = ctx.run(ctx.on.config_changed(), set_to(first, **{option: value}))
    name = option.replace('_', '-')
    assert out.unit_status.message.startswith(f'option {name}{"" if why[0] == ":" else " "}{why}')
    assert out.unit_status.message.endswith(STAYS)
    assert machine.file(haproxy.CONFIG) == before


@pytest.mark.parametrize(
    ('address', 'subnet', 'good'),
    [
        ('10.1.0.1', '10.1.0.0/24', True),
        ('10.1.0.0', '10.1.0.0/24', False),
        ('10.1.0.255', '10.1.0.0/24', False),
        ('10.1.0.0', '10.1.0.0/31', True),
        ('10.1.0.1', '10.1.0.0/31', True),
        ('10.1.0.1', '10.1.0.1/32', True),
        ('fd00::', 'fd00::/64', False),
        ('fd00::ffff:ffff:ffff:ffff', 'fd00::/64', True),
        ('fd01::1', 'fd00::/64', False),
        ('10.1.0.1', 'fd00::/64', False),
        ('x', '10.1.0.0/24', False),
    ],
)
def test_what_a_host_can_have(address: str, subnet: str, good: bool):
    assert host_in(address, subnet) is good
