"""What neutron-api is told of OVN, as neutron-api itself understands it."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import ovn_driver
import pytest
import yaml
from charmkit import conf, neutron_plugins, ovn, relations, subordinate
from charmkit import testing as machines
from ops import testing
from syrupy.assertion import SnapshotAssertion

from charms import conftest as shared

CENTRAL = testing.Relation('ovsdb-cms', remote_units_data={0: ovn.databag('10.0.0.5')})
OWN = {
    'extension_drivers': ['port_security', 'dns'],
    'tenant_network_types': ['vxlan', 'vlan'],
    'service_plugins': ['router', 'metering'],
}


@pytest.fixture
def ctx(machine: machines.FakeMachine) -> testing.Context[Any]:
    machine.base = 'debian@13'
    return testing.Context(shared.load('neutron-api-plugin-ovn').NeutronApiPluginOvnCharm)


def run(
    ctx: testing.Context[Any],
    *central: testing.Relation,
    own: Mapping[str, Any] = OWN,
    **options: Any,
) -> testing.State:
    principal = testing.SubordinateRelation(
        'neutron-plugin',
        remote_app_name='neutron-api',
        remote_unit_data=neutron_plugins.principal_databag(own),
    )
    state = testing.State(
        relations={principal, testing.PeerRelation('peers'), *central},
        config={name.replace('_', '-'): value for name, value in options.items()},
    )
    return ctx.run(ctx.on.config_changed(), state)


def heard(out: testing.State) -> tuple[neutron_plugins.Backend | None, subordinate.Sections]:
    """What neutron-api understands."""
    (said,) = out.get_relations('neutron-plugin')
    need = neutron_plugins.backend()
    units = {'ovn/0': dict(said.local_unit_data)}
    found = (relations.Relation(id=1, name=need.relation, app='ovn', units=units),)
    site = relations.Site(unit='neutron-api/0', leader=True, address='10.0.0.9')
    sections = subordinate.need(need.relation, 'neutron-api').read(found, site)
    return need.read(found, site), sections[0].sections if sections else {}


def test_neutron_api_uses_ovn_and_keeps_what_else_it_has(ctx: testing.Context[Any]):
    out = run(ctx, CENTRAL)
    assert out.unit_status == testing.ActiveStatus()
    backend, _ = heard(out)
    assert backend == neutron_plugins.Backend(
        name='ovn',
        service_plugins='ovn-router,metering',
        mechanism_drivers='ovn',
        extension_drivers='port_security,dns',
        tenant_network_types='geneve,vlan',
    )


def test_its_sections_are_as_the_golden_has_them(
    ctx: testing.Context[Any], snapshot: SnapshotAssertion
):
    _, sections = heard(run(ctx, CENTRAL, geneve_vni_ranges='5:9'))
    assert '\n'.join(f'==> {p}\n{conf.render(s)}' for p, s in sections.items()) == snapshot


def test_what_neutrons_own_server_would_do_runs_once_neutron_api_has_written_its_file(
    ctx: testing.Context[Any], machine: machines.FakeMachine, snapshot: SnapshotAssertion
):
    _, sections = heard(run(ctx, CENTRAL))
    assert machine.service(ovn_driver.WORKER) == 'running'
    unit = machine.file(f'/etc/systemd/system/{ovn_driver.WORKER}.service')
    assert unit == snapshot
    waited_for = unit.partition('grep -qxF "')[2].partition('"')[0]
    assert waited_for in conf.render(sections[ovn_driver.ML2]).splitlines()


def test_the_program_that_neutrons_driver_runs_is_installed(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    run(ctx)
    assert 'openvswitch-common' not in machine.seen.packages
    run(ctx, CENTRAL)
    assert 'openvswitch-common' in machine.seen.packages


@pytest.mark.parametrize(
    'text', ['', '1', '9:5', '0:4', '1:16777216', '1:2:3', 'a:b', '\uff11:\uff12']
)
def test_a_range_that_is_none_is_refused_in_one_sentence(ctx: testing.Context[Any], text: str):
    out = run(ctx, CENTRAL, geneve_vni_ranges=text)
    assert out.unit_status.name == 'blocked'
    assert 'geneve-vni-ranges' in out.unit_status.message
    assert (
        heard(out)[1]['/etc/neutron/plugins/ml2/ml2_conf.ini']['ml2_type_geneve']['vni_ranges']
        == '1:65536'
    )


def test_neutron_api_is_told_nothing_before_there_are_databases(ctx: testing.Context[Any]):
    assert run(ctx).unit_status.message == 'relate ovsdb-cms to ovn-central'
    out = run(ctx, testing.Relation('ovsdb-cms'))
    assert out.unit_status == testing.WaitingStatus("waiting for ovsdb-cms: OVN's databases")
    assert heard(out)[0] is None


def test_databases_that_say_nothing_any_more_are_kept(ctx: testing.Context[Any]):
    out = run(ctx, CENTRAL)
    (before,) = out.get_relations('neutron-plugin')
    silent = {r for r in out.relations if r.endpoint != 'ovsdb-cms'} | {
        testing.Relation('ovsdb-cms', id=CENTRAL.id)
    }
    out = ctx.run(ctx.on.config_changed(), testing.State(relations=silent))
    (after,) = out.get_relations('neutron-plugin')
    assert after.local_unit_data == before.local_unit_data


def test_a_release_that_cannot_is_told_and_neutron_api_goes_on_without(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    machine.base = 'debian@12'
    out = run(ctx, CENTRAL)
    assert out.unit_status.name == 'blocked'
    assert '2025.1' in out.unit_status.message
    assert heard(out)[0] is None


def test_what_neutron_api_says_is_believed_in_nothing(ctx: testing.Context[Any]):
    odd: dict[str, Any] = {
        'service_plugins': 'router',
        'extension_drivers': ['a,b\n[x]', 7, 'dns'],
    }
    backend, _ = heard(run(ctx, CENTRAL, own=odd))
    assert backend is not None
    assert backend.service_plugins == 'ovn-router'
    assert backend.extension_drivers == 'dns'


def test_a_unit_that_is_removed_stops_what_it_ran_beside_neutron_api(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    out = run(ctx, CENTRAL)
    assert ovn_driver.WORKER in machine.seen.active
    ctx.run(ctx.on.stop(), out)
    assert ovn_driver.WORKER not in machine.seen.active


@pytest.mark.parametrize('base', shared.BASES)
def test_ovn_is_used_where_the_charm_says_that_it_is_supported(
    ctx: testing.Context[Any], machine: machines.FakeMachine, base: str
):
    """By this `juju lifecycle` does not begin a move to a base whose neutron-api would be without OVN."""
    said = yaml.safe_load((pathlib.Path(__file__).parents[2] / 'lifecycle.yaml').read_text())
    machine.base = base
    used = run(ctx, CENTRAL).unit_status == testing.ActiveStatus()
    assert used is (base in said['releases'])


def test_databases_that_are_not_related_any_more_stay_in_force_and_the_status_says_so(
    ctx: testing.Context[Any],
):
    before = run(ctx, CENTRAL)
    alone = {r for r in before.relations if r.endpoint != CENTRAL.endpoint}
    out = ctx.run(ctx.on.config_changed(), dataclasses.replace(before, relations=alone))
    assert out.unit_status == testing.BlockedStatus(
        'relate ovsdb-cms to ovn-central; neutron-api goes on with the databases that it has'
    )
    assert heard(out) == heard(before)
