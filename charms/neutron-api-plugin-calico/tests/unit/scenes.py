"""A unit of the charm with a neutron-api that is ready, and etcd. Not a test."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import calico_driver
from charmkit import neutron_plugins, relations, subordinate
from ops import testing

from charms.tests.etcd_bags import PLAIN

OWN = {
    'extension_drivers': ['port_security'],
    'tenant_network_types': ['vlan'],
    'service_plugins': ['router', 'metering'],
}
POINTER = '/usr/local/lib/python3.11/dist-packages/networking-calico.pth'
KEY = '/etc/neutron/calico-etcd-key.pem'


def run(
    ctx: testing.Context[Any],
    *resources: testing.Resource,
    etcd: Mapping[str, str] | None = PLAIN,
    own: Mapping[str, Any] | None = OWN,
    **options: Any,
) -> testing.State:
    more = [] if etcd is None else [testing.Relation('etcd', remote_units_data={0: dict(etcd)})]
    said = neutron_plugins.principal_databag(own) if own else {}
    principal = testing.SubordinateRelation(
        'neutron-plugin', remote_app_name='neutron-api', remote_unit_data=said
    )
    state = testing.State(
        relations={principal, testing.PeerRelation('peers'), *more},
        config={name.replace('_', '-'): value for name, value in options.items()},
        resources=set(resources),
    )
    return ctx.run(ctx.on.config_changed(), state)


def heard(
    out: testing.State,
) -> tuple[neutron_plugins.Backend | None, tuple[subordinate.Contribution, ...]]:
    """What neutron-api understands."""
    (said,) = out.get_relations('neutron-plugin')
    need = neutron_plugins.backend()
    units = {'calico/0': dict(said.local_unit_data)}
    found = (relations.Relation(id=1, name=need.relation, app='calico', units=units),)
    site = relations.Site(unit='neutron-api/0', leader=True, address='10.0.0.9')
    sections = subordinate.need(need.relation, 'neutron-api').read(found, site)
    return need.read(found, site), sections or ()


def section(out: testing.State) -> Mapping[str, str]:
    """What neutron-api is to write for the driver."""
    (found,) = heard(out)[1]
    return found.sections[calico_driver.ML2]['calico']


def later(
    ctx: testing.Context[Any],
    before: testing.State,
    etcd: Mapping[str, str] | None,
    **options: Any,
) -> testing.State:
    """The same unit, once *etcd* says this, or is not related any more."""
    old = {r for r in before.relations if r.endpoint == 'etcd'}
    said: set[testing.RelationBase] = set()
    if etcd is not None:
        one = next(iter(old), None) or testing.Relation('etcd')
        said = {dataclasses.replace(one, remote_units_data={0: dict(etcd)})}  # type: ignore[call-arg]
    given = {name.replace('_', '-'): value for name, value in options.items()}
    state = dataclasses.replace(
        before, relations={*(before.relations - old), *said}, config={**before.config, **given}
    )
    return ctx.run(ctx.on.config_changed(), state)


def told(out: testing.State) -> Mapping[str, str]:
    """All that is said to neutron-api."""
    (said,) = out.get_relations('neutron-plugin')
    return dict(said.local_unit_data)
