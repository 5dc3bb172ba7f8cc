"""A service whose database or message queue offers TLS: it verifies the server, and says so once all of it does."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import sys
from typing import Any

import pytest
from charmkit import testing as machines
from charmkit import x509 as certs
from charmkit.relations import mysql, server_tls
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from ops import testing

from charms import conftest as shared
from charms.tests.unit import sound
from charms.tests.unit import test_hostile_relations as hostile

PATH = '/etc/ssl/glance-shared-db.pem'


def authority(name: str) -> str:
    key = certs.own_key(certs.new_key(name * 20, 'root'))
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(certs.moment(0))
        .not_valid_after(certs.moment(0) + datetime.timedelta(days=36500))
    )
    made = builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    return made.public_bytes(serialization.Encoding.PEM).decode()


ROOT = authority('a root')


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture
def ctx(machine: machines.FakeMachine) -> testing.Context[Any]:
    return testing.Context(shared.load('glance').GlanceCharm)


def state(ca: str) -> testing.State:
    db = shared.database('glance/0')
    bag = {**db.remote_units_data[0], **({'ssl_ca': ca} if ca else {})}
    relations = {
        dataclasses.replace(db, remote_units_data={0: bag}),
        shared.identity('glance'),
        testing.PeerRelation('peers'),
    }
    return testing.State(leader=True, networks=shared.networks(), relations=relations)


def offering(given: testing.State, ca: str) -> testing.State:
    """*given*, with a server that now offers *ca*."""
    relation: Any = given.get_relations('shared-db')[0]
    bag = {k: v for k, v in relation.remote_units_data[0].items() if k != 'ssl_ca'}
    bag |= {'ssl_ca': ca} if ca else {}
    others = {r for r in given.relations if r.id != relation.id}
    after = dataclasses.replace(relation, remote_units_data={0: bag})
    return dataclasses.replace(given, relations={*others, after})


def published(out: testing.State) -> str:
    return out.get_relations('shared-db')[0].local_unit_data.get(mysql.IN_FORCE, '')  # pyright: ignore[reportAttributeAccessIssue]


def connection(machine: machines.FakeMachine) -> str:
    text = machine.file('/etc/glance/glance-api.conf')
    return next(line for line in text.splitlines() if line.startswith('connection = '))


def test_it_verifies_the_server_and_says_so(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    out = ctx.run(ctx.on.config_changed(), state(encoded(ROOT)))
    assert connection(machine).endswith(f'&ssl_ca={PATH}')
    assert machine.file(PATH) == ROOT
    assert published(out) == mysql.mark(ROOT)
    assert out.unit_status == testing.ActiveStatus()


def test_without_it_nothing_is_said_of_it(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    out = ctx.run(ctx.on.config_changed(), state(''))
    assert 'ssl' not in connection(machine) and published(out) == ''


def test_the_schema_is_not_migrated_anew_for_it(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    before = ctx.run(ctx.on.config_changed(), state(''))
    machine.steps.clear()
    ctx.run(ctx.on.config_changed(), offering(before, encoded(ROOT)))
    assert not any('db_sync' in step or 'run glance' in step for step in machine.steps)


def test_a_service_that_did_not_come_up_does_not_say_so(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    before = ctx.run(ctx.on.config_changed(), state(''))
    machine.failing = frozenset({'apache2', *machine.seen.started_with})
    out = ctx.run(ctx.on.config_changed(), offering(before, encoded(ROOT)))
    assert out.unit_status.name == 'blocked' and published(out) == ''


def test_another_authority_restarts_nothing(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    before = ctx.run(ctx.on.config_changed(), state(encoded(ROOT)))
    machine.steps.clear()
    both = ROOT + authority('another')
    out = ctx.run(ctx.on.config_changed(), offering(before, encoded(both)))
    assert machine.file(PATH) == both and published(out) == mysql.mark(both)
    assert not any('start' in step or 'reload' in step for step in machine.steps), machine.steps


@pytest.mark.parametrize('ca', ['!', encoded('no certificate'), encoded(ROOT)[:80], 'ä'])
def test_what_cannot_be_read_is_no_reason_to_come_without(
    ctx: testing.Context[Any], machine: machines.FakeMachine, ca: str
):
    before = ctx.run(ctx.on.config_changed(), state(encoded(ROOT)))
    out = ctx.run(ctx.on.config_changed(), offering(before, ca))
    assert 'ssl_ca is no certificate in PEM, in base64' in out.unit_status.message
    assert 'what it said before stays in force' in out.unit_status.message
    assert published(out) == mysql.mark(ROOT)
    assert not any(step.startswith('stop') for step in machine.steps)


def test_it_comes_without_where_the_server_offers_it_no_more(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    before = ctx.run(ctx.on.config_changed(), state(encoded(ROOT)))
    out = ctx.run(ctx.on.config_changed(), offering(before, ''))
    assert 'ssl' not in connection(machine) and published(out) == ''


QUEUE_PATH = '/etc/ssl/heat-amqp.pem'


@pytest.fixture
def queue_ctx(
    machine: machines.FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> testing.Context[Any]:
    monkeypatch.setattr(sys, 'path', [str(shared.CHARMS / 'heat' / 'src'), *sys.path])
    return testing.Context(shared.load('heat').HeatCharm)


def queued(ca: str) -> testing.State:
    relations = {
        offered_queue(ca),
        shared.database('heat/0'),
        shared.identity('heat'),
        testing.PeerRelation('peers'),
    }
    return testing.State(leader=True, networks=shared.networks(), relations=relations)


def offered_queue(ca: str, before: Any = None) -> testing.Relation:
    found = before or shared.broker()
    bag = {k: v for k, v in found.remote_units_data[0].items() if not k.startswith('ssl')}
    bag |= {'ssl_ca': encoded(ca), 'ssl_port': '5671'} if ca else {}
    return dataclasses.replace(found, remote_units_data={0: bag})


def queue_of(given: testing.State, ca: str) -> testing.State:
    relation = given.get_relations('amqp')[0]
    others = {r for r in given.relations if r.id != relation.id}
    return dataclasses.replace(given, relations={*others, offered_queue(ca, relation)})


def said_to_queue(out: testing.State) -> str:
    return out.get_relations('amqp')[0].local_unit_data.get(server_tls.IN_FORCE, '')  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize('base', ['debian@12', 'debian@13'])
def test_it_verifies_the_queue_and_says_so_to_it_alone(
    queue_ctx: testing.Context[Any], machine: machines.FakeMachine, base: str
):
    machine.base = base
    out = queue_ctx.run(queue_ctx.on.config_changed(), queued(ROOT))
    text = machine.file('/etc/heat/heat.conf')
    assert '@10.0.0.7:5671/openstack\n' in text and f'ssl_ca_file = {QUEUE_PATH}\n' in text
    assert machine.file(QUEUE_PATH) == ROOT and said_to_queue(out) == server_tls.mark(ROOT)
    assert published(out) == ''


def test_it_comes_to_the_queue_without_where_that_offers_it_no_more(
    queue_ctx: testing.Context[Any], machine: machines.FakeMachine
):
    before = queue_ctx.run(queue_ctx.on.config_changed(), queued(ROOT))
    out = queue_ctx.run(queue_ctx.on.config_changed(), queue_of(before, ''))
    text = machine.file('/etc/heat/heat.conf')
    assert '@10.0.0.7:5672/openstack\n' in text and 'ssl_ca_file' not in text
    assert said_to_queue(out) == ''


def test_daemons_that_did_not_come_up_are_not_said_to_come_by_tls(
    queue_ctx: testing.Context[Any], machine: machines.FakeMachine
):
    before = queue_ctx.run(queue_ctx.on.config_changed(), queued(''))
    machine.failing = frozenset(machine.seen.started_with)
    out = queue_ctx.run(queue_ctx.on.config_changed(), queue_of(before, ROOT))
    assert out.unit_status.name == 'blocked' and said_to_queue(out) == ''


CLIENTS = [
    (name, endpoint)
    for name in hostile.NAMES
    for endpoint in ('shared-db', 'amqp')
    if sound.endpoints(name).get(endpoint, ('',))[0] == 'requires'
]


@pytest.mark.parametrize(('name', 'endpoint'), CLIENTS)
@pytest.mark.parametrize('fails', [False, True])
def test_every_client_that_comes_by_tls_says_so_once_all_of_it_does(
    name: str, endpoint: str, fails: bool
):
    """Until each has said so the server goes on without TLS, too."""
    offers = {'ssl_ca': encoded(ROOT), **({'ssl_port': '5671'} if endpoint == 'amqp' else {})}
    relations = {r.name: (r,) for r in sound.relations(name)}
    (server,) = relations[endpoint]
    units = {unit: {**bag, **offers} for unit, bag in server.units.items()}
    relations[endpoint] = (dataclasses.replace(server, units=units),)
    failing = frozenset[str]()
    if fails:
        wanted = hostile.driven(name, relations).desired.host.services
        failing = frozenset(s.name for s in wanted if s.state == 'running')
    done = hostile.driven(name, relations, failing=failing)
    said = done.desired.unit_data[endpoint].get('tls-ca', '')
    assert bool(done.inputs.failed) == fails
    assert said == ('' if fails else server_tls.mark(ROOT))
