"""A compute node as a chassis: what its switch is told, and what nova-compute hears."""

from __future__ import annotations

from typing import Any

import pytest
from charmkit import neutron, ovn, relations
from charmkit import testing as machines
from ops import testing
from syrupy.assertion import SnapshotAssertion

from charms import conftest as shared

AT = {'internal': '10.0.0.4', 'data': '10.8.0.4', 'external': '192.0.2.4'}
CENTRAL = testing.Relation('ovsdb', remote_units_data={0: ovn.databag('10.0.0.5')})
NOVA = testing.Relation(
    'quantum-network-service',
    remote_units_data={
        0: neutron.metadata_databag(neutron.Metadata('10.0.0.8', 'shared-with-nova'))
    },
)
COMPUTE = testing.SubordinateRelation('nova-compute', remote_app_name='nova-compute')


@pytest.fixture
def ctx(machine: machines.FakeMachine) -> testing.Context[Any]:
    machine.hostname = 'node-4'
    machine.interfaces = {address: f'eth{n}' for n, address in enumerate(AT.values())}
    machine.links = {f'eth{n}': f'02:00:00:00:00:0{n}' for n in range(3)}
    return testing.Context(shared.load('ovn-chassis').OvnChassisCharm)


def state(*instead: testing.RelationBase, **options: Any) -> testing.State:
    """All relations have answered; *instead* takes the place of those of the same endpoint."""
    usual = (CENTRAL, NOVA, COMPUTE, testing.PeerRelation('peers'))
    of_relations = ('ovsdb', 'quantum-network-service', 'peers')
    places = {**dict.fromkeys(of_relations, AT['internal']), **AT}
    return testing.State(
        leader=True,
        relations=set({r.endpoint: r for r in (*usual, *instead)}.values()),
        networks={
            testing.Network(name, [testing.BindAddress([testing.Address(at)])], ingress_addresses=[at])
            for name, at in places.items()
        },
        config={name.replace('_', '-'): value for name, value in options.items()},
    )  # fmt: skip


def told(machine: machines.FakeMachine) -> str:
    """The command that tells the switch."""
    (found,) = (c for c in machine.desired.commands if c.name == 'tell the switch')
    return found.argv[-1]


@pytest.mark.parametrize('kernel', [False, True], ids=['userspace', 'kernel'])
@pytest.mark.parametrize('base', shared.BASES)
def test_files_and_words_are_as_the_golden_has_them(
    ctx: testing.Context[Any],
    machine: machines.FakeMachine,
    base: str,
    kernel: bool,
    snapshot: SnapshotAssertion,
):
    machine.base = base
    machine.kernel_openvswitch = kernel
    out = ctx.run(ctx.on.config_changed(), state())
    assert out.unit_status == testing.ActiveStatus()
    files = sorted(machine.desired.files, key=lambda f: f.path)
    text = '\n'.join(f'==> {f.path} {f.owner}:{f.group} {f.mode:04o}\n{f.content}' for f in files)
    assert f'{text}\n==> {told(machine)}' == snapshot


def test_a_node_without_a_network_outside_is_no_gateway(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    out = ctx.run(ctx.on.config_changed(), state(bridge_mappings=''))
    assert out.unit_status == testing.ActiveStatus()
    assert told(machine).endswith(
        '-- remove Open_vSwitch . external-ids ovn-bridge-mappings ovn-cms-options'
    )
    assert 'enable-chassis-as-gw' not in told(machine)


def test_another_place_of_the_databases_is_told_to_the_switch_again(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    out = ctx.run(ctx.on.config_changed(), state())
    machine.steps.clear()
    out = ctx.run(ctx.on.config_changed(), out)
    assert not [s for s in machine.steps if 'tell the switch' in s]
    moved = testing.Relation('ovsdb', remote_units_data={3: ovn.databag('10.0.0.6')})
    ctx.run(ctx.on.config_changed(), state(moved))
    assert 'tcp:10.0.0.6:6642' in told(machine)
    assert [s for s in machine.steps if 'tell the switch' in s]


def test_nova_compute_hears_of_the_chassis_once_it_is_ready(ctx: testing.Context[Any]):
    def heard(out: testing.State) -> neutron.Plugin | None:
        (said,) = out.get_relations('nova-compute')
        units = {'ovn-chassis/0': dict(said.local_unit_data)}
        relation = relations.Relation(id=1, name='neutron-plugin', app='ovn-chassis', units=units)
        site = relations.Site(unit='nova-compute/0', leader=True, address='10.0.0.4')
        return neutron.plugin().read((relation,), site)

    assert heard(ctx.run(ctx.on.config_changed(), state())) == neutron.Plugin('ovn')
    silent = testing.Relation('ovsdb')
    assert heard(ctx.run(ctx.on.config_changed(), state(silent))) is None


def test_databases_that_want_tls_are_told_of(ctx: testing.Context[Any]):
    theirs = testing.Relation('ovsdb', remote_units_data={0: {'bound-address': '"10.0.0.5"'}})
    out = ctx.run(ctx.on.config_changed(), state(theirs))
    assert 'its databases want TLS' in out.unit_status.message


def test_the_nodes_own_card_is_left_alone_and_told(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    out = ctx.run(ctx.on.config_changed(), state(data_port='br-ex:eth0'))
    assert out.unit_status.name == 'blocked'
    assert out.unit_status.message.startswith('br-ex: eth0 has the address 10.0.0.4')
