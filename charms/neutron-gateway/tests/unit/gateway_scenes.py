"""A network node with all that it needs: its networks, and relations that have answered."""

from __future__ import annotations

from typing import Any

from charmkit import neutron
from charmkit import testing as machines
from ops import testing

from charms import conftest as shared

NAME = 'neutron-gateway'
SECRET = 'shared-with-nova'
AT = {'internal': '10.0.0.2', 'data': '10.8.0.2', 'external': '192.0.2.2'}


def prepare(machine: machines.FakeMachine) -> None:
    """Three network cards, one for each binding."""
    machine.interfaces = {address: f'eth{n}' for n, address in enumerate(AT.values())}
    machine.links = {f'eth{n}': f'02:00:00:00:00:0{n}' for n in range(3)}


def networks(**at: str) -> set[testing.Network]:
    """Where the bindings are."""
    relations = ('amqp', 'neutron-plugin-api', 'quantum-network-service', 'peers')
    places = {**dict.fromkeys(relations, AT['internal']), **AT, **at}
    return {
        testing.Network(
            name,
            [testing.BindAddress([testing.Address(address)])],
            ingress_addresses=[address],
        )
        for name, address in places.items()
    }


def settings(**said: Any) -> testing.Relation:
    """The API, which has told what all agents have alike."""
    bag = neutron.settings_databag(neutron.Settings(**said), '10.0.0.9')
    return testing.Relation('neutron-plugin-api', remote_units_data={0: bag})


def metadata() -> testing.Relation:
    """Nova, which has told where its metadata is."""
    bag = neutron.metadata_databag(neutron.Metadata('10.0.0.8', SECRET))
    return testing.Relation('quantum-network-service', remote_units_data={0: bag})


def state(
    *instead: testing.RelationBase, at: dict[str, str] | None = None, **options: Any
) -> testing.State:
    """All relations have answered; *instead* takes the place of those of the same endpoint."""
    usual = (shared.broker(), settings(), metadata(), testing.PeerRelation('peers'))
    relations = {r.endpoint: r for r in (*usual, *instead)}
    return testing.State(
        leader=True,
        relations=set(relations.values()),
        networks=networks(**(at or {})),
        config={name.replace('_', '-'): value for name, value in options.items()},
    )
