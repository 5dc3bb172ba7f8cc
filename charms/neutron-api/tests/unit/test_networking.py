"""What the Networking API tells nova, agents and subordinates, and what networks it lets be made."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import networks
import pytest
from charmkit import neutron_plugins, subordinate
from charmkit import testing as machines
from ops import testing

from charms import conftest as shared

NAME = 'neutron-api'
ML2 = '/etc/neutron/plugins/ml2/ml2_conf.ini'


@pytest.fixture
def ctx(machine: machines.FakeMachine) -> testing.Context[Any]:
    return testing.Context(shared.load(NAME).NeutronApiCharm)


def state(*more: testing.RelationBase, leader: bool = True, **options: Any) -> testing.State:
    relations = {
        shared.database(f'{NAME}/0'),
        shared.broker(),
        shared.identity('neutron'),
        testing.PeerRelation('peers'),
        *more,
    }
    given = {name.replace('_', '-'): value for name, value in options.items()}
    return testing.State(
        leader=leader, relations=relations, networks=shared.networks(), config=given
    )


def told(ctx: testing.Context[Any], before: testing.State, endpoint: str) -> dict[str, str]:
    out = ctx.run(ctx.on.config_changed(), before)
    (relation,) = out.get_relations(endpoint)
    assert isinstance(relation, testing.Relation | testing.SubordinateRelation)
    return dict(relation.local_unit_data)


def test_nova_is_told_where_the_api_is(ctx: testing.Context[Any]):
    said = told(ctx, state(testing.Relation('neutron-api')), 'neutron-api')
    assert said['neutron-url'] == 'http://10.0.0.2:9696'
    assert said['neutron-api-ready'] == 'yes'
    assert said['neutron-security-groups'] == 'yes'


def test_agents_are_told_what_all_have_alike_and_no_password(ctx: testing.Context[Any]):
    agents = testing.Relation('neutron-plugin-api')
    before = state(agents, neutron_security_groups=False, overlay_network_type='vxlan')
    said = told(ctx, before, 'neutron-plugin-api')
    assert said['neutron-api-ready'] == 'yes'
    assert said['neutron-security-groups'] == 'False'
    assert said['overlay-network-type'] == 'vxlan'
    assert said['l2-population'] == 'True'
    assert not [value for value in said.values() if '-pw' in value]


def test_nobody_is_told_where_the_api_is_while_an_option_that_says_so_never_was_right(
    ctx: testing.Context[Any],
):
    before = state(testing.Relation('neutron-api'), vip='10.99.0.9')
    assert 'neutron-url' not in told(ctx, before, 'neutron-api')


def test_nobody_is_told_anything_before_the_database_is_there(ctx: testing.Context[Any]):
    said = told(ctx, state(testing.Relation('neutron-api'), leader=False), 'neutron-api')
    assert 'neutron-api-ready' not in said


def test_a_subordinate_takes_the_place_of_open_vswitch(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    brought = neutron_plugins.databag(
        neutron_plugins.Backend(
            name='ovn',
            service_plugins='ovn-router',
            mechanism_drivers='ovn',
            tenant_network_types='geneve,vlan',
        ),
        {ML2: {'ovn': {'ovn_metadata_enabled': 'true'}}},
    )
    plugin = testing.SubordinateRelation(
        'neutron-plugin-api-subordinate', remote_unit_data=brought
    )
    nova = testing.Relation('neutron-api')
    out = ctx.run(ctx.on.config_changed(), state(plugin, nova))
    ml2 = machine.file(ML2)
    assert 'mechanism_drivers = ovn\n' in ml2
    assert 'tenant_network_types = geneve,vlan\n' in ml2
    assert '[ovn]\novn_metadata_enabled = true\n' in ml2
    assert 'service_plugins = ovn-router\n' in machine.file('/etc/neutron/neutron.conf')
    (to_nova,) = out.get_relations('neutron-api')
    assert isinstance(to_nova, testing.Relation)
    assert to_nova.local_unit_data['neutron-plugin'] == 'ovn'
    (to_plugin,) = out.get_relations('neutron-plugin-api-subordinate')
    assert isinstance(to_plugin, testing.SubordinateRelation)
    facts = json.loads(to_plugin.local_unit_data['neutron_config_data'])
    assert facts['service_plugins'] == ['router']


def test_tunnels_come_first_where_there_are_any(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    ctx.run(ctx.on.config_changed(), state(overlay_network_type='vxlan gre'))
    ml2 = machine.file(ML2)
    assert 'tenant_network_types = vxlan,gre,vlan\n' in ml2
    assert 'mechanism_drivers = openvswitch,l2population\n' in ml2


def test_the_default_kind_of_a_tenants_network_can_be_said(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    before = state(overlay_network_type='vxlan', default_tenant_network_type='vlan')
    ctx.run(ctx.on.config_changed(), before)
    assert 'tenant_network_types = vlan,vxlan\n' in machine.file(ML2)


@pytest.mark.parametrize(
    ('text', 'good'),
    [
        ('physnet2', True),
        ('physnet2:100:199', True),
        ('physnet1:1:4094 physnet2:7:7', True),
        ('physnet2:199:100', False),
        ('physnet2:0:9', False),
        ('physnet2:1:4095', False),
        ('physnet2:100', False),
        ('physnet2:a:b', False),
        ('physnet2:٣:٤', False),
        ('-physnet:1:2', False),
        ('physnet2 physnet2', False),
    ],
)
def test_a_range_of_vlans_is_a_physical_network_and_tags(text: str, good: bool):
    assert networks.VLAN_RANGES.good(text) is good


@pytest.mark.parametrize(
    ('text', 'good'),
    [('1001:2000', True), ('0:5', False), ('1:16777216', False), ('5:1', False), ('٣:٤', False)],
)
def test_a_range_of_tunnels_fits_24_bits(text: str, good: bool):
    assert networks.VNI_RANGES.good(text) is good


@pytest.mark.parametrize(
    ('text', 'good'),
    [
        ('physnet1:9000', True),
        ('physnet1:100', False),
        ('physnet1', False),
        ('physnet1:٩٠٠٠', False),
    ],
)
def test_an_mtu_is_said_of_a_physical_network(text: str, good: bool):
    assert networks.MTUS.good(text) is good


def test_a_bad_range_is_refused_by_name_and_the_default_stays(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    out = ctx.run(ctx.on.config_changed(), state(vlan_ranges='physnet2:199:100'))
    assert out.unit_status.name == 'blocked'
    assert 'vlan-ranges' in out.unit_status.message
    assert 'network_vlan_ranges = physnet2:100:199\n' in machine.file(ML2)


def test_agents_have_workers_and_since_2025_1_somebody_who_notices_the_dead(
    machine: machines.FakeMachine,
):
    machine.base = 'debian@13'
    ctx = testing.Context(shared.load(NAME).NeutronApiCharm)
    ctx.run(ctx.on.config_changed(), state())
    assert machine.service('neutron-rpc-server') == 'running'
    assert machine.service('neutron-periodic-workers') == 'running'


def test_a_unit_whose_schema_is_not_there_answers_no_agents(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    ctx.run(ctx.on.config_changed(), state(leader=False))
    assert machine.service('neutron-rpc-server') == 'stopped'


def test_names_of_ports_need_a_domain(ctx: testing.Context[Any], machine: machines.FakeMachine):
    ctx.run(ctx.on.config_changed(), state(dns_domain='cloud.example.com.'))
    assert 'extension_drivers = port_security,dns\n' in machine.file(ML2)
    assert 'dns_domain = cloud.example.com.\n' in machine.file('/etc/neutron/neutron.conf')


@pytest.mark.parametrize(
    ('base', 'script'),
    [
        ('debian@12', '/usr/local/lib/charmkit/neutron-api.wsgi'),
        ('ubuntu@24.04', '/usr/local/lib/charmkit/neutron-api.wsgi'),
        ('debian@13', '/usr/bin/neutron-api'),
    ],
)
def test_no_release_waits_for_eventlet_to_tell_its_agents_something(
    ctx: testing.Context[Any], machine: machines.FakeMachine, base: str, script: str
):
    """A rule of a security group reached the agents with the API's next request only."""
    machine.base = base
    ctx.run(ctx.on.config_changed(), state())
    site = machine.file('/etc/apache2/sites-enabled/neutron-api.conf')
    assert f'WSGIScriptAlias / {script} ' in site
    assert 'threads=1 ' not in site
    written = [f for f in machine.desired.files if f.path == script]
    assert len(written) == (base != 'debian@13')
    assert all('monkey' not in f.content and 'cmd.eventlet' not in f.content for f in written)


@pytest.mark.parametrize(
    ('base', 'wanted', 'note'),
    [
        ('debian@12', True, 'routers of a dead agent stay there: nothing in zed moves them'),
        (
            'ubuntu@24.04',
            True,
            'routers of a dead agent stay there: nothing in caracal moves them',
        ),
        ('debian@13', True, ''),
        ('debian@12', False, ''),
    ],
)
def test_routers_of_a_dead_agent_are_moved_where_the_operator_says_so_and_the_release_can(
    ctx: testing.Context[Any], machine: machines.FakeMachine, base: str, wanted: bool, note: str
):
    machine.base = base
    before = state(allow_automatic_l3agent_failover=wanted)
    out = ctx.run(ctx.on.config_changed(), before)
    conf = machine.file('/etc/neutron/neutron.conf')
    assert f'allow_automatic_l3agent_failover = {str(wanted).lower()}\n' in conf
    assert out.unit_status == testing.ActiveStatus(note)


def test_a_network_has_one_mtu():
    with pytest.raises(ValueError, match='network physnet1 is there twice'):
        networks.MTUS.good('physnet1:9000 physnet1:1500')


def subordinate_of(app: str, backend: neutron_plugins.Backend, **more: str) -> Any:
    return testing.SubordinateRelation(
        neutron_plugins.RELATION,
        remote_app_name=app,
        remote_unit_data=neutron_plugins.databag(
            backend, {ML2: {'own': {app: 'here', 'shared': app}}}, **more
        ),
    )


def test_two_subordinates_are_put_together_and_who_does_not_get_his_is_named(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    one = subordinate_of(
        'alpha',
        neutron_plugins.Backend(mechanism_drivers='openvswitch,alpha', core_plugin='ml2'),
        **subordinate.extras(packages=('python3-alpha',), restart='r1', migrate='n1'),
    )
    two = subordinate_of(
        'beta',
        neutron_plugins.Backend(mechanism_drivers='openvswitch,beta', core_plugin='other'),
    )
    out = ctx.run(ctx.on.config_changed(), state(one, two))
    ml2 = machine.file(ML2)
    assert 'mechanism_drivers = openvswitch,alpha,beta\n' in ml2
    assert '[own]\nalpha = here\nbeta = here\nshared = alpha\n' in ml2
    assert 'core_plugin = ml2\n' in machine.file('/etc/neutron/neutron.conf')
    assert 'python3-alpha' in machine.seen.packages
    assert out.unit_status.name == 'blocked'
    for words in ("beta: core-plugin is alpha's already", f"beta: {ML2}: [own] shared is alpha's"):
        assert words in out.unit_status.message
    assert machine.service('apache2') == 'running'
    said = out.get_relation(one.id).local_unit_data
    assert said['migrate-database-nonce'] == 'n1'
    assert json.loads(said['neutron_config_data'])['mechanism_drivers'] == ['openvswitch']
    assert 'migrate-database-nonce' not in out.get_relation(two.id).local_unit_data


def test_a_package_that_is_nowhere_is_named_and_the_service_goes_on(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    before = ctx.run(ctx.on.config_changed(), state())
    assert before.unit_status == testing.ActiveStatus()
    wrong = subordinate_of(
        'alpha',
        neutron_plugins.Backend(name='alpha'),
        **subordinate.extras(packages=('python3-nowhere',)),
    )
    machine.failing = frozenset({'python3-nowhere'})
    related = dataclasses.replace(before, relations={*before.relations, wrong})
    out = ctx.run(ctx.on.config_changed(), related)
    assert 'python3-nowhere' in out.unit_status.message
    assert 'apache2' in machine.seen.active


def test_where_the_api_is_is_told_once_the_load_balancer_has_said_it(ctx: testing.Context[Any]):
    nova = testing.Relation('neutron-api')
    balancer = testing.Relation(
        'internal-backend', remote_app_name='lb', remote_app_data={'interface-versions': '[1, 2]'}
    )
    assert 'neutron-url' not in told(ctx, state(nova, balancer), 'neutron-api')
