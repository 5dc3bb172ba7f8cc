"""The charm in Juju: one scenario for each situation that an operator can see."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import pathlib
import re
import sys
from typing import Any

import charmkit
import grants
import mariadb
import pytest
from charmkit import options
from charmkit import testing as machines
from ops import testing
from syrupy.assertion import SnapshotAssertion

from . import sql

ROOT = pathlib.Path(__file__).parents[2]
SEED = 's' * 64
HERE = {
    testing.Network(
        'shared-db',
        [testing.BindAddress([testing.Address('10.1.0.5')])],
        ingress_addresses=['10.1.0.5'],
    )
}

spec = importlib.util.spec_from_file_location('mysql_charm', ROOT / 'src' / 'charm.py')
assert spec and spec.loader
charm: Any = importlib.util.module_from_spec(spec)
sys.modules['mysql_charm'] = charm
spec.loader.exec_module(charm)


@pytest.fixture
def database() -> sql.Server:
    return sql.Server()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, database: sql.Server) -> machines.FakeMachine:
    fake = machines.FakeMachine(shell=database)
    monkeypatch.setattr(charmkit.Charm, 'machine', fake)
    return fake


@pytest.fixture
def ctx(machine: machines.FakeMachine) -> testing.Context[Any]:
    return testing.Context(charm.MysqlCharm, app_name='mysql')


def nova(**data: str) -> testing.Relation:
    asked = {
        'nova_database': 'nova', 'nova_username': 'nova', 'nova_hostname': '10.0.0.7',
        'novaapi_database': 'nova_api', 'novaapi_username': 'nova', 'novaapi_hostname': '10.0.0.7',
    }  # fmt: skip
    return testing.Relation(
        'shared-db', remote_app_name='nova', remote_units_data={0: asked | data}
    )


def served(
    *relations: testing.RelationBase, leader: bool = True, peers: Any = None
) -> testing.State:
    seed = testing.Secret({'seed': SEED}, label='seed', owner='app')
    data = {'server': 'mysql/0', 'seed': seed.id}
    peer = testing.PeerRelation('peers', local_app_data=data, peers_data=peers or {})
    return testing.State(
        leader=leader, relations={peer, *relations}, secrets={seed}, networks=HERE
    )


def test_the_leader_makes_the_seed_before_it_uses_it(ctx: testing.Context[Any]):
    peer = testing.PeerRelation('peers')
    out = ctx.run(ctx.on.config_changed(), testing.State(leader=True, relations={peer}))
    (secret,) = out.secrets
    data = out.get_relation(peer.id).local_app_data
    assert data['server'] == 'mysql/0'
    assert re.split('[:/]', data['seed'])[-1] == re.split('[:/]', secret.id)[-1]
    assert len(secret.latest_content['seed'] if secret.latest_content else '') == 64
    assert out.unit_status == testing.WaitingStatus('waiting for the secret of the passwords')


def test_answers_every_database_at_the_address_of_the_binding(
    ctx: testing.Context[Any], database: sql.Server
):
    relation = nova()
    out = ctx.run(ctx.on.relation_changed(relation, remote_unit=0), served(relation))
    password = grants.Keys(SEED).password('nova')
    said = out.get_relation(relation.id).local_unit_data
    assert {k: said[k] for k in said if not re.search('address|subnets|generation', k)} == {
        'db_host': '10.1.0.5',
        'nova_password': password,
        'nova_allowed_units': 'nova/0',
        'novaapi_password': password,
        'novaapi_allowed_units': 'nova/0',
    }
    assert database.databases.keys() == {'nova', 'nova_api'}
    assert out.unit_status == testing.ActiveStatus()
    assert out.opened_ports == {testing.TCPPort(3306)}


def test_an_answer_is_taken_back_when_nobody_asks(ctx: testing.Context[Any]):
    relation = testing.Relation(
        'shared-db',
        remote_units_data={},
        local_unit_data={'db_host': '10.1.0.5', 'password': 'x', 'allowed_units': 'nova/0'},
    )
    out = ctx.run(ctx.on.update_status(), served(relation))
    assert 'password' not in out.get_relation(relation.id).local_unit_data


def test_nonsense_is_refused_by_name_and_hurts_nobody(ctx: testing.Context[Any]):
    bad = testing.Relation(
        'shared-db',
        remote_app_name='evil',
        remote_units_data={0: {'database': 'x`; DROP', 'username': 'u', 'hostname': '10.0.0.9'}},
    )
    good = nova()
    out = ctx.run(ctx.on.relation_changed(bad, remote_unit=0), served(good, bad))
    assert out.get_relation(good.id).local_unit_data['db_host'] == '10.1.0.5'
    assert 'db_host' not in out.get_relation(bad.id).local_unit_data
    message = "refused evil/0: database name 'x`; DROP' is not allowed"
    assert out.unit_status == testing.BlockedStatus(message)


def test_a_second_unit_says_what_to_do_and_runs_nothing(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    second = testing.Context(charm.MysqlCharm, app_name='mysql', unit_id=1)
    state = served(nova(), leader=False, peers={0: {}})
    out = second.run(second.on.config_changed(), state)
    assert out.unit_status == testing.WaitingStatus(
        'the databases are on mysql/0; a cluster takes 3 units: add one (juju add-unit mysql), '
        'or remove this one (juju remove-unit mysql/1)'
    )
    assert machine.steps == ['install mariadb-server']  # To know of which series it is.


def test_a_leader_that_is_not_the_server_does_not_take_its_place_unasked(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    second = testing.Context(charm.MysqlCharm, app_name='mysql', unit_id=1)
    configured = second.run(second.on.config_changed(), served(nova()))
    out = second.run(second.on.leader_elected(), configured)
    assert out.unit_status.message.startswith('mysql/0 holds the databases and is not here')
    assert machine.steps == ['install mariadb-server']
    out = second.run(second.on.action('take-over'), served(nova()))
    assert out.get_relations('peers')[0].local_app_data['server'] == 'mysql/1'
    assert machine.service('mariadb') == 'running'


def test_what_is_on_this_unit_already_is_not_taken_over(ctx: testing.Context[Any]):
    with pytest.raises(testing.ActionFailed, match='on this unit already: there is nothing'):
        ctx.run(ctx.on.action('take-over'), served(nova()))


def test_the_first_unit_serves_on_beside_a_second(ctx: testing.Context[Any]):
    out = ctx.run(ctx.on.update_status(), served(nova(), peers={1: {}}))
    assert out.unit_status == testing.ActiveStatus('mysql/1 has no part: a cluster takes 3 units')
    assert out.get_relations('shared-db')[0].local_unit_data['db_host'] == '10.1.0.5'


def test_an_option_out_of_range_is_named_and_the_last_good_value_stays(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    good = dataclasses.replace(served(nova()), config={'max-connections': 500})
    good = ctx.run(ctx.on.config_changed(), good)
    assert 'max_connections = 500\n' in machine.file(mariadb.CONFIG)
    bad = dataclasses.replace(good, config={'max-connections': 99, 'buffer-pool-mib': 64})
    out = ctx.run(ctx.on.config_changed(), bad)
    assert out.unit_status == testing.BlockedStatus(
        'option max-connections: 99 will not do, 500 stays in force; wanted: 0 or a whole number from 100 to 100000'
    )
    # All else goes on, other options among it.
    assert 'max_connections = 500\n' in machine.file(mariadb.CONFIG)
    assert 'innodb_buffer_pool_size = 64M\n' in machine.file(mariadb.CONFIG)
    assert out.get_relations('shared-db')[0].local_unit_data['db_host'] == '10.1.0.5'


@pytest.mark.parametrize('kept', [10, 99])
def test_connections_that_an_older_version_took_stay_in_force_and_are_named(
    ctx: testing.Context[Any], machine: machines.FakeMachine, kept: int
):
    first = ctx.run(ctx.on.config_changed(), served(nova()))
    (stored,) = (s for s in first.stored_states if 'memory' in s.content)
    memory = json.loads(str(stored.content['memory']))
    memory[options.MEMORY]['max-connections'] = kept
    before = dataclasses.replace(stored, content={**stored.content, 'memory': json.dumps(memory)})
    old = dataclasses.replace(
        first,
        config={'max-connections': kept},
        stored_states={before, *(first.stored_states - {stored})},
    )
    out = ctx.run(ctx.on.upgrade_charm(), old)
    for now in (out, ctx.run(ctx.on.update_status(), out)):
        assert now.unit_status == testing.BlockedStatus(
            f'option max-connections: {kept} stays in force, but set anew it would be refused; '
            'wanted: 0 or a whole number from 100 to 100000'
        )
        assert f'max_connections = {kept}\n' in machine.file(mariadb.CONFIG)
        assert now.get_relations('shared-db')[0].local_unit_data['db_host'] == '10.1.0.5'
    worse = dataclasses.replace(out, config={'max-connections': 11})
    ctx.run(ctx.on.config_changed(), worse)
    assert f'max_connections = {kept}\n' in machine.file(mariadb.CONFIG)


def test_a_cache_larger_than_the_machine_is_refused(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    config = {'buffer-pool-mib': machine.memory_mib + 1}
    out = ctx.run(ctx.on.config_changed(), dataclasses.replace(served(nova()), config=config))
    assert out.unit_status == testing.BlockedStatus(
        'option buffer-pool-mib: 4097 will not do, 0 is in force, the default; '
        'wanted: 0 or a whole number from 32 to 4096 (MiB)'
    )
    assert 'innodb_buffer_pool_size = 1024M\n' in machine.file(mariadb.CONFIG)


def test_a_configuration_that_mariadb_does_not_take_is_not_put_in_place(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    good = ctx.run(ctx.on.config_changed(), served(nova()))
    machine.refusing = lambda file: "unknown variable 'x'" if file.path == mariadb.CONFIG else ''
    out = ctx.run(
        ctx.on.config_changed(), dataclasses.replace(good, config={'max-connections': 500})
    )
    assert out.unit_status.name == 'blocked'
    assert "90-charm.cnf was refused, the one before is in force: unknown variable 'x'" in (
        out.unit_status.message
    )
    assert 'restart mariadb' not in machine.steps


@pytest.mark.parametrize('file', ['../../etc/shadow', '/var/backups/../x', 'a\0b', 'a\nb'])
def test_a_restore_from_outside_by_a_way_around_is_refused(
    ctx: testing.Context[Any], file: str, machine: machines.FakeMachine
):
    with pytest.raises(testing.ActionFailed, match='give the name of a backup'):
        ctx.run(ctx.on.action('restore', params={'file': file}), served())
    assert machine.programs == []


def test_a_restore_outside_of_a_backup_fails_in_one_sentence(ctx: testing.Context[Any]):
    with pytest.raises(testing.ActionFailed, match='is not there: list-backups shows what is'):
        ctx.run(ctx.on.action('restore', params={'file': 'nothing.sql.gz'}), served())


@pytest.mark.parametrize('base', ['debian@12', 'debian@13'])
def test_configuration_file(
    ctx: testing.Context[Any],
    machine: machines.FakeMachine,
    base: str,
    snapshot: SnapshotAssertion,
):
    machine.base = base
    ctx.run(ctx.on.config_changed(), served())
    assert machine.file(mariadb.CONFIG) == snapshot


def test_every_event_leads_to_the_same_state(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    relation = nova()
    seen: set[Any] = set()
    for event in (
        ctx.on.start(), ctx.on.config_changed(), ctx.on.upgrade_charm(),
        ctx.on.update_status(), ctx.on.leader_elected(), ctx.on.relation_changed(relation),
    ):  # fmt: skip
        ctx.run(event, served(relation))
        seen.add(machine.desired)
    assert len(seen) == 1
