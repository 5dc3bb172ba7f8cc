"""What the load balancer writes to those that asked and to its own other units, key by key."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from balancer import behaviour, handshake, interface, layout, reply
from balancer.exposure import Exposure, Outside
from balancer.reply import Context, Member
from charmkit.proxy import vip_admission
from charmkit.relations import running
from charmkit.relations.loadbalancer import Ack, Lifecycle

BINDING = layout.Binding(addresses=('10.1.0.5',), vips=('10.1.0.100',))
WITHOUT = layout.Binding(addresses=('10.1.0.5',))
KEYSTONE = interface.Endpoint(
    service='keystone',
    type='identity',
    port=5000,
    types=('public', 'internal'),
    path='/v3',
    behaviour=behaviour.Behaviour(),
)
GLANCE = dataclasses.replace(KEYSTONE, service='glance', type='image', port=9292, path='')
ASKED = interface.Request(
    relation=1, app='keystone', version=2, endpoints=(KEYSTONE,), servers=(), lifecycles={}
)
PUBLISHED = {
    (1, 'keystone', 'public'): 'keystone.public',
    (1, 'keystone', 'internal'): 'keystone.internal',
}
BOTH = frozenset(PUBLISHED.values())


def context(
    *members: Member,
    published: dict[tuple[int, str, str], str] = PUBLISHED,
    refusals: tuple[interface.Refusal, ...] = (),
    bindings: dict[str, layout.Binding] | None = None,
    open_: Exposure | None = None,
    **more: Any,
) -> Context:
    """lb/0, lb/1 and so on are the members."""
    return Context(
        layout=layout.Layout(published=published, refusals=refusals),
        around=layout.Surroundings(
            bindings={'public': BINDING} if bindings is None else bindings,
            exposure=open_ or Exposure(),
        ),
        members={f'lb/{n}': m for n, m in enumerate(members)},
        locks=more.pop('locks', {}),
        **more,
    )


def answered(
    *members: Member,
    asked: interface.Request | interface.Refusal = ASKED,
    before: dict[str, str] | None = None,
    **how: Any,
) -> dict[str, Any]:
    """The leader's reply, read."""
    bag = reply.app_reply(asked, context(*members, **how), before or {})
    return {key: json.loads(value) for key, value in bag.items()}


# Members, among themselves.


def test_a_member_is_read_as_it_was_written() -> None:
    member = Member(
        addresses={'public': ('10.0.0.1', 'fd00::1'), 'admin': ()},
        served=frozenset({'b', 'a'}),
        acks={'nova/0': Ack(token='t', state='drained', sessions=3)},
        metrics='10.0.0.1:8404',
        in_service=False,
        ready_url='http://10.0.0.1:8405/ready',
        vrrp=vip_admission.Said(advertises_to=frozenset({'lb/10', 'lb/2'}), takes_part=True),
        hands_over=True,
        heeds='lb/7',
        counts_on=frozenset({'lb/8'}),
    )
    bag = reply.write_member(member)
    assert reply.read_member(bag) == member
    assert bag == {
        'addresses': '{"admin": [], "public": ["10.0.0.1", "fd00::1"]}',
        'served': '["a", "b"]',
        'acks': '{"nova/0": {"sessions": 3, "state": "drained", "token": "t"}}',
        'metrics': '10.0.0.1:8404',
        'in-service': 'no',
        'secure': '',
        'scheme-used': '',
        'ready-url': 'http://10.0.0.1:8405/ready',
        'advertises-to': '["lb/2", "lb/10"]',
        'takes-part': 'yes',
        'hands-over': 'yes',
        'heeds': 'lb/7',
        'counts-on': '["lb/8"]',
    }
    assert reply.write_member(Member())['in-service'] == ''


def test_a_member_that_has_said_nothing_yet_is_in_service_and_serves_nothing() -> None:
    assert reply.read_member({}) == Member() == reply.read_member(reply.write_member(Member()))
    assert Member() == Member(
        addresses={}, served=frozenset(), acks={}, metrics='', in_service=True, ready_url=''
    )
    assert reply.read_member({'acks': '{"nova/0": {"token": 1, "sessions": "x"}}'}).acks == {
        'nova/0': Ack(token='', state='', sessions=0)
    }


# Acknowledgements.

UP = Ack(token='t', state='ready')
DOWN = Ack(token='t', state='down')


def test_that_a_unit_is_down_is_news_only_where_it_was_another_thing() -> None:
    acks = {'nova/0': DOWN, 'nova/1': DOWN, 'nova/2': UP}
    before = {'acks': reply.write_acks({'nova/1': UP})}
    assert reply.news(acks, before) == {'nova/1': DOWN, 'nova/2': UP}
    assert reply.news(acks, {}) == {'nova/2': UP}


def acknowledged(
    ack: Ack, before: Ack | None, lifecycle: Lifecycle | None, app: str = 'nova'
) -> dict[str, Any]:
    said = {'acks': reply.write_acks({'nova/0': before} if before else {})}
    bag = reply.unit_reply(app, {'nova/0': ack}, {'nova/0': lifecycle}, said)
    return json.loads(bag['acks'])


NEW = Ack(token='new', state='ready')


@pytest.mark.parametrize(
    ('ack', 'before', 'state', 'token'),
    [
        (NEW, None, 'drain', 'new'),
        (NEW, UP, 'ready', 'new'),  # It waits to be back.
        (NEW, UP, 'drain', 't'),  # Its drain is queued: that is told elsewhere.
        (NEW, UP, 'maintenance', 't'),
        (NEW, UP, 'gone', 't'),
        (NEW, UP, None, 't'),
        (NEW, Ack(token='t', state='down'), 'maintenance', 'new'),
        (NEW, Ack(token='t', state='ready', sessions=1), 'maintenance', 'new'),
        (Ack(token='new', state='drained'), Ack(token='t', state='drained'), 'drain', 'new'),
        (Ack(token='new', state='drained'), Ack(token='t', state='drained'), 'maintenance', 't'),
    ],
)
def test_another_token_alone_is_told_only_to_a_unit_that_waits_for_it(
    ack: Ack, before: Ack | None, state: Any, token: str
) -> None:
    lifecycle = Lifecycle(state=state, token='new') if state else None
    told = acknowledged(ack, before, lifecycle)
    assert told == {'nova/0': {'token': token, 'state': ack.state, 'sessions': 0}}


def test_each_application_hears_of_its_own_units_alone() -> None:
    assert acknowledged(UP, None, None) != {}
    assert acknowledged(UP, None, None, app='nov') == {}
    acks = {'a/b/0': UP, 'b/0': UP}
    assert json.loads(reply.unit_reply('a/b', acks, {}, {})['acks']).keys() == {'a/b/0'}


# Grants.


def test_grants_are_those_of_the_applications_units_and_name_the_members_in_order() -> None:
    locks = {
        'nova/0': handshake.Lock(token='t', state='queued', since=1, position=2, reason='waits'),
        'glance/0': handshake.Lock(token='g', state='granted', since=1),
    }
    assert reply.grants('nova', ['lb/10', 'lb/9'], locks, {}) == {
        'lb-units': '["lb/9", "lb/10"]',
        'grants': '{"nova/0": {"position": 2, "reason": "waits", "state": "queued", "token": "t"}}',
    }


def test_a_unit_that_asks_for_nothing_hears_why_it_would_be_refused_and_one_that_does_what_was_decided() -> (
    None
):
    locks = {'nova/0': handshake.Lock(token='t', state='refused', since=1, reason='was')}
    standing = {'nova/0': 'would be', 'nova/1': 'would be', 'glance/0': 'would be'}
    said = json.loads(reply.grants('nova', ['lb/0'], locks, standing)['grants'])
    assert {u: (g['token'], g['state'], g['reason']) for u, g in said.items()} == {
        'nova/0': ('t', 'refused', 'was'), 'nova/1': ('', 'refused', 'would be'),
    }  # fmt: skip


# Frontends.

NONE = frozenset[str]()
NOTHING = set[str]()
NOBODY = list[frozenset[str]]()
SERVES = Member(served=BOTH, addresses={'public': ('10.1.0.5',), 'internal': ('10.2.0.5',)})


def test_the_reply_is_whole() -> None:
    locks = {'keystone/0': handshake.Lock(token='t', state='granted', since=1)}
    rotation = (
        ('keystone/0', 'keystone', running.Running('epoxy', 'debian@13')),
        ('glance/0', 'glance', running.Running('epoxy', 'debian@13')),
    )
    assert answered(SERVES, locks=locks, rotation=rotation) == {
        'interface-versions': [1, 2],
        'frontends': {
            'keystone': {
                'public': {
                    'ip': ['10.1.0.100'],
                    'port': 5000,
                    'protocol': 'http',
                    'hostname': '',
                    'url': 'http://10.1.0.100:5000/v3',
                    'families': ['ipv4'],
                    'tls': 'none',
                },
                'internal': {
                    'ip': ['10.2.0.5'],
                    'port': 5000,
                    'protocol': 'http',
                    'hostname': '',
                    'url': 'http://10.2.0.5:5000/v3',
                    'families': ['ipv4'],
                    'tls': 'none',
                },
            }
        },
        'status': {'keystone': {'state': 'ready', 'reason': ''}},
        'proxy': {
            'sets-forwarded-headers': True,
            'trusted-cidrs': ['10.1.0.5/32', '10.2.0.5/32'],
        },
        'lb-units': ['lb/0'],
        'grants': {'keystone/0': {'token': 't', 'state': 'granted', 'position': 0, 'reason': ''}},
        'releases': {'keystone': {'epoxy': ['keystone/0']}},
    }


@pytest.mark.parametrize(
    ('served', 'before', 'types'),
    [
        ([BOTH], {}, {'public', 'internal'}),
        ([BOTH, BOTH], {}, {'public', 'internal'}),
        ([BOTH, frozenset({'keystone.public'})], {}, {'public'}),
        ([frozenset({'keystone.public'}), BOTH], {}, {'public'}),
        ([BOTH, NONE], {}, NOTHING),
        (NOBODY, {}, NOTHING),
        ([BOTH, NONE], {'keystone': {'internal': {}}}, {'internal'}),
        ([BOTH, NONE], {'glance': {'internal': {}}}, NOTHING),
        (NOBODY, {'keystone': {'public': {}}}, {'public'}),
    ],
)
def test_a_frontend_is_told_when_all_members_serve_it_and_stays_told(
    served: list[frozenset[str]], before: dict[str, Any], types: set[str]
) -> None:
    members = [Member(served=s) for s in served]
    told = answered(*members, before={'frontends': json.dumps(before)})
    assert set(told['frontends'].get('keystone', {})) == types
    state = told['status']['keystone']
    assert state == (
        {'state': 'ready', 'reason': ''}
        if types
        else {'state': 'pending', 'reason': 'not every unit serves it yet'}
    )


def test_what_is_not_laid_out_is_not_told_though_it_once_was() -> None:
    before = {'frontends': '{"keystone": {"public": {}, "internal": {}}}'}
    only = {(1, 'keystone', 'public'): 'keystone.public', (2, 'keystone', 'internal'): 'x'}
    told = answered(SERVES, published=only, before=before)
    assert set(told['frontends']['keystone']) == {'public'}


def test_the_addresses_that_requests_come_from_are_told_once_each_in_order() -> None:
    members = [
        Member(addresses={'public': ('10.1.0.6',), 'admin': ('fd00::1',)}),
        Member(addresses={'public': ('10.1.0.5',), 'internal': ('10.1.0.6',)}),
    ]
    assert answered(*members)['proxy']['trusted-cidrs'] == [
        '10.1.0.5/32',
        '10.1.0.6/32',
        'fd00::1/128',
    ]


# Addresses and URLs.


def frontend(t: str = 'public', endpoint: interface.Endpoint = KEYSTONE, **how: Any) -> Any:
    asked = dataclasses.replace(ASKED, endpoints=(endpoint,))
    published = {(1, endpoint.service, t): 'f'}
    member = Member(served=frozenset({'f'}), addresses={t: ('10.1.0.5',)})
    told = answered(member, asked=asked, published=published, **how)
    return told['frontends'][endpoint.service][t]


@pytest.mark.parametrize(
    ('outside', 'url', 'port', 'protocol', 'tls'),
    [
        (Outside(name='c.example'), 'http://c.example:5000/v3', 5000, 'http', 'none'),
        (Outside(name='c.example', port=80), 'http://c.example/v3', 80, 'http', 'none'),
        (Outside(name='c.example', port=443), 'http://c.example:443/v3', 443, 'http', 'none'),
        (
            Outside(name='c.example', scheme='https', port=443),
            'https://c.example/v3',
            443,
            'https',
            'terminate',
        ),
        (
            Outside(name='c.example', scheme='https', port=80),
            'https://c.example:80/v3',
            80,
            'https',
            'terminate',
        ),
        (
            Outside(name='c.example', scheme='https'),
            'https://c.example:5000/v3',
            5000,
            'https',
            'terminate',
        ),
    ],
)
def test_a_name_outside_is_what_the_catalogue_says_with_its_scheme_and_port(
    outside: Outside, url: str, port: int, protocol: str, tls: str
) -> None:
    assert frontend(open_=Exposure(hostnames={'public': outside})) == {
        'ip': ['10.1.0.100'],
        'port': port,
        'protocol': protocol,
        'hostname': 'c.example',
        'url': url,
        'families': ['ipv4'],
        'tls': tls,
    }


def test_an_outside_vip_is_no_host_name_and_a_name_comes_before_it() -> None:
    vips = {'public': (Outside(name='fd00::9', scheme='https'), Outside(name='192.0.2.9'))}
    assert frontend(open_=Exposure(external_vips=vips)) == {
        'ip': ['fd00::9', '192.0.2.9'],
        'port': 5000,
        'protocol': 'https',
        'hostname': '',
        'url': 'https://[fd00::9]:5000/v3',
        'families': ['ipv4', 'ipv6'],
        'tls': 'terminate',
    }
    named = Exposure(external_vips=vips, hostnames={'public': Outside(name='c.example')})
    assert frontend(open_=named)['url'] == 'http://c.example:5000/v3'
    # Of a type that has neither, nothing is outside.
    assert frontend('internal', open_=named)['url'] == 'http://10.1.0.5:5000/v3'
    names = Exposure(external_vips={'public': (*vips['public'], Outside(name='c.example'))})
    assert frontend(open_=names)['ip'] == ['fd00::9', '192.0.2.9']


def test_the_services_own_name_comes_before_its_types_and_both_before_the_load_balancers() -> None:
    own = {'keystone': {'urls': {'public': 'https://k.example'}}}
    kind = {'identity': {'urls': {'public': 'http://i.example:81'}}}
    all_ = {'public': Outside(name='c.example')}
    endpoint = dataclasses.replace(KEYSTONE, hostnames={'public': 'e.example'})

    def url(options: dict[str, Any], **more: Any) -> str:
        shown = Exposure(service_options=options, **more)
        return frontend(endpoint=endpoint, open_=shown)['url']

    assert url({**own, **kind}, hostnames=all_) == 'https://k.example/v3'
    assert url({**kind, **own}, hostnames=all_) == 'https://k.example/v3'
    assert url(kind, hostnames=all_) == 'http://i.example:81/v3'
    assert url({}, hostnames=all_) == 'http://c.example:5000/v3'
    assert url({}) == 'http://e.example:5000/v3'


def test_with_no_address_at_all_there_is_no_url() -> None:
    told = answered(
        Member(served=frozenset({'keystone.public'})),
        published={(1, 'keystone', 'public'): 'keystone.public'},
        bindings={},
    )
    assert told['frontends']['keystone']['public'] == {
        'ip': [],
        'port': 5000,
        'protocol': 'http',
        'hostname': '',
        'url': '',
        'families': [],
        'tls': 'none',
    }


def addresses(*members: Member, t: str = 'public', **how: Any) -> tuple[str, ...]:
    return reply.published_addresses(t, context(*members, **how))


A, B = Member(addresses={'public': ('10.1.0.6', 'fd00::6')}), Member(addresses={'public': ('10.1.0.5',)})  # fmt: skip


def test_clients_are_sent_to_vips_of_the_families_that_are_served() -> None:
    both = layout.Binding(addresses=('10.1.0.5',), vips=('fd00::100', '10.1.0.100'))
    here = {'public': both}
    assert addresses(A, bindings=here) == ('fd00::100', '10.1.0.100')
    assert addresses(A, bindings=here, open_=Exposure(families='ipv4')) == ('10.1.0.100',)
    assert addresses(A, bindings=here, open_=Exposure(families='ipv6')) == ('fd00::100',)


def test_without_a_vip_they_are_sent_to_every_unit_in_service() -> None:
    def sent(*members: Member, away: str = '') -> tuple[str, ...]:
        return addresses(*members, bindings={'public': WITHOUT}, not_ready=frozenset(away.split()))

    out = dataclasses.replace(A, in_service=False)
    assert sent(A, B) == ('10.1.0.6', 'fd00::6', '10.1.0.5')
    assert sent(A, B, A) == ('10.1.0.6', 'fd00::6', '10.1.0.5')
    assert sent(out, B) == ('10.1.0.5',)
    assert sent(A, B, away='lb/0') == ('10.1.0.5',)
    assert sent(B, A, away='lb/9') == ('10.1.0.5', '10.1.0.6', 'fd00::6')
    # With none in service, those that there are.
    assert sent(out, B, away='lb/1') == ('10.1.0.6', 'fd00::6', '10.1.0.5')
    assert sent(Member(), B) == ('10.1.0.5',)
    assert sent() == ()


def test_units_are_in_the_order_of_their_numbers() -> None:
    members = [Member(addresses={'public': (f'10.1.0.{n}',)}) for n in range(11)]
    shown = context(*members, bindings={})
    jumbled = dict(sorted(shown.members.items()))
    found = reply.published_addresses('public', dataclasses.replace(shown, members=jumbled))
    assert found == tuple(f'10.1.0.{n}' for n in range(11))


@pytest.mark.parametrize(
    ('text', 'is_one'),
    [('10.0.0.1', True), ('fd00::1', True), ('0.0.0.0', True), ('c.example', False), ('', False)],  # noqa: S104
)
def test_is_address(text: str, is_one: bool) -> None:
    assert reply.is_address(text) is is_one


# What is refused.


def refusal(reason: str, service: str = '', relation: int = 1) -> interface.Refusal:
    return interface.Refusal(relation=relation, app='keystone', reason=reason, service=service)


def status(*refusals: interface.Refusal, served: frozenset[str] = BOTH, **changes: Any) -> Any:
    asked = dataclasses.replace(ASKED, endpoints=(KEYSTONE, GLANCE), **changes)
    published = {**PUBLISHED, (1, 'glance', 'public'): 'glance.public'}
    member = Member(served=served)
    return answered(member, asked=asked, refusals=refusals, published=published)['status']


READY = {'state': 'ready', 'reason': ''}
PENDING = {'state': 'pending', 'reason': 'not every unit serves it yet'}


def test_a_relation_that_is_refused_is_told_why() -> None:
    asked = refusal('it is too long')
    assert answered(SERVES, asked=asked) == {
        'interface-versions': [1, 2],
        'frontends': {},
        'status': {'*': {'state': 'rejected', 'reason': 'it is too long'}},
        'proxy': {
            'sets-forwarded-headers': True,
            'trusted-cidrs': ['10.1.0.5/32', '10.2.0.5/32'],
        },
        'lb-units': ['lb/0'],
        'grants': {},
        'releases': {},
    }
    one = dataclasses.replace(asked, service='keystone')
    assert set(answered(SERVES, asked=one)['status']) == {'keystone'}


def test_each_service_has_its_own_verdict() -> None:
    assert status() == {'keystone': READY, 'glance': PENDING}
    both = BOTH | {'glance.public'}
    assert status(served=both) == {'keystone': READY, 'glance': READY}
    assert status(refusal('port 80', 'glance'), refusal('another', 'glance')) == {
        'keystone': READY,
        'glance': {'state': 'rejected', 'reason': 'port 80; another'},
    }
    assert status(refusal('same', 'glance'), refusal('same', 'glance'))['glance'] == {
        'state': 'rejected',
        'reason': 'same',
    }
    assert status(refusal('elsewhere', 'glance', relation=2))['glance'] == PENDING


def test_what_is_served_in_part_is_ready_and_says_what_is_missing() -> None:
    found = status(
        refusal('no admin'),
        served=BOTH,
        refused_units={'keystone/1': 'port', 'keystone/0': 'address'},
    )
    assert found['keystone'] == {
        'state': 'ready',
        'reason': 'no admin; keystone/0: address; keystone/1: port',
    }
    assert found['glance'] == {'state': 'rejected', 'reason': 'no admin'}


def test_the_operator_hears_of_everything_that_is_refused_once() -> None:
    asked = [
        refusal('it is too long', relation=7),
        dataclasses.replace(ASKED, refused_units={'keystone/1': 'port', 'keystone/0': 'address'}),
    ]
    what = layout.Layout(refusals=(refusal('port 80', 'glance'), refusal('port 80', 'glance')))
    assert reply.refusals(asked, what) == (
        'keystone (relation 7): it is too long',
        'keystone/0: address',
        'keystone/1: port',
        'keystone: glance: port 80',
    )
