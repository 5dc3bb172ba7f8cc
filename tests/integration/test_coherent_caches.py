"""What one unit of keystone writes, the other shows at once, also where it has cached what was there before."""

from __future__ import annotations

import dataclasses
import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Generator
from typing import Any

import jubilant
import pytest

from .conftest import CHARMS, Model, settle

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(2400)]

TIMES = 20
SCRIPT = '/usr/local/lib/charmkit/keystone.wsgi'
PACKAGED = '/usr/bin/keystone-wsgi-public'
STATISTICS = """
import socket
with socket.socket(socket.AF_UNIX) as cache:
    cache.connect("/run/keystone-cache/socket")
    cache.sendall(b"stats\\r\\nquit\\r\\n")
    print(b"".join(iter(lambda: cache.recv(65536), b"")).decode())
"""


@dataclasses.dataclass(frozen=True)
class Unit:
    """A unit of keystone, asked by its own address."""

    address: str
    admin: str = dataclasses.field(repr=False)

    def ask(
        self, method: str, path: str, body: Any = None, token: str = '', subject: str = ''
    ) -> tuple[int, dict[str, Any], str]:
        """Status, answer, and the token that was issued; as the administrator unless *token* says otherwise."""
        request = urllib.request.Request(
            f'http://{self.address}:5000/v3{path}',
            data=None if body is None else json.dumps(body).encode(),
            headers={
                'Content-Type': 'application/json',
                'X-Auth-Token': token or self.admin,
                **({'X-Subject-Token': subject} if subject else {}),
            },
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 -- ours.
                text = answer.read()
                issued = str(answer.headers.get('X-Subject-Token') or '')
                return answer.status, json.loads(text) if text else {}, issued
        except urllib.error.HTTPError as e:
            return e.code, {}, ''

    def status(self, method: str, path: str, **more: Any) -> int:
        return self.ask(method, path, **more)[0]

    def made(self, kind: str, **fields: Any) -> str:
        """The id of a new one."""
        status, answer, _ = self.ask('POST', f'/{kind}s', {kind: fields})
        assert status == 201, answer
        return str(answer[kind]['id'])

    def login(self, user: str, password: str, **scope: Any) -> str:
        """A token, '' when it is refused."""
        who = {'id': user} if user != 'admin' else {'name': user, 'domain': {'id': 'default'}}
        identity = {'methods': ['password'], 'password': {'user': {**who, 'password': password}}}
        asked = {'identity': identity, **({'scope': scope} if scope else {})}
        return self.ask('POST', '/auth/tokens', {'auth': asked})[2]


@pytest.fixture(scope='module')
def juju(base: str, model: Model) -> Generator[jubilant.Juju]:
    """MariaDB, and two units of keystone, active."""
    with model(base) as juju:
        if not juju.status().apps:
            juju.deploy(CHARMS / 'mysql')
            juju.deploy(CHARMS / 'keystone', num_units=2)
            juju.integrate('keystone', 'mysql')
        settle(juju)
        yield juju


@pytest.fixture(scope='module')
def units(juju: jubilant.Juju) -> tuple[Unit, Unit]:
    """Where something is written, and where it is read."""
    one, other = (u.public_address for u in juju.status().apps['keystone'].units.values())
    password = str(juju.run('keystone/leader', 'get-admin-password').results['password'])
    project = {'name': 'admin', 'domain': {'id': 'default'}}
    token = Unit(one, '').login('admin', password, project=project)
    return Unit(one, token), Unit(other, token)


def name() -> str:
    return uuid.uuid4().hex


def token_deleted(a: Unit, b: Unit) -> Generator[str]:
    """What *b* shows of a token that *a* has deleted, each thing that is old."""
    user = a.made('user', name=name(), password='s3cret')
    for way in ('subject', 'token'):
        token = a.login(user, 's3cret')
        asked = {way: token}
        path = '/auth/tokens' if way == 'subject' else f'/users/{user}'
        assert b.status('GET', path, **asked) == 200
        assert a.status('DELETE', '/auth/tokens', subject=token) == 204
        if (status := b.status('GET', path, **asked)) == 200:
            yield f'a deleted token, as {way}: {status}'
    a.status('DELETE', f'/users/{user}')


def role_changed(a: Unit, b: Unit) -> Generator[str]:
    """What is old of a role."""
    first, second = name(), name()
    role = a.made('role', name=first)
    shown = lambda: b.ask('GET', f'/roles/{role}')  # noqa: E731
    assert shown()[1]['role']['name'] == first
    a.ask('PATCH', f'/roles/{role}', {'role': {'name': second}})
    if (now := shown()[1]['role']['name']) != second:
        yield f'a role is still called {now}'
    assert a.status('DELETE', f'/roles/{role}') == 204
    if shown()[0] != 404:
        yield 'a deleted role'


def grant_changed(a: Unit, b: Unit) -> Generator[str]:
    """What is old of who has which role."""
    user = a.made('user', name=name(), password='s3cret')
    project, role, implied = a.made('project', name=name()), a.made('role', name=name()), None
    grant = f'/projects/{project}/users/{user}/roles/{role}'
    query = f'/role_assignments?effective&scope.project.id={project}&user.id={user}'
    count = lambda: len(b.ask('GET', query)[1]['role_assignments'])  # noqa: E731
    assert count() == 0
    for expected, method, path in (
        (1, 'PUT', grant),
        (2, 'PUT', f'/roles/{role}/implies/{(implied := a.made("role", name=name()))}'),
        (1, 'DELETE', f'/roles/{role}/implies/{implied}'),
        (0, 'DELETE', grant),
    ):
        assert a.status(method, path) in (201, 204)
        if (seen := count()) != expected:
            yield f'{seen} roles after {method} {path}'
    for path in (f'users/{user}', f'projects/{project}', f'roles/{role}', f'roles/{implied}'):
        a.status('DELETE', f'/{path}')


def catalogue_changed(a: Unit, b: Unit) -> Generator[str]:
    """What is old of services and endpoints."""
    first, second = name(), name()
    service = a.made('service', type=name(), name=first)
    shown = lambda: b.ask('GET', f'/services/{service}')  # noqa: E731
    listed = lambda: json.dumps(b.ask('GET', '/auth/catalog')[1])  # noqa: E731
    assert shown()[1]['service']['name'] == first
    assert listed()  # So that it has one.
    endpoint = a.made('endpoint', service_id=service, interface='public', url='http://one.example')
    if endpoint not in listed():
        yield 'a catalogue without a new endpoint'
    a.ask('PATCH', f'/services/{service}', {'service': {'name': second}})
    if (now := shown()[1]['service']['name']) != second:
        yield f'a service is still called {now}'
    b.status('GET', f'/endpoints/{endpoint}')
    a.ask('PATCH', f'/endpoints/{endpoint}', {'endpoint': {'url': 'http://two.example'}})
    if b.ask('GET', f'/endpoints/{endpoint}')[1]['endpoint']['url'] != 'http://two.example':
        yield "an endpoint's old URL"
    if 'http://two.example' not in listed():
        yield "a catalogue with an endpoint's old URL"
    assert a.status('DELETE', f'/services/{service}') == 204
    if shown()[0] != 404:
        yield 'a deleted service'
    if endpoint in listed():
        yield 'a catalogue with a deleted endpoint'


Change = Callable[[Unit, Unit], Generator[str]]
CHANGES: tuple[Change, ...] = (token_deleted, role_changed, grant_changed, catalogue_changed)
each_change = pytest.mark.parametrize('change', CHANGES, ids=lambda change: change.__name__)


def stale(units: tuple[Unit, Unit], change: Change) -> list[str]:
    """All that was old, with the units taking turns to write."""
    a, b = units
    return [
        said for n in range(TIMES) for said in (change(a, b) if n % 2 else change(b, a))
    ]  # fmt: skip


@each_change
def test_the_other_unit_shows_it_at_once(units: tuple[Unit, Unit], change: Change):
    assert stale(units, change) == []


def hits(juju: jubilant.Juju, unit: str) -> int:
    """How many values a unit has found in its cache since that was started."""
    said = juju.exec(f"python3 -c '{STATISTICS}'", unit=unit).stdout
    return int(said.split('STAT get_hits ')[1].split()[0])


def test_and_each_unit_caches(juju: jubilant.Juju, units: tuple[Unit, Unit]):
    """Or nothing would have been tried above."""
    for name, unit in juju.status().apps['keystone'].units.items():
        (asked,) = (u for u in units if u.address == unit.public_address)
        before = hits(juju, name)
        for _ in range(TIMES):
            assert asked.status('GET', '/auth/catalog') == 200
        assert hits(juju, name) >= before + TIMES


def test_without_ids_in_common_they_show_what_is_old(
    juju: jubilant.Juju, base: str, units: tuple[Unit, Unit]
):
    """The sabotaged twin: the package's own script."""
    for unit in juju.status().apps['keystone'].units:
        juju.exec(f'cp {PACKAGED} {SCRIPT} && systemctl restart apache2', unit=unit)
    # Zed asks the database each time who has which role, and whether a token is revoked; 2025.1 caches both.
    wanted = CHANGES if base == 'debian@13' else (role_changed, catalogue_changed)
    seen = {change.__name__: stale(units, change) for change in wanted}
    assert all(seen.values()), seen
