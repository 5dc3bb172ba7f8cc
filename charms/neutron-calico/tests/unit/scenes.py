"""A unit of the charm beside a nova-compute, with etcd. Not a test."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from charmkit import neutron, relations, subordinate
from ops import testing

from charms import conftest as shared
from charms.tests.etcd_bags import PLAIN

NAME = 'neutron-calico'
AGENT = 'calico-dhcp-agent'
POINTER = '/usr/local/lib/python3.11/dist-packages/networking-calico.pth'
CONF = '/etc/neutron/calico-dhcp-agent.ini'
UNIT = '/etc/systemd/system/calico-dhcp-agent.service'
KEY = '/etc/neutron/calico-etcd-key.pem'


def state(
    *resources: testing.Resource, etcd: Mapping[str, str] | None = PLAIN, **options: Any
) -> testing.State:
    """All is there, but for what is given otherwise."""
    more = [] if etcd is None else [testing.Relation('etcd', remote_units_data={0: dict(etcd)})]
    compute = testing.SubordinateRelation('neutron-plugin', remote_app_name='nova-compute')
    bindings = ('internal', 'etcd', 'neutron-plugin', 'peers')
    return testing.State(
        relations={compute, testing.PeerRelation('peers'), *more},
        networks={n for n in shared.networks() if n.binding_name in bindings},
        config={name.replace('_', '-'): value for name, value in options.items()},
        resources=set(resources),
    )


def run(ctx: testing.Context[Any], *resources: testing.Resource, **given: Any) -> testing.State:
    """A hook with all of that."""
    return ctx.run(ctx.on.config_changed(), state(*resources, **given))


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
    now = dataclasses.replace(
        before, relations={*(before.relations - old), *said}, config={**before.config, **given}
    )
    return ctx.run(ctx.on.config_changed(), now)


def heard(out: testing.State) -> tuple[neutron.Plugin | None, Mapping[str, Any]]:
    """What nova-compute understands: the plugin, and sections for its files."""
    (said,) = out.get_relations('neutron-plugin')
    assert isinstance(said, testing.SubordinateRelation)
    found = (
        relations.Relation(
            id=1, name='neutron-plugin', app='calico', units={'c/0': dict(said.local_unit_data)}
        ),
    )
    site = relations.Site(unit='nova-compute/0', leader=True, address='10.0.0.4')
    more = subordinate.need('neutron-plugin', 'nova-compute').read(found, site) or ()
    sections = {path: s for each in more for path, s in each.sections.items()}
    return neutron.plugin().read(found, site), sections
