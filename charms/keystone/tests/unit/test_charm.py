"""The charm in Juju: one scenario for each situation that an operator can see."""

from __future__ import annotations

import dataclasses
import importlib.util
import pathlib
import sys
from typing import Any

import catalogue
import charmkit
import identity
import keys
import pytest
import rest
from charmkit import testing as machines
from ops import testing
from syrupy.assertion import SnapshotAssertion

ROOT = pathlib.Path(__file__).parents[2]
SEED = 's' * 64
CONF = '/etc/keystone/keystone.conf'
BASES = ['debian@12', 'debian@13']

_spec = importlib.util.spec_from_file_location('keystone_charm', ROOT / 'src' / 'charm.py')
assert _spec and _spec.loader
charm: Any = importlib.util.module_from_spec(_spec)
sys.modules['keystone_charm'] = charm
_spec.loader.exec_module(charm)


class FakeCatalogue:
    """Stands for keystone: what it was last brought to, and by which units it was reached."""

    def __init__(self) -> None:
        self.want: catalogue.Desired | None = None
        self.urls: list[str] = []

    def converge(
        self, urls: Any, password: str, want: catalogue.Desired, memory: pathlib.Path
    ) -> tuple[catalogue.Observed, list[catalogue.Step]]:
        self.want, self.urls = want, list(urls)
        seen = catalogue.Observed(
            admin=catalogue.Admin(user='admin-id', project='admin-project', domain='default'),
            domains=({'id': 'domain-id', 'name': catalogue.DOMAIN},),
            projects=({'id': 'project-id', 'name': catalogue.PROJECT},),
            users=tuple({'id': f'{a.name}-id', 'name': a.name} for a in want.accounts),
        )
        return seen, []


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> machines.FakeMachine:
    fake = machines.FakeMachine()
    monkeypatch.setattr(charmkit.Charm, 'machine', fake)
    return fake


@pytest.fixture
def catalog(monkeypatch: pytest.MonkeyPatch) -> FakeCatalogue:
    fake = FakeCatalogue()
    monkeypatch.setattr(rest, 'converge', fake.converge)
    return fake


def context(unit: int = 0) -> testing.Context[Any]:
    return testing.Context(charm.KeystoneCharm, app_name='keystone', unit_id=unit)


@pytest.fixture
def ctx(machine: machines.FakeMachine, catalog: FakeCatalogue) -> testing.Context[Any]:
    return context()


DB = testing.Relation(
    'shared-db',
    remote_app_name='mysql',
    remote_units_data={
        0: {'db_host': '10.1.0.5', 'password': 'pw', 'allowed_units': 'keystone/0 keystone/1'}
    },
)


def glance(**data: str) -> testing.Relation:
    asked = {
        'service': 'glance', 'region': 'RegionOne', 'public_url': 'http://10.2.0.7:9292',
        'internal_url': 'http://10.1.0.7:9292', 'admin_url': 'http://10.3.0.7:9292',
    }  # fmt: skip
    return testing.Relation(
        'identity-service', remote_app_name='glance', remote_units_data={0: asked | data}
    )


def ring(random: str = 'r') -> keys.Ring:
    return keys.make(random * 64)


def network(name: str, address: str) -> testing.Network:
    return testing.Network(
        name, [testing.BindAddress([testing.Address(address)])], ingress_addresses=[address]
    )


NETWORKS = {
    network('public', '10.2.0.4'),
    network('internal', '10.1.0.4'),
    network('admin', '10.3.0.4'),
}


def state(
    *relations: testing.RelationBase,
    leader: bool = True,
    peers: dict[int, dict[str, str]] | None = None,
    said: dict[str, str] | None = None,
    mine: dict[str, str] | None = None,
    **more: Any,
) -> testing.State:
    """A model in which the leader has shared everything, and the database is migrated."""
    kept = {
        'seed': testing.Secret({'seed': SEED}, label='seed', owner='app'),
        **{
            k.label: testing.Secret({'ring': keys.dump(ring())}, label=k.label, owner='app')
            for k in keys.KINDS
        },
    }
    peer = testing.PeerRelation(
        'peers',
        local_app_data={label: s.id for label, s in kept.items()} | (said or {}),
        local_unit_data=mine or {k.name: ring().digest for k in keys.KINDS},
        peers_data={n: dict(data) for n, data in (peers or {}).items()},
    )
    return testing.State(
        leader=leader,
        relations={peer, *relations},
        secrets=set(kept.values()),
        networks=NETWORKS,
        **more,
    )


def test_alone_it_says_what_it_misses(ctx: testing.Context[Any], machine: machines.FakeMachine):
    peer = testing.PeerRelation('peers')
    out = ctx.run(ctx.on.config_changed(), testing.State(leader=True, relations={peer}))
    assert out.unit_status == testing.BlockedStatus('missing relation: shared-db')
    assert machine.steps[0] == 'mask keystone'


def test_the_leader_shares_a_seed_and_keys_and_uses_them_once_juju_keeps_them(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    peer = testing.PeerRelation('peers')
    out = ctx.run(ctx.on.config_changed(), testing.State(leader=True, relations={peer, DB}))
    assert {s.label for s in out.secrets} == {'seed', 'fernet-keys', 'credential-keys'}
    rotations = {s.label: s.rotate and s.rotate.value for s in out.secrets}
    assert rotations == {
        'seed': 'never', 'fernet-keys': 'daily', 'credential-keys': 'monthly',
    }  # fmt: skip
    assert out.unit_status == testing.WaitingStatus(identity.UNSHARED)
    assert 'run bootstrap' not in machine.steps
    assert 'start apache2' not in machine.steps


def test_the_leader_serves_when_everything_is_there(
    ctx: testing.Context[Any], machine: machines.FakeMachine, catalog: FakeCatalogue
):
    out = ctx.run(ctx.on.relation_changed(DB, remote_unit=0), state(DB))
    assert out.unit_status == testing.ActiveStatus()
    order = [machine.steps.index(s) for s in (
        'write /etc/keystone/fernet-keys/1', 'run keystone-manage db_sync', 'run bootstrap',
        'start apache2',
    )]  # fmt: skip
    assert order == sorted(order)
    assert catalog.want
    assert dict(next(iter(catalog.want.services)).urls) == {
        'public': 'http://10.2.0.4:5000/v3',
        'internal': 'http://10.1.0.4:5000/v3',
        'admin': 'http://10.3.0.4:5000/v3',
    }
    assert out.opened_ports == {testing.TCPPort(5000)}


def test_an_account_and_keystones_addresses_are_answered(
    ctx: testing.Context[Any], catalog: FakeCatalogue
):
    relation = glance(requested_roles='Creator')
    out = ctx.run(ctx.on.relation_changed(relation, remote_unit=0), state(DB, relation))
    said = dict(out.get_relation(relation.id).local_unit_data)
    for own in ('egress-subnets', 'ingress-address', 'private-address'):
        said.pop(own)
    assert said == {
        'api_version': '3', 'region': 'RegionOne', 'created_roles': 'Creator',
        'auth_protocol': 'http', 'auth_host': '10.3.0.4', 'auth_port': '5000',
        'service_protocol': 'http', 'service_host': '10.2.0.4', 'service_port': '5000',
        'internal_protocol': 'http', 'internal_host': '10.1.0.4', 'internal_port': '5000',
        'service_type': 'image',
        'service_username': 'glance',
        'service_password': catalogue.password(SEED, 'glance'),
        'service_user_id': 'glance-id',
        'service_domain': 'service_domain', 'service_domain_id': 'domain-id',
        'service_tenant': 'services', 'service_tenant_id': 'project-id',
        'admin_domain_id': 'default', 'admin_project_id': 'admin-project',
        'admin_user_id': 'admin-id', 'admin_role': 'admin',
    }  # fmt: skip


def test_a_follower_says_the_same_and_asks_keystone_nothing(
    ctx: testing.Context[Any], catalog: FakeCatalogue, machine: machines.FakeMachine
):
    relation = glance()
    first = ctx.run(ctx.on.relation_changed(relation, remote_unit=0), state(DB, relation))
    said = dict(first.get_relations('peers')[0].local_app_data)
    catalog.want = None
    machine.seen, machine.steps = dataclasses.replace(machine.seen, commands={}), []
    follower = context(1)
    kept = {k: v for k, v in said.items() if k in ('accounts', 'schema')}
    out = follower.run(
        follower.on.relation_changed(relation, remote_unit=0),
        state(DB, relation, leader=False, said=kept, peers={0: {}}),
    )
    assert out.unit_status == testing.ActiveStatus()
    mine, theirs = (
        s.get_relation(relation.id).local_unit_data['service_password'] for s in (out, first)
    )
    assert mine == theirs
    assert catalog.want is None
    assert not [s for s in machine.steps if s.startswith('run')]


def test_a_new_leader_does_not_make_the_admin_again(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    first = ctx.run(ctx.on.update_status(), state(DB))
    assert 'run bootstrap' in machine.steps
    said = first.get_relations('peers')[0].local_app_data
    machine.seen, machine.steps = dataclasses.replace(machine.seen, commands={}), []
    kept = {k: said[k] for k in ('schema', 'bootstrap')}
    second = context(1)
    second.run(second.on.leader_elected(), state(DB, said=kept))
    assert not [s for s in machine.steps if s.startswith('run')]
    # In another database there is no admin yet.
    moved = dataclasses.replace(
        DB, remote_units_data={0: {**DB.remote_units_data[0], 'db_host': '10.1.0.6'}}
    )
    second.run(second.on.update_status(), state(moved, said=kept))
    assert 'run bootstrap' in machine.steps


def test_a_follower_waits_for_keys(ctx: testing.Context[Any], machine: machines.FakeMachine):
    follower = context(1)
    peer = testing.PeerRelation('peers', peers_data={0: {}})
    out = follower.run(follower.on.start(), testing.State(relations={peer, DB}, networks=NETWORKS))
    assert identity.UNSHARED in out.unit_status.message
    assert out.unit_status.name == 'waiting'
    assert machine.service('apache2') == 'stopped'


def test_a_follower_waits_for_the_migration(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    follower = context(1)
    out = follower.run(follower.on.start(), state(DB, leader=False, peers={0: {}}))
    assert out.unit_status == testing.WaitingStatus(
        'waiting for the leader to migrate the database'
    )
    assert machine.service('apache2') == 'stopped'


def test_an_answer_goes_when_the_request_goes(ctx: testing.Context[Any]):
    relation = dataclasses.replace(
        glance(), remote_units_data={}, local_unit_data={'service_password': 'x'}
    )
    out = ctx.run(ctx.on.update_status(), state(DB, relation))
    assert 'service_password' not in out.get_relation(relation.id).local_unit_data


def test_nonsense_is_refused_by_name_and_hurts_nobody(
    ctx: testing.Context[Any], catalog: FakeCatalogue
):
    good, bad = (
        glance(),
        dataclasses.replace(
            glance(service='nova', public_url='javascript:alert(1)'), remote_app_name='evil'
        ),
    )
    bad = dataclasses.replace(bad, id=good.id + 1000)
    out = ctx.run(ctx.on.relation_changed(bad, remote_unit=0), state(DB, good, bad))
    assert out.unit_status == testing.BlockedStatus(
        "refused evil: 'javascript:alert(1)' is not an address that a catalogue can hold"
    )
    assert 'service_password' in out.get_relation(good.id).local_unit_data
    assert 'auth_host' not in out.get_relation(bad.id).local_unit_data


def test_a_service_belongs_to_the_first_that_asks(ctx: testing.Context[Any]):
    first = glance()
    second = dataclasses.replace(glance(), remote_app_name='glance2', id=first.id + 1000)
    out = ctx.run(ctx.on.update_status(), state(DB, first, second))
    assert out.unit_status == testing.BlockedStatus(
        'refused glance2: glance has the service glance in RegionOne already'
    )


def test_keys_are_rotated_when_juju_says_so(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    before = state(DB, peers={1: {'fernet': ring().digest}})
    (secret,) = [s for s in before.secrets if s.label == 'fernet-keys']
    out = ctx.run(ctx.on.secret_rotate(secret), before)
    (after,) = [s for s in out.secrets if s.label == 'fernet-keys']
    rotated = keys.load((after.latest_content or {})['ring'])
    assert rotated
    assert rotated.keys[2] == ring().keys[0]
    assert machine.file('/etc/keystone/fernet-keys/2') == ring().keys[0]
    assert out.get_relations('peers')[0].local_unit_data['fernet'] == rotated.digest


def test_a_rotation_waits_for_a_unit_that_lacks_the_last_keys(ctx: testing.Context[Any]):
    before = state(DB, peers={1: {'fernet': 'older'}})
    (secret,) = [s for s in before.secrets if s.label == 'fernet-keys']
    out = ctx.run(ctx.on.secret_rotate(secret), before)
    assert out.get_relations('peers')[0].local_app_data['due'] == 'fernet-keys'
    assert 'wait for keystone/1' in out.unit_status.message
    peer = dataclasses.replace(
        out.get_relations('peers')[0], peers_data={1: {'fernet': ring().digest}}
    )
    done = ctx.run(
        ctx.on.relation_changed(peer, remote_unit=1),
        dataclasses.replace(
            out, relations={*(r for r in out.relations if r.endpoint != 'peers'), peer}
        ),
    )
    (after,) = [s for s in done.secrets if s.label == 'fernet-keys']
    assert '"2"' in (after.latest_content or {})['ring']
    assert 'due' not in done.get_relations('peers')[0].local_app_data


def test_credentials_are_encrypted_anew_after_their_keys_were_rotated(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    ctx.run(ctx.on.action('rotate-keys', params={'kind': 'credential'}), state(DB))
    assert 'run credential-migrate' in machine.steps


def test_the_admins_password_is_shown_on_any_unit(ctx: testing.Context[Any]):
    ctx.run(ctx.on.action('get-admin-password'), state(DB))
    shown = ctx.action_results
    assert shown
    follower = context(1)
    follower.run(follower.on.action('get-admin-password'), state(DB, leader=False))
    assert follower.action_results == shown


def test_a_paused_leader_asks_another_unit_for_the_catalogue(
    ctx: testing.Context[Any], catalog: FakeCatalogue
):
    running = ctx.run(
        ctx.on.update_status(), state(DB, peers={1: {'ingress-address': '10.1.0.9'}})
    )
    paused = ctx.run(ctx.on.action('pause'), running)
    assert paused.unit_status.name == 'maintenance'
    assert catalog.urls == ['http://10.1.0.9:5000']


def test_secrets_are_in_no_log(ctx: testing.Context[Any]):
    ctx.run(ctx.on.update_status(), state(DB, glance()))
    said = '\n'.join(str(line) for line in ctx.juju_log)
    assert catalogue.password(SEED, 'glance') not in said
    assert ring().keys[0] not in said


@pytest.mark.parametrize('base', BASES)
def test_configuration_file(
    ctx: testing.Context[Any],
    machine: machines.FakeMachine,
    base: str,
    snapshot: SnapshotAssertion,
):
    machine.base = base
    ctx.run(ctx.on.config_changed(), state(DB))
    assert machine.file(CONF) == snapshot
    assert machine.file('/etc/apache2/sites-enabled/keystone.conf') == snapshot


def test_every_event_leads_to_the_same_state(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    relation = glance()
    seen: set[Any] = set()
    for event in (
        ctx.on.start(), ctx.on.config_changed(), ctx.on.upgrade_charm(),
        ctx.on.update_status(), ctx.on.leader_elected(), ctx.on.relation_changed(relation),
    ):  # fmt: skip
        ctx.run(event, state(DB, relation))
        seen.add(machine.desired)
    assert len(seen) == 1
