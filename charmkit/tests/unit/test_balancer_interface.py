"""The interface between an API and its load balancer, key by key: what is written, and what is made of an answer."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from charmkit.relations import Relation, loadbalancer
from charmkit.relations.loadbalancer import Ack, Api, Frontend, Grant, Lifecycle, Reply, Verdict

NOVA = Api(name='nova', type='compute', frontend_port=8774, backend_port=8764, path='/v2.1')
ADMIN = Api(name='nova-admin', type='', frontend_port=1, backend_port=2, types=('admin',))
READY = Lifecycle(state='ready', token='t')


# What is asked for.


def test_the_application_asks_for_the_services_of_the_type() -> None:
    asked = loadbalancer.app_request([NOVA, ADMIN], 'public')
    assert asked['interface-versions'] == '[1, 2]'
    assert json.loads(asked['endpoints']) == [
        {
            'service-name': 'nova',
            'service-type': 'compute',
            'frontend-port': 8774,
            'check-type': 'http',
            'endpoint-types': ['public'],
            'path': '/v2.1',
            'min-ready': 1,
        }
    ]
    more = dataclasses.replace(NOVA, min_ready=2, options={'balance': 'roundrobin', 'path': '/x'})
    (endpoint,) = json.loads(loadbalancer.app_request([more], 'admin')['endpoints'])
    assert (endpoint['min-ready'], endpoint['balance'], endpoint['path']) == (
        2,
        'roundrobin',
        '/x',
    )
    assert len(json.loads(loadbalancer.app_request([NOVA, ADMIN], 'admin')['endpoints'])) == 2


def test_a_unit_says_where_it_serves_the_preferred_address_first() -> None:
    said = loadbalancer.unit_request([NOVA, ADMIN], 'public', ['10.0.0.1', 'fd00::1'], READY)
    assert json.loads(said['endpoints']) == [
        {
            'service-name': 'nova',
            'backend-ip': '10.0.0.1',
            'backend-port': 8764,
            'addresses': ['10.0.0.1', 'fd00::1'],
        }
    ]
    assert json.loads(said['lifecycle'])['state'] == 'ready'
    busy = dataclasses.replace(NOVA, requests_at_once=7)
    told = loadbalancer.unit_request([busy], 'public', ['10.0.0.1'], READY, backup=True)
    (endpoint,) = json.loads(told['endpoints'])
    assert (endpoint['maxconn'], endpoint['backup']) == (7, True)


def test_a_lifecycle_is_read_as_it_was_written() -> None:
    whole = Lifecycle(
        state='drain',
        token='t',
        reason='r',
        deadline_s=7,
        on_deadline='force',
        force=True,
        beat=3,
    )
    text = loadbalancer.write_lifecycle(whole)
    assert json.loads(text) == {
        'state': 'drain',
        'token': 't',
        'reason': 'r',
        'deadline-s': 7,
        'on-deadline': 'force',
        'force': True,
        'beat': 3,
        'services': ['*'],
    }
    for lifecycle in (whole, READY):
        bag = {'lifecycle': loadbalancer.write_lifecycle(lifecycle)}
        assert loadbalancer.read_lifecycle(bag) == lifecycle


@pytest.mark.parametrize('state', ['ready', 'drain', 'maintenance', 'gone'])
def test_a_lifecycle_that_says_no_more_than_its_state_waits_five_minutes(state: Any) -> None:
    bag = {'lifecycle': json.dumps({'state': state})}
    assert loadbalancer.read_lifecycle(bag) == Lifecycle(
        state=state,
        token='',
        reason='',
        deadline_s=300,
        on_deadline='wait',
        force=False,
        beat=0,
    )
    odd = {'state': state, 'deadline-s': 'x', 'on-deadline': 'cut', 'beat': None, 'token': 3}
    found = loadbalancer.read_lifecycle({'lifecycle': json.dumps(odd)})
    assert found == Lifecycle(state=state, token='')


@pytest.mark.parametrize('text', ['', '{}', '7', '{"state": "asleep"}', '{"state": ["ready"]}'])
def test_what_is_no_lifecycle_is_none(text: str) -> None:
    assert loadbalancer.read_lifecycle({'lifecycle': text}) is None
    assert loadbalancer.read_lifecycle({}) is None


# What is answered.


def relation(
    name: str = 'public-backend', *, i: int = 1, app: str = 'lb', **data: Any
) -> Relation:
    bag = {key.replace('_', '-'): json.dumps(value) for key, value in data.items()}
    return Relation(id=i, name=name, app=app, app_data=bag)


def test_who_has_said_nothing_yet_has_not_answered() -> None:
    assert loadbalancer.read(relation()) is None
    assert loadbalancer.read(relation(status={})) is None
    assert loadbalancer.read(relation(frontends={})) is not None
    assert loadbalancer.read(relation(interface_versions=[2])) is not None


@pytest.mark.parametrize(
    ('versions', 'version'),
    [([1, 2], 2), ([2], 2), ([1], 1), ([1, 3], 1), ([3], 1), ([], 1), (['2'], 1)],
)
def test_the_newest_version_that_both_know_is_spoken(versions: Any, version: int) -> None:
    found = loadbalancer.read(relation(interface_versions=versions))
    assert found is not None
    assert found.version == version


def test_an_answer_is_read_whole() -> None:
    ack = {'token': 't', 'state': 'drained', 'sessions': 4}
    answer = dataclasses.replace(
        relation(
            interface_versions=[1, 2],
            frontends={'nova': {'public': {'url': 'u', 'ip': ['a'], 'port': 1}}},
            status={'nova': {'state': 'ready', 'reason': 'r'}},
            grants={'nova/0': {'token': 't', 'state': 'queued', 'position': 2, 'reason': 'w'}},
            lb_units=['lb/0', 'lb/1'],
            proxy={'trusted-cidrs': ['10.0.0.0/8']},
        ),
        units={'lb/0': {'acks': json.dumps({'nova/0': ack})}, 'lb/1': {}},
    )
    assert loadbalancer.read(answer) == Reply(
        balancer='lb',
        version=2,
        frontends={'nova': {'public': Frontend(url='u', addresses=('a',), port=1)}},
        status={'nova': Verdict(state='ready', reason='r')},
        grants={'nova/0': Grant(token='t', state='queued', position=2, reason='w')},
        acks={'lb/0': {'nova/0': Ack(token='t', state='drained', sessions=4)}, 'lb/1': {}},
        lb_units=('lb/0', 'lb/1'),
        heard=frozenset({'lb/0'}),
        trusted_cidrs=('10.0.0.0/8',),
    )


def test_what_cannot_be_read_counts_as_absent() -> None:
    broken = dataclasses.replace(
        relation(interface_versions=[2]),
        app_data={
            **dict.fromkeys(
                ('interface-versions', 'frontends', 'status', 'grants', 'lb-units', 'proxy'), '{['
            )
        },
        units={'lb/0': {'acks': '{['}},
    )
    assert loadbalancer.read(broken) == Reply(
        balancer='lb',
        version=1,
        frontends={},
        status={},
        grants={},
        acks={'lb/0': {}},
        lb_units=(),
        heard=frozenset({'lb/0'}),
        trusted_cidrs=(),
    )
    empty = dataclasses.replace(
        relation(frontends={'nova': {'public': {}}}, status={'nova': {}}, grants={'nova/0': {}}),
        units={'lb/0': {'acks': '{"nova/0": {}}'}},
    )
    found = loadbalancer.read(empty)
    assert found is not None
    assert found.frontends == {'nova': {'public': Frontend(url='', addresses=(), port=0)}}
    assert found.status == {'nova': Verdict(state='')}
    assert found.grants == {'nova/0': Grant(token='', state='')}
    assert found.acks == {'lb/0': {'nova/0': Ack(token='', state='')}}


@pytest.mark.parametrize(
    ('said', 'url'),
    [
        ({'url': 'http://u', 'ip': ['10.0.0.9'], 'port': 1, 'hostname': 'h'}, 'http://u'),
        ({'ip': ['10.0.0.9', '10.0.0.8'], 'port': 81}, 'http://10.0.0.9:81'),
        ({'ip': ['fd00::9'], 'port': 81}, 'http://[fd00::9]:81'),
        ({'ip': ['10.0.0.9'], 'port': 81, 'hostname': 'h.example'}, 'http://h.example:81'),
        ({'ip': ['10.0.0.9'], 'port': 81, 'protocol': 'https'}, 'https://10.0.0.9:81'),
        ({'port': 81}, ''),
    ],
)
def test_without_a_url_it_is_made_of_the_first_address(said: dict[str, Any], url: str) -> None:
    found = loadbalancer.read(relation(frontends={'nova': {'public': said}}))
    assert found is not None
    assert found.frontends['nova']['public'] == Frontend(
        url=url,
        addresses=tuple(said.get('ip', ())),
        port=said['port'],
        protocol=said.get('protocol', 'http'),
        hostname=said.get('hostname', ''),
    )


# What follows for the catalogue, and for the operator.


def served(name: str, i: int, **urls: str) -> Relation:
    return relation(name, i=i, frontends={'nova': {t: {'url': u} for t, u in urls.items()}})


def test_a_types_url_is_that_of_its_own_relation_and_of_the_oldest() -> None:
    public = served('public-backend', 3, public='http://new', internal='http://wrong')
    older = served('public-backend', 2, public='http://old')
    admin = served('admin-backend', 1, admin='http://admin', public='http://wrong')
    assert loadbalancer.urls([public, older, admin]) == {
        'nova': {'public': 'http://old', 'admin': 'http://admin'}
    }
    silent, other = relation(i=1), served('website', 1, public='http://x')
    assert loadbalancer.urls([silent, other, public]) == {'nova': {'public': 'http://new'}}
    assert loadbalancer.urls([served('public-backend', 1, public='')]) == {}
    glance = relation(i=4, frontends={'glance': {'public': {'url': 'http://g'}}})
    assert loadbalancer.urls([public, glance]) == {
        'nova': {'public': 'http://new'},
        'glance': {'public': 'http://g'},
    }


def test_what_is_refused_and_what_is_doubled_is_told_in_order() -> None:
    no = {'state': 'rejected', 'reason': 'no'}
    first = relation(
        i=2,
        app='lb2',
        frontends={},
        status={'z': no, '*': no, 'a': {'state': 'pending', 'reason': 'not yet'}},
    )
    second = relation(i=1, app='lb1', frontends={}, status={'nova': no})
    other = relation('admin-backend', i=3, app='lb3')
    assert loadbalancer.complaints([first, second, other]) == (
        'lb1 refuses nova: no',
        'lb2 refuses the relation: no',
        'lb2 refuses z: no',
        'public-backend has several load balancers: lb1, lb2',
    )
    assert loadbalancer.complaints([other]) == ()
