"""A compute node's agent with all that it needs."""

from __future__ import annotations

from typing import Any

from charmkit import neutron
from charmkit import testing as machines
from ops import testing

from charms import conftest as shared

NAME = 'neutron-openvswitch'
OWN, DATA = '10.0.0.4', '10.8.0.4'


def prepare(machine: machines.FakeMachine) -> None:
    """One network card for the node itself, and one for networks of tenants."""
    machine.interfaces = {OWN: 'eth0', DATA: 'eth1'}
    machine.links = {'eth0': '02:00:00:00:01:00', 'eth1': '02:00:00:00:01:01'}


def compute() -> testing.SubordinateRelation:
    """The nova-compute that it is beside."""
    return testing.SubordinateRelation('neutron-plugin', remote_app_name='nova-compute')


def state(*instead: testing.RelationBase, data: str = DATA, **options: Any) -> testing.State:
    """All relations have answered; *instead* takes the place of those of the same endpoint."""
    told = neutron.settings_databag(neutron.Settings())
    usual: tuple[testing.RelationBase, ...] = (
        shared.broker(),
        testing.Relation('neutron-plugin-api', remote_units_data={0: told}),
        compute(),
        testing.PeerRelation('peers'),
    )
    by_name = {r.endpoint: r for r in (*usual, *instead)}
    bindings = ('internal', 'amqp', 'neutron-plugin-api', 'peers')
    places = {**dict.fromkeys(bindings, OWN), 'data': data}
    networks = {
        testing.Network(name, [testing.BindAddress([testing.Address(at)])], ingress_addresses=[at])
        for name, at in places.items()
    }
    return testing.State(
        leader=True,
        relations=set(by_name.values()),
        networks=networks,
        config={name.replace('_', '-'): value for name, value in options.items()},
    )
