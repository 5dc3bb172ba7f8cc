"""Where OVN's databases listen, and who hears of them."""

from __future__ import annotations

from typing import Any

import pytest
from charmkit import ovn, relations
from charmkit import testing as machines
from ops import testing
from syrupy.assertion import SnapshotAssertion

from charms import conftest as shared

OWN = '10.0.0.5'
DATABASES = ('ovn-ovsdb-server-nb', 'ovn-ovsdb-server-sb')


@pytest.fixture
def ctx(machine: machines.FakeMachine) -> testing.Context[Any]:
    return testing.Context(shared.load('ovn-central').OvnCentralCharm, unit_id=1)


def run(ctx: testing.Context[Any], *others: int, address: str = OWN) -> testing.State:
    """A unit, with *others* of its application beside it."""
    networks = {
        testing.Network(
            name, [testing.BindAddress([testing.Address(address)])], ingress_addresses=[address]
        )
        for name in ('ovsdb', 'peers')
    }
    state = testing.State(
        leader=True,
        relations={
            testing.Relation('ovsdb', id=1),
            testing.Relation('ovsdb-cms', id=2),
            testing.PeerRelation('peers', peers_data={n: {} for n in others}),
        },
        networks=networks,
    )
    return ctx.run(ctx.on.config_changed(), state)


def heard(out: testing.State, endpoint: str) -> ovn.Databases | None:
    """What the other side of *endpoint* understands."""
    (said,) = out.get_relations(endpoint)
    units = {'ovn-central/1': dict(said.local_unit_data)}
    relation = relations.Relation(id=1, name=endpoint, app='ovn-central', units=units)
    site = relations.Site(unit='other/0', leader=True, address='10.0.0.9')
    return ovn.need(endpoint).read((relation,), site)


@pytest.mark.parametrize('base', shared.BASES)
def test_files_are_as_the_golden_has_them(
    ctx: testing.Context[Any],
    machine: machines.FakeMachine,
    base: str,
    snapshot: SnapshotAssertion,
):
    machine.base = base
    out = run(ctx)
    assert out.unit_status == testing.ActiveStatus()
    files = sorted(machine.desired.files, key=lambda f: f.path)
    assert snapshot == '\n'.join(f'==> {f.path} {f.mode:04o}\n{f.content}' for f in files)


@pytest.mark.parametrize('endpoint', ['ovsdb', 'ovsdb-cms'])
def test_both_sides_hear_where_the_databases_are(ctx: testing.Context[Any], endpoint: str):
    found = heard(run(ctx), endpoint)
    assert found is not None
    assert found.northbound == f'tcp:{OWN}:6641'
    assert found.southbound == f'tcp:{OWN}:6642'


def test_an_address_of_ipv6_stands_in_brackets(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    found = heard(run(ctx, address='fd00::5'), 'ovsdb')
    assert found is not None
    assert found.southbound == 'tcp:[fd00::5]:6642'
    assert '--db-sb-addr=[fd00::5]' in machine.file('/etc/default/ovn-central')


def test_one_unit_has_the_databases_and_a_second_one_says_so(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    out = run(ctx, 0, 2)
    assert out.unit_status.name == 'blocked'
    assert out.unit_status.message.startswith('the databases are on ovn-central/0')
    assert heard(out, 'ovsdb') is None
    assert {machine.service(name) for name in DATABASES} == {'stopped'}


def test_the_first_of_several_has_them(ctx: testing.Context[Any], machine: machines.FakeMachine):
    assert heard(run(ctx, 2, 10), 'ovsdb') is not None
    assert {machine.service(name) for name in DATABASES} == {'running'}


def test_a_pause_leaves_the_databases_to_chassis(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    ctx.run(ctx.on.action('pause'), run(ctx))
    assert machine.service('ovn-northd') == 'stopped'
    assert {machine.service(name) for name in DATABASES} == {'running'}
