"""Real keystone under real Apache, with MariaDB and memcached, on both releases."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import subprocess
from collections.abc import Iterator
from typing import Any

import catalogue
import charmkit
import keys
import ops
import pytest
import rest
from charmkit import passwords
from charmkit.relations import ENDPOINT_TYPES, EndpointType, keystone

from tools import systems

pytestmark = pytest.mark.functional

HERE = pathlib.Path(__file__).parent
SEED = 's' * 64
ADMIN_PASSWORD = passwords.derive(SEED, 'admin')
MOUNTS = {
    HERE: '/test',
    HERE.parents[1] / 'src': '/charm',
    pathlib.Path(charmkit.__file__).parents[1]: '/charmkit',
    pathlib.Path(ops.__file__).parents[1]: '/site',
}


@dataclasses.dataclass
class Machine:
    """A container with a keystone unit in it."""

    name: str
    address: str
    rings: dict[str, str]

    @property
    def url(self) -> str:
        return f'http://{self.address}:5000'

    def run(self, *argv: str, **more: Any) -> str:
        done = subprocess.run(
            ('podman', 'exec', '-i', self.name, *argv),
            capture_output=True, text=True, check=False, **more,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def reconcile(self, *due: str) -> dict[str, Any]:
        """One hook of the charm, without what only Juju can do."""
        said = {
            'address': self.address, 'seed': SEED, 'rings': self.rings, 'due': due,
            'fresh': os.urandom(32).hex(),
        }  # fmt: skip
        env = 'PYTHONPATH=/charm:/charmkit:/site'
        out = json.loads(
            self.run('env', env, 'PYTHONDONTWRITEBYTECODE=1', 'python3', '/test/inside.py',
                     input=json.dumps(said))
        )  # fmt: skip
        self.rings |= out['rings']
        return out


@pytest.fixture(scope='module', params=systems.BASES)
def machine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    name = f'rambla-keystone-test-{request.param}-{os.getpid()}'
    mounts = [f'--volume={here}:{there}:ro' for here, there in MOUNTS.items()]
    try:
        rings = {kind.label: keys.dump(keys.make(kind.name * 40)) for kind in keys.KINDS}
        address = systems.start(name, systems.base(request.param), *mounts)
        machine = Machine(name, address, rings)
        machine.run('apt-get', 'update', '-q')
        machine.run('apt-get', 'install', '-y', '-q', '--no-install-recommends', 'mariadb-server')
        machine.run(
            'mariadb', '-e',
            'CREATE DATABASE keystone CHARACTER SET utf8mb3;'
            "GRANT ALL ON keystone.* TO keystone@'127.0.0.1' IDENTIFIED BY 'pw'",
        )  # fmt: skip
        machine.reconcile()
        yield machine
    finally:
        systems.remove(name)


@pytest.fixture
def memory(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / 'token'


def wanted(*names: str) -> catalogue.Desired:
    def service(name: str) -> keystone.Service:
        urls: tuple[tuple[EndpointType, str], ...] = tuple(
            (t, f'http://10.0.0.1/{name}/{t}') for t in ENDPOINT_TYPES
        )
        return keystone.Service(name, keystone.TYPES[name], 'RegionOne', urls)

    requests = [
        keystone.Request(relation=n, app=name, services=(service(name),), roles=('Creator',))
        for n, name in enumerate(names)
    ]
    return catalogue.desired(requests, [service('keystone')], SEED)


def test_one_hook_is_enough_and_the_next_changes_nothing(machine: Machine):
    assert machine.reconcile()['steps'] == []
    session = rest.login(machine.url, ADMIN_PASSWORD)
    assert session.admin.domain == 'default'


def test_the_package_never_served(machine: Machine):
    assert 'masked' in machine.run('sh', '-c', 'systemctl is-enabled keystone || true')
    listening = machine.run('ss', '-Hltnp', 'sport = :5000')
    assert 'apache2' in listening
    assert 'uwsgi' not in listening


def test_the_catalogue_settles_and_follows(machine: Machine, memory: pathlib.Path):
    seen, done = rest.converge(
        [machine.url], ADMIN_PASSWORD, wanted('glance', 'placement'), memory
    )
    assert done
    assert {s['name'] for s in seen.services} == {'glance', 'placement', 'keystone'}
    assert len(seen.endpoints) == 9
    _, again = rest.converge([machine.url], ADMIN_PASSWORD, wanted('glance', 'placement'), memory)
    assert again == []
    seen, _ = rest.converge([machine.url], ADMIN_PASSWORD, wanted('placement'), memory)
    assert {s['name'] for s in seen.services} == {'placement', 'keystone'}
    assert len(seen.endpoints) == 6
    assert {u['name'] for u in seen.users} == {'placement'}
    assert memory.stat().st_mode & 0o777 == 0o600


def test_a_service_logs_in_with_the_password_that_is_answered(
    machine: Machine, memory: pathlib.Path
):
    want = wanted('glance')
    seen, _ = rest.converge([machine.url], ADMIN_PASSWORD, want, memory)
    (account,) = want.accounts
    facts = catalogue.facts(account, seen)
    assert facts
    token = authenticate(machine, facts)
    assert {r['name'] for r in token['roles']} >= {'admin', 'service', 'Creator'}
    assert token['project']['name'] == 'services'
    wrong = dataclasses.replace(facts, password='no')
    with pytest.raises(rest.KeystoneError, match='401'):
        authenticate(machine, wrong)


def authenticate(machine: Machine, account: keystone.Account) -> dict[str, Any]:
    domain = {'name': account.domain}
    user = {'name': account.username, 'domain': domain, 'password': account.password}
    body = {
        'auth': {
            'identity': {'methods': ['password'], 'password': {'user': user}},
            'scope': {'project': {'name': account.project, 'domain': domain}},
        }
    }
    answer, _ = rest._request('POST', machine.url, '/auth/tokens', body=body)  # pyright: ignore[reportPrivateUsage]
    return answer['token']


def test_tokens_outlive_rotations_of_their_keys(machine: Machine):
    session = rest.login(machine.url, ADMIN_PASSWORD)
    before = keys.load(machine.rings[keys.FERNET.label])
    for _ in range(3):
        steps = machine.reconcile(keys.FERNET.label)['steps']
        assert not [s for s in steps if 'apache2' in s or s.startswith('recycle')]
        machine.run('systemctl', 'restart', 'memcached')  # No cache may stand in for the keys.
        rest.observe(session)
    ring = keys.load(machine.rings[keys.FERNET.label])
    assert before
    assert ring
    assert ring.primary == before.primary + 3
    names = machine.run('ls', keys.FERNET.repository).split()
    assert names == [str(n) for n in sorted(ring.keys)]


def test_a_token_dies_with_the_last_of_its_keys(machine: Machine):
    """The check before, sabotaged: with fewer keys than keystone needs it must fail."""
    session = rest.login(machine.url, ADMIN_PASSWORD)
    for _ in range(5):
        machine.reconcile(keys.FERNET.label)
    machine.run('systemctl', 'restart', 'memcached')
    with pytest.raises(rest.KeystoneError, match='401'):
        rest.observe(session)


def test_credentials_are_encrypted_anew(machine: Machine):
    steps = machine.reconcile(keys.CREDENTIAL.label)['steps']
    assert 'run credential-migrate' in steps
    assert machine.reconcile()['steps'] == []


def test_an_unchanged_look_at_the_catalogue_is_cheap(machine: Machine, memory: pathlib.Path):
    def served() -> list[str]:
        machine.run('sync', '/var/log/openstack-apache/keystone-access.log')
        log = machine.run('cat', '/var/log/openstack-apache/keystone-access.log')
        return [line for line in log.splitlines() if 'Python-urllib' in line]

    want = wanted('glance')
    rest.converge([machine.url], ADMIN_PASSWORD, want, memory)
    before = served()
    _, done = rest.converge([machine.url], ADMIN_PASSWORD, want, memory)
    made = served()[len(before) :]
    assert done == []
    # A login costs hundreds of milliseconds of computing: the token is kept instead.
    assert not [line for line in made if 'POST' in line]
    assert 0 < len(made) <= 10


def test_health_follows_the_drain_file(machine: Machine):
    def health() -> str:
        return machine.run(
            'curl', '-s', '-o', '/dev/null', '-w', '%{http_code}',
            'http://127.0.0.1:5000/healthcheck',
        )  # fmt: skip

    assert health() == '200'
    machine.run('touch', '/run/openstack-drain')
    assert health() == '503'
    assert 'remove /run/openstack-drain' in machine.reconcile()['steps']
    assert health() == '200'
