"""What nova's controller tells compute nodes and gateways, and when it maps its cells."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from charmkit import relations
from charmkit import testing as machines
from ops import testing

from charms import conftest as shared

NAME = 'nova-cloud-controller'
KEY = 'ssh-ed25519 ' + 'A' * 68
CONSOLE = 'console_proxy_novnc_address'


@pytest.fixture
def ctx(machine: machines.FakeMachine) -> testing.Context[Any]:
    return testing.Context(shared.load(NAME).NovaCloudControllerCharm)


def computes(**bags: dict[str, str]) -> testing.Relation:
    units: dict[int, dict[str, str]] = {int(n[1:]): bag for n, bag in bags.items()}
    return testing.Relation(
        'cloud-compute', remote_app_name='nova-compute', remote_units_data=units
    )


def network(**said: str) -> testing.Relation:
    bag = {key.replace('_', '-'): value for key, value in said.items()}
    return testing.Relation('neutron-api', remote_app_name='neutron', remote_units_data={0: bag})


def state(*more: testing.RelationBase, leader: bool = True, **options: Any) -> testing.State:
    relations = {
        shared.database(f'{NAME}/0', 'nova', 'novaapi', 'novacell0'),
        shared.broker(),
        shared.identity('nova'),
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
    assert isinstance(relation, testing.Relation)
    return dict(relation.local_unit_data)


def test_a_compute_is_told_account_network_and_console(ctx: testing.Context[Any]):
    neutron = network(
        neutron_url='http://10.0.0.9:9696', neutron_api_ready='yes', neutron_security_groups='yes'
    )
    said = told(ctx, state(computes(u0={}), neutron), 'cloud-compute')
    assert said['auth_host'] == '10.0.0.6'
    assert said['service_username'] == 'nova'
    assert said['service_password'] == 'account-pw'
    assert said['quantum_url'] == 'http://10.0.0.9:9696'
    assert said[CONSOLE] == 'http://203.0.113.2:6080/vnc_lite.html'


def test_the_console_is_behind_the_load_balancer(ctx: testing.Context[Any]):
    frontend = {'url': 'https://cloud.example.com:6080', 'ip': ['198.51.100.9'], 'port': 6080}
    balancer = testing.Relation(
        'public-backend',
        remote_app_name='lb',
        remote_app_data={
            'interface-versions': '[1, 2]',
            'frontends': json.dumps({'novnc': {'public': frontend}}),
        },
    )
    before = state(computes(u0={}), balancer)
    said = told(ctx, before, 'cloud-compute')
    assert said[CONSOLE] == 'https://cloud.example.com:6080/vnc_lite.html'


def awaiting(*more: testing.RelationBase, **options: Any) -> testing.State:
    silent = testing.Relation('public-backend', remote_app_name='lb')
    return state(silent, *more, **options)


def test_a_compute_waits_until_the_load_balancer_has_said_where_consoles_are(
    ctx: testing.Context[Any],
):
    assert told(ctx, awaiting(computes(u0={})), 'cloud-compute').keys() <= relations.JUJUS_OWN
    none = told(ctx, awaiting(computes(u0={}), console_access_protocol='none'), 'cloud-compute')
    assert none['auth_host'] == '10.0.0.6'


def test_a_compute_that_has_been_told_hears_all_else_meanwhile(ctx: testing.Context[Any]):
    before = {
        CONSOLE: 'http://198.51.100.1:6080/vnc_lite.html',
        'region': 'Elsewhere',
        'gone': '1',
    }
    asked = dataclasses.replace(computes(u0={}), local_unit_data=before)
    said = told(ctx, awaiting(asked), 'cloud-compute')
    assert said[CONSOLE] == before[CONSOLE]
    assert said['region'] == 'RegionOne'
    assert 'gone' not in said
    assert 'console_proxy_novnc_host' not in said


def test_without_consoles_there_is_no_proxy(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    said = told(ctx, state(computes(u0={}), console_access_protocol='none'), 'cloud-compute')
    assert CONSOLE not in said
    assert machine.service('nova-novncproxy') == 'stopped'


def test_each_compute_hears_the_keys_of_all(ctx: testing.Context[Any]):
    bags = {
        f'u{n}': {
            'hostname': f'node-{n}',
            'private-address': f'10.0.0.2{n}',
            'nova_ssh_public_key': f'{KEY} nova@node-{n}',
            'ssh_host_keys': KEY,
        }
        for n in (0, 1)
    }
    said = told(ctx, state(computes(**bags)), 'cloud-compute')
    assert said['nova_authorized_keys_max_index'] == '2'
    assert said['nova_authorized_keys_1'] == f'{KEY} nova@node-1'
    assert said['nova_known_hosts_0'] == f'node-0,10.0.0.20 {KEY}'


def test_a_compute_that_says_nonsense_is_named_and_the_others_go_on(ctx: testing.Context[Any]):
    before = state(computes(u0={'hostname': 'a b'}, u1={'hostname': 'node-1'}))
    out = ctx.run(ctx.on.config_changed(), before)
    assert out.unit_status == testing.BlockedStatus(
        "cloud-compute: nova-compute/0: 'a b' is not a host name"
    )
    (relation,) = out.get_relations('cloud-compute')
    assert isinstance(relation, testing.Relation)
    assert relation.local_unit_data['auth_host'] == '10.0.0.6'


def test_nobody_is_told_anything_before_the_database_is_there(ctx: testing.Context[Any]):
    said = told(ctx, state(computes(u0={}), leader=False), 'cloud-compute')
    assert 'auth_host' not in said


def test_a_neutron_that_is_not_ready_is_waited_for(ctx: testing.Context[Any]):
    out = ctx.run(ctx.on.config_changed(), state(network()))
    assert out.unit_status == testing.WaitingStatus('waiting for neutron-api to grant neutron')


def test_gateways_hear_where_metadata_is_and_share_a_secret_with_it(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    gateway = testing.Relation('quantum-network-service', remote_app_name='neutron-gateway')
    said = told(ctx, state(gateway), 'quantum-network-service')
    assert said['nova-metadata-host'] == '10.0.0.2'
    assert said['nova-metadata-port'] == '8775'
    secret = said['shared-metadata-secret']
    assert f'metadata_proxy_shared_secret = {secret}\n' in machine.file('/etc/nova/nova.conf')


def test_the_databases_are_migrated_and_the_cells_mapped_in_order_by_the_leader_alone(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    ctx.run(ctx.on.config_changed(), state())
    ran = [step for step in machine.steps if step.startswith('run ')]
    words = ('api_db sync', 'nova-map-cells', 'db sync', 'online_data_migrations')
    assert len(ran) == len(words)
    assert all(word in step for word, step in zip(words, ran, strict=True))
    assert 'mq-pw' not in ' '.join(ran) and 'db-pw' not in ' '.join(ran)
    at = machine.steps.index
    assert at('write /usr/local/sbin/nova-map-cells') < at(ran[0]) < at('start nova-conductor')


def test_a_rotated_password_runs_no_command(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    out = ctx.run(ctx.on.config_changed(), state())
    machine.steps.clear()
    (amqp,) = out.get_relations('amqp')
    assert isinstance(amqp, testing.Relation)
    bag = {'hostname': '10.0.0.7', 'username': 'nova.2', 'password': 'other', 'turn': '1'}
    renewed = dataclasses.replace(amqp, remote_units_data={0: bag})
    after = dataclasses.replace(out, relations={*(out.relations - {amqp}), renewed})
    ctx.run(ctx.on.config_changed(), after)
    assert 'restart nova-conductor' in machine.steps
    assert not [step for step in machine.steps if step.startswith('run ')]


@pytest.mark.parametrize(('leader', 'interval'), [(True, '30'), (False, '-1')])
def test_the_leaders_scheduler_alone_discovers_hosts(
    machine: machines.FakeMachine, leader: bool, interval: str
):
    ctx = testing.Context(shared.load(NAME).NovaCloudControllerCharm)
    out = ctx.run(ctx.on.config_changed(), state())
    ctx.run(ctx.on.config_changed(), dataclasses.replace(out, leader=leader))
    conf = machine.file('/etc/nova/nova.conf')
    assert f'discover_hosts_in_cells_interval = {interval}\n' in conf


def test_requests_for_metadata_are_not_taken_on_the_public_network(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    ctx.run(ctx.on.config_changed(), state())
    site = machine.file('/etc/apache2/sites-enabled/nova-metadata.conf')
    assert 'Listen 10.0.0.2:8775' in site
    assert '203.0.113.2' not in site


@pytest.mark.parametrize(
    ('tells', 'about', 'backend', 'key', 'own'),
    [
        (
            'quantum-network-service',
            'nova-metadata',
            'internal-backend',
            'nova-metadata-host',
            '10.0.0.2',
        ),
    ],
)
def test_no_address_of_its_own_is_told_before_the_load_balancer_has_answered(
    ctx: testing.Context[Any], tells: str, about: str, backend: str, key: str, own: str
):
    other = testing.Relation(tells, remote_app_name='other', remote_units_data={0: {}})
    more = (other, network(neutron_url='http://10.0.0.9:9696', neutron_api_ready='yes'))
    assert told(ctx, state(*more), tells)[key] == own
    balancer = testing.Relation(
        backend, remote_app_name='lb', remote_app_data={'interface-versions': '[1, 2]'}
    )
    assert key not in told(ctx, state(*more, balancer), tells)
    frontend = {'ip': ['198.51.100.9'], 'port': 443, 'url': 'https://api.example.com:443'}
    at = {about: {backend.partition('-')[0]: frontend}}
    answered = dataclasses.replace(
        balancer, remote_app_data={**balancer.remote_app_data, 'frontends': json.dumps(at)}
    )
    assert told(ctx, state(*more, answered), tells)[key] == 'api.example.com'
