"""TLS between load balancers and a unit: the way there and back, a step at a time, with nothing said too early."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from charmkit import apache, drive, front, relations, service, state, testing, unit_tls
from charmkit.relations import loadbalancer, wire

from . import test_unit_certificate as ours
from .test_whole_unit import ALONE, HOOK, SPEC

UNIT = 'demo/0'
TYPES = ('public', 'internal', 'admin')
PLAIN, SECURE = 8778, 18778


def balancer(
    *by_tls: str,
    verifies: bool = True,
    units: tuple[str, ...] = ('lb/0', 'lb/1'),
    ends: tuple[str, ...] = (),
    begins: tuple[str, ...] = (),
) -> tuple[relations.Relation, ...]:
    """One with two units that all endpoint types have; those that are *by_tls* come to the unit so."""
    bag = {
        'interface-versions': '[1, 2]',
        'lb-units': wire.dump(units),
        'frontends': wire.dump(
            {
                s: {
                    t: {'url': f'https://lb:{PLAIN}', 'ip': ['10.0.0.9'], 'port': PLAIN}
                    for t in TYPES
                }
                for s in ('demo', 'demo-console')
            }
        ),
    }
    come = {u: wire.dump([UNIT] if u in by_tls else []) for u in units}
    said = {
        u: {'acks': '{}', **({loadbalancer.TLS_TO: come[u]} if verifies else {})} for u in units
    }
    for u in begins:
        said[u] = {'acks': '{}', loadbalancer.TLS_BEGINS: 'yes'}
    for u in ends:
        said[u] = {**said[u], loadbalancer.TLS_ENDS: 'yes'}
    return tuple(
        relations.Relation(id=30 + n, name=f'{t}-backend', app='lb', app_data=bag, units=said)
        for n, t in enumerate(TYPES)
    )


class Unit:
    """A unit whose runs follow on one another, on a machine that does as it is told."""

    def __init__(self) -> None:
        self.machine = testing.FakeMachine()
        self.memory: dict[str, Any] = {}
        self.ca: dict[str, str] | None = {}
        self.own: dict[int, dict[str, str]] = {}
        self.desired = state.Desired()
        self.spec = SPEC

    def run(self, *related: relations.Relation, **more: Any) -> state.Desired:
        every = {
            r.name: (dataclasses.replace(r, my_data=self.own.get(r.id, {})),) for r in related
        }
        if self.ca is not None:
            every['certificates'] = (
                relations.Relation(id=4, name='certificates', app='ca', app_data=self.ca),
            )
        inputs = dataclasses.replace(
            ALONE,
            relations={**ALONE.relations, **every},
            memory=self.memory,
            unit_secret=ours.SEED,
            fresh='f' * 64,
            now=ours.NOW,
            **more,
        )

        def decide(why: Any, known: state.Inputs) -> state.Desired:
            return service.desired_state(self.spec, why, known)

        self.desired = drive.drive(self.machine, decide, HOOK, inputs).desired
        self.memory = json.loads(json.dumps({**self.memory, **self.desired.memory}))
        self.own = {k: dict(v) for k, v in self.desired.unit_data.items() if isinstance(k, int)}
        return self.desired

    def certified(self, *related: relations.Relation) -> None:
        """Serves, then asks, and has the answer."""
        self.ca = None
        self.run(*related)
        self.ca = {}
        self.answered(*related)

    def answered(self, *related: relations.Relation) -> None:
        """Asks, and has the answer."""
        rows = json.loads(
            self.run(*related).unit_data['certificates']['certificate_signing_requests']
        )
        self.ca = ours.answer(rows[0]['certificate_signing_request'])

    @property
    def published(self) -> dict[str, Any]:
        """Of the service, on the first relation."""
        rows = json.loads(self.own[30]['endpoints'])
        return next(row for row in rows if row['service-name'] == 'demo')

    @property
    def site(self) -> str:
        """What Apache has for it."""
        path = '/etc/apache2/sites-enabled/demo-api.conf'
        return next(f.content for f in self.desired.host.files if f.path == path)

    @property
    def listens(self) -> set[int]:
        """The ports that others reach."""
        lines = [x.split()[1] for x in self.site.splitlines() if x.startswith('Listen ')]
        return {int(x.rpartition(':')[2]) for x in lines if not x.startswith('127.')}

    @property
    def messages(self) -> str:
        return '; '.join(s.message for s in self.desired.status)


@pytest.fixture
def unit() -> Unit:
    return Unit()


def test_a_load_balancer_that_loses_its_authority_is_served_tls_until_it_comes_by_http(unit: Unit):
    unit.certified(*balancer())
    unit.run(*balancer())
    unit.run(*balancer('lb/0', 'lb/1'))
    assert unit.listens == {SECURE}
    # One still knows whom to believe: nothing changes for it.
    unit.run(*balancer('lb/0', 'lb/1', ends=('lb/1',)))
    assert unit.listens == {SECURE} and 'tls' in unit.published
    for _ in range(3):
        unit.run(*balancer('lb/0', 'lb/1', ends=('lb/0', 'lb/1')))
        assert unit.listens == {PLAIN, SECURE} and 'tls' not in unit.published
        assert unit.published['backend-port'] == PLAIN
        assert 'http inside: lb cannot verify certificates' in unit.messages
    unit.run(*balancer('lb/1', ends=('lb/1',)))
    assert unit.listens == {PLAIN, SECURE}
    for _ in range(2):
        unit.run(*balancer(verifies=False))
    assert unit.listens == {PLAIN}


def test_the_whole_way_to_tls_and_back(unit: Unit):
    unit.certified(*balancer())
    assert unit.listens == {PLAIN} and 'tls' not in unit.published
    # Both are served, and load balancers are told.
    unit.run(*balancer())
    assert unit.listens == {PLAIN, SECURE} and unit.desired.ports >= {PLAIN, SECURE}
    assert unit.published['backend-port'] == SECURE
    assert unit.published['tls'] == {'mode': 'verify', 'server-name': 'demo-0.internal'}
    # One of them comes by TLS: the other must be served yet.
    unit.run(*balancer('lb/0'))
    assert unit.listens == {PLAIN, SECURE}
    unit.run(*balancer('lb/0', 'lb/1'))
    assert unit.listens == {SECURE} and PLAIN not in unit.desired.ports
    assert unit.published['backend-port'] == SECURE
    # Nobody issues certificates any more: back, with what there was until nobody needs it.
    unit.ca = None
    unit.run(*balancer('lb/0', 'lb/1'))
    assert unit.listens == {PLAIN, SECURE} and 'tls' not in unit.published
    assert unit.published['backend-port'] == PLAIN
    unit.run(*balancer('lb/1'))
    assert unit.listens == {PLAIN, SECURE}
    unit.run(*balancer())
    assert unit.listens == {PLAIN} and 'SSLEngine' not in unit.site
    assert [a.path for a in unit.desired.host.absent if a.path == unit_tls.FILE]


def test_a_unit_without_clients_waits_for_its_certificate_and_begins_with_tls_alone(unit: Unit):
    unit.answered(*balancer())
    assert unit.machine.service(apache.SERVICE) == 'stopped'
    assert 'waiting for a certificate from ca' in unit.messages
    unit.run(*balancer())
    assert unit.machine.service(apache.SERVICE) == 'running'
    assert unit.listens == {SECURE} and PLAIN not in unit.desired.ports
    assert unit.published['backend-port'] == SECURE
    unit.run(*balancer('lb/0'))
    unit.run(*balancer('lb/0', 'lb/1'))
    assert unit.listens == {SECURE}
    unit.run(*balancer('lb/0', 'lb/1', ends=('lb/0', 'lb/1')))
    assert unit.listens == {PLAIN, SECURE}


def test_a_unit_with_clients_serves_on_while_it_has_no_certificate(unit: Unit):
    unit.ca = None
    unit.run(*balancer())
    unit.ca = {}
    unit.run(*balancer())
    assert unit.listens == {PLAIN}
    assert unit.machine.service(apache.SERVICE) == 'running'


def test_it_waits_for_a_load_balancer_that_is_going_to_verify(unit: Unit):
    unit.answered(*balancer(begins=('lb/1',)))
    assert unit.machine.service(apache.SERVICE) == 'stopped'
    unit.run(*balancer(begins=('lb/1',)))
    assert 'waiting for lb to verify certificates' in unit.messages
    assert unit.machine.service(apache.SERVICE) == 'stopped'
    unit.run(*balancer())
    assert unit.listens == {SECURE}


@pytest.mark.parametrize('said', [None, {}])
def test_a_unit_of_the_load_balancer_that_has_said_nothing_keeps_nobody_waiting(
    unit: Unit, said: dict[str, str] | None
):
    silent = {} if said is None else {'lb/1': said}
    one = tuple(
        dataclasses.replace(r, units={'lb/0': r.units['lb/0'], **silent}) for r in balancer()
    )
    unit.answered(*one)
    unit.run(*one)
    assert unit.listens == {SECURE}
    unit.run(*one)
    unit.run(*balancer())
    assert unit.listens == {SECURE} and 'tls' in unit.published


def test_a_load_balancer_of_before_version_2_is_served_http(unit: Unit):
    old = tuple(
        dataclasses.replace(
            r,
            app_data={k: v for k, v in r.app_data.items() if k != 'lb-units'}
            | {'interface-versions': '[1]'},
        )
        for r in balancer()
    )
    unit.answered(*old)
    assert unit.listens == {PLAIN}


def test_a_unit_that_has_had_clients_serves_again_without_a_certificate(unit: Unit):
    unit.ca = None
    unit.run(*balancer())
    unit.memory[front.SERVED] = False  # It lost its database, and has it back.
    unit.ca = {}
    unit.run(*balancer())
    assert unit.listens == {PLAIN}
    assert unit.machine.service(apache.SERVICE) == 'running'


def test_what_a_load_balancer_refuses_is_said_beside_what_is_waited_for(unit: Unit):
    refused = json.dumps({'*': {'state': 'rejected', 'reason': 'the port is taken'}})
    unit.answered(
        *(
            dataclasses.replace(r, app_data={**r.app_data, 'status': refused})
            for r in balancer(begins=('lb/1',))
        )
    )
    assert 'the port is taken' in unit.messages


def test_a_unit_with_clients_waits_for_no_load_balancer(unit: Unit):
    unit.certified(*balancer(begins=('lb/1',)))
    unit.run(*balancer(begins=('lb/1',)))
    assert unit.listens == {PLAIN}


def test_a_load_balancer_that_has_not_answered_may_come_by_tls(unit: Unit):
    silent = tuple(
        relations.Relation(id=r.id, name=r.name, app='lb', units={'lb/0': {}}) for r in balancer()
    )
    unit.answered(*silent)
    assert unit.machine.service(apache.SERVICE) == 'stopped'
    unit.run(*balancer())
    assert unit.listens == {SECURE}


@pytest.mark.parametrize(
    'related', [(), balancer(verifies=False), balancer()[:1], balancer(ends=('lb/1',))]
)
def test_who_would_come_by_http_anyway_is_not_kept_waiting_for_a_certificate(
    unit: Unit, related: tuple[relations.Relation, ...]
):
    unit.answered(*related)
    assert unit.listens == {PLAIN}
    assert unit.machine.service(apache.SERVICE) == 'running'


def secured(unit: Unit) -> Unit:
    unit.certified(*balancer())
    unit.run(*balancer())
    unit.run(*balancer('lb/0', 'lb/1'))
    assert unit.listens == {SECURE}
    return unit


def test_the_key_is_in_one_file_that_root_alone_reads(unit: Unit):
    files = [f for f in secured(unit).desired.host.files if 'PRIVATE KEY' in f.content]
    assert [(f.path, f.mode, f.owner, f.notify) for f in files] == [
        (unit_tls.FILE, 0o600, 'root', (apache.SERVICE,))
    ]
    said = {**unit.desired.unit_data, **unit.desired.app_data}
    assert 'PRIVATE KEY' not in json.dumps([dict(bag) for bag in said.values()])
    assert 'PRIVATE KEY' not in repr(unit.desired)


def test_the_certificate_is_written_before_the_sites_that_name_it(unit: Unit):
    paths = [f.path for f in secured(unit).desired.host.files]
    sites = [p for p in paths if p.startswith('/etc/apache2/sites-enabled/')]
    assert paths.index(unit_tls.FILE) < min(paths.index(p) for p in sites)
    links = [x.path for x in unit.desired.host.links]
    assert '/etc/apache2/mods-enabled/ssl.load' in links
    assert 'reqtimeout wsgi ssl' in next(
        f.content for f in unit.desired.host.files if f.path == apache.CHECK
    )


@pytest.mark.parametrize(
    ('related', 'why'),
    [
        ((), 'there is no load balancer'),
        (balancer(verifies=False), 'lb cannot verify certificates'),
        (balancer()[:1], 'no load balancer has the internal endpoints'),
        (balancer(units=()), 'lb cannot verify certificates'),
    ],
)
def test_http_inside_is_said_with_the_reason(
    unit: Unit, related: tuple[relations.Relation, ...], why: str
):
    unit.certified(*related)
    unit.run(*related)
    assert unit.listens == {PLAIN}
    assert f'http inside: {why}' in unit.messages


def test_one_unit_of_the_load_balancer_that_cannot_verify_is_enough_not_to_begin(unit: Unit):
    first, *rest = balancer()
    mixed = dataclasses.replace(first, units={**first.units, 'lb/1': {'acks': '{}'}})
    unit.certified(mixed, *rest)
    unit.run(mixed, *rest)
    assert unit.listens == {PLAIN} and 'tls' not in unit.published


def test_a_load_balancer_that_falls_silent_or_gets_a_unit_changes_nothing(unit: Unit):
    secured(unit)
    silent = tuple(
        relations.Relation(id=r.id, name=r.name, app='lb', units={'lb/0': {}}) for r in balancer()
    )
    more = balancer('lb/0', 'lb/1', units=('lb/0', 'lb/1', 'lb/2'))
    for related in (silent, more):
        unit.run(*related)
        assert unit.listens == {SECURE} and unit.published['backend-port'] == SECURE


def test_while_apache_has_not_taken_it_up_load_balancers_are_told_what_is_in_force(unit: Unit):
    unit.certified(*balancer())
    unit.machine.refusing = lambda f: 'no' if f.path.endswith('/demo-api.conf') else ''
    unit.run(*balancer())
    assert 'tls' not in unit.published and unit.published['backend-port'] == PLAIN
    unit.machine.refusing = lambda _: ''
    unit.run(*balancer())
    assert unit.published['backend-port'] == SECURE


def test_a_deployment_without_the_relation_is_as_it_was(unit: Unit):
    unit.ca = None
    unit.run(*balancer())
    assert unit.listens == {PLAIN} and 'http inside' not in unit.messages
    assert unit_tls.MEMORY not in unit.memory and 'SSL' not in unit.site
    assert not any(a.path == unit_tls.FILE for a in unit.desired.host.absent)
    assert unit.desired.ports == {8778, 8779, 6080}


def test_a_daemon_that_listens_by_itself_is_reached_as_before(unit: Unit):
    rows = json.loads(secured(unit).own[30]['endpoints'])
    console = next(row for row in rows if row['service-name'] == 'demo-console')
    assert console['backend-port'] == 6080 and 'tls' not in console


def test_what_a_unit_says_of_itself_to_its_peers_follows_what_apache_serves(unit: Unit):
    seen: list[dict[str, int]] = []

    def note(ready: service.Ready) -> dict[str, dict[str, Any]]:
        seen.append(dict(ready.inputs.site.secure_port))
        return {}

    unit.spec = dataclasses.replace(SPEC, config={'/etc/demo/demo.conf': note})
    unit.certified(*balancer())
    unit.run(*balancer())
    assert seen[-1] == {}, 'Apache does not serve it yet'
    unit.run(*balancer('lb/0', 'lb/1'))
    assert seen[-1] == {'demo': SECURE}
    unit.ca = None
    unit.run(*balancer('lb/0', 'lb/1'))
    unit.run(*balancer())
    assert seen[-1] == {}


def test_an_application_that_no_load_balancer_has_is_reached_as_before(unit: Unit):
    path = '/etc/apache2/sites-enabled/demo-data.conf'
    site = next(f.content for f in secured(unit).desired.host.files if f.path == path)
    assert 'Listen 10.0.0.2:8779\n' in site and 'SSLEngine' not in site
    assert unit.desired.ports == {SECURE, 8779, 6080}
