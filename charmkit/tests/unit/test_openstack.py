"""OpenStack's APIs, asked with a service's account: what is asked of whom, and what is said when it is refused."""

from __future__ import annotations

import json

import pytest
from charmkit import openstack
from charmkit.machine import HttpRequest, HttpResponse
from charmkit.relations import keystone
from charmkit.testing import FakeMachine

pytestmark = pytest.mark.timeout(30)

EMPTY: dict[str, object] = {'type': 'compute', 'endpoints': ()}
IDENTITY = keystone.Identity(
    auth_url='http://10.0.0.6:5000/v3', public_url='', username='nova', project='services',
    domain='service_domain', password='a-password', region='North',
)  # fmt: skip


def endpoint(interface: str, region: str, url: str) -> dict[str, str]:
    return {'interface': interface, 'region_id': region, 'url': url}


CATALOG = [
    {'type': 'image', 'endpoints': [endpoint('internal', 'North', 'http://image')]},
    {
        'type': 'compute',
        'endpoints': [
            endpoint('public', 'North', 'http://public'),
            endpoint('internal', 'South', 'http://south'),
            endpoint('internal', 'North', 'http://north/v2.1/'),
        ],
    },
]


def cloud(answer: HttpResponse, catalog: object = CATALOG, held: str = 'a-token') -> FakeMachine:
    def web(request: HttpRequest) -> HttpResponse:
        if request.url.endswith('/auth/tokens'):
            body = json.dumps({'token': {'catalog': catalog}})
            return HttpResponse(201, headers={'x-subject-token': held}, body=body)
        return answer

    return FakeMachine(web=web)


def test_it_logs_in_with_the_account_and_asks_the_internal_endpoint_of_its_region():
    machine = cloud(HttpResponse(200, body='{"a": 1}'))
    client = openstack.login(machine, IDENTITY, 'compute', 'compute 2.53')
    assert client.ask('PUT', '/things?a=b', {'x': 1}) == {'a': 1}
    login, asked = machine.requests
    assert json.loads(login.body)['auth'] == {
        'identity': {
            'methods': ['password'],
            'password': {
                'user': {
                    'name': 'nova',
                    'domain': {'name': 'service_domain'},
                    'password': 'a-password',
                }
            },
        },
        'scope': {'project': {'name': 'services', 'domain': {'name': 'service_domain'}}},
    }
    assert (login.method, login.url) == ('POST', 'http://10.0.0.6:5000/v3/auth/tokens')
    assert (asked.method, asked.url) == ('PUT', 'http://north/v2.1/things?a=b')
    assert json.loads(asked.body) == {'x': 1}
    assert asked.headers['X-Auth-Token'] == 'a-token'
    assert asked.headers['OpenStack-API-Version'] == 'compute 2.53'
    assert 'a-password' not in repr(machine.requests) and 'a-token' not in repr(client)


def test_an_answer_without_a_body_is_nothing_and_no_version_is_asked_for_by_itself():
    machine = cloud(HttpResponse(204))
    assert openstack.login(machine, IDENTITY, 'compute').ask('DELETE', '/things/1') is None
    assert 'OpenStack-API-Version' not in machine.requests[-1].headers


@pytest.mark.parametrize(
    ('answer', 'words'),
    [
        (HttpResponse(0, 'Connection refused'), 'GET /things: no answer Connection refused'),
        (
            HttpResponse(409, 'Conflict', body='{"conflictingRequest": {"message": "in\\nuse"}}'),
            'GET /things: 409 in use',
        ),
        (HttpResponse(503, 'Service Unavailable', body='<html>'), '503 Service Unavailable'),
        (HttpResponse(500, 'Oh', body='{}'), '500 Oh'),
        (HttpResponse(500, 'Oh', body='[1]'), '500 Oh'),
        (HttpResponse(500, 'Oh', body='{"a": "b"}'), '500 Oh'),
        (HttpResponse(302, 'Found'), '302 Found'),
        (HttpResponse(200, body='<html>'), '200 this is no JSON'),
    ],
)
def test_what_is_refused_is_said_with_the_request_and_the_services_own_words(
    answer: HttpResponse, words: str
):
    client = openstack.login(cloud(answer), IDENTITY, 'compute')
    with pytest.raises(openstack.RefusedError) as caught:
        client.ask('GET', '/things?secret=1')
    assert words in str(caught.value)
    assert 'secret' not in str(caught.value)
    assert caught.value.status == answer.status


def test_words_without_end_are_cut_short():
    said = json.dumps({'error': {'message': 'x' * 5000}})
    client = openstack.login(cloud(HttpResponse(500, body=said)), IDENTITY, 'compute')
    with pytest.raises(openstack.RefusedError) as caught:
        client.ask('GET', '/things')
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ('catalog', 'token', 'words'),
    [
        (None, 'a-token', 'an internal endpoint of compute in North is not in the answer'),
        ([EMPTY], 'a-token', 'is not in the answer'),
        ([{'type': 'compute'}], 'a-token', 'is not in the answer'),
        (CATALOG, '', 'POST /auth/tokens: 201 but a token is not in the answer'),
    ],
)
def test_a_keystone_that_does_not_say_where_the_service_is_is_named(
    catalog: object, token: str, words: str
):
    with pytest.raises(openstack.RefusedError) as caught:
        openstack.login(cloud(HttpResponse(200), catalog, token), IDENTITY, 'compute')
    assert words in str(caught.value)
