"""TLS to the server: who is told of it and when, what clients that verify can count on, and the way back."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

import mariadb
import pytest
import server_tls
from charmkit import testing as machines
from charmkit import x509 as certs
from charmkit.relations import certificates, mysql
from ops import testing

from charms.tests.authorities import AUTHORITIES, answers

from . import sql
from .test_charm import HERE, charm, ctx, database, machine, served

__all__ = ('ctx', 'database', 'machine')  # Fixtures.
Ctx = testing.Context[Any]
WITH_IT = 'let nova@10.0.0.7 in by TLS alone'


def said(state: testing.State, endpoint: str = 'shared-db') -> Any:
    return state.get_relations(endpoint)[0].local_unit_data


def trusted(state: testing.State) -> str:
    """What clients are told to trust."""
    return base64.b64decode(said(state).get('ssl_ca', '')).decode()


def nova(**more: str) -> testing.Relation:
    bag = {'database': 'nova', 'username': 'nova', 'hostname': '10.0.0.7', **more}
    return testing.Relation('shared-db', remote_app_name='nova', remote_units_data={0: bag})


def changed(state: testing.State, endpoint: str, **more: Any) -> testing.State:
    relation = state.get_relations(endpoint)[0]
    others = {r for r in state.relations if r.id != relation.id}
    return dataclasses.replace(state, relations={*others, dataclasses.replace(relation, **more)})


def shows(machine: machines.FakeMachine, by: str) -> bool:
    """Whether the server's file is given a certificate that was issued *by*; otherwise it stays as it is."""
    found = [f.content for f in machine.desired.files if f.path == server_tls.PEM]
    return any(certs.certificates(text)[0].issuer == f'CN={by}' for text in found)


def update(ctx: Ctx, state: testing.State) -> testing.State:
    return ctx.run(ctx.on.update_status(), state)


@pytest.fixture
def asking(ctx: Ctx, database: sql.Server) -> testing.State:
    """The server runs with TLS and has asked for a certificate."""
    database.certificate = server_tls.PEM
    state = served(nova(), testing.Relation('certificates', remote_app_name='ca'))
    return update(ctx, state)


@pytest.fixture
def shown(ctx: Ctx, asking: testing.State) -> testing.State:
    """It has one, and clients are told."""
    bag = answers(said(asking, 'certificates')['certificate_signing_requests'])
    return update(ctx, changed(asking, 'certificates', remote_app_data=bag))


@pytest.fixture
def verified(ctx: Ctx, shown: testing.State) -> testing.State:
    """Clients come by it."""
    more = nova(**{mysql.IN_FORCE: mysql.mark(trusted(shown))}).remote_units_data
    return update(ctx, changed(shown, 'shared-db', remote_units_data=more))


def test_a_server_begins_with_a_certificate_that_nobody_trusts(
    asking: testing.State, machine: machines.FakeMachine, database: sql.Server
):
    assert f'ssl_cert = {server_tls.PEM}\n' in machine.file(server_tls.CONFIG)
    assert certs.certificates(machine.file(server_tls.PEM))[0].is_root
    assert trusted(asking) == '' and database.flushed == 0
    asked = json.loads(said(asking, 'certificates')['certificate_signing_requests'])
    names = certs.read_request(asked[0]['certificate_signing_request']).names
    assert names == certs.Names(('mysql-0.internal',), ('10.1.0.5',))


def test_without_an_authority_nothing_of_it_is_there(
    ctx: Ctx, machine: machines.FakeMachine, database: sql.Server
):
    out = update(ctx, served(nova()))
    assert 'ssl_ca' not in said(out)
    paths = {f.path for f in machine.desired.files}
    assert not paths & {server_tls.CONFIG, server_tls.PEM}
    assert not any('REQUIRE' in text for text in database.said)


def test_clients_are_told_once_the_server_shows_its_certificate(
    shown: testing.State, machine: machines.FakeMachine, database: sql.Server
):
    assert trusted(shown).strip() == AUTHORITIES['first'][0]
    (first, *_) = certs.certificates(machine.file(server_tls.PEM))
    assert '10.1.0.5' in first.names.addresses and database.flushed == 1
    pem = next(f for f in machine.desired.files if f.path == server_tls.PEM)
    assert (pem.mode, pem.group) == (0o640, 'mysql')
    assert database.secured == set()  # Nobody has said that it comes by TLS.


def test_a_server_that_was_not_restarted_yet_is_not_told_of(
    ctx: Ctx, asking: testing.State, database: sql.Server
):
    database.certificate = ''
    bag = answers(said(asking, 'certificates')['certificate_signing_requests'])
    out = update(ctx, changed(asking, 'certificates', remote_app_data=bag))
    assert trusted(out) == ''
    assert 'does not show its certificate yet: it is to be restarted' in out.unit_status.message
    database.certificate = server_tls.PEM
    assert trusted(update(ctx, out))


def test_it_is_taken_up_once(ctx: Ctx, shown: testing.State, database: sql.Server):
    update(ctx, shown)
    assert database.flushed == 1


def test_a_client_that_comes_by_tls_is_let_in_by_nothing_else(
    verified: testing.State, database: sql.Server
):
    assert database.secured == {('nova', '10.0.0.7')}
    assert said(verified)['allowed_units'] == 'nova/0'


def test_one_unit_that_shares_an_account_and_does_not_verify_keeps_it_open(
    ctx: Ctx, verified: testing.State, database: sql.Server
):
    relation: Any = verified.get_relations('shared-db')[0]
    both: Any = {**relation.remote_units_data}
    both[1] = {'database': 'nova', 'username': 'nova', 'hostname': '10.0.0.7'}
    update(ctx, changed(verified, 'shared-db', remote_units_data=both))
    assert database.secured == set()


def test_the_way_back_opens_accounts_before_clients_are_told(
    ctx: Ctx, verified: testing.State, database: sql.Server, machine: machines.FakeMachine
):
    relation = verified.get_relations('certificates')[0]
    gone = dataclasses.replace(verified, relations={*verified.relations} - {relation})
    database.refusing = 'REQUIRE NONE'
    out = update(ctx, gone)
    assert trusted(out), 'clients would come without TLS to accounts that need it'
    database.refusing = ''
    out = update(ctx, out)
    assert trusted(out) == '' and database.secured == set()
    assert server_tls.CONFIG in {f.path for f in machine.desired.files}, 'it would restart'


def test_clients_hear_of_another_authority_before_the_server_shows_its_certificate(
    ctx: Ctx, verified: testing.State, machine: machines.FakeMachine
):
    bag = answers(said(verified, 'certificates')['certificate_signing_requests'], 'second')
    told = update(ctx, changed(verified, 'certificates', remote_app_data=bag))
    both = {AUTHORITIES[name][0] for name in AUTHORITIES}
    assert set(certificates.authorities(trusted(told))) == both
    assert not shows(machine, 'second')
    again = update(ctx, told)
    assert not shows(machine, 'second') and trusted(again) == trusted(told)
    heard = nova(**{mysql.IN_FORCE: mysql.mark(trusted(told))}).remote_units_data
    out = update(ctx, changed(again, 'shared-db', remote_units_data=heard))
    assert shows(machine, 'second')
    assert trusted(out).strip() == AUTHORITIES['second'][0]


def test_a_certificate_that_is_not_for_where_clients_come_is_not_told_of(
    ctx: Ctx, asking: testing.State
):
    asked = said(asking, 'certificates')['certificate_signing_requests']
    bag = answers(asked, names=certs.Names(('mysql-0.internal',)))
    out = update(ctx, changed(asking, 'certificates', remote_app_data=bag))
    assert trusted(out) == ''
    assert out.unit_status == testing.ActiveStatus(
        'TLS is not published to clients: its certificate is not for 10.1.0.5'
    )


def ends(pem: str) -> str:
    return certs.day(certs.certificates(pem)[0].not_after)


def test_a_renewed_certificate_that_lacks_the_address_leads_nobody_back(
    ctx: Ctx, verified: testing.State, machine: machines.FakeMachine, database: sql.Server
):
    before = machine.file(server_tls.PEM)
    asked = said(verified, 'certificates')['certificate_signing_requests']
    bag = answers(asked, names=certs.Names(('mysql-0.internal',)))
    out = update(ctx, update(ctx, changed(verified, 'certificates', remote_app_data=bag)))
    assert machine.file(server_tls.PEM) == before
    assert trusted(out) == trusted(verified) and database.secured
    assert out.unit_status == testing.BlockedStatus(
        'the certificate that ca gives is not taken: it is not for 10.1.0.5; '
        f'the one before is good until {ends(before)}'
    )
    good = changed(out, 'certificates', remote_app_data=answers(asked))
    assert trusted(update(ctx, good)) and machine.file(server_tls.PEM) != before


def test_what_clients_are_told_of_stays_where_they_could_not_verify_the_next(
    ctx: Ctx, verified: testing.State, machine: machines.FakeMachine, database: sql.Server
):
    before = machine.file(server_tls.PEM)
    rows = json.loads(
        answers(said(verified, 'certificates')['certificate_signing_requests'])['certificates']
    )
    bag = {'certificates': json.dumps([{**row, 'ca': 'x', 'chain': []} for row in rows])}
    out = update(ctx, update(ctx, changed(verified, 'certificates', remote_app_data=bag)))
    assert not any(f.path == server_tls.PEM for f in machine.desired.files), 'it stays as it is'
    assert trusted(out) == trusted(verified) and database.secured
    assert out.unit_status == testing.BlockedStatus(
        f'the certificate before stays in force until {ends(before)}: '
        'nobody says whom clients are to trust'
    )
    # A load balancer in between leads back all the same.
    more = testing.Relation('internal-backend', remote_app_name='lb')
    out = update(ctx, dataclasses.replace(out, relations={*out.relations, more}))
    assert trusted(out) == '' and database.secured == set()


def test_behind_a_load_balancer_it_is_not_offered(ctx: Ctx, shown: testing.State):
    more = testing.Relation('internal-backend', remote_app_name='lb')
    out = update(ctx, dataclasses.replace(shown, relations={*shown.relations, more}))
    assert trusted(out) == ''
    assert 'clients come through a load balancer' in out.unit_status.message


@pytest.mark.parametrize('mark', ['x', '0' * 15, 'A' * 16, 'f' * 17, '"; DROP', ' '])
def test_nonsense_of_a_client_is_no_word_of_tls(
    ctx: Ctx, shown: testing.State, database: sql.Server, mark: str
):
    more = nova(**{mysql.IN_FORCE: mark}).remote_units_data
    out = update(ctx, changed(shown, 'shared-db', remote_units_data=more))
    assert database.secured == set() and out.unit_status == testing.ActiveStatus()


def test_what_was_asked_for_is_remembered_with_how_the_client_comes():
    one = mysql.Request('nova/0', '', 'nova', 'nova', ('10.0.0.7', 'fd00::1'), 'a' * 16)
    other = dataclasses.replace(one, tls='')
    kept = mariadb.keep_requests(mariadb.Asked({1: (one, other)}, ()))
    inputs: Any = type('Inputs', (), {'memory': {mariadb.REQUESTS: json.loads(json.dumps(kept))}})
    assert mariadb.requests_kept(inputs) == {1: (one, other)}


assert HERE and charm
