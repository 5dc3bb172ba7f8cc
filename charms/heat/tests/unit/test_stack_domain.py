"""The domain of stacks' users: made once by the leader, with heat's own account, and found again after that."""

from __future__ import annotations

import dataclasses
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import stack_domain
from charmkit import keystone
from charmkit import testing as machines
from charmkit.machine import HttpRequest, HttpResponse
from ops import testing

from charms import conftest as shared

IDENTITY = keystone.Identity(
    auth_url='http://10.0.0.6:5000/v3',
    public_url='http://10.0.0.6:5000/v3',
    username='heat',
    project='services',
    domain='service_domain',
    password='account-pw',
)
TASK = stack_domain.Domain(identity=IDENTITY, password='domain-pw')


@dataclasses.dataclass
class Keystone:
    """As much of one as heat asks of it."""

    records: dict[str, list[dict[str, Any]]] = dataclasses.field(
        default_factory=lambda: {
            'domains': [],
            'users': [],
            'roles': [{'id': 'r0', 'name': 'admin'}],
        }
    )
    grants: set[str] = dataclasses.field(default_factory=set[str])
    refusing: str = ''
    asked: list[str] = dataclasses.field(default_factory=list[str])

    def __call__(self, request: HttpRequest) -> HttpResponse:
        url = urlsplit(request.url)
        path = url.path.removeprefix('/v3')
        self.asked.append(f'{request.method} {path}')
        if self.refusing == f'{request.method} {path}':
            return HttpResponse(403, 'Forbidden')
        body: dict[str, Any] = json.loads(request.body) if request.body else {}
        if path == '/auth/tokens':
            return self.login(body['auth']) if body else HttpResponse(200)
        if request.headers['X-Auth-Token'] != 'token':
            return HttpResponse(401, 'Unauthorized')
        kind = path.split('/')[1]
        match request.method:
            case 'GET':
                asked = {k: v[0] for k, v in parse_qs(url.query).items()}
                found = [r for r in self.records[kind] if asked.items() <= r.items()]
                return HttpResponse(200, body=json.dumps({kind: found}))
            case 'POST':
                record: dict[str, Any] = {'id': f'{kind}-1', **body[kind[:-1]]}
                self.records[kind].append(record)
                return HttpResponse(201, body=json.dumps({kind[:-1]: record}))
            case 'PATCH':
                self.records[kind][0] |= body[kind[:-1]]
                return HttpResponse(200, body='{}')
            case _:
                self.grants.add(path)
                return HttpResponse(204)

    def login(self, auth: dict[str, Any]) -> HttpResponse:
        user = auth['identity']['password']['user']
        if user['name'] == 'heat' and user['password'] == 'account-pw':
            return HttpResponse(201, headers={'x-subject-token': 'token'})
        known = [u for u in self.records['users'] if u.get('password') == user['password']]
        granted = '/domains/domains-1/users/users-1/roles/r0' in self.grants
        return HttpResponse(201) if known and granted else HttpResponse(401, 'Unauthorized')


@pytest.fixture
def there(machine: machines.FakeMachine) -> Keystone:
    found = Keystone()
    machine.web = found
    return found


def test_what_is_missing_is_made_and_the_administrator_can_log_in(
    machine: machines.FakeMachine, there: Keystone
):
    assert TASK.carry_out(machine) == ''
    assert {r['name'] for r in there.records['roles']} == {'admin', 'heat_stack_user'}
    (user,) = there.records['users']
    assert (user['name'], user['domain_id']) == ('heat_domain_admin', 'domains-1')
    there.asked.clear()
    assert TASK.carry_out(machine) == ''
    assert there.asked == ['POST /auth/tokens']


def test_an_administrator_with_another_password_gets_the_right_one(
    machine: machines.FakeMachine, there: Keystone
):
    TASK.carry_out(machine)
    there.records['users'][0]['password'] = 'other'
    assert TASK.carry_out(machine) == ''
    assert there.records['users'][0]['password'] == 'domain-pw'
    assert len(there.records['users']) == len(there.records['domains']) == 1


@pytest.mark.parametrize(
    ('refusing', 'said'),
    [
        ('POST /domains', 'POST /domains: keystone says 403 Forbidden'),
        ('POST /auth/tokens', 'heat cannot log in to keystone: 403 Forbidden'),
    ],
)
def test_what_keystone_refuses_is_told(
    machine: machines.FakeMachine, there: Keystone, refusing: str, said: str
):
    there.refusing = refusing
    assert TASK.carry_out(machine) == said
    assert 'pw' not in repr(TASK)


@pytest.mark.parametrize('leader', [True, False])
def test_the_leader_alone_sees_to_it_and_a_refusal_is_in_its_status(
    machine: machines.FakeMachine, there: Keystone, leader: bool
):
    def web(request: HttpRequest) -> HttpResponse:
        return HttpResponse(200) if 'healthcheck' in request.url else there(request)

    machine.web = web
    ctx = testing.Context(shared.load('heat').HeatCharm)
    relations = {
        shared.database('heat/0'),
        shared.identity('heat'),
        shared.broker(),
        testing.PeerRelation('peers'),
    }
    state = testing.State(leader=True, relations=relations, networks=shared.networks())
    first = ctx.run(ctx.on.config_changed(), state)
    assert first.unit_status == testing.ActiveStatus()
    there.grants.clear()
    there.asked.clear()
    there.refusing = 'POST /auth/tokens'
    out = ctx.run(ctx.on.update_status(), dataclasses.replace(first, leader=leader))
    said = 'no domain for the users of stacks: heat cannot log in to keystone: 403 Forbidden'
    assert out.unit_status == (testing.BlockedStatus(said) if leader else testing.ActiveStatus())
    assert ('POST /auth/tokens' in there.asked) == leader
    assert machine.service('heat-engine') == 'running'
