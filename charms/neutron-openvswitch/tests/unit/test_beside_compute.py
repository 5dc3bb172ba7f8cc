"""What the agent on a compute node tells nova-compute, and what it does with the node's network cards."""

from __future__ import annotations

from typing import Any

import pytest
from charmkit import neutron, relations
from charmkit import testing as machines
from ops import testing

from charms import conftest as shared

from . import openvswitch_scenes as scenes


@pytest.fixture
def ctx(machine: machines.FakeMachine) -> testing.Context[Any]:
    scenes.prepare(machine)
    return testing.Context(shared.load(scenes.NAME).NeutronOpenvswitchCharm)


def heard(out: testing.State) -> neutron.Plugin | None:
    """What nova-compute understands."""
    (said,) = out.get_relations('neutron-plugin')
    assert isinstance(said, testing.SubordinateRelation)
    relation = relations.Relation(
        id=1, name='neutron-plugin', app='ovs', units={'ovs/0': dict(said.local_unit_data)}
    )
    site = relations.Site(unit='nova-compute/0', leader=True, address='10.0.0.4')
    return neutron.plugin().read((relation,), site)


def test_nova_compute_hears_of_the_agent_once_it_is_ready(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    out = ctx.run(ctx.on.config_changed(), scenes.state())
    assert heard(out) == neutron.Plugin('ovs')
    assert machine.service('neutron-openvswitch-agent') == 'running'


def test_nova_compute_hears_of_nothing_before(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    silent = testing.Relation('neutron-plugin-api')
    out = ctx.run(ctx.on.config_changed(), scenes.state(silent))
    assert heard(out) is None
    assert machine.service('neutron-openvswitch-agent') == 'stopped'


def test_the_nodes_own_card_is_left_alone_and_told(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    out = ctx.run(ctx.on.config_changed(), scenes.state(data=scenes.OWN))
    assert out.unit_status.name == 'blocked'
    assert out.unit_status.message.startswith('br-data: eth0 has the address 10.0.0.4')
    assert 'bridge br-data' not in machine.file('/usr/local/sbin/ovs-bridges')


def test_it_has_no_bridge_to_the_world_outside(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    ctx.run(ctx.on.config_changed(), scenes.state())
    script = machine.file('/usr/local/sbin/ovs-bridges')
    assert '    bridge br-data netdev address:10.8.0.4\n' in script
    assert 'br-ex' not in script
