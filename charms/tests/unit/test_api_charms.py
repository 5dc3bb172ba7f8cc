"""What every API charm does alike, in Juju: one scenario for each situation of an operator."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import charmkit
import pytest
from charmkit import apache, host, idle
from charmkit import testing as machines
from ops import testing

from charms import conftest as shared
from tests import quick_yaml

CHARMS = pathlib.Path(__file__).parents[2]


@pytest.fixture(params=['placement', 'glance'])
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def charm(name: str) -> type[charmkit.ApiCharm]:
    module = shared.load(name)
    return getattr(module, f'{name.title()}Charm')


@pytest.fixture
def ctx(
    name: str, charm: type[charmkit.ApiCharm], machine: machines.FakeMachine
) -> testing.Context[Any]:
    return testing.Context(charm)


@pytest.fixture
def related(name: str) -> set[testing.RelationBase]:
    return {
        shared.database(f'{name}/0'),
        shared.identity(name),
        testing.PeerRelation('peers'),
    }


def state(related: set[testing.RelationBase], **more: Any) -> testing.State:
    given: dict[str, Any] = {'leader': True, 'networks': shared.networks(), **more}
    return testing.State(relations=related, **given)


def lines(steps: Any) -> list[str]:
    """The command lines of a migration."""
    assert all(isinstance(step, str) for step in steps)
    return list(steps)


def test_alone_it_says_what_it_misses(ctx: testing.Context[Any], machine: machines.FakeMachine):
    out = ctx.run(ctx.on.start(), state(set()))
    assert out.unit_status == testing.BlockedStatus(
        'missing relation: shared-db; missing relation: identity-service'
    )
    assert not out.opened_ports


def test_it_masks_the_packages_own_server_before_installing_it(
    ctx: testing.Context[Any], machine: machines.FakeMachine, charm: type[charmkit.ApiCharm]
):
    ctx.run(ctx.on.install(), state(set()))
    verbs = [step.split()[0] for step in machine.steps]
    assert verbs.index('mask') < verbs.index('install')
    assert machine.seen.masked == set(charm.spec.masked)


def test_it_asks_for_what_it_needs_before_it_has_it(ctx: testing.Context[Any], name: str):
    db = testing.Relation('shared-db')
    configured = ctx.run(ctx.on.config_changed(), state(set()))
    related = dataclasses.replace(configured, relations={*configured.relations, db})
    out = ctx.run(ctx.on.relation_changed(db), related)
    assert out.get_relation(db.id).local_unit_data['database'] == name


def test_a_unit_that_starts_does_everything_in_its_first_config_changed(
    ctx: testing.Context[Any], machine: machines.FakeMachine, name: str
):
    """Juju runs leader-elected before it, and the charm would start twice."""
    db = testing.Relation('shared-db')
    elected = ctx.run(ctx.on.leader_elected(), state({db}))
    assert 'database' not in elected.get_relation(db.id).local_unit_data
    assert not machine.steps
    out = ctx.run(ctx.on.config_changed(), elected)
    assert out.get_relation(db.id).local_unit_data['database'] == name


def test_the_leader_serves_when_everything_is_there(
    ctx: testing.Context[Any],
    machine: machines.FakeMachine,
    related: set[testing.RelationBase],
    charm: type[charmkit.ApiCharm],
):
    out = ctx.run(ctx.on.config_changed(), state(related))
    assert out.unit_status == testing.ActiveStatus()
    migrate, *_ = lines(charm.spec.migrations.sync)
    assert machine.steps.index(f'run {migrate}') < machine.steps.index('start apache2')
    assert out.opened_ports == {testing.TCPPort(charm.spec.apps[0].port)}
    assert out.workload_version == '1.0'


def test_it_registers_its_own_addresses_without_a_load_balancer(
    ctx: testing.Context[Any],
    related: set[testing.RelationBase],
    machine: machines.FakeMachine,
    charm: type[charmkit.ApiCharm],
):
    out = ctx.run(ctx.on.config_changed(), state(related))
    asked = out.get_relations('identity-service')[0].local_unit_data
    port = charm.spec.apps[0].port
    assert asked['public_url'] == f'http://203.0.113.2:{port}'
    assert asked['internal_url'] == f'http://10.0.0.2:{port}'
    assert asked['admin_url'] == f'http://10.9.0.2:{port}'


def test_an_unchanged_hook_changes_nothing(
    ctx: testing.Context[Any],
    machine: machines.FakeMachine,
    related: set[testing.RelationBase],
):
    out = ctx.run(ctx.on.config_changed(), state(related))
    machine.steps.clear()
    again = ctx.run(ctx.on.update_status(), out)
    assert machine.steps == []
    assert again.relations == out.relations


def test_a_follower_waits_for_the_leaders_migration(
    ctx: testing.Context[Any],
    machine: machines.FakeMachine,
    related: set[testing.RelationBase],
):
    out = ctx.run(ctx.on.config_changed(), state(related, leader=False))
    assert out.unit_status == testing.WaitingStatus(
        'waiting for the leader to migrate the database'
    )
    assert machine.service('apache2') == 'stopped'
    assert not [step for step in machine.steps if step.startswith('run ')]


def test_a_follower_serves_once_the_leader_has_migrated(
    ctx: testing.Context[Any],
    machine: machines.FakeMachine,
    related: set[testing.RelationBase],
):
    led = ctx.run(ctx.on.config_changed(), state(related))
    peers = led.get_relations('peers')[0]
    followed = {*(r for r in related if r.endpoint != 'peers'), peers}
    out = ctx.run(ctx.on.update_status(), state(followed, leader=False))
    assert out.unit_status == testing.ActiveStatus()


def test_every_event_leads_to_the_same_state(
    ctx: testing.Context[Any],
    machine: machines.FakeMachine,
    related: set[testing.RelationBase],
):
    settled = ctx.run(ctx.on.config_changed(), state(related))
    seen: list[host.Host] = []
    db = settled.get_relations('shared-db')[0]
    for event in (
        ctx.on.start(),
        ctx.on.config_changed(),
        ctx.on.upgrade_charm(),
        ctx.on.update_status(),
        ctx.on.leader_elected(),
        ctx.on.relation_created(db),
        ctx.on.relation_changed(db),
    ):
        machine.desired = host.Host()
        ctx.run(event, settled)
        seen.append(machine.desired)
    assert seen[0] != host.Host()
    assert all(desired == seen[0] for desired in seen)


def test_a_relation_with_an_application_without_units_is_asked_for_at_once(
    ctx: testing.Context[Any], machine: machines.FakeMachine, name: str
):
    """Nothing follows relation-created until the other side has a unit."""
    configured = ctx.run(ctx.on.config_changed(), state(set()))
    missing = configured.unit_status.message
    db = testing.Relation('shared-db', remote_units_data={})
    related = dataclasses.replace(configured, relations={*configured.relations, db})
    out = ctx.run(ctx.on.relation_created(db), related)
    assert out.get_relation(db.id).local_unit_data['database'] == name
    lacks = 'missing relation: shared-db'
    assert lacks in missing
    assert lacks not in out.unit_status.message


def test_what_a_run_at_rest_has_found_needs_no_other_run(
    charm: type[charmkit.ApiCharm],
    name: str,
    machine: machines.FakeMachine,
    related: set[testing.RelationBase],
    tmp_path: pathlib.Path,
):
    memory = tmp_path / '.heard'
    said = quick_yaml.load((CHARMS / name / 'charmcraft.yaml').read_text())
    there = testing.Context(charm, said, charm_root=tmp_path)
    elected = there.run(there.on.leader_elected(), state(related))
    assert not memory.exists()
    changed = there.run(there.on.config_changed(), elected)
    assert json.loads(memory.read_text())['heard'] == {}  # It had much to do and to say.
    settled = there.run(there.on.update_status(), changed)
    db = settled.get_relations('shared-db')[0]
    assert isinstance(db, testing.Relation)
    who = f'{db.remote_app_name}/0'
    heard = json.loads(memory.read_text())['heard']
    assert heard[idle.key(db.id, who)] == idle.digest(
        'shared-db', f'{name}/0', db.remote_units_data[0]
    )
    for relation in settled.relations:
        assert any(key.startswith(f'{relation.id} ') for key in heard)
    machine.failing = frozenset({'apache2'})
    machine.seen = dataclasses.replace(machine.seen, active=frozenset())
    there.run(there.on.update_status(), settled)
    assert json.loads(memory.read_text())['heard'] == {}


def test_a_run_that_ends_blocked_is_not_at_rest(
    charm: type[charmkit.ApiCharm],
    name: str,
    machine: machines.FakeMachine,
    tmp_path: pathlib.Path,
):
    """What stands in the way may go without a word in a databag."""
    said = quick_yaml.load((CHARMS / name / 'charmcraft.yaml').read_text())
    there = testing.Context(charm, said, charm_root=tmp_path)
    out = there.run(there.on.config_changed(), state({testing.PeerRelation('peers')}))
    out = there.run(there.on.update_status(), out)
    assert isinstance(out.unit_status, testing.BlockedStatus)
    assert json.loads((tmp_path / '.heard').read_text())['heard'] == {}


def test_a_service_that_will_not_start_is_named(
    ctx: testing.Context[Any],
    machine: machines.FakeMachine,
    related: set[testing.RelationBase],
):
    machine.failing = frozenset({'apache2'})
    out = ctx.run(ctx.on.config_changed(), state(related))
    assert out.unit_status == testing.BlockedStatus(
        'apache2 does not run: it is to fail; see journalctl -u apache2'
    )


def test_a_migration_that_the_database_refuses_is_no_error_of_the_hook(
    ctx: testing.Context[Any],
    charm: type[charmkit.ApiCharm],
    machine: machines.FakeMachine,
    related: set[testing.RelationBase],
):
    (first, *_) = lines(charm.spec.migrations.sync)
    machine.failing = frozenset({first, *lines(charm.spec.migrations.expand)})
    out = ctx.run(ctx.on.config_changed(), state(related))
    assert isinstance(out.unit_status, testing.BlockedStatus)
    assert out.unit_status.message.startswith(
        f'{first} has not migrated the database: it is to fail;'
    )
    assert 'start apache2' not in machine.steps
    peers = out.get_relations('peers')[0]
    assert isinstance(peers, testing.PeerRelation)
    assert 'schema' not in peers.local_app_data
    with pytest.raises(testing.ActionFailed, match='has not migrated the database'):
        ctx.run(ctx.on.action('db-expand'), out)
    machine.failing = frozenset()
    out = ctx.run(ctx.on.update_status(), out)
    assert out.unit_status == testing.ActiveStatus()
    assert 'start apache2' in machine.steps


def test_a_dead_token_cache_is_noticed_and_brought_back(
    ctx: testing.Context[Any],
    machine: machines.FakeMachine,
    related: set[testing.RelationBase],
):
    out = ctx.run(ctx.on.config_changed(), state(related))
    machine.seen = dataclasses.replace(machine.seen, active=machine.seen.active - {'memcached'})
    out = ctx.run(ctx.on.update_status(), out)
    assert machine.steps[-1] == 'start memcached'
    assert out.unit_status == testing.ActiveStatus('the token cache had stopped: started it again')
    assert ctx.run(ctx.on.update_status(), out).unit_status == testing.ActiveStatus()


def test_pause_without_a_load_balancer_stops_at_once_and_resume_starts(
    ctx: testing.Context[Any],
    machine: machines.FakeMachine,
    related: set[testing.RelationBase],
):
    serving = ctx.run(ctx.on.config_changed(), state(related))
    paused = ctx.run(ctx.on.action('pause'), serving)
    assert machine.steps[-1] == 'stop apache2'
    assert paused.unit_status == testing.MaintenanceStatus(
        'paused: run the resume action to serve again'
    )
    resumed = ctx.run(ctx.on.action('resume'), paused)
    assert machine.steps[-1] == 'start apache2'
    assert resumed.unit_status == testing.ActiveStatus()


def answered(balancer: testing.Relation, **app: Any) -> testing.Relation:
    data = {key.replace('_', '-'): json.dumps(value) for key, value in app.items()}
    return dataclasses.replace(balancer, remote_app_data={'interface-versions': '[1, 2]', **data})


def test_pause_drains_before_it_stops(
    ctx: testing.Context[Any],
    machine: machines.FakeMachine,
    related: set[testing.RelationBase],
    name: str,
):
    balancer = answered(testing.Relation('internal-backend', remote_app_name='lb'))
    serving = ctx.run(ctx.on.config_changed(), state({*related, balancer}))
    out = ctx.run(ctx.on.action('pause', params={'reason': 'new kernel'}), serving)
    lifecycle = json.loads(out.get_relation(balancer.id).local_unit_data['lifecycle'])
    assert (lifecycle['state'], lifecycle['reason']) == ('drain', 'new kernel')
    assert machine.service('apache2') == 'running'
    assert out.unit_status == testing.MaintenanceStatus('draining, asked: lb has not decided yet')

    unit = f'{name}/0'
    grants = {unit: {'token': lifecycle['token'], 'state': 'granted'}}
    acks = {unit: {'token': lifecycle['token'], 'state': 'drained', 'sessions': 0}}
    drained = dataclasses.replace(
        answered(balancer, grants=grants, lb_units=['lb/0']),
        local_unit_data=out.get_relation(balancer.id).local_unit_data,
        local_app_data=out.get_relation(balancer.id).local_app_data,
        remote_units_data={0: {'acks': json.dumps(acks)}},
    )
    others = {r for r in out.relations if r.id != balancer.id}
    stopped = ctx.run(
        ctx.on.relation_changed(drained),
        dataclasses.replace(out, relations={*others, drained}),
    )
    assert machine.service('apache2') == 'stopped'
    said = json.loads(stopped.get_relation(balancer.id).local_unit_data['lifecycle'])
    assert said['state'] == 'maintenance'


def test_the_load_balancers_answer_is_what_it_registers(
    ctx: testing.Context[Any],
    machine: machines.FakeMachine,
    related: set[testing.RelationBase],
    name: str,
):
    frontend = {'ip': ['198.51.100.9'], 'port': 443, 'url': 'https://api.example.com:443'}
    balancer = answered(
        testing.Relation('public-backend', remote_app_name='lb'),
        frontends={name: {'public': frontend}},
    )
    out = ctx.run(ctx.on.relation_changed(balancer), state({*related, balancer}))
    asked = out.get_relations('identity-service')[0].local_unit_data
    assert asked['public_url'] == 'https://api.example.com:443'
    assert asked['internal_url'].startswith('http://10.0.0.2:')


def test_no_file_is_readable_by_all_and_holds_a_secret(
    ctx: testing.Context[Any],
    machine: machines.FakeMachine,
    related: set[testing.RelationBase],
    name: str,
):
    ctx.run(ctx.on.config_changed(), state(related))
    secrets = ('db-pw', 'account-pw', f'unit-secret-of-{name}/0')
    holding = [f for f in machine.desired.files if any(s in f.content for s in secrets)]
    assert holding
    assert all(f.mode == 0o640 and f.owner == 'root' for f in holding)
    assert not any(s in repr(machine.desired) for s in secrets)


@pytest.mark.parametrize('base', shared.BASES)
def test_it_serves_on_every_base(
    ctx: testing.Context[Any],
    machine: machines.FakeMachine,
    related: set[testing.RelationBase],
    base: str,
):
    machine.base = base
    assert ctx.run(ctx.on.config_changed(), state(related)).unit_status == testing.ActiveStatus()


def test_the_drain_file_is_left_by_nobody(
    ctx: testing.Context[Any],
    machine: machines.FakeMachine,
    related: set[testing.RelationBase],
):
    out = ctx.run(ctx.on.config_changed(), state(related, config={'vip': '203.0.113.99'}))
    paused = ctx.run(ctx.on.action('pause'), out)
    assert apache.DRAIN_FILE in machine.seen.paths
    ctx.run(ctx.on.action('resume'), paused)
    assert apache.DRAIN_FILE not in machine.seen.paths


def test_a_new_releases_unit_migrates_by_itself_while_the_leader_is_old(
    ctx: testing.Context[Any],
    machine: machines.FakeMachine,
    related: set[testing.RelationBase],
    charm: type[charmkit.ApiCharm],
):
    led = ctx.run(ctx.on.config_changed(), state(related))
    machine.base, machine.version = 'debian@13', '2.0-1'
    machine.seen = host.Observed()
    follower = dataclasses.replace(led, leader=False, stored_states=set())
    waiting = ctx.run(ctx.on.update_status(), follower)
    assert waiting.unit_status.name == 'waiting'
    assert machine.service('apache2') == 'stopped'
    machine.steps.clear()
    out = ctx.run(ctx.on.action('db-expand'), waiting)
    migrations = charm.spec.migrations
    ran = [step for step in machine.steps if step.startswith('run ')]
    assert ran == [f'run {line}' for line in lines(migrations.expand or migrations.sync)]
    assert ctx.action_results == {'schema-release': '31', 'schema-version': '2.0-1'}
    assert out.unit_status == testing.ActiveStatus()
    assert machine.service('apache2') == 'running'


def test_a_unit_that_clients_are_sent_to_is_not_upgraded(
    ctx: testing.Context[Any],
    machine: machines.FakeMachine,
    related: set[testing.RelationBase],
):
    balancer = answered(testing.Relation('internal-backend', remote_app_name='lb'))
    serving = ctx.run(ctx.on.config_changed(), state({*related, balancer}))
    with pytest.raises(testing.ActionFailed, match='run the pause action first'):
        ctx.run(ctx.on.action('openstack-upgrade'), serving)
    assert not any(step.startswith('upgrade ') for step in machine.steps)
    ctx.run(ctx.on.action('openstack-upgrade', params={'force': True}), serving)
    assert any(step.startswith('upgrade ') for step in machine.steps)


def test_an_upgraded_unit_migrates_and_starts_anew(
    ctx: testing.Context[Any],
    machine: machines.FakeMachine,
    related: set[testing.RelationBase],
    charm: type[charmkit.ApiCharm],
):
    serving = ctx.run(ctx.on.config_changed(), state(related))
    machine.version = '1.1-1'
    machine.steps.clear()
    out = ctx.run(ctx.on.action('openstack-upgrade'), serving)
    migrations = charm.spec.migrations
    wanted = [f'run {line}' for line in lines(migrations.expand or migrations.sync)]
    upgrade = f'upgrade {" ".join(charm.spec.packages)}'
    assert machine.steps == [upgrade, *wanted, f'recycle wsgi:{charm.spec.apps[0].name}']
    assert ctx.action_results == {'upgraded': ' '.join(sorted(charm.spec.packages))}
    assert out.workload_version == '1.1'


def test_a_unit_that_is_removed_lets_its_clients_notice(
    ctx: testing.Context[Any],
    machine: machines.FakeMachine,
    related: set[testing.RelationBase],
):
    serving = ctx.run(ctx.on.config_changed(), state(related))
    machine.steps.clear()
    ctx.run(ctx.on.stop(), dataclasses.replace(serving, relations=set()))
    assert machine.steps == [f'write {apache.DRAIN_FILE}', 'stop apache2']


def test_a_relation_that_breaks_is_missed_at_once(
    ctx: testing.Context[Any],
    machine: machines.FakeMachine,
    related: set[testing.RelationBase],
):
    serving = ctx.run(ctx.on.config_changed(), state(related))
    broken = serving.get_relations('identity-service')[0]
    out = ctx.run(ctx.on.relation_broken(broken), serving)
    assert out.unit_status == testing.BlockedStatus('missing relation: identity-service')
    assert machine.service('apache2') == 'stopped'
    assert next(s.linger_s for s in machine.desired.services if s.name == 'apache2') > 0


def test_a_base_that_is_not_known_is_one_clear_error(
    ctx: testing.Context[Any],
    machine: machines.FakeMachine,
    related: set[testing.RelationBase],
):
    machine.base = 'debian@11'
    ctx.run(ctx.on.install(), state(related))
    out = ctx.run(ctx.on.config_changed(), state(related))
    assert out.unit_status.name == 'blocked'
    assert 'debian@11 is not a base of these charms' in out.unit_status.message
    assert machine.steps == []
