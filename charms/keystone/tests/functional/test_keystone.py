"""Real keystone under real Apache, with MariaDB and memcached, on both releases."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator
from typing import Any

import catalogue
import charmkit
import keys
import ops
import pytest
import renewal
import settings
from cryptography import fernet

from tools import systems

pytestmark = pytest.mark.functional

HERE = pathlib.Path(__file__).parent
MOUNTS = {
    HERE: '/test',
    HERE.parents[1] / 'src': '/charm',
    pathlib.Path(charmkit.__file__).parents[1]: '/charmkit',
    pathlib.Path(ops.__file__).parents[1]: '/site',
}
ACCESS_LOG = '/var/log/openstack-apache/keystone-access.log'
ENDPOINT_TYPES = ('public', 'internal', 'admin')


def asks(service: str, host: str = '10.0.0.1', **more: str) -> dict[str, str]:
    """What the charm of *service* says to keystone."""
    urls = {f'{t}_url': f'http://{host}/{service}/{t}' for t in ENDPOINT_TYPES}
    return {'service': service, 'region': 'RegionOne', **urls, **more}


@dataclasses.dataclass
class Machine:
    """A container with a keystone unit in it, and what Juju keeps for it."""

    name: str
    address: str
    rings: dict[str, str]
    seed: str = 's' * 64
    generation: str = ''
    now: float = dataclasses.field(default_factory=time.time)
    asked: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict[str, Any])
    options: dict[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    peers: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    memory: dict[str, Any] = dataclasses.field(default_factory=dict[str, Any])

    def shell(self, *argv: str, **more: Any) -> str:
        done = subprocess.run(
            ('podman', 'exec', '-i', self.name, *argv),
            capture_output=True, text=True, check=False, **more,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def given(self, hook: str = 'config-changed', **more: Any) -> str:
        """What Juju would say to one run of the charm."""
        return json.dumps({
            'address': self.address, 'seed': self.seed, 'rings': self.rings, 'now': self.now,
            'generation': self.generation, 'asked': self.asked, 'options': self.options,
            'peers': self.peers, 'memory': self.memory, 'fresh': os.urandom(32).hex(),
            'hook': hook, **more,
        })  # fmt: skip

    def run(
        self, hook: str = 'config-changed', library: str = '/charmkit', **more: Any
    ) -> dict[str, Any]:
        """One run of the charm; what only Juju can do is done here."""
        out = json.loads(self.shell(*program(library), input=self.given(hook, **more)))
        if not out['failure']:
            self.rings |= out['rings']
            self.peers, self.memory = out['peers'], out['memory']
        return out

    def action(self, name: str, **params: Any) -> dict[str, Any]:
        return self.run(action=name, params=params)

    def ask(
        self, method: str, path: str, token: str = '', body: Any = None, subject: str = ''
    ) -> tuple[int, Any, str]:
        """Status, answer and token of one request to keystone."""
        request = urllib.request.Request(
            f'http://{self.address}:5000/v3{path}',
            data=None if body is None else json.dumps(body).encode(),
            headers={
                'Content-Type': 'application/json',
                'X-Auth-Token': token,
                **({'X-Subject-Token': subject} if subject else {}),
            },
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310 -- ours.
                text = answer.read()
                got = answer.headers.get('X-Subject-Token') or ''
                return answer.status, (json.loads(text) if text else None), got
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode(), ''

    def login(
        self, user: str, password: str, domain: str, project: str, project_domain: str = ''
    ) -> tuple[int, Any, str]:
        who = {'name': user, 'domain': {'name': domain}, 'password': password}
        where = {'name': project, 'domain': {'name': project_domain or domain}}
        identity = {'methods': ['password'], 'password': {'user': who}}
        body = {'auth': {'identity': identity, 'scope': {'project': where}}}
        return self.ask('POST', '/auth/tokens', body=body)

    def admin(self) -> str:
        """A token of the admin's."""
        shown = self.action('get-admin-password')['results']
        status, _, token = self.login('admin', shown['password'], 'Default', 'admin')
        assert status == 201
        return token

    def listed(self, kind: str, query: str = '') -> list[dict[str, Any]]:
        status, answer, _ = self.ask('GET', f'/{kind}{query}', self.admin())
        assert status == 200, answer
        return answer[kind]

    def id_of(self, kind: str, name: str) -> str:
        return next(r['id'] for r in self.listed(kind) if r['name'] == name)

    def urls(self) -> set[str]:
        return {e['url'] for e in self.listed('endpoints')}


def program(library: str = '/charmkit') -> tuple[str, ...]:
    """What runs the charm in the container, with charmkit at *library*."""
    env = f'PYTHONPATH=/charm:{library}:/site'
    return ('env', env, 'PYTHONDONTWRITEBYTECODE=1', 'python3', '/test/inside.py')


@contextlib.contextmanager
def removed(name: str) -> Generator[None]:
    """The container *name* is gone afterwards."""
    try:
        yield
    finally:
        systems.remove(name)


def serving(name: str, base: str) -> Machine:
    """A keystone that serves, with a MariaDB beside it."""
    mounts = [f'--volume={here}:{there}:ro' for here, there in MOUNTS.items()]
    rings = {kind.label: keys.dump(keys.make(kind.name * 40)) for kind in keys.KINDS}
    address = systems.start(name, systems.base(base), *mounts)
    machine = Machine(name, address, rings)
    machine.shell('apt-get', 'update', '-q')
    machine.shell('apt-get', 'install', '-y', '-q', '--no-install-recommends', 'mariadb-server')
    machine.shell(
        'mariadb', '-e',
        'CREATE DATABASE keystone CHARACTER SET utf8mb3;'
        "GRANT ALL ON keystone.* TO keystone@'127.0.0.1' IDENTIFIED BY 'pw'",
    )  # fmt: skip
    first = machine.run()
    assert first['status'] == []
    return machine


@pytest.fixture(scope='module', params=systems.BASES)
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    name = f'rambla-keystone-test-{request.param}-{os.getpid()}'
    with removed(name):
        yield serving(name, request.param)


def test_one_hook_is_enough_and_the_next_changes_nothing(machine: Machine):
    again = machine.run('update-status')
    assert again['steps'] == []
    assert again['done'] == []
    assert again['status'] == []
    assert machine.action('get-admin-password')['results']['valid'] == 'yes'


def test_the_package_never_served(machine: Machine):
    listening = machine.shell('ss', '-Hltnp', 'sport = :5000')
    assert 'apache2' in listening
    assert 'uwsgi' not in listening


def _region_ids(machine: Machine) -> dict[str, str]:
    said = machine.shell(
        'mariadb', 'keystone', '-BNe', 'SELECT name, HEX(id) FROM charm_cache_regions'
    )
    return dict(line.split('\t') for line in said.splitlines())


def _renewed_by(machine: Machine, *asked: Any, **more: Any) -> set[str]:
    """The cache regions that all units have other ids of after a request."""
    before = _region_ids(machine)
    assert machine.ask(*asked, **more)[0] in (200, 201, 204)
    after = _region_ids(machine)
    assert before.keys() == after.keys()
    return {name for name, id_ in after.items() if before[name] != id_}


def test_what_is_written_gives_cache_regions_other_ids_for_all_units(machine: Machine):
    token = machine.admin()
    assert {
        'shared default', 'computed catalog region', 'computed assignments', 'tokens', 'revoke',
    } <= _region_ids(machine).keys()  # fmt: skip
    assert _renewed_by(machine, 'GET', '/auth/catalog', token) == set()
    role = {'role': {'name': 'renewed'}}
    _renewed_by(machine, 'POST', '/roles', token, role)
    role_id = machine.id_of('roles', 'renewed')
    assert _renewed_by(machine, 'PATCH', f'/roles/{role_id}', token, role) == {'shared default'}
    assert {'shared default', 'computed assignments', 'tokens'} <= _renewed_by(
        machine, 'DELETE', f'/roles/{role_id}', token
    )
    service = {'service': {'type': 'renewed'}}
    _renewed_by(machine, 'POST', '/services', token, service)
    (made,) = machine.listed('services', '?type=renewed')
    assert {'shared default', 'computed catalog region'} == _renewed_by(
        machine, 'DELETE', f'/services/{made["id"]}', token
    )
    other = machine.admin()
    assert _renewed_by(machine, 'DELETE', '/auth/tokens', token, subject=other) == {
        'tokens', 'revoke',
    }  # fmt: skip


def test_where_the_database_does_not_have_the_ids_it_serves_all_the_same(machine: Machine):
    token = machine.admin()
    said = 'caches are not coherent'
    count = f'cat /var/log/openstack-apache/* /var/log/keystone/* | grep -c "{said}" || true'
    before = int(machine.shell('sh', '-c', count))
    sql = 'RENAME TABLE charm_cache_regions TO away; CREATE VIEW charm_cache_regions AS SELECT 1 AS one'
    machine.shell('mariadb', 'keystone', '-e', sql)
    for _ in range(20):
        assert machine.ask('GET', '/auth/catalog', token)[0] == 200
        assert (
            machine.ask('POST', '/roles', token, {'role': {'name': os.urandom(8).hex()}})[0] == 201
        )
    times = int(machine.shell('sh', '-c', count)) - before
    processes = machine.shell('pgrep', '-cf', '^keystone')
    assert 0 < times <= int(processes), 'it is said once in each process'
    # As in a database that another charm has made.
    machine.shell('mariadb', 'keystone', '-e', 'DROP VIEW charm_cache_regions; DROP TABLE away')
    assert machine.ask('GET', '/auth/catalog', token)[0] == 200
    assert 'tokens' in _region_ids(machine)


@pytest.mark.slow
def test_relations_come_and_go_and_what_the_operator_made_stays(machine: Machine):
    machine.asked = {'7': asks('glance'), '8': asks('placement')}
    out = machine.run()
    assert out['status'] == []
    assert len(machine.listed('endpoints')) == 9
    assert machine.run()['done'] == []
    token = machine.admin()
    glance = machine.id_of('services', 'glance')
    for region, url in (('Elsewhere', 'http://operator/1'), ('RegionOne', 'http://operator/2')):
        body = {'service_id': glance, 'region': region, 'interface': 'public', 'url': url}
        status, *_ = machine.ask('POST', '/endpoints', token, {'endpoint': body})
        assert status == 201
    machine.asked['7'] = asks('glance', '10.0.0.2')
    machine.run()
    assert {u for u in machine.urls() if '/glance/' in u} == {
        f'http://10.0.0.2/glance/{t}' for t in ENDPOINT_TYPES
    }
    machine.asked['7'] |= {'region': ''}
    refused = machine.run()
    assert refused['done'] == []
    assert 'see its option region' in refused['status'][0]
    assert 'see its option region' in refused['answers']['7']['refused']
    del machine.asked['7']
    gone = machine.run()
    assert 'delete user glance' in gone['done']
    assert {u for u in machine.urls() if 'operator' in u} == {
        'http://operator/1', 'http://operator/2',
    }  # fmt: skip
    assert not [u for u in machine.urls() if '/glance/' in u]
    assert {s['name'] for s in machine.listed('services')} == {'glance', 'placement', 'keystone'}


def test_a_service_logs_in_with_the_password_that_is_answered(machine: Machine):
    machine.asked = {'8': asks('placement', requested_roles='Creator')}
    answer = machine.run()['answers']['8']
    status, token, _ = _service_login(machine, answer)
    assert status == 201
    assert {r['name'] for r in token['token']['roles']} >= {'admin', 'service', 'Creator'}
    wrong = {**answer, 'service_password': 'no'}
    assert _service_login(machine, wrong)[0] == 401


def _service_login(machine: Machine, answer: dict[str, str]) -> tuple[int, Any, str]:
    name, password = answer['service_username'], answer['service_password']
    return machine.login(name, password, answer['service_domain'], answer['service_tenant'])


def test_a_services_password_that_was_changed_is_set_again(machine: Machine):
    machine.asked = {'8': asks('placement')}
    answer = machine.run()['answers']['8']
    user = answer['service_user_id']
    body = {'user': {'password': 'changed by hand'}}
    assert machine.ask('PATCH', f'/users/{user}', machine.admin(), body)[0] == 200
    assert _service_login(machine, answer)[0] == 401
    out = machine.run('update-status')
    assert out['status'] == ['active: the password of placement had been changed: set it again']
    assert _service_login(machine, answer)[0] == 201


def test_a_services_password_is_renewed_without_a_gap(machine: Machine):
    machine.asked = {'8': asks('placement')}
    before = machine.run()['answers']['8']
    token = _service_login(machine, before)[2]
    out = machine.action('rotate-password', user='placement', grace=60)
    after = out['answers']['8']
    assert after['service_username'] != before['service_username']
    assert _service_login(machine, after)[0] == 201
    assert _service_login(machine, before)[0] == 201
    assert machine.ask('GET', '/auth/catalog', token)[0] == 200
    machine.now += 61
    machine.run('update-status')
    assert _service_login(machine, after)[0] == 201
    assert _service_login(machine, before)[0] == 401
    machine.action('rotate-password', user='placement', grace=0)
    assert _service_login(machine, after)[0] == 401


def test_the_admin_may_change_its_password(machine: Machine):
    token = machine.admin()
    admin = next(u['id'] for u in machine.listed('users', '?name=admin'))
    shown = machine.action('get-admin-password')['results']
    body = {'user': {'password': 'changed by hand', 'original_password': shown['password']}}
    assert machine.ask('POST', f'/users/{admin}/password', token, body)[0] == 204
    out = machine.run('update-status')
    assert (out['done'], out['status']) == ([], [])
    assert machine.login('admin', 'changed by hand', 'Default', 'admin')[0] == 201
    shown = machine.action('get-admin-password')['results']
    assert shown['valid'].startswith('no: ')
    assert machine.action('rotate-password')['failure'] == ''
    shown = machine.action('get-admin-password')['results']
    assert shown['valid'] == 'yes'
    assert machine.login('admin', shown['password'], 'Default', 'admin')[0] == 201


def test_the_charms_own_account_is_set_up_again(machine: Machine):
    charms = next(u['id'] for u in machine.listed('users', f'?name={catalogue.CHARM}'))
    body = {'user': {'password': 'changed by hand'}}
    assert machine.ask('PATCH', f'/users/{charms}', machine.admin(), body)[0] == 200
    assert machine.run('update-status')['status'] == []
    assert machine.action('rotate-password', user=catalogue.CHARM)['failure'] == ''
    assert machine.run('update-status')['status'] == []


def test_a_database_of_another_deployment_is_taken_up(machine: Machine):
    """Its accounts have passwords that are derived from another seed."""
    machine.asked = {'8': asks('placement')}
    machine.run()
    shown = machine.action('get-admin-password')['results']
    machine.seed, machine.generation, machine.peers = 't' * 64, 'restored', {}
    machine.asked['8'] = asks('placement', '10.9.9.9')
    out = machine.run()
    assert not [s for s in out['status'] if s.startswith('blocked')]
    assert _service_login(machine, out['answers']['8'])[0] == 201
    # The admin and its password are what the cloud had when it was saved.
    assert machine.login('admin', shown['password'], 'Default', 'admin')[0] == 201
    assert machine.action('rotate-password')['failure'] == ''
    assert {u for u in machine.urls() if '/placement/' in u} == {
        f'http://10.9.9.9/placement/{t}' for t in ENDPOINT_TYPES
    }


@pytest.mark.slow
def test_an_account_survives_rules_for_passwords(machine: Machine):
    machine.options = {
        'password-security-compliance': 'lockout_failure_attempts: 2\nlockout_duration: 3600\n'
        'password_expires_days: 1\npassword_regex: ^(?=.*[A-Z])(?=.*[0-9])(?=.*[^A-Za-z0-9]).{9,}$'
    }
    machine.asked = {'8': asks('placement'), '9': asks('neutron')}
    answer = machine.run()['answers']['9']
    for _ in range(3):
        assert _service_login(machine, {**answer, 'service_password': 'no'})[0] == 401
    assert _service_login(machine, answer)[0] == 201
    token = machine.admin()
    user = {'name': 'someone', 'domain_id': 'default', 'password': 'weak'}
    assert machine.ask('POST', '/users', token, {'user': user})[0] == 400
    machine.options = {}
    assert machine.run()['status'] == []


@pytest.mark.slow
def test_who_has_changed_a_password_is_shown_so_at_once(machine: Machine):
    """Keystone itself shows for as long as it caches users when the former one expires: ``CHANGES_S`` of cache.py."""
    machine.options = {'password-security-compliance': 'password_expires_days: 1\n'}
    assert machine.run()['status'] == []
    token = machine.admin()
    user = {'name': 'forgetful', 'domain_id': 'default', 'password': 'first'}
    status, made, _ = machine.ask('POST', '/users', token, {'user': user})
    assert status == 201, made
    path = f'/users/{made["user"]["id"]}'
    time.sleep(1.1)  # They expire at whole seconds.
    before = machine.ask('GET', path, token)[1]['user']['password_expires_at']
    body = {'user': {'password': 'second', 'original_password': 'first'}}
    assert machine.ask('POST', f'{path}/password', '', body)[0] == 204
    assert machine.ask('GET', path, token)[1]['user']['password_expires_at'] > before
    machine.options = {}
    assert machine.run()['status'] == []


def test_names_may_hold_any_character(machine: Machine):
    token = machine.admin()
    made: list[str] = []
    for name in ('\N{DOG FACE}', '\N{CAT FACE}'):
        body = {'project': {'name': name, 'domain_id': 'default', 'description': name * 3}}
        status, answer, _ = machine.ask('POST', '/projects', token, body)
        assert status == 201, answer
        made.append(answer['project']['id'])
    assert [machine.ask('GET', f'/projects/{p}', token)[1]['project']['name'] for p in made] == [
        '\N{DOG FACE}', '\N{CAT FACE}',
    ]  # fmt: skip


def test_tokens_outlive_rotations_of_their_keys(machine: Machine):
    token = machine.admin()
    before = keys.load(machine.rings[keys.FERNET.label])
    for _ in range(3):
        steps = machine.run('secret-rotate', subject=keys.FERNET.label)['steps']
        assert not [s for s in steps if 'apache2' in s or s.startswith('recycle')]
        _empty_caches(machine)  # No cache may stand in for the keys.
        assert machine.ask('GET', '/auth/catalog', token)[0] == 200
    ring = keys.load(machine.rings[keys.FERNET.label])
    assert before
    assert ring
    assert ring.primary == before.primary + 3
    names = machine.shell('ls', keys.FERNET.repository).split()
    assert names == [str(n) for n in sorted(ring.keys)]


def test_a_token_dies_with_the_last_of_its_keys(machine: Machine):
    """The check before, sabotaged: with fewer keys than keystone needs it must fail."""
    token = machine.admin()
    for _ in range(5):
        machine.run('secret-rotate', subject=keys.FERNET.label)
    _empty_caches(machine)
    assert machine.ask('GET', '/auth/catalog', token)[0] == 401


def _empty_caches(machine: Machine) -> None:
    machine.shell('systemctl', 'restart', 'memcached', 'keystone-cache')


def _rows(machine: Machine, statement: str) -> list[str]:
    return machine.shell('mariadb', '--skip-column-names', 'keystone', '-e', statement).split()


def _replace_blob(machine: Machine, identity: str, blob: str) -> None:
    values = f"encrypted_blob = '{blob}', key_hash = 'x'"
    _rows(machine, f"UPDATE credential SET {values} WHERE id = '{identity}'")  # noqa: S608 -- ours


def _stored(machine: Machine, access: str) -> str:
    """The id of a credential that the admin has in keystone."""
    user = machine.listed('users', '?name=admin')[0]['id']
    project = machine.listed('projects', '?name=admin')[0]['id']
    blob = json.dumps({'access': access, 'secret': 's'})
    body = {'type': 'ec2', 'user_id': user, 'project_id': project, 'blob': blob}
    status, said, _ = machine.ask('POST', '/credentials', machine.admin(), {'credential': body})
    assert status == 201, said
    return said['credential']['id']


def _hash_of_newest(machine: Machine) -> str:
    ring = keys.load(machine.rings[keys.CREDENTIAL.label])
    assert ring
    return hashlib.sha1(ring.keys[ring.primary].encode(), usedforsecurity=False).hexdigest()


def test_credentials_are_encrypted_anew(machine: Machine):
    _stored(machine, 'first')
    before = _rows(machine, 'SELECT encrypted_blob FROM credential')
    machine.action('rotate-keys', kind='credential')
    assert _rows(machine, 'SELECT key_hash FROM credential') == [_hash_of_newest(machine)]
    assert _rows(machine, 'SELECT encrypted_blob FROM credential') != before
    assert [json.loads(c['blob'])['access'] for c in machine.listed('credentials')] == ['first']
    assert machine.run()['steps'] == []


@pytest.mark.slow
def test_credentials_that_another_keystone_encrypted_are_named_and_read_with_its_keys(
    machine: Machine,
):
    """A backup brought them: one of them, and keystone lists none, and keystone-manage encrypts no other anew."""
    theirs = keys.make('another' * 10)
    text = json.dumps({'access': 'theirs', 'secret': 's'}).encode()
    blob = fernet.Fernet(theirs.keys[theirs.primary]).encrypt(text).decode()
    other = _stored(machine, 'theirs')
    _replace_blob(machine, other, blob)
    assert machine.ask('GET', '/credentials', machine.admin())[0] == 500
    machine.generation = 'of another deployment'
    said = machine.run()['status']
    assert said[-1].startswith('blocked: a stored credential is encrypted with keys of another')
    # Others are encrypted anew all the same, and nothing fails.
    assert machine.action('rotate-keys', kind='credential')['failure'] == ''
    newest = _hash_of_newest(machine)
    assert sorted(_rows(machine, 'SELECT key_hash FROM credential')) == sorted(['x', newest])
    given = {'secret:theirs': {'ring': keys.dump(theirs)}}
    out = machine.run(
        action='adopt-credential-keys', params={'secret': 'secret:theirs'}, secrets=given
    )
    assert out['failure'] == ''
    assert out['results'] == {'encrypted-anew': '1', 'unreadable': '0', 'removed': '0'}
    shown = {json.loads(c['blob'])['access'] for c in machine.listed('credentials')}
    assert shown == {'first', 'theirs'}
    assert machine.run()['status'] == []


@pytest.mark.slow
def test_credentials_whose_keys_are_lost_can_be_removed(machine: Machine):
    lost = _stored(machine, 'lost')
    _replace_blob(machine, lost, 'gone')
    assert machine.ask('DELETE', f'/credentials/{lost}', machine.admin())[0] == 500
    removed = machine.action('remove-unreadable-credentials')['results']
    assert removed == {'encrypted-anew': '0', 'unreadable': '0', 'removed': '1'}
    assert len(machine.listed('credentials')) == 2
    assert machine.run()['status'] == []


def _asked_by(machine: Machine, hook: str) -> list[str]:
    """The requests that a hook makes of keystone which finds all as it is to be."""
    before = machine.shell('grep', '-c', '', ACCESS_LOG)
    assert machine.run(hook)['done'] == []
    made = machine.shell('tail', '-n', f'+{int(before) + 1}', ACCESS_LOG).splitlines()
    return [line for line in made if '/v3/' in line]


def test_an_unchanged_look_at_the_catalogue_is_cheap(machine: Machine):
    machine.run()
    made = _asked_by(machine, 'identity-service-relation-changed')
    # A login costs hundreds of milliseconds of computing: the token is kept instead.
    assert not [line for line in made if 'POST' in line]
    assert 0 < len(made) <= 15


def test_when_the_operator_acts_each_service_is_logged_in_once(machine: Machine):
    """To see whether keystone still has its password."""
    machine.run()
    logins = [line for line in _asked_by(machine, 'config-changed') if 'POST' in line]
    assert 0 < len(logins) <= len(machine.asked)
    assert all('/auth/tokens' in line for line in logins)


def test_health_follows_the_drain_file(machine: Machine):
    def health() -> str:
        # As a load balancer asks: on loopback the unit tells itself the truth.
        return machine.shell(
            'curl', '-s', '-o', '/dev/null', '-w', '%{http_code}',
            f'http://{machine.address}:5000/healthcheck',
        )  # fmt: skip

    assert health() == '200'
    machine.shell('touch', '/run/openstack-drain')
    assert health() == '503'
    assert 'remove /run/openstack-drain' in machine.run()['steps']
    assert health() == '200'


def test_passwords_are_what_a_rule_may_ask_for():
    password = renewal.admin_password('s' * 64, {})
    for kind in (str.isupper, str.islower, str.isdigit):
        assert any(kind(c) for c in password)
    assert not password.isalnum()


ALTERS = """\
#!/usr/bin/python3
# Stands for keystone-manage: changes a table as the migration 11c3b243b4cb of 2023.2 does, in oslo.db's session.
import sqlalchemy
from oslo_config import cfg
from oslo_db.sqlalchemy import enginefacade
cfg.CONF([], project='keystone')
with enginefacade.transaction_context().writer.get_engine().begin() as db:
    print('patience', db.execute(sqlalchemy.text('SELECT @@lock_wait_timeout')).scalar(), flush=True)
    db.execute(sqlalchemy.text('ALTER TABLE service_provider ADD COLUMN trial INTEGER'))
    db.execute(sqlalchemy.text('ALTER TABLE service_provider DROP COLUMN trial'))
"""


def _sql(machine: Machine, sql: str) -> list[str]:
    return machine.shell('mariadb', '--skip-column-names', '-e', sql).split()


def _expanded(machine: Machine, at_most_s: int) -> subprocess.CompletedProcess[str]:
    """The charm's own migration, with a program in keystone-manage's place."""
    env = [f'{k}={v}' for k, v in settings.EXPAND.environment.items()]
    return subprocess.run(
        ('podman', 'exec', '--user', 'keystone', machine.name, 'env', *env,
         'timeout', str(at_most_s), '/opt/alters'),
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_a_migration_that_waits_for_something_else_gives_up_by_itself(machine: Machine):
    """Whoever began it may be gone."""
    machine.shell('tee', '/opt/alters', input=ALTERS)
    machine.shell('chmod', '755', '/opt/alters')
    holds = 'BEGIN; SELECT * FROM keystone.service_provider; SELECT SLEEP(200);'
    argv = ('podman', 'exec', machine.name, 'mariadb', '-e', holds)
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as other:
        time.sleep(3)
        done = _expanded(machine, at_most_s=100)
        for session in _sql(machine, f"{SLEEPING} AND info LIKE '%SLEEP(200)%'"):
            machine.shell('mariadb', '-e', f'KILL {session}')
        other.wait()
    assert done.returncode == 1
    assert 'Lock wait timeout exceeded' in done.stderr


SLEEPING = "SELECT id FROM information_schema.processlist WHERE state = 'User sleep'"


def test_the_expansion_is_run(machine: Machine):
    out = machine.action('db-expand')
    assert out['failure'] == ''
    assert (
        'run python3 /etc/keystone/unblocked.py keystone-manage db_sync --expand' in out['steps']
    )
