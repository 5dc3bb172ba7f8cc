"""TLS to the members of a cluster: clients may come to any of them, so they are told when all show a certificate."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
import server_tls
from charmkit import testing as machines
from charmkit import x509 as certs
from charmkit.relations import mysql
from ops import testing

from . import sql
from .test_charm import ctx, database, machine
from .test_cluster_run import ALL, app, bag, cluster, mine, others
from .test_server_tls import AUTHORITIES, answers, changed, nova, said, trusted, update

__all__ = ('ctx', 'database', 'machine', 'others')
Ctx = testing.Context[Any]
MARK = mysql.mark(f'{AUTHORITIES["first"][0]}\n')


@pytest.fixture
def asking(ctx: Ctx, database: sql.Server) -> testing.State:
    """A member that runs with TLS and has asked for a certificate."""
    database.members = ALL
    database.certificate = server_tls.PEM
    database.sizes = {'bind_address': '127.0.0.1,10.1.0.5', 'wsrep_node_address': '10.2.0.5'}
    database.sizes |= {'ssl_cert': server_tls.PEM}
    return update(ctx, cluster(nova(), testing.Relation('certificates', remote_app_name='ca')))


def with_peers(state: testing.State, *marks: str) -> testing.State:
    bags: Any = {n: {**bag(n), **({'tls': m} if m else {})} for n, m in enumerate(marks, 1)}
    return changed(state, 'peers', peers_data=bags)


def issued(ctx: Ctx, state: testing.State, by: str = 'first') -> testing.State:
    given = answers(said(state, 'certificates')['certificate_signing_requests'], by)
    return update(ctx, changed(state, 'certificates', remote_app_data=given))


def test_its_certificate_is_for_all_members(asking: testing.State):
    asked = json.loads(said(asking, 'certificates')['certificate_signing_requests'])
    names = certs.read_request(asked[0]['certificate_signing_request']).names
    assert set(names.addresses) == {'10.1.0.5', '10.1.0.6', '10.1.0.7'}


def test_clients_are_told_when_all_members_have_one(ctx: Ctx, asking: testing.State):
    alone = issued(ctx, asking)
    assert trusted(alone) == '' and said(alone, 'peers')['tls'] == MARK
    assert trusted(update(ctx, with_peers(alone, MARK, ''))) == ''
    assert trusted(update(ctx, with_peers(alone, MARK, 'f' * 16))) == ''
    every = update(ctx, with_peers(alone, MARK, MARK))
    assert mysql.mark(trusted(every)) == MARK
    # One that joins later, and has none yet, takes nothing back: clients are not sent to it.
    assert trusted(update(ctx, with_peers(every, MARK, ''))) == trusted(every)


def restarts(machine: machines.FakeMachine) -> bool:
    return any(argv[0] == 'systemctl' and 'start' in argv for argv in machine.programs)


def test_a_member_that_runs_without_restarts_in_its_turn(
    ctx: Ctx, asking: testing.State, database: sql.Server, machine: machines.FakeMachine
):
    database.certificate, database.sizes['ssl_cert'] = '', ''
    after = with_peers(asking, '', '')
    after = changed(after, 'peers', local_app_data={**app(after), 'next': 'mysql/2'})
    waiting = dataclasses.replace(after, leader=False)
    state = issued(ctx, waiting)
    assert mine(state).waits and not restarts(machine)
    assert trusted(state) == '' and 'tls' not in said(state, 'peers')
    update(ctx, changed(state, 'peers', local_app_data={**app(state), 'next': 'mysql/0'}))
    assert restarts(machine)


def test_the_members_follow_one_another_to_another_authority(
    ctx: Ctx, asking: testing.State, machine: machines.FakeMachine
):
    state = update(ctx, with_peers(issued(ctx, asking), MARK, MARK))
    before = trusted(state)
    heard = nova(**{mysql.IN_FORCE: mysql.mark(before)}).remote_units_data
    state = issued(ctx, changed(state, 'shared-db', remote_units_data=heard), 'second')
    both = trusted(state)
    assert all(root in both for root, _ in AUTHORITIES.values())
    heard = nova(**{mysql.IN_FORCE: mysql.mark(both)}).remote_units_data
    state = update(ctx, changed(state, 'shared-db', remote_units_data=heard))
    assert said(state, 'peers')['tls'] != MARK
    assert trusted(state) == both, 'clients that come to another member would not trust it'
    other = said(state, 'peers')['tls']
    assert trusted(update(ctx, with_peers(state, other, other))) != both


def test_without_an_authority_a_member_does_not_restart(
    ctx: Ctx, database: sql.Server, machine: machines.FakeMachine, asking: testing.State
):
    """Twin of the one above: what the server says of TLS by itself is no reason."""
    database.sizes['ssl_cert'] = '/somewhere/else'
    update(ctx, cluster(nova()))
    assert not restarts(machine)
