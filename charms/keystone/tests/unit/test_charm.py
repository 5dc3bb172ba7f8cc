"""The charm in Juju: one scenario for each situation that an operator can see."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import pathlib
import sys
from typing import Any

import catalogue
import charmkit
import directories
import identity
import keys
import pytest
import registration
import renewal
import stored_credentials
from charmkit import testing as machines
from charmkit.machine import Finished, HttpRequest, HttpResponse
from charmkit.relations import keystone
from fake_keystone import FakeKeystone
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


@dataclasses.dataclass
class Machine(machines.FakeMachine):
    """A machine on which a keystone answers once Apache runs."""

    server: FakeKeystone = dataclasses.field(default_factory=FakeKeystone)

    def http(self, request: HttpRequest) -> HttpResponse:
        if request.url.endswith('/healthcheck'):
            return super().http(request)
        self.requests.append(request)
        return self.server.http(request)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.server.sleep(seconds)

    def program(self, *argv: str, **more: Any) -> Finished:
        self.programs.append(argv)
        return self.server.program(*argv, **more)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    fake = Machine()
    monkeypatch.setattr(charmkit.Charm, 'machine', fake)
    return fake


@pytest.fixture
def server(machine: Machine) -> FakeKeystone:
    return machine.server


def context(unit: int = 0) -> testing.Context[Any]:
    return testing.Context(charm.KeystoneCharm, app_name='keystone', unit_id=unit)


@pytest.fixture
def ctx(machine: Machine) -> testing.Context[Any]:
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


def password(user: str, rotations: renewal.Rotations | None = None) -> str:
    """What the account in use of *user* is to have."""
    request = keystone.Request(
        relation=1, app='', services=(keystone.CatalogService(user, '', '', ()),)
    )
    return renewal.accounts(SEED, rotations or {}, [request])[user].password


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


def test_alone_it_says_what_it_misses(ctx: testing.Context[Any], machine: Machine):
    peer = testing.PeerRelation('peers')
    out = ctx.run(ctx.on.config_changed(), testing.State(leader=True, relations={peer}))
    assert out.unit_status == testing.BlockedStatus('missing relation: shared-db')
    assert machine.steps[0] == 'mask keystone'


def test_the_leader_shares_a_seed_and_keys_and_uses_them_once_juju_keeps_them(
    ctx: testing.Context[Any], machine: Machine
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
    ctx: testing.Context[Any], machine: Machine, server: FakeKeystone
):
    out = ctx.run(ctx.on.relation_changed(DB, remote_unit=0), state(DB))
    assert out.unit_status == testing.ActiveStatus()
    order = [machine.steps.index(s) for s in (
        'write /etc/keystone/fernet-keys/1', 'run keystone-manage db_sync', 'start apache2',
    )]  # fmt: skip
    assert order == sorted(order)
    assert server.urls() == {
        ('keystone', 'RegionOne', 'public', 'http://10.2.0.4:5000/v3'),
        ('keystone', 'RegionOne', 'internal', 'http://10.1.0.4:5000/v3'),
        ('keystone', 'RegionOne', 'admin', 'http://10.3.0.4:5000/v3'),
    }
    assert server.passwords[server.user('admin')] == renewal.admin_password(SEED, {})
    assert server.passwords[server.user(catalogue.CHARM)] == renewal.charm_password(SEED, {})
    assert out.opened_ports == {testing.TCPPort(5000)}


def test_an_account_and_keystones_addresses_are_answered(
    ctx: testing.Context[Any], server: FakeKeystone
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
        'service_password': password('glance'),
        'service_user_id': server.user('glance'),
        'service_domain': 'service_domain',
        'service_domain_id': server.named('domains', 'service_domain')['id'],
        'service_tenant': 'services',
        'service_tenant_id': server.named('projects', 'services')['id'],
        'admin_domain_id': 'default', 'admin_project_id': server.project,
        'admin_user_id': server.user('admin'), 'admin_role': 'admin',
    }  # fmt: skip
    assert server.passwords[server.user('glance')] == password('glance')


def shared_by(out: testing.State) -> dict[str, str]:
    """What the leader told its peers."""
    said = dict(out.get_relations('peers')[0].local_app_data)
    return {k: v for k, v in said.items() if not v.startswith('secret:')}


def test_a_follower_says_the_same_and_asks_keystone_nothing(
    ctx: testing.Context[Any], server: FakeKeystone, machine: Machine
):
    relation = glance()
    first = ctx.run(ctx.on.relation_changed(relation, remote_unit=0), state(DB, relation))
    server.asked.clear()
    machine.seen, machine.steps = dataclasses.replace(machine.seen, commands={}), []
    follower = context(1)
    out = follower.run(
        follower.on.relation_changed(relation, remote_unit=0),
        state(DB, relation, leader=False, said=shared_by(first), peers={0: {}}),
    )
    assert out.unit_status == testing.ActiveStatus()
    mine, theirs = (
        s.get_relation(relation.id).local_unit_data['service_password'] for s in (out, first)
    )
    assert mine == theirs
    assert not server.asked
    assert not [s for s in machine.steps if s.startswith('run')]


def moved(database: testing.Relation, **said: str) -> testing.Relation:
    """A database server that says something else."""
    return dataclasses.replace(
        database, remote_units_data={0: {**database.remote_units_data[0], **said}}
    )


@pytest.mark.parametrize('changed', [{'db_host': '10.1.0.6'}, {'generation': 'restored'}])
def test_the_admin_is_made_once_in_each_database(
    ctx: testing.Context[Any], server: FakeKeystone, changed: dict[str, str]
):
    first = ctx.run(ctx.on.update_status(), state(DB))
    # The operator has no admin of that name any more: that is respected.
    del server.records['users'][server.user('admin')]
    second = context(1)
    second.run(second.on.leader_elected(), state(DB, said=shared_by(first)))
    assert not server.user('admin')
    second.run(second.on.update_status(), state(moved(DB, **changed), said=shared_by(first)))
    assert server.user('admin')


@pytest.mark.parametrize('leader', [True, False])
def test_on_data_that_another_server_has_by_now_everyone_serves_on(
    ctx: testing.Context[Any], server: FakeKeystone, machine: Machine, leader: bool
):
    """As after mysql's switch-over: a follower that waited for the leader would be out of service meanwhile."""
    before = moved(DB, generation='0123456789abcdef')
    first = ctx.run(ctx.on.update_status(), state(before))
    unit = context(0 if leader else 1)
    said, peers = shared_by(first), {0 if not leader else 1: dict[str, str]()}
    unit.run(unit.on.update_status(), state(before, said=said, leader=leader, peers=peers))
    machine.steps = []
    after = moved(before, db_host='10.1.0.6')
    out = unit.run(
        unit.on.relation_changed(after, remote_unit=0),
        state(after, said=said, leader=leader, peers=peers),
    )
    assert out.unit_status == testing.ActiveStatus()
    assert '10.1.0.6' in machine.file('/etc/keystone/keystone.conf')
    assert not [s for s in machine.steps if s.startswith(('stop', 'run keystone-manage db_sync'))]
    assert any('db_sync --expand' in s for s in machine.steps) == leader


def test_a_restored_database_is_taken_up(ctx: testing.Context[Any], server: FakeKeystone):
    """It comes from another deployment: other passwords, other addresses, an admin of its own."""
    relation = glance()
    first = ctx.run(ctx.on.update_status(), state(DB, relation))
    for user in server.passwords:
        server.set_password(user, 'of another deployment')
    for endpoint in server.records['endpoints'].values():
        endpoint['url'] = 'http://of-another-deployment'
    out = ctx.run(
        ctx.on.config_changed(),
        dataclasses.replace(
            first,
            relations={
                *(r for r in first.relations if r.id != DB.id),
                moved(DB, generation='restored'),
            },
        ),
    )
    assert out.unit_status.name == 'active'
    assert server.passwords[server.user('glance')] == password('glance')
    assert server.passwords[server.user('admin')] == 'of another deployment'
    assert not [url for *_, url in server.urls() if 'another' in url]


def test_a_follower_waits_for_keys(ctx: testing.Context[Any], machine: Machine):
    follower = context(1)
    peer = testing.PeerRelation('peers', peers_data={0: {}})
    out = follower.run(follower.on.start(), testing.State(relations={peer, DB}, networks=NETWORKS))
    assert identity.UNSHARED in out.unit_status.message
    assert out.unit_status.name == 'waiting'
    assert machine.service('apache2') == 'stopped'


def test_a_follower_waits_for_the_migration(ctx: testing.Context[Any], machine: Machine):
    follower = context(1)
    out = follower.run(follower.on.start(), state(DB, leader=False, peers={0: {}}))
    assert out.unit_status == testing.WaitingStatus(
        'waiting for the leader to migrate the database'
    )
    assert machine.service('apache2') == 'stopped'


@pytest.mark.parametrize('changed', [{'region': ''}, {'service': 'Non sense'}, None])
def test_a_request_that_went_bad_takes_nothing_back(
    ctx: testing.Context[Any], server: FakeKeystone, changed: dict[str, str] | None
):
    relation = glance()
    first = ctx.run(ctx.on.update_status(), state(DB, relation))
    before, said = server.urls(), first.get_relation(relation.id).local_unit_data
    asked: dict[int, dict[str, str]] = {}
    if changed is not None:
        asked[0] = {**relation.remote_units_data[0], **changed}
    bad = dataclasses.replace(first.get_relation(relation.id), remote_units_data=asked)
    out = ctx.run(
        ctx.on.update_status(),
        dataclasses.replace(
            first, relations={*(r for r in first.relations if r.id != bad.id), bad}
        ),
    )
    assert server.urls() == before
    now = dict(out.get_relation(relation.id).local_unit_data)
    refused = now.pop('refused', '')
    assert now == said
    if changed is None:
        assert out.unit_status == testing.ActiveStatus()
    else:
        assert out.unit_status.message == (
            f'refused glance: {refused}; what it asked for before is in force'
        )


def test_only_a_broken_relation_deletes(ctx: testing.Context[Any], server: FakeKeystone):
    relation = glance()
    first = ctx.run(ctx.on.update_status(), state(DB, relation))
    assert server.user('glance')
    out = ctx.run(ctx.on.relation_broken(first.get_relation(relation.id)), first)
    assert not server.user('glance')
    assert {name for name, *_ in server.urls()} == {'keystone'}
    assert not registration.request_ledger.load(shared_by(out)['requests'])


def test_a_region_in_another_spelling_is_told_and_hurts_nobody(
    ctx: testing.Context[Any], server: FakeKeystone
):
    """Keystone's database takes it for the same, so it could never be made."""
    first = ctx.run(ctx.on.update_status(), state(DB, glance()))
    nova = dataclasses.replace(
        glance(service='nova', region='regionone'), remote_app_name='nova', id=901
    )
    placement = dataclasses.replace(
        glance(service='placement'), remote_app_name='placement', id=902
    )
    out = ctx.run(
        ctx.on.update_status(),
        dataclasses.replace(first, relations={*first.relations, nova, placement}),
    )
    assert out.unit_status == testing.BlockedStatus(
        'nova is not registered in regionone: the region is spelt RegionOne in the catalogue'
    )
    assert {name for name, *_ in server.urls()} == {'glance', 'keystone', 'placement'}
    assert list(server.regions) == ['RegionOne']


def test_two_new_regions_that_keystone_takes_for_one(
    ctx: testing.Context[Any], server: FakeKeystone
):
    out = ctx.run(
        ctx.on.update_status(),
        state(DB, glance(region='regionTwo'), config={'region': 'RegionTwo'}),
    )
    assert list(server.regions) == ['RegionTwo']
    assert {name for name, *_ in server.urls()} == {'keystone'}
    assert out.unit_status.name == 'blocked'


def test_a_domain_in_another_spelling_is_told_and_hurts_nobody(
    ctx: testing.Context[Any], server: FakeKeystone
):
    first = ctx.run(ctx.on.update_status(), state(DB))
    server.add('domains', name='Staff')
    config = {'ldap-domains': LDAP}
    again = dataclasses.replace(first, config=config, relations={*first.relations, glance()})
    out = ctx.run(ctx.on.config_changed(), again)
    assert out.unit_status == testing.BlockedStatus(
        'domain staff cannot be made: there is one that is spelt Staff'
    )
    assert {name for name, *_ in server.urls()} == {'glance', 'keystone'}


@pytest.mark.parametrize('region', ['', 'a/b'])
def test_a_region_that_is_none_leaves_the_one_before(
    ctx: testing.Context[Any], server: FakeKeystone, region: str
):
    first = ctx.run(ctx.on.config_changed(), state(DB, config={'region': 'Here There'}))
    before = server.urls()
    out = ctx.run(ctx.on.config_changed(), dataclasses.replace(first, config={'region': region}))
    assert server.urls() == before
    assert {where for _, where, *_ in before} == {'Here', 'There'}
    assert out.unit_status.name == 'blocked'
    assert out.unit_status.message.startswith('option region: ')


@pytest.mark.parametrize(
    'config',
    [
        {'region': ''},
        {'region': 'RegionOne RegionOne'},
        {'os-public-hostname': 'https://cloud.example'},
        {'vip': '10.77.0.1'},
    ],
)
def test_what_never_had_a_good_value_is_told_to_nobody(
    ctx: testing.Context[Any], server: FakeKeystone, config: dict[str, str]
):
    relation = glance()
    first = ctx.run(ctx.on.config_changed(), state(DB, relation, config=config))
    assert first.unit_status.name == 'blocked'
    assert f'option {next(iter(config))}: ' in first.unit_status.message
    assert {name for name, *_ in server.urls()} == {'glance'}
    assert 'auth_host' not in first.get_relation(relation.id).local_unit_data
    out = ctx.run(ctx.on.config_changed(), dataclasses.replace(first, config={}))
    assert out.unit_status == testing.ActiveStatus()
    assert {name for name, *_ in server.urls()} == {'glance', 'keystone'}
    assert out.get_relation(relation.id).local_unit_data['auth_host'] == '10.3.0.4'


def test_a_new_leader_with_an_option_that_will_not_do_moves_nothing(
    ctx: testing.Context[Any], server: FakeKeystone
):
    relation = glance()
    good = state(DB, relation, config={'os-internal-hostname': 'keystone.example'})
    first = ctx.run(ctx.on.config_changed(), good)
    before, said = server.urls(), dict(first.get_relation(relation.id).local_unit_data)
    bad = {'os-internal-hostname': 'keystone:5000'}
    newcomer = dataclasses.replace(first, config=bad, stored_states=set())
    out = ctx.run(ctx.on.leader_elected(), newcomer)
    out = ctx.run(ctx.on.config_changed(), dataclasses.replace(out, config=bad))
    assert server.urls() == before
    assert dict(out.get_relation(relation.id).local_unit_data) == said


@pytest.mark.parametrize('seconds', [-5, 0, 59, 10**10])
def test_a_token_lives_as_long_as_somebody_could_mean(
    ctx: testing.Context[Any], machine: Machine, seconds: int
):
    config = {'token-expiration': seconds}
    out = ctx.run(ctx.on.config_changed(), state(DB, config=config))
    assert out.unit_status.message == (
        f'option token-expiration: {seconds} will not do, 3600 is in force, the default; '
        'wanted: a whole number from 60 to 31536000 (seconds)'
    )
    assert 'expiration = 3600\n' in machine.file(CONF)


def test_a_password_in_an_option_that_will_not_do_is_in_no_message(ctx: testing.Context[Any]):
    good = state(DB, config={'ldap-domains': LDAP.replace('s$cret', 'f0rmer')})
    first = ctx.run(ctx.on.config_changed(), good)
    for bad in (
        LDAP + '  x: [1]\n',
        LDAP + '\t- x',
        LDAP.replace('s$cret', '*s$cret'),
        LDAP.replace('s$cret', '!s$cret'),
        LDAP.replace('ldaps:', 'http:'),
    ):
        out = ctx.run(
            ctx.on.config_changed(), dataclasses.replace(first, config={'ldap-domains': bad})
        )
        said = out.unit_status.message
        assert said.startswith('option ldap-domains: this will not do, the last good one stays')
        assert 's$cret' not in said + str(ctx.juju_log)
        assert 'f0rmer' not in said


def test_nonsense_is_refused_by_name_and_hurts_nobody(
    ctx: testing.Context[Any], server: FakeKeystone
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


def test_keys_are_rotated_when_juju_says_so(ctx: testing.Context[Any], machine: Machine):
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


def reencryptions(machine: Machine) -> list[str]:
    """Of what ring, by its digest, each was."""
    program = ('python3', stored_credentials.PROGRAM)
    return [argv[2] for argv in machine.programs if argv[:2] == program]


def credential_keys(out: testing.State) -> keys.Ring:
    (kept,) = [s for s in out.secrets if s.label == keys.CREDENTIAL.label]
    found = keys.load((kept.latest_content or {})['ring'])
    assert found
    return found


def test_credentials_are_encrypted_anew_after_their_keys_were_rotated(
    ctx: testing.Context[Any], machine: Machine
):
    first = ctx.run(ctx.on.update_status(), state(DB))
    assert not reencryptions(machine)  # A database that is new has none.
    out = ctx.run(ctx.on.action('rotate-keys', params={'kind': 'credential'}), first)
    assert reencryptions(machine) == [credential_keys(out).digest]
    ctx.run(ctx.on.update_status(), out)
    assert len(reencryptions(machine)) == 1


def test_keys_are_not_rotated_on_until_credentials_are_in_the_newest(
    ctx: testing.Context[Any], machine: Machine, server: FakeKeystone
):
    """The third rotation from here would forget the key that they are in."""
    rotate = ctx.on.action('rotate-keys', params={'kind': 'credential'})
    first = ctx.run(ctx.on.update_status(), state(DB))
    server.reencrypts = False
    once = ctx.run(rotate, first)
    assert once.unit_status == testing.BlockedStatus(
        'credentials were not encrypted anew: the table is locked'
    )
    twice = ctx.run(rotate, once)
    assert (ctx.action_results or {})['rotated'] == 'no'
    rings = [{s.label: s.latest_content for s in out.secrets} for out in (once, twice)]
    assert rings[0]['credential-keys'] == rings[1]['credential-keys']
    server.reencrypts = True
    ctx.run(ctx.on.update_status(), twice)
    assert reencryptions(machine) == [credential_keys(once).digest] * 3


def restored(first: testing.State, **more: Any) -> testing.State:
    """*first*, once its database was restored from the backup of another keystone."""
    others = {r for r in first.relations if r.id != DB.id}
    return dataclasses.replace(
        first, relations={*others, moved(DB, generation='restored')}, **more
    )


def test_credentials_of_another_keystone_are_named_and_nothing_waits_for_them(
    ctx: testing.Context[Any], server: FakeKeystone, machine: Machine
):
    first = ctx.run(ctx.on.update_status(), state(DB))
    server.credentials['unreadable'] = 2
    out = ctx.run(ctx.on.config_changed(), restored(first))
    assert out.unit_status == testing.BlockedStatus(
        '2 stored credentials are encrypted with keys of another keystone: run '
        'adopt-credential-keys, or remove-unreadable-credentials'
    )
    assert machine.service('apache2') == 'running'
    later = ctx.run(ctx.on.update_status(), out)
    assert later.unit_status == out.unit_status
    gone = ctx.run(ctx.on.action('remove-unreadable-credentials'), later)
    assert ctx.action_results == {'encrypted-anew': '0', 'unreadable': '0', 'removed': '2'}
    assert gone.unit_status == testing.ActiveStatus()
    ran = len(machine.programs)
    assert ctx.run(ctx.on.update_status(), gone).unit_status == testing.ActiveStatus()
    assert len(machine.programs) == ran


def test_credentials_of_another_keystone_are_read_with_its_keys(
    ctx: testing.Context[Any], server: FakeKeystone, machine: Machine
):
    first = ctx.run(ctx.on.update_status(), state(DB))
    theirs = testing.Secret({'ring': keys.dump(ring('o'))})
    server.credentials['anew'] = 3
    adopt = ctx.on.action('adopt-credential-keys', params={'secret': theirs.id})
    out = ctx.run(adopt, restored(first, secrets={*first.secrets, theirs}))
    assert ctx.action_results == {'encrypted-anew': '3', 'unreadable': '0', 'removed': '0'}
    at = '/etc/keystone/credential-keys'
    there = [machine.file(f'{at}/{number}') for number in range(5) if number != 1]
    assert there == [ring().keys[0], *(ring('o').keys[n] for n in (0, 1)), ring().keys[1]]
    assert f'{at}/1' not in {f.path for f in machine.desired.files}
    (kept,) = [s for s in out.secrets if s.label == 'credential-keys']
    assert keys.load((kept.latest_content or {})['ring']) == keys.adopt(ring(), ring('o'))


def test_keys_of_an_adoption_that_failed_go_again(
    ctx: testing.Context[Any], server: FakeKeystone, machine: Machine
):
    """Nothing of it is kept. The highest of their files would encrypt, on this unit alone."""
    first = ctx.run(ctx.on.update_status(), state(DB))
    longer = keys.rotate(ring('o'), 'p' * 64, 3)
    theirs = testing.Secret({'ring': keys.dump(longer)})
    given = restored(first, secrets={*first.secrets, theirs})
    server.reencrypts = False
    with pytest.raises(testing.ActionFailed, match='the table is locked'):
        ctx.run(ctx.on.action('adopt-credential-keys', params={'secret': theirs.id}), given)
    at = keys.CREDENTIAL.repository
    assert (
        max(int(p.rpartition('/')[2]) for p in machine.seen.paths if p.startswith(f'{at}/')) == 5
    )
    server.reencrypts = True
    out = ctx.run(ctx.on.update_status(), given)
    assert {p for p in machine.seen.paths if p.startswith(f'{at}/')} == {f'{at}/0', f'{at}/1'}
    assert credential_keys(out) == ring()
    assert reencryptions(machine)[-1] == ring().digest


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (None, 'keystone cannot read secret:9m4e2mr0ui3e8a215n4g'),
        ({'key': 'x'}, 'has no credential keys'),
        ({'ring': '{"0": "short", "1": "short"}'}, 'has no credential keys'),
        ({'ring': '{"0": 5, "one": []}'}, 'has no credential keys'),
        ({'ring': 'nonsense'}, 'has no credential keys'),
    ],
)
def test_what_are_no_keys_is_refused_by_name(
    ctx: testing.Context[Any], machine: Machine, content: dict[str, str] | None, words: str
):
    first = ctx.run(ctx.on.update_status(), state(DB))
    theirs = testing.Secret(content, id='secret:8m4e2mr0ui3e8a215n4g') if content else None
    uri = theirs.id if theirs else 'secret:9m4e2mr0ui3e8a215n4g'
    secrets = {*first.secrets, theirs} if theirs else first.secrets
    adopt = ctx.on.action('adopt-credential-keys', params={'secret': uri})
    with pytest.raises(testing.ActionFailed, match=words):
        ctx.run(adopt, dataclasses.replace(first, secrets=secrets))


def test_the_other_account_of_a_service_is_retired_where_it_came_from_another_keystone(
    ctx: testing.Context[Any], server: FakeKeystone
):
    relation = glance()
    first = ctx.run(ctx.on.update_status(), state(DB, relation))
    domain = server.named('domains', catalogue.DOMAIN)['id']
    other = server.add(
        'users', name='glance-2', domain_id=domain, description=catalogue.MARK,
        password='known elsewhere',
    )  # fmt: skip
    ctx.run(ctx.on.config_changed(), restored(first))
    assert not server.records['users'][other]['enabled']
    assert server.passwords[other] != 'known elsewhere'
    assert server.named('users', 'glance')['enabled']


def test_the_admins_password_is_shown_on_any_unit(ctx: testing.Context[Any]):
    first = ctx.run(ctx.on.update_status(), state(DB))
    ctx.run(ctx.on.action('get-admin-password'), first)
    shown = ctx.action_results
    assert shown
    assert shown['valid'] == 'yes'
    follower = context(1)
    follower.run(follower.on.action('get-admin-password'), state(DB, leader=False))
    assert follower.action_results == shown


def test_the_admin_may_change_its_password(ctx: testing.Context[Any], server: FakeKeystone):
    first = ctx.run(ctx.on.update_status(), state(DB))
    server.set_password(server.user('admin'), 'changed by hand')
    out = ctx.run(ctx.on.update_status(), first)
    assert out.unit_status == testing.ActiveStatus()
    assert server.passwords[server.user('admin')] == 'changed by hand'
    ctx.run(ctx.on.action('get-admin-password'), out)
    assert ctx.action_results
    assert ctx.action_results['valid'].startswith('no: it was changed elsewhere')


def test_the_admins_password_is_renewed(ctx: testing.Context[Any], server: FakeKeystone):
    first = ctx.run(ctx.on.update_status(), state(DB))
    out = ctx.run(ctx.on.action('rotate-password'), first)
    assert ctx.action_results == {'user': 'admin'}
    ctx.run(ctx.on.action('get-admin-password'), out)
    assert ctx.action_results
    assert ctx.action_results['valid'] == 'yes'
    assert server.passwords[server.user('admin')] == ctx.action_results['password']
    assert ctx.action_results['password'] != renewal.admin_password(SEED, {})


def test_the_charms_own_password_is_renewed(ctx: testing.Context[Any], server: FakeKeystone):
    first = ctx.run(ctx.on.update_status(), state(DB))
    before = server.passwords[server.user(catalogue.CHARM)]
    ctx.run(ctx.on.action('rotate-password', params={'user': catalogue.CHARM}), first)
    assert server.passwords[server.user(catalogue.CHARM)] != before


def test_a_services_password_is_renewed_without_a_gap(
    ctx: testing.Context[Any], server: FakeKeystone, machine: Machine
):
    relation = glance()
    first = ctx.run(ctx.on.update_status(), state(DB, relation))
    former = dict(first.get_relation(relation.id).local_unit_data)
    params = {'user': 'glance'}
    out = ctx.run(ctx.on.action('rotate-password', params=params), first)
    assert ctx.action_results
    assert ctx.action_results['account'] == 'glance-2'
    now = dict(out.get_relation(relation.id).local_unit_data)
    assert now['service_username'] == 'glance-2'
    assert server.passwords[server.user('glance-2')] == now['service_password']
    assert server.passwords[server.user('glance')] == former['service_password']
    with pytest.raises(testing.ActionFailed, match='former account is good for another'):
        ctx.run(ctx.on.action('rotate-password', params=params), out)
    machine.clock += 3601
    later = ctx.run(ctx.on.update_status(), out)
    assert not server.named('users', 'glance')['enabled']
    assert server.passwords[server.user('glance')] != former['service_password']
    back = ctx.run(ctx.on.action('rotate-password', params=params), later)
    now = dict(back.get_relation(relation.id).local_unit_data)
    assert now['service_username'] == 'glance'
    assert now['service_password'] not in (former['service_password'],)
    assert server.named('users', 'glance')['enabled']
    assert server.passwords[server.user('glance')] == now['service_password']
    ctx.run(ctx.on.relation_broken(back.get_relation(relation.id)), back)
    assert not server.user('glance')
    assert not server.user('glance-2')


@pytest.mark.parametrize(('grace', 'well'), [(1, False), (59, False), (60, True), (0, True)])
def test_a_grace_that_is_too_short_for_units_to_hear_of_the_new_account_is_refused(
    ctx: testing.Context[Any], server: FakeKeystone, grace: int, well: bool
):
    first = ctx.run(ctx.on.update_status(), state(DB, glance()))
    action = ctx.on.action('rotate-password', params={'user': 'glance', 'grace': grace})
    if well:
        ctx.run(action, first)
    else:
        with pytest.raises(testing.ActionFailed, match=f'grace={grace} is too short'):
            ctx.run(action, first)
    assert bool(server.user('glance-2')) is well


def test_an_account_that_is_not_there_is_not_renewed(ctx: testing.Context[Any]):
    with pytest.raises(testing.ActionFailed, match='it is one of admin, charm-keystone'):
        ctx.run(ctx.on.action('rotate-password', params={'user': 'glance'}), state(DB))
    with pytest.raises(testing.ActionFailed, match='only the leader'):
        ctx.run(ctx.on.action('rotate-password'), state(DB, leader=False))


def test_a_services_password_that_was_changed_outside_is_set_again(
    ctx: testing.Context[Any], server: FakeKeystone
):
    relation = glance()
    first = ctx.run(ctx.on.update_status(), state(DB, relation))
    server.set_password(server.user('glance'), 'changed by hand')
    out = ctx.run(ctx.on.update_status(), first)
    assert server.passwords[server.user('glance')] == password('glance')
    assert out.unit_status == testing.ActiveStatus(
        'the password of glance had been changed: set it again'
    )


def test_the_same_as_soon_as_an_operator_does_anything(
    ctx: testing.Context[Any], server: FakeKeystone
):
    relation = glance()
    first = ctx.run(ctx.on.update_status(), state(DB, relation))
    server.set_password(server.user('glance'), 'changed by hand')
    ctx.run(ctx.on.config_changed(), first)
    assert server.passwords[server.user('glance')] == password('glance')


@pytest.mark.parametrize('said', ['', 'that of another password', 'this'])
def test_or_as_soon_as_the_service_says_that_it_is_not_taken(
    ctx: testing.Context[Any], server: FakeKeystone, said: str
):
    relation = glance()
    first = ctx.run(ctx.on.update_status(), state(DB, relation))
    server.set_password(server.user('glance'), 'changed by hand')
    mark = keystone.account_mark('glance', password('glance')) if said == 'this' else said
    now = glance(**{keystone.ACCOUNT_REFUSED: mark})
    now = dataclasses.replace(now, id=relation.id, local_unit_data=relation.local_unit_data)
    others = {r for r in first.relations if r.id != relation.id}
    told = dataclasses.replace(first, relations={*others, now})
    ctx.run(ctx.on.relation_changed(now), told)
    assert (server.passwords[server.user('glance')] == password('glance')) is (said == 'this')


def test_a_keystone_that_does_not_answer_is_words_and_what_was_said_holds(
    ctx: testing.Context[Any], server: FakeKeystone
):
    relation = glance()
    first = ctx.run(ctx.on.update_status(), state(DB, relation))
    server.down = True
    out = ctx.run(ctx.on.update_status(), first)
    assert out.unit_status == testing.BlockedStatus(
        'the catalogue is as it was: GET /auth/tokens: no answer connection refused'
    )
    said, before = (dict(s.get_relation(relation.id).local_unit_data) for s in (out, first))
    assert said == before
    assert shared_by(out) == shared_by(first)


def test_a_paused_leader_asks_another_unit_for_the_catalogue(
    ctx: testing.Context[Any], machine: Machine
):
    running = ctx.run(
        ctx.on.update_status(), state(DB, peers={1: {'ingress-address': '10.1.0.9'}})
    )
    machine.requests.clear()
    paused = ctx.run(ctx.on.action('pause'), running)
    assert paused.unit_status.name == 'maintenance'
    asked = {r.url.partition('/v3')[0] for r in machine.requests}
    assert asked == {'http://10.1.0.9:5000'}


RULES = 'lockout_failure_attempts: 5\npassword_regex: ^(?=.*\\d).{7,}$'


def test_rules_for_passwords_reach_keystone_or_are_refused_by_name(
    ctx: testing.Context[Any], machine: Machine
):
    first = ctx.run(
        ctx.on.config_changed(), state(DB, config={'password-security-compliance': RULES})
    )
    assert first.unit_status == testing.ActiveStatus()
    section = machine.file(CONF).partition('[security_compliance]\n')[2]
    assert section.startswith('lockout_failure_attempts = 5\npassword_regex = ^(?=.*\\d).{7,}$$')
    bad = {'password-security-compliance': 'lockout_failure_attempts: many'}
    out = ctx.run(ctx.on.config_changed(), dataclasses.replace(first, config=bad))
    assert out.unit_status.message == (
        "option password-security-compliance: 'lockout_failure_attempts: many' will not do, "
        f'{RULES!r} stays in force; wanted: a YAML map of such options '
        "(lockout_failure_attempts must be a number from 1 on, not 'many')"
    )
    assert 'lockout_failure_attempts = 5' in machine.file(CONF)


LDAP = """
staff:
  url: ldaps://ldap.example
  user: cn=reader
  password: s$cret
  suffix: dc=example
"""


def test_domains_in_a_directory_have_their_file_and_are_made(
    ctx: testing.Context[Any], machine: Machine, server: FakeKeystone
):
    first = ctx.run(ctx.on.config_changed(), state(DB, config={'ldap-domains': LDAP}))
    assert first.unit_status == testing.ActiveStatus()
    file = next(f for f in machine.desired.files if f.path.endswith('keystone.staff.conf'))
    assert (file.mode, file.group) == (0o640, 'keystone')
    assert 'password = s$$cret' in file.content
    assert 'driver = ldap' in file.content
    assert 'domain_specific_drivers_enabled = true' in machine.file(CONF)
    assert server.named('domains', 'staff')
    assert 'python3-ldap' in machine.desired.packages
    # Keystone reads the file once, and only if the domain is there.
    made = machine.steps.index('write /etc/keystone/domains/keystone.staff.conf')
    assert made > machine.steps.index('start apache2')
    assert [step for step in machine.steps[made:] if step.startswith('recycle')]
    gone = ctx.run(ctx.on.config_changed(), dataclasses.replace(first, config={}))
    assert 'remove /etc/keystone/domains/keystone.staff.conf' in machine.steps
    assert gone.unit_status == testing.ActiveStatus()


def _probes(machine: Machine) -> list[tuple[str, ...]]:
    return [argv for argv in machine.programs if directories.PROGRAM in argv]


def test_what_is_wrong_with_a_directory_is_named_until_it_is_right(
    ctx: testing.Context[Any], machine: Machine, server: FakeKeystone
):
    wrong = {'option': 'user_tree_dn', 'reason': 'there is none', 'away': False}
    server.directories = {'staff': wrong}
    first = ctx.run(ctx.on.config_changed(), state(DB, config={'ldap-domains': LDAP}))
    said = 'option ldap-domains: staff: user_tree_dn: there is none'
    assert first.unit_status == testing.BlockedStatus(said)
    assert server.named('domains', 'staff')
    server.directories = {'staff': {**wrong, 'option': 'url', 'away': True}}
    second = ctx.run(ctx.on.update_status(), first)
    assert second.unit_status == testing.WaitingStatus(said.replace('user_tree_dn', 'url'))
    looks = len(_probes(machine))
    after = ctx.run(ctx.on.action('rotate-keys'), second)
    assert (after.unit_status, len(_probes(machine))) == (second.unit_status, looks)
    # While something is wrong each hook looks, then only time.
    server.directories = {}
    third = ctx.run(ctx.on.config_changed(), second)
    assert third.unit_status == testing.ActiveStatus()
    looks = len(_probes(machine))
    fourth = ctx.run(ctx.on.config_changed(), third)
    assert len(_probes(machine)) == looks
    ctx.run(ctx.on.update_status(), fourth)
    assert len(_probes(machine)) == looks + 1


def test_a_directory_that_cannot_be_tried_is_said_to_be_so(
    ctx: testing.Context[Any], server: FakeKeystone
):
    server.directories = None
    out = ctx.run(ctx.on.config_changed(), state(DB, config={'ldap-domains': LDAP}))
    said = 'option ldap-domains: staff: its file: it cannot be tried: no module named ldap'
    assert out.unit_status == testing.BlockedStatus(said)


def test_nobody_asks_a_directory_when_there_is_none(ctx: testing.Context[Any], machine: Machine):
    ctx.run(ctx.on.update_status(), state(DB))
    assert not _probes(machine)


def test_a_subordinate_brings_a_domain(
    ctx: testing.Context[Any], machine: Machine, server: FakeKeystone
):
    said = {'domain-name': 'staff', 'restart-nonce': '1'}
    relation = testing.SubordinateRelation(
        'domain-backend', remote_app_name='keystone-ldap', remote_unit_data=said
    )
    first = ctx.run(ctx.on.relation_changed(relation), state(DB, relation))
    assert first.unit_status == testing.ActiveStatus()
    assert server.named('domains', 'staff')
    assert 'domain_config_dir = /etc/keystone/domains' in machine.file(CONF)
    machine.steps.clear()
    again = dataclasses.replace(
        first.get_relation(relation.id), remote_unit_data={**said, 'restart-nonce': '2'}
    )
    ctx.run(
        ctx.on.relation_changed(again),
        dataclasses.replace(
            first, relations={*(r for r in first.relations if r.id != relation.id), again}
        ),
    )
    assert [s for s in machine.steps if s.startswith('recycle')]


def test_secrets_are_in_no_log(ctx: testing.Context[Any]):
    ctx.run(ctx.on.update_status(), state(DB, glance()))
    said = '\n'.join(str(line) for line in ctx.juju_log)
    assert password('glance') not in said
    assert renewal.admin_password(SEED, {}) not in said
    assert ring().keys[0] not in said


@pytest.mark.parametrize('base', BASES)
def test_configuration_file(
    ctx: testing.Context[Any],
    machine: Machine,
    base: str,
    snapshot: SnapshotAssertion,
):
    machine.base = base
    ctx.run(ctx.on.config_changed(), state(DB))
    assert machine.file(CONF) == snapshot
    assert machine.file('/etc/apache2/sites-enabled/keystone.conf') == snapshot


def test_every_event_leads_to_the_same_state(ctx: testing.Context[Any], machine: Machine):
    relation = glance()
    seen: set[Any] = set()
    for event in (
        ctx.on.start(), ctx.on.config_changed(), ctx.on.upgrade_charm(),
        ctx.on.update_status(), ctx.on.leader_elected(), ctx.on.relation_changed(relation),
    ):  # fmt: skip
        ctx.run(event, state(DB, relation))
        seen.add(machine.desired)
    assert len(seen) == 1


def test_a_unit_that_serves_goes_on_while_its_keys_cannot_be_read(
    ctx: testing.Context[Any], machine: Machine
):
    out = ctx.run(ctx.on.relation_changed(DB, remote_unit=0), state(DB))
    assert 'apache2' in machine.seen.active
    out = ctx.run(ctx.on.update_status(), dataclasses.replace(out, secrets=set()))
    assert 'apache2' in machine.seen.active
    assert out.unit_status == testing.WaitingStatus(
        f'{identity.UNSHARED}; what it said before stays in force'
    )


def test_no_address_of_its_own_is_told_before_the_load_balancer_has_answered(
    ctx: testing.Context[Any], server: FakeKeystone
):
    """Others would ask there, and turn to the load balancer's a moment later; of a newcomer, in full service."""
    relation = glance()
    balancer = testing.Relation(
        'internal-backend', remote_app_name='lb', remote_app_data={'interface-versions': '[1, 2]'}
    )
    first = ctx.run(ctx.on.config_changed(), state(DB, relation, balancer))
    assert 'service_password' not in first.get_relation(relation.id).local_unit_data
    frontend = {'ip': ['198.51.100.9'], 'port': 443, 'url': 'https://api.example.com:443'}
    said = {'keystone': {'internal': frontend}}
    answered = dataclasses.replace(
        first.get_relation(balancer.id),
        remote_app_data={**balancer.remote_app_data, 'frontends': json.dumps(said)},
    )
    others = {r for r in first.relations if r.id != balancer.id}
    out = ctx.run(
        ctx.on.relation_changed(answered),
        dataclasses.replace(first, relations={*others, answered}),
    )
    told = out.get_relation(relation.id).local_unit_data
    assert told['internal_host'] == 'api.example.com'
    assert told['service_password']


def test_a_type_that_is_awaited_for_ever_keeps_nothing_back(
    ctx: testing.Context[Any], server: FakeKeystone
):
    """A load balancer refuses admin endpoints where they would be on a public address."""
    relation = glance()
    frontend = {'ip': ['198.51.100.9'], 'port': 443, 'url': 'https://api.example.com:443'}
    versions = {'interface-versions': '[1, 2]'}
    inner = testing.Relation(
        'internal-backend', remote_app_name='lb',
        remote_app_data={**versions, 'frontends': json.dumps({'keystone': {'internal': frontend}})},
    )  # fmt: skip
    admin = testing.Relation('admin-backend', remote_app_name='lb', remote_app_data=versions)
    out = ctx.run(ctx.on.config_changed(), state(DB, relation, inner, admin))
    told = out.get_relation(relation.id).local_unit_data
    assert told['service_password']
    assert (told['internal_host'], told['auth_host']) == ('api.example.com', 'api.example.com')


def test_what_is_new_is_told_to_whom_was_answered_before_whatever_is_awaited(
    ctx: testing.Context[Any], server: FakeKeystone
):
    relation = glance()
    first = ctx.run(ctx.on.config_changed(), state(DB, relation))
    before = dict(first.get_relation(relation.id).local_unit_data)
    assert before['service_password']
    balancer = testing.Relation(
        'internal-backend', remote_app_name='lb', remote_app_data={'interface-versions': '[1, 2]'}
    )
    later = dataclasses.replace(first, relations={*first.relations, balancer})
    out = ctx.run(ctx.on.action('rotate-password', params={'user': 'glance'}), later)
    told = out.get_relation(relation.id).local_unit_data
    assert told['service_username'] != before['service_username']
