"""Our side of tls-certificates against the maintained library's: each reads what the other has written."""

from __future__ import annotations

import dataclasses
from typing import Any

import charmkit
import ops
import pytest
from charmkit import testing as machines
from charmkit import x509 as certs
from charmkit.relations import certificates
from charmlibs.interfaces import tls_certificates as library
from ops import testing

from charms import conftest as shared

charm = shared.load('certificate-authority')
META = {'name': 'client', 'requires': {'certificates': {'interface': 'tls-certificates'}}}
SERVER = {'name': 'server', 'provides': {'certificates': {'interface': 'tls-certificates'}}}
WANTED = library.CertificateRequestAttributes(
    common_name='api.example.com', sans_dns=['api.example.com'], sans_ip=['10.1.0.5']
)


class Client(ops.CharmBase):
    """Asks by the library."""

    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        self.asking = library.TLSCertificatesRequiresV4(
            self, 'certificates', certificate_requests=[WANTED], mode=library.Mode.APP
        )
        framework.observe(self.on.update_status, self._look)
        framework.observe(self.on.config_changed, self.asking._configure)  # pyright: ignore[reportPrivateUsage]

    def _look(self, _: ops.EventBase) -> None:
        given, key = self.asking.get_assigned_certificate(WANTED)
        errors = [e.error.message for e in self.asking.get_request_errors()]
        whole = given and key and given.certificate.matches_private_key(key)
        said = (
            f'{given.certificate.common_name} {len(given.chain)} {given.ca.is_ca}' if given else ''
        )
        self.unit.status = ops.ActiveStatus(f'{bool(whole)} {said} {errors}')


class Server(ops.CharmBase):
    """Reads requests by the library."""

    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        self.serving = library.TLSCertificatesProvidesV4(self, 'certificates')
        framework.observe(self.on.update_status, self._look)

    def _look(self, _: ops.EventBase) -> None:
        found = [
            sorted(
                (
                    *(r.certificate_signing_request.sans_dns or ()),
                    *(r.certificate_signing_request.sans_ip or ()),
                )
            )
            for r in self.serving.get_certificate_requests()
        ]
        self.unit.status = ops.ActiveStatus(repr(found))


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setattr(charmkit.Charm, 'machine', machines.FakeMachine(clock=time.time()))


def client() -> testing.Context[Any]:
    return testing.Context(Client, meta=META, juju_version='3.6.0')


def asked() -> testing.State:
    """The library has written its request."""
    relation = testing.Relation('certificates', id=5, remote_app_name='ca')
    state = testing.State(leader=True, relations={relation})
    context = client()
    return context.run(context.on.config_changed(), state)


def authority(relation: testing.Relation, **options: Any) -> dict[str, str]:
    """What our charm answers to what the library wrote."""
    theirs = testing.Relation(
        'certificates', id=5, remote_app_name='client', remote_app_data=relation.local_app_data
    )
    context = testing.Context(charm.CertificateAuthorityCharm, app_name='ca', unit_id=0)
    peers = testing.PeerRelation('peers', id=1)
    state = testing.State(leader=True, relations={peers, theirs}, config=options)
    found: Any = context.run(context.on.config_changed(), state).get_relation(5)
    return found.local_app_data


def told(state: testing.State, bag: dict[str, str]) -> str:
    """What the library's requirer makes of the answer *bag*."""
    relation: Any = state.get_relation(5)
    state = dataclasses.replace(
        state, relations={dataclasses.replace(relation, remote_app_data=bag)}
    )
    context = client()
    state = context.run(context.on.config_changed(), state)
    return context.run(context.on.update_status(), state).unit_status.message


def test_the_librarys_request_is_answered_as_it_wants_it() -> None:
    state = asked()
    relation: Any = state.get_relation(5)
    assert told(state, authority(relation)) == 'True api.example.com 3 True []'


def test_a_refusal_reaches_the_librarys_requirer() -> None:
    state = asked()
    relation: Any = state.get_relation(5)
    bag = authority(relation, **{'allowed-domains': 'other.org'})
    assert told(state, bag) == "False  ['api.example.com is not in allowed-domains']"


def test_the_librarys_provider_reads_our_request() -> None:
    names = certs.Names.of(['api.example.com', '10.1.0.5', 'fd00::5'])
    csr = certs.request(certs.new_key('s', 'a'), names, unique='u')
    relation = testing.Relation(
        'certificates', remote_app_name='lb', remote_app_data=dict(certificates.request([csr]))
    )
    context = testing.Context(Server, meta=SERVER, juju_version='3.6.0')
    state = testing.State(leader=True, relations={relation})
    out = context.run(context.on.update_status(), state)
    assert out.unit_status.message == "[['10.1.0.5', 'api.example.com', 'fd00::5']]"


def test_what_is_not_the_interface_would_be_noticed() -> None:
    state = asked()
    relation: Any = state.get_relation(5)
    bag = authority(relation)
    assert told(state, {'certificate': bag['certificates']}) == 'False  []'
