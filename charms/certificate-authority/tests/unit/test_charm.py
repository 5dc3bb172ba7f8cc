"""The charm in Juju: who gets a certificate, for what, and who is refused by name."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import charmkit
import pytest
from charmkit import testing as machines
from charmkit import x509 as certs
from charmkit.relations import certificates
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store
from ops import testing

from charms import conftest as shared

charm = shared.load('certificate-authority')
KEY = certs.new_key('seed', 'lb')
DAY = 86_400
NOW = 1_800_000_000.0
Ctx = testing.Context[Any]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> machines.FakeMachine:
    fake = machines.FakeMachine(clock=NOW)
    monkeypatch.setattr(charmkit.Charm, 'machine', fake)
    return fake


@pytest.fixture
def ctx(machine: machines.FakeMachine) -> Ctx:
    return testing.Context(charm.CertificateAuthorityCharm, app_name='ca', unit_id=0)


def csr(*names: str, unique: str = '1', key: str = KEY) -> str:
    return certs.request(key, certs.Names.of(names), unique=unique)


def asks(*csrs: str, app: str = 'lb', i: int = 5, in_app: bool = True) -> testing.Relation:
    bag = dict(certificates.request(csrs))
    return testing.Relation(
        'certificates',
        id=i,
        remote_app_name=app,
        remote_app_data=bag if in_app else {},
        remote_units_data={0: {} if in_app else bag},
    )


def state(*relations: testing.RelationBase, leader: bool = True, **options: Any) -> testing.State:
    return testing.State(
        leader=leader,
        relations={testing.PeerRelation('peers', id=1), *relations},
        config=options,
    )


def configured(ctx: Ctx, given: testing.State) -> testing.State:
    return ctx.run(ctx.on.config_changed(), given)


def with_relation(out: testing.State, relation: testing.Relation) -> testing.State:
    """*out* with what the other side of *relation* says now, and what this side said before."""
    before = [r for r in out.relations if r.id == relation.id]
    if before:
        said: Any = before[0]
        relation = dataclasses.replace(relation, local_app_data=said.local_app_data)
    return dataclasses.replace(
        out, relations={*(r for r in out.relations if r.id != relation.id), relation}
    )


def answer(out: testing.State, i: int = 5) -> tuple[certificates.Issued, ...]:
    return certificates.issued(_bag(out, i))


def refusals(out: testing.State, i: int = 5) -> list[str]:
    return [r.reason for r in certificates.refused(_bag(out, i))]


def _bag(out: testing.State, i: int) -> dict[str, str]:
    relation: Any = out.get_relation(i)
    return relation.local_app_data


def verified(given: certificates.Issued, name: str, now: float = NOW) -> None:
    """As a client does it: by the root alone."""
    root = x509.load_pem_x509_certificate(given.ca.encode())
    chain = [
        x509.load_pem_x509_certificate(c.pem.encode()) for c in certs.chain('\n'.join(given.chain))
    ]
    subject = (
        x509.IPAddress(__import__('ipaddress').ip_address(name))
        if name[0].isdigit()
        else x509.DNSName(name)
    )
    verifier = (
        PolicyBuilder().store(Store([root])).time(certs.moment(now)).build_server_verifier(subject)
    )
    verifier.verify(chain[0], chain[1:])


def test_a_certificate_is_issued_that_clients_with_the_root_take(ctx: Ctx) -> None:
    out = configured(ctx, state(asks(csr('api.example.com', '10.1.0.100'))))
    (given,) = answer(out)
    verified(given, 'api.example.com')
    verified(given, '10.1.0.100')
    assert certs.belong_together(given.certificate, KEY)
    assert out.unit_status == testing.ActiveStatus('1 certificate')


def test_a_client_that_asks_for_another_name_does_not_take_it(ctx: Ctx) -> None:
    (given,) = answer(configured(ctx, state(asks(csr('api.example.com')))))
    with pytest.raises(x509.verification.VerificationError):
        verified(given, 'other.example.com')
    with pytest.raises(x509.verification.VerificationError):
        verified(given, 'api.example.com', NOW + 91 * DAY)


def test_a_unit_may_ask_as_well_as_an_application(ctx: Ctx) -> None:
    assert answer(configured(ctx, state(asks(csr('api.example.com'), in_app=False))))


def test_both_keys_are_in_secrets_of_the_application_and_nowhere_else(ctx: Ctx) -> None:
    out = configured(ctx, state(asks(csr('api.example.com'))))
    held = {s.label: dict(s.tracked_content) for s in out.secrets}
    assert {*held} == {'root', 'issuer'}
    assert all(s.owner == 'app' and not s.remote_grants for s in out.secrets)
    said = repr([r for r in out.relations]) + repr(out.stored_states)
    assert 'PRIVATE KEY' not in said
    assert all('PRIVATE KEY' in content['key'] for content in held.values())


def test_nothing_changes_while_nothing_is_asked(ctx: Ctx) -> None:
    out = configured(ctx, state(asks(csr('api.example.com'))))
    again = configured(ctx, out)
    assert answer(again) == answer(out)
    assert {(s.label, s.latest_content and s.latest_content['key']) for s in again.secrets} == {
        (s.label, s.latest_content and s.latest_content['key']) for s in out.secrets
    }


def test_a_certificate_is_replaced_when_a_third_of_its_time_is_left(
    ctx: Ctx, machine: machines.FakeMachine
) -> None:
    out = configured(ctx, state(asks(csr('api.example.com'))))
    machine.clock = NOW + 59 * DAY
    assert answer(configured(ctx, out)) == answer(out)
    machine.clock = NOW + 61 * DAY
    (later,) = answer(configured(ctx, out))
    assert later.certificate != answer(out)[0].certificate
    verified(later, 'api.example.com', NOW + 140 * DAY)


def test_the_intermediate_is_replaced_before_it_ends_sooner_than_what_it_signs(
    ctx: Ctx, machine: machines.FakeMachine
) -> None:
    out = configured(ctx, state(asks(csr('api.example.com'))))
    machine.clock = NOW + (2 * 365 - 100) * DAY
    later = configured(ctx, out)
    (new,) = answer(later)
    verified(new, 'api.example.com', machine.clock + 80 * DAY)
    assert new.chain[1] != answer(out)[0].chain[1]
    assert new.ca == answer(out)[0].ca


@pytest.mark.parametrize(
    ('names', 'options', 'reason'),
    [
        (['*.example.com'], {}, '*.example.com is a wildcard'),
        (['a_b.example.com'], {}, 'a_b.example.com is no host name'),
        (['localhost'], {}, 'localhost is no host name'),
        (['127.0.0.1'], {}, '127.0.0.1 is no address of a unit'),
        (['224.0.0.5'], {}, '224.0.0.5 is no address of a unit'),
        (['a.org'], {'allowed-domains': 'example.com'}, 'a.org is not in allowed-domains'),
        (
            ['badexample.com'],
            {'allowed-domains': 'example.com'},
            'badexample.com is not in allowed-domains',
        ),
        (
            ['10.9.0.1'],
            {'allowed-networks': '10.1.0.0/16 fd00::/8'},
            '10.9.0.1 is not in allowed-networks',
        ),
        ([], {}, 'it asks for no host name and no address'),
    ],
)
def test_names_that_may_not_be_certified_are_refused_by_name(
    ctx: Ctx, names: list[str], options: dict[str, Any], reason: str
) -> None:
    good = csr('api.example.com', unique='2')
    out = configured(ctx, state(asks(csr(*names)), asks(good, app='other', i=6), **options))
    assert refusals(out) == [reason]
    assert not answer(out)
    assert out.unit_status == testing.BlockedStatus(f'refused lb: {reason}')
    assert answer(out, 6)  # One that asks for nonsense hurts no other.


def test_names_that_the_operator_allows_are_certified(ctx: Ctx) -> None:
    allowed: dict[str, Any] = {'allowed-domains': 'example.com', 'allowed-networks': '10.1.0.0/16'}
    out = configured(ctx, state(asks(csr('a.example.com', 'example.com', '10.1.2.3')), **allowed))
    assert len(answer(out)) == 1


def test_nobody_gets_a_certificate_for_a_name_of_another_application(ctx: Ctx) -> None:
    out = configured(ctx, state(asks(csr('api.example.com'))))
    other = certs.new_key('seed', 'other')
    thief = asks(
        csr('api.example.com', key=other), app='thief', i=4
    )  # Its relation may be the older one.
    out = configured(ctx, with_relation(out, thief))
    assert refusals(out, 4) == ['api.example.com is certified for lb']
    assert answer(out) and not answer(out, 4)


def test_a_name_that_is_no_longer_asked_for_is_free(ctx: Ctx) -> None:
    out = configured(ctx, state(asks(csr('api.example.com'))))
    out = with_relation(out, asks(csr('other.example.com')))
    out = configured(ctx, with_relation(out, asks(csr('api.example.com'), app='next', i=6)))
    assert answer(out, 6)


def weak() -> str:
    return _signed(rsa.generate_private_key(65537, 1024))  # noqa: S505


def _signed(key: Any, common: str = 'api.example.com') -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def forged() -> str:
    """With the key of somebody else: the signature is not that of the key."""
    der = x509.load_pem_x509_csr(csr('api.example.com').encode()).public_bytes(
        serialization.Encoding.DER
    )
    broken = der[:-1] + bytes([der[-1] ^ 1])
    import base64

    body = base64.encodebytes(broken).decode()
    return f'-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----'


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('nonsense', 'it is not a certificate signing request in PEM'),
        ('x' * 70_000, 'it is longer than 65536 characters'),
        (weak(), 'its RSA key has 1024 bits, at least 2048 are wanted'),
        (forged(), 'its signature is not that of its key'),
        (_signed(ec.generate_private_key(ec.SECP192R1())), 'its key is on the curve secp192r1'),
        (
            csr(*(f'h{n}.example.com' for n in range(101))),
            'it has 101 names, at most 100 are allowed',
        ),
        (
            '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----',
            'it cannot be read as a certificate signing request',
        ),
    ],
)
def test_what_is_no_request_is_refused_in_words(ctx: Ctx, text: str, reason: str) -> None:
    out = configured(ctx, state(asks(text)))
    (said,) = refusals(out)
    assert reason in said


def test_certificates_for_authorities_are_refused(ctx: Ctx) -> None:
    bag = {
        'certificate_signing_requests': json.dumps(
            [{'certificate_signing_request': csr('a.org'), 'ca': True}]
        )
    }
    relation = testing.Relation('certificates', id=5, remote_app_name='lb', remote_app_data=bag)
    out = configured(ctx, state(relation))
    assert refusals(out) == ['certificates for other certificate authorities are not issued']


@pytest.mark.parametrize('bag', ['nonsense', '{}', '[1, null, "x", {}]', '[' * 50_000])
def test_nonsense_in_a_databag_asks_for_nothing(ctx: Ctx, bag: str) -> None:
    data = {'certificate_signing_requests': bag}
    relation = testing.Relation('certificates', id=5, remote_app_name='lb', remote_app_data=data)
    out = configured(ctx, state(relation, asks(csr('api.example.com'), app='other', i=6)))
    assert not answer(out) and answer(out, 6)


def test_an_old_request_with_a_common_name_alone_is_certified_for_it(ctx: Ctx) -> None:
    text = _signed(rsa.generate_private_key(65537, 2048), 'old.example.com')
    (given,) = answer(configured(ctx, state(asks(text))))
    verified(given, 'old.example.com')


# Actions.


def test_get_ca_on_any_unit(ctx: Ctx) -> None:
    out = configured(ctx, state())
    ctx.run(ctx.on.action('get-ca'), dataclasses.replace(out, leader=False))
    results = ctx.action_results
    assert results
    (root,) = certs.certificates(results['ca-certificate'])
    assert root.is_root and root.subject.startswith('CN=ca root')


def serial(ctx: Ctx, out: testing.State) -> str:
    ctx.run(ctx.on.action('list-certificates'), out)
    assert ctx.action_results
    (only,) = json.loads(ctx.action_results['certificates'])
    return only


def test_what_is_revoked_is_in_the_list_and_told_and_stays_so(ctx: Ctx) -> None:
    out = configured(ctx, state(asks(csr('api.example.com'))))
    which = serial(ctx, out)
    out = ctx.run(ctx.on.action('revoke', params={'serial': which}), out)
    (given,) = answer(out)
    assert given.revoked
    out = configured(ctx, out)
    assert answer(out)[0].revoked
    ctx.run(ctx.on.action('get-crl'), out)
    assert ctx.action_results
    found = x509.load_pem_x509_crl(ctx.action_results['crl'].encode())
    assert [f'{r.serial_number:x}' for r in found] == [which]
    issuer = x509.load_pem_x509_certificate(given.chain[1].encode())
    key: Any = issuer.public_key()
    assert found.is_signature_valid(key)
    # Another request of the same application gets another certificate.
    out = configured(ctx, with_relation(out, asks(csr('api.example.com', unique='2'))))
    assert not answer(out)[0].revoked


def test_a_serial_that_there_is_not_cannot_be_revoked(ctx: Ctx) -> None:
    out = configured(ctx, state(asks(csr('api.example.com'))))
    with pytest.raises(testing.ActionFailed, match='No certificate has the serial abc'):
        ctx.run(ctx.on.action('revoke', params={'serial': 'abc'}), out)


def test_renew_replaces_certificates_of_one_application_or_of_all(ctx: Ctx) -> None:
    other = asks(csr('b.example.com'), app='other', i=6)
    before = configured(ctx, state(asks(csr('a.example.com')), other))
    one = ctx.run(ctx.on.action('renew', params={'application': 'other'}), before)
    assert answer(one) == answer(before)
    assert answer(one, 6)[0].certificate != answer(before, 6)[0].certificate
    every = ctx.run(ctx.on.action('renew', params={'what': 'issuer'}), before)
    for i in (5, 6):
        (new,) = answer(every, i)
        assert new.chain[1] != answer(before, i)[0].chain[1]
    verified(answer(every)[0], 'a.example.com')


@pytest.mark.parametrize('name', ['revoke', 'renew', 'get-crl', 'list-certificates'])
def test_other_units_send_the_operator_to_the_leader(ctx: Ctx, name: str) -> None:
    out = dataclasses.replace(configured(ctx, state()), leader=False)
    params = {'serial': 'a'} if name == 'revoke' else {}
    with pytest.raises(testing.ActionFailed, match='Only the leader can'):
        ctx.run(ctx.on.action(name, params=params), out)


# Who has not all of it yet.


def test_a_leader_that_cannot_read_its_secret_makes_no_other_authority(ctx: Ctx) -> None:
    peers = testing.PeerRelation(
        'peers', id=1, local_app_data={'root': 'secret:gone', 'issuer': 'secret:gone'}
    )
    out = configured(ctx, testing.State(leader=True, relations={peers, asks(csr('a.org'))}))
    assert out.unit_status == testing.WaitingStatus('waiting for the secret of the authority')
    assert not list(out.secrets)


def test_another_unit_waits_and_says_nothing(ctx: Ctx) -> None:
    out = configured(ctx, state(asks(csr('api.example.com')), leader=False))
    assert out.unit_status == testing.WaitingStatus('waiting for the secret of the authority')


def test_clients_are_given_the_root(ctx: Ctx) -> None:
    relation = testing.Relation('send-ca-cert', id=7, remote_app_name='client')
    out = configured(ctx, state(relation, asks(csr('api.example.com'))))
    bag = _bag(out, 7)
    assert json.loads(bag['certificates']) == [answer(out)[0].ca]
    assert bag['version'] == '1'
