"""A service whose account keystone does not take: it asks in each run, says so, and tells keystone's charm."""

from __future__ import annotations

import dataclasses
import json

import pytest
from charmkit import conf, front, service, service_account, state
from charmkit.machine import HttpRequest, HttpResponse
from charmkit.relations import Relation, Site, keystone
from charmkit.testing import FakeMachine

URL = 'http://10.1.0.250:5000/v3/auth/tokens?nocatalog'
IDENTITY = keystone.need('demo')
SPEC = service.ServiceSpec(
    name='demo',
    user='demo',
    packages=('demo-api',),
    needs=(IDENTITY,),
    apps=(service.WsgiApp('demo-api', '/usr/bin/demo', 8778, type='demo'),),
    config={'/etc/demo/demo.conf': lambda r: {'keystone_authtoken': conf.account(r[IDENTITY])}},
)
BAG = {
    'internal_host': '10.1.0.250', 'internal_port': '5000', 'service_host': '10.2.0.250',
    'service_port': '5000', 'service_username': 'demo', 'service_password': 'pw',
    'service_domain': 'service_domain', 'service_tenant': 'services',
}  # fmt: skip
INPUTS = state.Inputs(
    site=Site(unit='demo/0', leader=True, address='10.0.0.2'),
    relations={
        keystone.RELATION: (
            Relation(id=1, name=keystone.RELATION, app='keystone', units={'keystone/0': BAG}),
        )
    },
)
SERVES = state.Desired(
    memory={front.SERVED: True}, unit_data={keystone.RELATION: {'service': 'demo'}}
)
MARK = keystone.account_mark('demo', 'pw')


@dataclasses.dataclass
class Keystone:
    """What it answers to a login, and to a question about a token."""

    login: int = 201
    token: int = 200
    asked: list[HttpRequest] = dataclasses.field(default_factory=list[HttpRequest])

    def __call__(self, request: HttpRequest) -> HttpResponse:
        self.asked.append(request)
        if request.method == 'POST':
            return HttpResponse(self.login, headers={'x-subject-token': 'fresh'})
        return HttpResponse(self.token)


def task(spec: service.ServiceSpec = SPEC) -> service_account.LogIn:
    (found,) = service_account.followed(spec, INPUTS, SERVES).tasks
    assert isinstance(found, service_account.LogIn)
    return found


def test_it_logs_in_once_and_then_asks_by_the_token_that_it_keeps():
    server = Keystone()
    machine = FakeMachine(web=server)
    assert [task().carry_out(machine) for _ in range(3)] == [False, False, False]
    assert [r.method for r in server.asked] == ['POST', 'GET', 'GET']
    assert {r.url for r in server.asked} == {URL}
    sent = json.loads(server.asked[0].body)['auth']
    assert sent['scope']['project'] == {'name': 'services', 'domain': {'name': 'service_domain'}}
    assert sent['identity']['password']['user'] == {
        'name': 'demo', 'domain': {'name': 'service_domain'}, 'password': 'pw',
    }  # fmt: skip
    assert server.asked[1].headers['X-Subject-Token'] == 'fresh'


@pytest.mark.parametrize(
    ('login', 'refused'), [(401, True), (201, False), (503, False), (0, False), (403, False)]
)
def test_it_is_refused_when_keystone_says_so_and_not_when_it_says_nothing(
    login: int, refused: bool
):
    server = Keystone()
    machine = FakeMachine(web=server)
    task().carry_out(machine)
    server.login, server.token = login, 401
    assert task().carry_out(machine) is refused


@pytest.mark.parametrize('status', [0, 500, 503])
def test_a_keystone_that_does_not_answer_is_not_given_logins_to_work_out(status: int):
    server = Keystone()
    machine = FakeMachine(web=server)
    task().carry_out(machine)
    server.token = status
    assert task().carry_out(machine) is False
    assert [r.method for r in server.asked] == ['POST', 'GET']


def test_a_token_that_cannot_be_kept_is_asked_for_again(monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(28, 'No space left on device')

    server = Keystone()
    machine = FakeMachine(web=server)
    monkeypatch.setattr(machine, 'write', full)
    assert [task().carry_out(machine) for _ in range(2)] == [False, False]
    assert [r.method for r in server.asked] == ['POST', 'POST']


def test_a_token_of_another_password_is_not_asked_by():
    server = Keystone()
    machine = FakeMachine(web=server)
    task().carry_out(machine)
    other = dataclasses.replace(task(), account=dataclasses.replace(task().account, password='x'))
    other.carry_out(machine)
    assert [r.method for r in server.asked] == ['POST', 'POST']


def seen(refused: bool | None) -> state.Desired:
    found = {} if refused is None else {service_account.NAME: refused}
    return service_account.followed(SPEC, dataclasses.replace(INPUTS, seen=found), SERVES)


def test_a_refused_account_is_said_and_keystone_is_told():
    desired = seen(refused=True)
    assert [
        (s.kind, 'keystone refuses the account demo' in s.message) for s in desired.status
    ] == [('blocked', True)]
    assert desired.unit_data[keystone.RELATION] == {
        'service': 'demo',
        keystone.ACCOUNT_REFUSED: MARK,
    }
    assert 'pw' not in MARK


@pytest.mark.parametrize('refused', [False, None])
def test_one_that_is_taken_says_nothing(refused: bool | None):
    desired = seen(refused)
    assert (desired.status, desired.unit_data) == ((), SERVES.unit_data)
    assert desired.tasks == (task(),)


@pytest.mark.parametrize(
    'desired',
    [
        state.Desired(memory={front.SERVED: False}),
        state.Desired(memory={front.SERVED: True, front.PAUSED: True}),
        dataclasses.replace(SERVES, failure='no'),
        dataclasses.replace(SERVES, read_only=True),
    ],
)
def test_what_does_not_serve_asks_nothing(desired: state.Desired):
    assert service_account.followed(SPEC, INPUTS, desired) == desired


def test_nor_does_one_without_an_account():
    alone = dataclasses.replace(INPUTS, relations={})
    assert service_account.followed(SPEC, alone, SERVES) == SERVES
    place = dataclasses.replace(SPEC, needs=(keystone.need_auth_endpoint('x'),))
    assert service_account.followed(place, INPUTS, SERVES) == SERVES


def test_no_password_is_shown():
    assert 'pw' not in repr(task())
