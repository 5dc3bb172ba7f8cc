"""The charm in Juju: one scenario for each situation that an operator can see."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any, cast

import amqp_tls
import amqp_users
import charmkit
import node
import pytest
from charmkit import host
from charmkit import testing as machines
from ops import testing
from syrupy.assertion import SnapshotAssertion

from charms import conftest as shared

from . import cluster

charm = shared.load('rabbitmq-server')
SEED, COOKIE = 's' * 64, 'c' * 64
NODES = tuple(f'rabbit@rabbitmq-server-{n}' for n in range(4))
ME, SECOND, THIRD, _ = NODES
Ctx = testing.Context[Any]
HERE = {
    testing.Network(
        binding,
        [testing.BindAddress([testing.Address(address)])],
        ingress_addresses=[address],
    )
    for binding, address in (('amqp', '10.1.0.5'), ('peers', '10.2.0.5'))
}


@pytest.fixture
def rabbits() -> cluster.Cluster:
    return cluster.Cluster()


class Machine(machines.FakeMachine):
    """One whose files outlive the hook that wrote them."""

    contents: dict[str, str]

    def carry_out(self, step: host.Step, desired: host.Host) -> str:
        self.contents |= {
            f.path: f.content for f in desired.files if str(step) == f'write {f.path}'
        }
        return super().carry_out(step, desired)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, rabbits: cluster.Cluster) -> machines.FakeMachine:
    fake = Machine(shell=rabbits.of(ME))
    fake.contents = {}
    rabbits.pem = lambda _: fake.contents[amqp_tls.PEM]
    monkeypatch.setattr(charmkit.Charm, 'machine', fake)
    return fake


@pytest.fixture
def ctx(machine: machines.FakeMachine) -> Ctx:
    return unit(0)


def unit(number: int) -> Ctx:
    return testing.Context(charm.RabbitmqServerCharm, app_name='rabbitmq-server', unit_id=number)


def asks(app: str = 'nova', *, taking: bool = True, **data: str) -> testing.Relation:
    bag = {'username': app, 'vhost': 'openstack'} | data
    if taking:
        bag['takes-username'] = 'true'
    return testing.Relation('amqp', remote_app_name=app, remote_units_data={0: bag})


def served(
    *relations: testing.RelationBase,
    leader: bool = True,
    founder: str = 'rabbitmq-server/0',
    me: str = '',
    turn: str = 'rabbitmq-server/1',
    peers: dict[int, str] | None = None,
    app_data: dict[str, str] | None = None,
) -> testing.State:
    """*me* and *peers* say which members they see; a peer with '' is none."""
    keys = testing.Secret({'seed': SEED, 'cookie': COOKIE}, label='keys', owner='app')
    bags = {
        n: {'ingress-address': f'10.2.0.{n + 5}', **({'members': said} if said else {})}
        for n, said in (peers or {}).items()
    }
    peer = testing.PeerRelation(
        'peers',
        local_app_data={'founder': founder, 'keys': keys.id, 'next': turn} | (app_data or {}),
        local_unit_data={'members': me} if me else {},
        peers_data=cast('Any', bags),
    )
    return testing.State(
        leader=leader, relations={peer, *relations}, secrets={keys}, networks=HERE
    )


def members(*nodes: str) -> str:
    return json.dumps(sorted(nodes))


def said(state: testing.State, app: str = 'nova') -> dict[str, str]:
    related = cast('list[testing.Relation]', state.get_relations('amqp'))
    found = next(r for r in related if r.remote_app_name == app).local_unit_data
    return {k: v for k, v in found.items() if not re.search('subnets|ingress', k)}


def mine(state: testing.State) -> dict[str, str]:
    return dict(state.get_relations('peers')[0].local_unit_data)


def hook(ctx: Ctx, state: testing.State) -> testing.State:
    return ctx.run(ctx.on.update_status(), state)


def test_the_leader_makes_the_keys_before_anything_starts(ctx: Ctx, machine: machines.FakeMachine):
    peer = testing.PeerRelation('peers')
    state = testing.State(leader=True, relations={peer}, networks=HERE)
    out = ctx.run(ctx.on.config_changed(), state)
    (secret,) = out.secrets
    assert {k: len(v) for k, v in (secret.latest_content or {}).items()} == {
        'seed': 64,
        'cookie': 64,
    }
    assert out.get_relation(peer.id).local_app_data['founder'] == 'rabbitmq-server/0'
    assert out.unit_status == testing.WaitingStatus('waiting for the secret of the cluster')
    assert machine.service('rabbitmq-server') == 'stopped'


def test_an_application_is_answered_at_the_address_of_the_binding(
    ctx: Ctx, rabbits: cluster.Cluster, machine: machines.FakeMachine
):
    out = hook(ctx, served(asks()))
    password = amqp_users.Keys(SEED).accounts('nova')['nova']
    assert said(out) == {
        'hostname': '10.1.0.5',
        'private-address': '10.1.0.5',
        'password': password,
        'username': 'nova',
        'turn': '0',
    }
    assert rabbits.lets_in(ME, 'nova', password)
    assert rabbits.users(ME) == {
        'nova'
    }  # The package's own, with the password that everybody knows, is gone.
    assert out.unit_status == testing.ActiveStatus()
    assert mine(out)['members'] == members(ME)
    assert out.opened_ports == {testing.TCPPort(5672)}
    # Nothing secret where anybody on the machine can read it.
    words = ' '.join(w for argv in machine.programs for w in argv)
    assert password not in words
    assert COOKIE not in words


def test_what_an_existing_charm_asks_for_is_answered_as_it_knows_it(ctx: Ctx):
    relation = asks('cinder', taking=False)
    out = hook(ctx, served(relation))
    assert said(out, 'cinder').keys() == {'hostname', 'private-address', 'password'}


def test_several_accounts_on_one_relation(ctx: Ctx):
    bag = {'a_username': 'a', 'a_vhost': 'x', 'b_username': 'b', 'b_vhost': 'y'}
    relation = testing.Relation('amqp', remote_app_name='nova', remote_units_data={0: bag})
    out = said(hook(ctx, served(relation)))
    assert {'a_password', 'b_password'} < out.keys()
    assert out['a_password'] != out['b_password']


def test_nonsense_is_refused_by_name_and_hurts_nobody(ctx: Ctx):
    out = hook(ctx, served(asks(), asks('evil', username='guest')))
    assert said(out)['hostname'] == '10.1.0.5'
    assert 'password' not in said(out, 'evil')
    assert out.unit_status == testing.BlockedStatus(
        "refused evil/0: user name 'guest' is not allowed"
    )


@pytest.mark.parametrize('change', [{'vhost': ''}, {'vhost': 'a b'}, {'username': '$(x)'}])
def test_a_request_that_goes_bad_loses_nothing(
    ctx: Ctx, rabbits: cluster.Cluster, change: dict[str, str]
):
    settled = hook(ctx, served(asks()))
    before = json.dumps(rabbits.nodes[ME].definitions)
    relation = cast('testing.Relation', settled.get_relations('amqp')[0])
    bad = dataclasses.replace(
        relation, remote_units_data={0: {**relation.remote_units_data[0], **change}}
    )
    out = hook(ctx, dataclasses.replace(settled, relations={bad, *settled.get_relations('peers')}))
    assert said(out) == said(settled)
    assert json.dumps(rabbits.nodes[ME].definitions) == before
    assert out.unit_status.message.endswith('; what it asked for before stays in force')


def test_who_leaves_loses_the_account_and_an_operators_stays(ctx: Ctx, rabbits: cluster.Cluster):
    settled = hook(ctx, served(asks()))
    rabbits.nodes[ME].definitions['users'].append(
        {'name': 'operator', 'password_hash': 'y', 'tags': ['administrator']}
    )
    peers = settled.get_relations('peers')[0]
    hook(ctx, dataclasses.replace(settled, relations={peers}))
    assert rabbits.users(ME) == {'operator'}


def test_a_password_that_was_changed_outside_is_changed_back(ctx: Ctx, rabbits: cluster.Cluster):
    settled = hook(ctx, served(asks()))
    rabbits.nodes[ME].definitions['users'][0]['password_hash'] = 'AAAA'
    out = hook(ctx, settled)
    assert rabbits.lets_in(ME, 'nova', said(out)['password'])


def test_an_option_out_of_range_is_named_and_the_last_good_value_stays(
    ctx: Ctx, machine: machines.FakeMachine
):
    good = dataclasses.replace(served(asks()), config={'memory-watermark': 50})
    good = ctx.run(ctx.on.config_changed(), good)
    assert 'vm_memory_high_watermark.absolute = 2147483648\n' in machine.file(node.CONFIG)
    bad = dataclasses.replace(good, config={'memory-watermark': 99, 'disk-free-limit': 512})
    machine.steps.clear()
    out = ctx.run(ctx.on.config_changed(), bad)
    assert out.unit_status == testing.BlockedStatus(
        'option memory-watermark: 99 will not do, 50 stays in force; '
        'wanted: 0 or a whole number from 10 to 80 (per cent)'
    )
    assert 'vm_memory_high_watermark.absolute = 2147483648\n' in machine.file(node.CONFIG)
    assert 'disk_free_limit.absolute = 536870912\n' in machine.file(node.CONFIG)
    # What takes effect while it runs restarts nothing: all members would restart at once.
    assert machine.steps == [f'write {node.CONFIG}']
    evaluated = [argv[-1] for argv in machine.programs if 'eval' in argv]
    assert 'set_disk_free_limit(536870912)' in evaluated[-1]


@pytest.mark.parametrize('base', ['debian@12', 'debian@13'])
def test_files(ctx: Ctx, machine: machines.FakeMachine, base: str, snapshot: SnapshotAssertion):
    machine.base = base
    hook(ctx, served(me=members(*NODES[:3]), peers={1: members(ME), 2: ''}))
    wanted = {f.path: f'{f.owner} {f.mode:04o}\n{f.content}' for f in machine.desired.files}
    assert wanted == snapshot


def test_the_cookie_is_for_the_server_alone(ctx: Ctx, machine: machines.FakeMachine):
    hook(ctx, served())
    (cookie,) = (f for f in machine.desired.files if f.path == node.COOKIE)
    assert (cookie.owner, cookie.mode, cookie.content) == ('rabbitmq', 0o400, COOKIE)
    assert COOKIE not in repr(machine.desired)


def test_alarms_and_splits_are_told(ctx: Ctx, rabbits: cluster.Cluster):
    rabbits.add(ME, SECOND, THIRD)
    rabbits.alarms = [{'node': SECOND, 'resource': 'memory', 'type': 'resource_limit'}]
    rabbits.partitions = {ME: [THIRD]}
    out = hook(ctx, served(me=members(ME), peers={1: members(ME), 2: members(ME)}))
    assert out.unit_status == testing.BlockedStatus(
        f'{SECOND} is short of memory: publishers have to wait; the cluster is split: {ME} has lost {THIRD}'
    )


def test_a_member_that_does_not_run_is_told(ctx: Ctx, rabbits: cluster.Cluster):
    rabbits.add(ME, SECOND, THIRD)
    state = served(me=members(ME), peers={1: members(ME), 2: members(ME)})
    rabbits.nodes[THIRD].running = False
    assert hook(ctx, state).unit_status == testing.ActiveStatus(f'{THIRD} does not run')
    rabbits.nodes[SECOND].running = False
    assert hook(ctx, state).unit_status == testing.BlockedStatus(
        f'no majority: {SECOND} {THIRD} do not run'
    )


def test_a_server_that_does_not_answer_is_told_and_what_was_answered_stays(
    ctx: Ctx, rabbits: cluster.Cluster
):
    settled = hook(ctx, served(asks()))
    rabbits.nodes[ME].running = False
    out = hook(ctx, settled)
    assert out.unit_status.name == 'blocked'
    assert 'does not answer' in out.unit_status.message
    assert said(out) == said(settled)


def test_what_rabbitmq_refuses_is_told_in_its_words(ctx: Ctx, rabbits: cluster.Cluster):
    rabbits.refusing = 'export_definitions'
    out = hook(ctx, served(asks()))
    assert out.unit_status == testing.BlockedStatus(
        'RabbitMQ refused: no export_definitions today advice'
    )
    assert 'password' not in said(out)


def test_feature_flags_are_enabled_once_all_members_run(ctx: Ctx, rabbits: cluster.Cluster):
    rabbits.add(ME, SECOND)
    rabbits.disabled = ['stream_filtering']
    state = served(me=members(ME), peers={1: members(ME)})
    rabbits.nodes[SECOND].running = False
    hook(ctx, state)
    assert rabbits.disabled
    rabbits.nodes[SECOND].running = True
    hook(ctx, state)
    assert not rabbits.disabled


def test_every_event_leads_to_the_same_state(ctx: Ctx, machine: machines.FakeMachine):
    relation = asks()
    seen: set[Any] = set()
    for event in (
        ctx.on.start(), ctx.on.config_changed(), ctx.on.upgrade_charm(),
        ctx.on.update_status(), ctx.on.leader_elected(), ctx.on.relation_changed(relation),
    ):  # fmt: skip
        ctx.run(event, served(relation))
        seen.add(machine.desired)
    assert len(seen) == 1


def test_a_member_whose_secret_cannot_be_read_for_a_while_goes_on(
    ctx: Ctx, machine: machines.FakeMachine, rabbits: cluster.Cluster
):
    rabbits.add(ME, SECOND)
    well = served(asks(), me=members(ME, SECOND), peers={1: members(ME, SECOND)})
    out = hook(ctx, well)
    assert machine.service('rabbitmq-server') == 'running'
    before = said(out)
    out = hook(ctx, dataclasses.replace(out, secrets=set()))
    assert 'stop rabbitmq-server' not in machine.steps
    assert out.unit_status == testing.WaitingStatus('waiting for the secret of the cluster')
    assert said(out) == before


def test_a_unit_that_never_was_a_member_does_not_start_without_the_secret(
    ctx: Ctx, machine: machines.FakeMachine
):
    hook(ctx, dataclasses.replace(served(), secrets=set()))
    assert machine.service('rabbitmq-server') == 'stopped'
