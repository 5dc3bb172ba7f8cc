"""What a DNS charm is asked for, and what becomes of its refusal."""

from __future__ import annotations

import dataclasses
import json
import uuid
from typing import Any

import pytest
from balancer import dns_records, reply
from charmkit import testing as machines
from charmkit.machine import HttpResponse, UnreachableError
from charmkit.proxy import vip_admission
from charmkit.relations import Relation, wire
from ops import testing

from .test_charm import HERE, charm, ctx, keystone, machine

__all__ = ['charm', 'ctx', 'machine']  # fixtures

DNS = testing.Relation('dns-record', id=40, remote_app_name='bind')
NAME = 'public=cloud.example.com'
FRONTEND = 'keystone.public'
SERVES = reply.Member(
    addresses={'public': ('10.1.0.6', '2001:db8::6'), 'internal': ('10.2.0.6',)},
    served=frozenset({FRONTEND}),
)


def peers(*others: reply.Member) -> testing.PeerRelation:
    numbered = dict(enumerate(others, 1))
    members = ['openstack-loadbalancer/0', *(f'openstack-loadbalancer/{n}' for n in numbered)]
    return testing.PeerRelation(
        'peers',
        id=1000,
        peers_data={n: dict(reply.write_member(m)) for n, m in numbered.items()},
        local_app_data={vip_admission.MEMBERS: wire.dump(members)},
    )


def asked(
    ctx: Any, *others: reply.Member, dns: testing.Relation = DNS, **options: Any
) -> tuple[testing.State, dict[str, set[tuple[str, str]]]]:
    """The end, and by name the types and addresses that are asked for."""
    config = {'hostnames': NAME, **{k.replace('_', '-'): v for k, v in options.items()}}
    given = testing.State(
        leader=True, networks=HERE, relations={keystone(), dns, peers(*others)}, config=config
    )
    out = ctx.run(ctx.on.config_changed(), given)
    entries = json.loads(out.get_relation(dns.id).local_app_data.get('dns_entries') or '[]')
    found: dict[str, set[tuple[str, str]]] = {}
    for one in entries:
        assert uuid.UUID(one['uuid'])
        assert (one['ttl'], one['record_class']) == (30, 'IN')
        name = f'{one["host_label"]}.{one["domain"]}'
        found.setdefault(name, set()).add((one['record_type'], one['record_data']))
    return out, found


MINE, THEIRS = ('A', '10.1.0.5'), {('A', '10.1.0.6'), ('AAAA', '2001:db8::6')}
FOURTH = ('AAAA', '2001:db8::6')
"""Of the other unit: this one has no such address."""


def test_a_name_has_one_address_of_each_family_of_a_unit_that_serves(
    ctx: Any, machine: machines.FakeMachine
):
    assert asked(ctx, SERVES)[1] == {'cloud.example.com': {MINE, FOURTH}}


@pytest.mark.parametrize(
    'member',
    [
        dataclasses.replace(SERVES, in_service=False),
        dataclasses.replace(SERVES, served=frozenset({'keystone.internal'})),
        dataclasses.replace(SERVES, addresses={'internal': ('10.2.0.6',)}),
    ],
    ids=['out of service', 'serves nothing of it', 'no address'],
)
def test_a_unit_to_which_no_client_is_to_come_is_in_no_name(
    ctx: Any, machine: machines.FakeMachine, member: reply.Member
):
    assert asked(ctx, member)[1] == {'cloud.example.com': {MINE}}


def test_a_name_leads_to_the_vip_where_there_is_one(ctx: Any, machine: machines.FakeMachine):
    found = asked(ctx, SERVES, vip='10.1.0.99')[1]
    assert found == {'cloud.example.com': {('A', '10.1.0.99')}}
    assert asked(ctx, SERVES, vip='10.2.0.99')[1] == {'cloud.example.com': {MINE, FOURTH}}


def test_or_to_the_load_balancer_in_front(ctx: Any, machine: machines.FakeMachine):
    found = asked(ctx, SERVES, external_vips='public=203.0.113.9,203.0.113.10')[1]
    assert found == {'cloud.example.com': {('A', '203.0.113.9')}}


@pytest.mark.parametrize(
    'hostnames', ['', 'public=203.0.113.9', 'public=cloud', 'admin=cloud.example.com']
)
def test_what_is_no_name_in_a_domain_or_has_nothing_to_serve_is_not_asked_for(
    ctx: Any, machine: machines.FakeMachine, hostnames: str
):
    assert asked(ctx, SERVES, hostnames=hostnames)[1] == {}


@dataclasses.dataclass
class Leader:
    """What one run of the leader's decided, to ask again with others' words."""

    known: Any
    now: Any

    def wanted(
        self, members: dict[str, reply.Member], not_ready: set[str], before: dict[str, str]
    ) -> dict[str, set[str]]:
        bag = dns_records.wanted(self.known, self.now, members, not_ready, before)
        entries = json.loads(bag.get('dns_entries') or '[]')
        return {e['host_label']: {x['record_data'] for x in entries} for e in entries}


@pytest.fixture
def leader(ctx: Any, machine: machines.FakeMachine, monkeypatch: pytest.MonkeyPatch) -> Leader:
    found: list[Leader] = []
    genuine = dns_records.wanted

    def kept(known: Any, now: Any, *more: Any) -> Any:
        found.append(Leader(known, now))
        return genuine(known, now, *more)

    with monkeypatch.context() as patch:
        patch.setattr(dns_records, 'wanted', kept)
        asked(ctx, SERVES)
    return found[-1]


def bag(*addresses: str, name: str = 'cloud') -> dict[str, str]:
    """What was asked for before."""
    entries = [
        {'uuid': a, 'host_label': name, 'domain': 'example.com', 'record_data': a,
         'record_type': 'AAAA' if ':' in a else 'A'} for a in addresses
    ]  # fmt: skip
    return {'dns_entries': json.dumps(entries)}


ONE = reply.Member(addresses={'public': ('10.1.0.5',)}, served=frozenset({FRONTEND}))
TWO = reply.Member(addresses={'public': ('10.1.0.6',)}, served=frozenset({FRONTEND}))


def test_a_name_stays_with_its_unit_until_that_goes(leader: Leader):
    both = {'lb/0': ONE, 'lb/1': TWO}
    assert leader.wanted(both, set(), {}) == {'cloud': {'10.1.0.5'}}
    assert leader.wanted(both, set(), bag('10.1.0.6')) == {'cloud': {'10.1.0.6'}}
    assert leader.wanted(both, {'lb/1'}, bag('10.1.0.6')) == {'cloud': {'10.1.0.5'}}
    away = {**both, 'lb/1': dataclasses.replace(TWO, in_service=False)}
    assert leader.wanted(away, set(), bag('10.1.0.6')) == {'cloud': {'10.1.0.5'}}


def test_one_more_service_moves_no_name(leader: Leader):
    """The leader serves it first."""
    more = frozenset({FRONTEND, 'glance.public'})
    ahead = {'lb/0': dataclasses.replace(ONE, served=more), 'lb/1': TWO}
    assert leader.wanted(ahead, set(), bag('10.1.0.6')) == {'cloud': {'10.1.0.6'}}
    # A new name goes to who serves the most.
    assert leader.wanted(ahead, set(), {}) == {'cloud': {'10.1.0.5'}}
    behind = {'lb/0': ONE, 'lb/1': dataclasses.replace(TWO, served=more)}
    assert leader.wanted(behind, set(), {}) == {'cloud': {'10.1.0.6'}}


@pytest.mark.parametrize(
    'members',
    [
        {},
        {'lb/0': dataclasses.replace(ONE, in_service=False)},
        {'lb/0': dataclasses.replace(ONE, served=frozenset())},
        {'lb/0': dataclasses.replace(ONE, served=frozenset({'keystone.internal'}))},
    ],
)
def test_a_name_stays_what_it_was_while_nobody_is_left(
    leader: Leader, members: dict[str, reply.Member]
):
    assert leader.wanted(members, set(), bag('10.1.0.9', 'fd00::9')) == {
        'cloud': {'10.1.0.9', 'fd00::9'}
    }
    assert leader.wanted(members, set(), {}) == {}


def test_types_that_share_a_frontend_share_its_units(leader: Leader):
    shared = dataclasses.replace(ONE, served=frozenset({'keystone.public-internal'}))
    assert leader.wanted({'lb/0': shared}, set(), {}) == {'cloud': {'10.1.0.5'}}


def test_a_name_that_hostnames_has_no_more_goes(leader: Leader):
    assert leader.wanted({'lb/0': ONE}, set(), bag('10.1.0.9', name='old')) == {
        'cloud': {'10.1.0.5'}
    }


def test_while_what_the_operator_wants_is_not_known_nothing_changes(leader: Leader):
    unknown = dataclasses.replace(leader.known.effective, complete=False)
    leader.known = dataclasses.replace(leader.known, effective=unknown)
    assert leader.wanted({}, set(), bag('10.1.0.9', name='old')) == {'old': {'10.1.0.9'}}


def test_what_the_dns_charm_refuses_is_said_in_its_words(ctx: Any, machine: machines.FakeMachine):
    first = asked(ctx, SERVES)[0].get_relation(DNS.id)
    entries = json.loads(first.local_app_data['dns_entries'])
    answers = [{'uuid': e['uuid'], 'status': 'approved'} for e in entries]
    approved = dataclasses.replace(first, remote_app_data={'dns_entries': json.dumps(answers)})
    assert isinstance(approved, testing.Relation)
    out, found = asked(ctx, SERVES, dns=approved)
    assert out.unit_status == testing.ActiveStatus('1 frontend')
    assert found == {'cloud.example.com': {MINE, FOURTH}}
    answers[0] |= {'status': 'conflict', 'description': 'another\nmodel has it'}
    refused = dataclasses.replace(approved, remote_app_data={'dns_entries': json.dumps(answers)})
    address = entries[0]['record_data']
    status = asked(ctx, SERVES, dns=refused)[0].unit_status
    assert status.name == 'blocked'
    assert f'bind refuses cloud.example.com ({address}): another model has it' in status.message


@pytest.mark.parametrize(
    'said',
    ['', '[', '{}', '[1, null, "x", {}]', '[{"uuid": 7, "status": "conflict"}]',
     '[{"uuid": "550e8400-e29b-41d4-a716-446655440002", "status": "conflict"}]'],
)  # fmt: skip
def test_an_answer_that_is_none_is_not_believed(said: str):
    relation = Relation(id=1, name='dns-record', app='bind', app_data={'dns_entries': said})
    own = {'dns_entries': '[{"uuid": "u", "host_label": "a", "domain": "b", "record_data": "c"}]'}
    assert list(dns_records.statuses([relation], {1: own})) == []


def related(ctx: Any, dns: testing.Relation, *types: str, **options: Any) -> testing.Relation:
    """The DNS charm's relation, after keystone has asked for those endpoint types."""
    config = {'hostnames': SHARED, **options}
    api = keystone(changes={'endpoint-types': list(types)})
    given = testing.State(leader=True, networks=HERE, relations={api, dns, peers()}, config=config)
    found = ctx.run(ctx.on.config_changed(), given).get_relation(dns.id)
    assert isinstance(found, testing.Relation)
    return found


def led_to(relation: testing.Relation) -> list[tuple[str, str]]:
    entries = json.loads(relation.local_app_data.get('dns_entries') or '[]')
    return [(f'{e["host_label"]}.{e["domain"]}', e['record_data']) for e in entries]


SHARED = 'internal=cloud.example.com public=Cloud.Example.COM'


def test_a_name_that_types_share_is_that_of_the_first_that_is_served(
    ctx: Any, machine: machines.FakeMachine
):
    dns = related(ctx, DNS, 'internal')
    assert led_to(dns) == [('cloud.example.com', '10.2.0.5')]
    dns = related(ctx, dns, 'internal', 'public')
    assert led_to(dns) == [('cloud.example.com', '10.1.0.5')]
    dns = related(ctx, dns, 'internal', 'public', vip='10.1.0.99')
    assert led_to(dns) == [('cloud.example.com', '10.1.0.99')]


@pytest.mark.parametrize(
    ('vip', 'before', 'after'),
    [
        ('192.168.7.7', '10.1.0.99', '10.1.0.99'),
        ('10.1.0.99 192.168.7.7', '192.168.7.7', '192.168.7.7'),
        ('10.1.0.99 192.168.7.7', '10.1.0.98', '10.1.0.99'),
        ('192.168.7.7', '10.1.0.6', '10.1.0.6'),
        ('192.168.7.7', '', '10.1.0.5'),
        ('10.1.0.98', '10.1.0.99', '10.1.0.98'),
        ('', '10.1.0.99', '10.1.0.5'),
    ],
    ids=['wrong', 'of other units', 'of nobody', "a unit's", 'new', 'another', 'taken away'],
)
def test_a_vip_in_no_network_of_this_unit_moves_no_name_off_a_vip(
    ctx: Any, machine: machines.FakeMachine, vip: str, before: str, after: str
):
    old = dataclasses.replace(DNS, local_app_data=bag(before) if before else {})
    found = asked(ctx, SERVES, dns=old, vip=vip)[1]['cloud.example.com']
    # A unit's other address does not come beside a VIP, either.
    assert found == {('A', after), *({FOURTH} if after in ('10.1.0.5', '10.1.0.6') else ())}


def test_a_units_own_address_is_no_vip_while_one_is_in_no_network(leader: Leader):
    away = {'lb/0': ONE, 'lb/1': dataclasses.replace(TWO, in_service=False)}
    leader.now = dataclasses.replace(leader.now, homeless_vips=('192.168.7.7',))
    assert leader.wanted(away, set(), bag('10.1.0.6')) == {'cloud': {'10.1.0.5'}}
    assert leader.wanted(away, set(), bag('10.1.0.99')) == {'cloud': {'10.1.0.99'}}


def test_an_entry_of_another_revision_is_as_this_one_has_it(leader: Leader):
    (entry,) = json.loads(bag('10.1.0.5')['dns_entries'])
    former = {'dns_entries': json.dumps([{**entry, 'uuid': 'none', 'ttl': 99999, 'more': 1}])}
    both = {'lb/0': ONE, 'lb/1': TWO}
    now = dns_records.wanted(leader.known, leader.now, both, set(), former)
    assert now == dns_records.wanted(leader.known, leader.now, both, set(), {})


@pytest.mark.parametrize('status', ['approved', 'pending', 'unknown', ''])
def test_what_the_dns_charm_has_not_decided_is_no_refusal(status: str):
    said = {'dns_entries': json.dumps([{'uuid': '10.1.0.5', 'status': status}])}
    relation = Relation(id=1, name='dns-record', app='bind', app_data=said)
    assert list(dns_records.statuses([relation], {1: bag('10.1.0.5')})) == []


ASKED = dataclasses.replace(SERVES, ready_url='http://10.2.0.6:8405/ready')
AT_THEM = dataclasses.replace(DNS, local_app_data=bag('10.1.0.6'))
AT_US = dataclasses.replace(DNS, local_app_data=bag('10.1.0.5'))


@pytest.mark.parametrize(
    'options',
    [{}, {'vip': '10.2.0.99'}, {'external_vips': 'internal=203.0.113.9'}],
    ids=['no VIP', 'VIP of another type', 'external VIP of another type'],
)
def test_a_unit_that_does_not_answer_loses_the_name(
    ctx: Any, machine: machines.FakeMachine, options: dict[str, str]
):
    assert asked(ctx, ASKED, dns=AT_THEM, **options)[1] == {'cloud.example.com': {MINE}}
    assert ASKED.ready_url in [request.url for request in machine.requests]
    machine.web = lambda _: HttpResponse(200)
    assert ('A', '10.1.0.6') in asked(ctx, ASKED, dns=AT_THEM, **options)[1]['cloud.example.com']


def test_nobody_is_asked_where_all_clients_come_by_a_vip(ctx: Any, machine: machines.FakeMachine):
    asked(ctx, ASKED, vip='10.1.0.99')
    assert machine.requests == []


def test_a_leader_whose_haproxy_does_not_come_up_loses_the_name(
    ctx: Any, machine: machines.FakeMachine
):
    machine.web = lambda _: HttpResponse(200)
    machine.failing = frozenset({'haproxy'})
    mine = dict(reply.write_member(ONE))
    there = dataclasses.replace(peers(ASKED), local_unit_data=mine)
    given = testing.State(
        leader=True,
        networks=HERE,
        relations={keystone(), AT_US, there},
        config={'hostnames': NAME},
    )
    out = ctx.run(ctx.on.config_changed(), given).get_relation(AT_US.id)
    assert ('cloud.example.com', '10.1.0.6') in led_to(out)


@pytest.mark.parametrize(('status', 'at'), [(200, '10.1.0.6'), (503, '10.1.0.5')])
def test_a_leader_whose_haproxy_does_not_answer_gives_the_name_to_one_that_does(
    ctx: Any, machine: machines.FakeMachine, status: int, at: str
):
    def silent(socket: str, text: str, timeout_s: float = 5.0) -> str:
        raise UnreachableError('nobody listens')

    machine.ask = silent
    machine.web = lambda _: HttpResponse(status)
    out, found = asked(ctx, ASKED, dns=AT_US)
    assert out.unit_status == testing.BlockedStatus('haproxy does not answer: nobody listens')
    assert ('A', at) in found['cloud.example.com']


def test_a_refusal_is_said_once_however_often_it_is_written():
    said = {'dns_entries': json.dumps([{'uuid': '10.1.0.5', 'status': 'conflict'}] * 9)}
    relation = Relation(id=1, name='dns-record', app='bind', app_data=said)
    (status,) = dns_records.statuses([relation], {1: bag('10.1.0.5')})
    assert status.message == 'bind refuses cloud.example.com (10.1.0.5): conflict'
