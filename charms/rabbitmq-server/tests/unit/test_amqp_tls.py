"""TLS to the members: who is told of it and when, when the port without it is closed, and the way back."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

import amqp_tls
import listeners
import node
import pytest
from charmkit import testing as machines
from charmkit import x509 as certs
from charmkit.relations import certificates, server_tls
from ops import testing

from charms.tests.authorities import AUTHORITIES, answers

from . import cluster
from .test_charm import ME, Ctx, asks, charm, ctx, hook, machine, members, mine, rabbits, served

__all__ = ('charm', 'ctx', 'machine', 'rabbits')  # Fixtures.
STAYS = 'port 5672 stays open'


def said(state: testing.State, endpoint: str = 'amqp') -> Any:
    return state.get_relations(endpoint)[0].local_unit_data


def trusted(state: testing.State) -> str:
    """What clients are told to trust."""
    return base64.b64decode(said(state).get('ssl_ca', '')).decode()


def changed(state: testing.State, endpoint: str, **more: Any) -> testing.State:
    relation = state.get_relations(endpoint)[0]
    others = {r for r in state.relations if r.id != relation.id}
    return dataclasses.replace(state, relations={*others, dataclasses.replace(relation, **more)})


def issued(state: testing.State, by: str = 'first', **more: Any) -> testing.State:
    bag = answers(said(state, 'certificates')['certificate_signing_requests'], by, **more)
    return changed(state, 'certificates', remote_app_data=bag)


def marked(state: testing.State, mark: str, app: str = 'nova') -> testing.State:
    units = {0: {**asks(app).remote_units_data[0], server_tls.IN_FORCE: mark}}
    return changed(state, 'amqp', remote_units_data=units)


def without_authority(state: testing.State) -> testing.State:
    relation = state.get_relations('certificates')[0]
    return dataclasses.replace(state, relations={*state.relations} - {relation})


def did(rabbits: cluster.Cluster) -> list[str]:
    return [words[1] for words in rabbits.said if words[0] == 'eval']


@pytest.fixture
def asking(ctx: Ctx, rabbits: cluster.Cluster) -> testing.State:
    """The member runs, and has asked for a certificate."""
    authority = testing.Relation('certificates', remote_app_name='ca')
    return hook(ctx, served(asks(), authority, me=members(ME)))


@pytest.fixture
def shown(ctx: Ctx, asking: testing.State) -> testing.State:
    """It has one, and clients are told."""
    return hook(ctx, issued(asking))


@pytest.fixture
def verified(ctx: Ctx, shown: testing.State) -> testing.State:
    """Clients come by it."""
    return hook(ctx, marked(shown, server_tls.mark(trusted(shown))))


def test_without_an_authority_nothing_of_it_is_there(
    ctx: Ctx, machine: machines.FakeMachine, rabbits: cluster.Cluster
):
    out = hook(ctx, served(asks(), me=members(ME)))
    assert not {'ssl_port', 'ssl_ca'} & said(out).keys()
    assert amqp_tls.PEM not in {f.path for f in machine.desired.files}
    assert 'ssl' not in machine.file(node.CONFIG) and did(rabbits) == []


def test_it_asks_for_its_address_and_tells_nobody_yet(
    asking: testing.State, machine: machines.FakeMachine, rabbits: cluster.Cluster
):
    asked = json.loads(said(asking, 'certificates')['certificate_signing_requests'])
    names = certs.read_request(asked[0]['certificate_signing_request']).names
    assert names == certs.Names(('rabbitmq-server-0.internal',), ('10.1.0.5',))
    assert trusted(asking) == '' and did(rabbits) == []
    assert 'ssl' not in machine.file(node.CONFIG), 'it would not start without a certificate'


def test_clients_are_told_once_the_member_answers_with_it(
    shown: testing.State, machine: machines.FakeMachine, rabbits: cluster.Cluster
):
    assert trusted(shown).strip() == AUTHORITIES['first'][0]
    assert said(shown)['ssl_port'] == '5671'
    assert did(rabbits) == ['start_ssl_listener']
    pem = next(f for f in machine.desired.files if f.path == amqp_tls.PEM)
    assert (pem.mode, pem.group) == (0o640, 'rabbitmq')
    assert 'listeners.ssl.clients = 10.1.0.5:5671\n' in machine.file(node.CONFIG)
    assert shown.opened_ports == {testing.TCPPort(5672), testing.TCPPort(5671)}
    assert shown.unit_status == testing.ActiveStatus(f'without TLS come nova/0: {STAYS}')
    assert 'restart rabbitmq-server' not in machine.steps


@pytest.mark.parametrize('base', ['debian@12', 'debian@13'])
def test_its_configuration(
    ctx: Ctx, verified: testing.State, machine: machines.FakeMachine, base: str, snapshot: Any
):
    machine.base = base
    hook(ctx, verified)
    assert machine.file(node.CONFIG) == snapshot


def test_nothing_is_done_twice(ctx: Ctx, verified: testing.State, rabbits: cluster.Cluster):
    rabbits.said.clear()
    hook(ctx, verified)
    assert did(rabbits) == []


@pytest.mark.parametrize('verb', ['start_ssl_listener', 'is_being_drained'])
def test_where_the_member_does_not_answer_clients_are_told_nothing(
    ctx: Ctx, asking: testing.State, rabbits: cluster.Cluster, verb: str
):
    rabbits.refusing = verb
    out = hook(ctx, issued(asking))
    assert trusted(out) == '' and 'does not show its certificate yet' in out.unit_status.message
    rabbits.refusing = ''
    assert trusted(hook(ctx, out))


def test_the_port_without_tls_is_closed_once_all_clients_come_by_it(
    verified: testing.State, rabbits: cluster.Cluster, machine: machines.FakeMachine
):
    assert not rabbits.nodes[ME].plain
    assert 'listeners.tcp.clients' not in machine.file(node.CONFIG)
    assert 'listeners.tcp.local = 127.0.0.1:5672' in machine.file(node.CONFIG)
    assert verified.opened_ports == {testing.TCPPort(5671)}
    assert verified.unit_status == testing.ActiveStatus()
    assert 'restart rabbitmq-server' not in machine.steps


def test_it_stays_open_while_somebody_is_connected_by_it(
    ctx: Ctx, shown: testing.State, rabbits: cluster.Cluster
):
    rabbits.nodes[ME].connected = 2
    out = hook(ctx, marked(shown, server_tls.mark(trusted(shown))))
    assert rabbits.nodes[ME].plain
    assert out.unit_status == testing.ActiveStatus(f'without TLS come 2 connections: {STAYS}')
    rabbits.nodes[ME].connected = 0
    hook(ctx, out)
    assert not rabbits.nodes[ME].plain


def test_a_client_that_knows_nothing_of_it_opens_it_again(
    ctx: Ctx, verified: testing.State, rabbits: cluster.Cluster
):
    more = dataclasses.replace(verified, relations={*verified.relations, asks('other')})
    out = hook(ctx, more)
    assert rabbits.nodes[ME].plain and 'other/0' in out.unit_status.message


@pytest.mark.parametrize('mark', ['x', '0' * 15, 'A' * 16, 'f' * 17, '"; DROP', ' '])
def test_nonsense_of_a_client_is_no_word_of_tls(
    ctx: Ctx, shown: testing.State, rabbits: cluster.Cluster, mark: str
):
    hook(ctx, marked(shown, mark))
    assert rabbits.nodes[ME].plain


def test_the_way_back_opens_the_port_before_clients_are_told(
    ctx: Ctx, verified: testing.State, rabbits: cluster.Cluster
):
    rabbits.refusing = 'start_tcp_listener'
    out = hook(ctx, without_authority(verified))
    assert trusted(out), 'clients would come without TLS to a port that is closed'
    rabbits.refusing = ''
    out = hook(ctx, out)
    assert trusted(out) == '' and 'ssl_port' not in said(out)
    assert rabbits.nodes[ME].plain and rabbits.nodes[ME].tls


def test_another_certificate_is_taken_up_while_it_runs(
    ctx: Ctx, shown: testing.State, rabbits: cluster.Cluster, machine: machines.FakeMachine
):
    before = rabbits.nodes[ME].shown
    out = hook(ctx, issued(shown))
    assert rabbits.nodes[ME].shown != before and did(rabbits)[-1] == 'clear_pem_cache'
    assert trusted(out) == trusted(shown)
    assert 'restart rabbitmq-server' not in machine.steps


def test_clients_hear_of_another_authority_before_the_member_shows_its_certificate(
    ctx: Ctx, verified: testing.State, rabbits: cluster.Cluster
):
    before = rabbits.nodes[ME].shown
    told = hook(ctx, issued(verified, 'second'))
    assert {*certificates.authorities(trusted(told))} == {r for r, _ in AUTHORITIES.values()}
    assert rabbits.nodes[ME].shown == before
    again = hook(ctx, told)
    assert rabbits.nodes[ME].shown == before and trusted(again) == trusted(told)
    out = hook(ctx, marked(again, server_tls.mark(trusted(told))))
    assert rabbits.nodes[ME].shown != before
    assert trusted(out).strip() == AUTHORITIES['second'][0]


def test_a_certificate_that_is_not_for_where_clients_come_is_not_told_of(
    ctx: Ctx, asking: testing.State
):
    out = hook(ctx, issued(asking, names=certs.Names(('rabbitmq-server-0.internal',))))
    assert trusted(out) == ''
    assert (
        'not published to clients: its certificate is not for 10.1.0.5' in out.unit_status.message
    )


def test_a_renewed_certificate_that_lacks_the_address_locks_nobody_out(
    ctx: Ctx, verified: testing.State, rabbits: cluster.Cluster
):
    before = rabbits.nodes[ME].shown
    out = hook(ctx, issued(verified, names=certs.Names(('rabbitmq-server-0.internal',))))
    out = hook(ctx, out)
    assert rabbits.nodes[ME].shown == before and trusted(out) == trusted(verified)
    assert out.unit_status == testing.BlockedStatus(
        'the certificate that ca gives is not taken: it is not for 10.1.0.5; '
        f'the one before is good until {ends(before)}'
    )
    hook(ctx, issued(out))
    assert rabbits.nodes[ME].shown != before


def ends(pem: str) -> str:
    return certs.day(certs.certificates(pem)[0].not_after)


def without_root(state: testing.State) -> testing.State:
    """The authority gives another certificate, and no longer says whom to trust."""
    said_: Any = issued(state).get_relations('certificates')[0]
    rows = json.loads(said_.remote_app_data['certificates'])
    bag = {'certificates': json.dumps([{**row, 'ca': 'x', 'chain': []} for row in rows])}
    return changed(state, 'certificates', remote_app_data=bag)


def test_what_clients_are_told_of_stays_where_they_could_not_verify_the_next(
    ctx: Ctx, verified: testing.State, rabbits: cluster.Cluster
):
    before = rabbits.nodes[ME].shown
    out = hook(ctx, hook(ctx, without_root(verified)))
    assert rabbits.nodes[ME].shown == before and trusted(out) == trusted(verified)
    assert out.unit_status == testing.BlockedStatus(
        f'the certificate before stays in force until {ends(before)}: '
        'nobody says whom clients are to trust'
    )


def test_a_member_whose_address_is_denied_leaves_those_who_serve_as_they_are(
    ctx: Ctx, verified: testing.State, rabbits: cluster.Cluster
):
    before = rabbits.nodes[ME].shown
    peer: Any = verified.get_relations('peers')[0]
    bags: Any = {1: {'amqp-host': '10.1.0.6'}}
    out = hook(ctx, changed(verified, 'peers', peers_data={**peer.peers_data, **bags}))
    for _ in range(5):
        out = hook(ctx, judged(out, denied='10.1.0.6'))
    assert rabbits.nodes[ME].shown == before and trusted(out) == trusted(verified)
    # It is renewed all the same.
    out = hook(ctx, judged(out, denied='10.1.0.6', anew=True))
    assert rabbits.nodes[ME].shown != before and trusted(out) == trusted(verified)
    out = hook(ctx, judged(out, denied='10.1.0.6'))
    assert out.unit_status.name == 'active'
    assert 'is not for 10.1.0.6 (ca: not 10.1.0.6)' in out.unit_status.message


def judged(state: testing.State, denied: str, *, anew: bool = False) -> testing.State:
    """The authority gives what it gave, or others; and refuses what is for the address *denied*."""
    relation: Any = state.get_relations('certificates')[0]
    rows = json.loads(said(state, 'certificates')['certificate_signing_requests'])
    had = {i.csr: i for i in certificates.issued(relation.remote_app_data)}
    yes: list[certificates.Issued] = []
    no: list[certificates.Refused] = []
    for row in rows:
        csr = row['certificate_signing_request']
        if denied in certs.read_request(csr).names.addresses:
            no.append(certificates.Refused(csr, f'not {denied}', 'ip_not_allowed'))
        elif csr in had and not anew:
            yes.append(had[csr])
        else:
            yes += certificates.issued(answers(json.dumps([row])))
    return changed(state, 'certificates', remote_app_data=dict(certificates.provide(yes, no)))


def test_who_is_told_hears_nothing_else_while_it_cannot_be_seen(
    ctx: Ctx, verified: testing.State, rabbits: cluster.Cluster
):
    rabbits.nodes[ME].idle = True
    rabbits.said.clear()
    out = hook(ctx, verified)
    assert said(out) == said(verified) and did(rabbits) == []


def test_a_member_that_starts_listens_as_it_did(
    ctx: Ctx, verified: testing.State, rabbits: cluster.Cluster
):
    """It may have started with another configuration: what it does is looked at."""
    rabbits.nodes[ME].plain, rabbits.nodes[ME].tls = True, False
    out = hook(ctx, verified)
    assert rabbits.nodes[ME].tls and not rabbits.nodes[ME].plain and trusted(out)


def test_other_members_are_named_in_the_certificate_and_hear_who_stands_behind_it(
    ctx: Ctx, rabbits: cluster.Cluster
):
    authority = testing.Relation('certificates', remote_app_name='ca')
    state = served(asks(), authority, me=members(ME), peers={1: ''})
    peer: Any = state.get_relations('peers')[0]
    bags: Any = {1: {**peer.peers_data[1], 'amqp-host': '10.1.0.6'}}
    asked = hook(ctx, changed(state, 'peers', peers_data=bags))
    out = hook(ctx, issued(asked))
    (first, *_) = certs.certificates(rabbits.nodes[ME].shown)
    assert {*first.names.addresses} == {'10.1.0.5', '10.1.0.6'}
    assert mine(out)[amqp_tls.PEER] == server_tls.mark(f'{AUTHORITIES["first"][0]}\n')


@pytest.mark.parametrize(
    ('output', 'wrong'),
    [('', 'it says nothing'), ('Error:\n{badmatch, x}', 'Error: {badmatch, x}')],
)
def test_what_cannot_be_read_is_wrong(output: str, wrong: str):
    assert listeners.read(output) == listeners.Seen(wrong=wrong)


def test_an_ipv6_address_is_spelt_as_each_reader_knows_it():
    assert '{"fd00::5", 5671}' in listeners.erlang('open-tls', 'fd00::5')
    assert listeners.configuration('[fd00::5]')[0] == 'listeners.ssl.clients = [fd00::5]:5671'


def test_the_key_is_in_one_file_alone(verified: testing.State, machine: machines.FakeMachine):
    texts = [' '.join(argv) for argv in machine.programs]
    texts += [f.content for f in machine.desired.files if f.path != amqp_tls.PEM]
    texts += [json.dumps(dict(r.local_unit_data)) for r in verified.relations]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType, reportUnknownVariableType]
    assert 'PRIVATE KEY' in machine.file(amqp_tls.PEM)
    assert not any('PRIVATE KEY' in text for text in texts)
