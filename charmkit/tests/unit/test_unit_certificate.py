"""The unit's own certificate: asked for, believed when it is right, kept when the next one is not."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Callable
from typing import Any

import pytest
from charmkit import relations, state
from charmkit import unit_certificate as own
from charmkit import x509 as certs
from charmkit.relations import certificates
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from .test_x509 import DAY, SEED, key, named

NOW = DAY.timestamp() + 3600
ADDRESSES = ('10.0.0.2', '127.0.0.1')


def inputs(
    said: dict[str, str] | None = None, before: own.UnitCertificate | None = None, **more: Any
) -> state.Inputs:
    bag = said or {}
    ca = relations.Relation(id=4, name='certificates', app='ca', app_data=bag)
    found = state.Inputs(
        site=relations.Site(unit='demo/0', leader=False, address='10.0.0.2'),
        relations={} if said is None else {'certificates': (ca,)},
        memory=json.loads(json.dumps(dict(before.memory))) if before else {},
        unit_secret=SEED,
        now=NOW,
        fresh='f' * 64,
    )
    return dataclasses.replace(found, **more)


def asked(found: own.UnitCertificate) -> list[str]:
    rows = json.loads(found.request['certificate_signing_requests'])
    return [row['certificate_signing_request'] for row in rows]


def issue(csr: str, *, names: certs.Names | None = None, days: float = 2.0, of: Any = None) -> str:
    request = certs.read_request(csr)
    builder = (
        x509.CertificateBuilder()
        .subject_name(named('it'))
        .issuer_name(named('root'))
        .public_key(of or request.key)
        .serial_number(7)
        .not_valid_before(DAY)
        .not_valid_after(DAY + datetime.timedelta(days=days))
        .add_extension(certs.alternative_names(names or request.names), critical=False)
    )
    made = builder.sign(key('root'), hashes.SHA256(), ecdsa_deterministic=True)
    return made.public_bytes(serialization.Encoding.PEM).decode()


def answer(csr: str, certificate: str = '', *, revoked: bool = False) -> dict[str, str]:
    one = certificates.Issued(
        csr=csr, certificate=certificate or issue(csr), ca='', revoked=revoked
    )
    return dict(certificates.provide([one]))


def messages(found: own.UnitCertificate) -> list[str]:
    return [f'{s.kind}: {s.message}' for s in found.status]


def first() -> own.UnitCertificate:
    return own.read(inputs({}), ADDRESSES)


def good() -> own.UnitCertificate:
    return own.read(inputs(answer(asked(first())[0]), first()), ADDRESSES)


def test_without_a_provider_nothing_is_asked():
    found = own.read(inputs(), ADDRESSES)
    assert (found.request, found.memory, found.pem, found.status) == ({}, {}, '', ())
    assert not found.related


def test_a_request_is_for_the_units_name_and_for_where_it_is_reached():
    found = first()
    (csr,) = asked(found)
    request = certs.read_request(csr)
    assert request.names == certs.Names(('demo-0.internal',), ('10.0.0.2',))
    assert messages(found) == ['waiting: waiting for a certificate from ca']
    assert asked(own.read(inputs({}, found), ADDRESSES)) == [csr]


def test_what_is_issued_is_in_force_with_its_key():
    found = good()
    assert found.pem.startswith('-----BEGIN CERTIFICATE-----')
    assert certs.belong_together(found.chain, found.key) and found.status == ()
    assert certs.private_key(found.key)
    # The key is remembered nowhere, and shown by no representation.
    assert 'PRIVATE' not in json.dumps(dict(found.memory)) and 'PRIVATE' not in repr(found)
    assert own.read(inputs(answer(asked(first())[0]), found), ADDRESSES) == found


def test_another_unit_has_another_key():
    other = dataclasses.replace(inputs({}), unit_secret='t' * 64)
    mine, theirs = (
        certs.read_request(asked(x)[0]).key for x in (first(), own.read(other, ADDRESSES))
    )
    assert mine != theirs


WRONG: list[tuple[Callable[[str], str], str]] = [
    (lambda _: 'nonsense', 'no certificate in PEM'),
    (lambda csr: issue(csr, of=key('else').public_key()), 'private key'),
    (lambda csr: issue(csr, days=0.01), 'ended on 2026-02-03'),
    (lambda csr: issue(csr, names=certs.Names(('demo-1.internal',))), 'not for demo-0.internal'),
]


@pytest.mark.parametrize(('certificate', 'why'), WRONG)
def test_what_is_wrong_is_not_taken_and_the_good_one_stays(certificate: Any, why: str):
    csr = asked(first())[0]
    bad = answer(csr, certificate(csr))
    found = own.read(inputs(bad, first()), ADDRESSES)
    assert found.pem == '' and len(found.status) == 1
    assert found.status[0].kind == 'blocked' and why in found.status[0].message
    found = own.read(inputs(bad, good()), ADDRESSES)
    assert found.pem == good().pem and why in found.status[0].message


def test_one_of_the_future_is_not_taken():
    early = dataclasses.replace(inputs(answer(asked(first())[0]), first()), now=NOW - 7200)
    assert 'is good from' in own.read(early, ADDRESSES).status[0].message


def test_another_address_is_another_request_and_the_former_is_in_force_until_it_is_answered():
    bag = answer(asked(first())[0])
    found = own.read(inputs(bag, good(), fresh='g' * 64), ('10.0.0.3',))
    assert len(asked(found)) == 2 and found.pem == good().pem
    second = asked(found)[0]
    assert certs.read_request(second).names.addresses == ('10.0.0.3',)
    after = own.read(inputs(answer(second), found), ('10.0.0.3',))
    assert asked(after) == [second] and after.pem != good().pem and after.key != good().key


def test_a_revoked_certificate_is_asked_for_anew_with_another_key():
    bag = answer(asked(first())[0], revoked=True)
    found = own.read(inputs(bag, good(), fresh='g' * 64), ADDRESSES)
    (second,) = asked(found)
    assert second != asked(first())[0] and found.pem == good().pem
    assert own.read(inputs(answer(second), found), ADDRESSES).key != good().key


def test_one_that_the_provider_forgets_is_asked_for_anew_and_its_end_is_told():
    bag = answer(asked(first())[0])
    late = dataclasses.replace(inputs(bag, good(), fresh='g' * 64), now=NOW + 40 * 3600)
    found = own.read(late, ADDRESSES)
    assert len(asked(found)) == 2
    assert messages(found) == ["active: this unit's certificate ends in 0 days"]
    ended = dataclasses.replace(late, now=NOW + 60 * 3600)
    assert "blocked: this unit's certificate has ended" in messages(own.read(ended, ADDRESSES))
    # While its answer is awaited no third one is asked for.
    again = dataclasses.replace(late, memory=dict(found.memory), fresh='h' * 64)
    assert asked(own.read(again, ADDRESSES)) == asked(found)


def test_a_refusal_is_told():
    no = certificates.Refused(asked(first())[0], 'demo-0.internal is not allowed')
    found = own.read(inputs(dict(certificates.provide([], [no])), first()), ADDRESSES)
    assert messages(found) == [
        'blocked: ca refuses a certificate for this unit: demo-0.internal is not allowed'
    ]


def test_a_provider_that_falls_silent_takes_nothing_away_and_one_that_goes_leaves_what_there_was():
    assert own.read(inputs({}, good()), ADDRESSES).pem == good().pem
    gone = own.read(inputs(None, good()), ADDRESSES)
    assert gone.pem == good().pem and not gone.related and gone.request == {}
    back = own.read(inputs({}, gone, fresh='g' * 64), ADDRESSES)
    assert len(asked(back)) == 1 and asked(back) != asked(first())


def denied(csr: str) -> dict[str, str]:
    no = certificates.Refused(csr, '10.0.0.2 is certified for other', 'ip_not_allowed')
    return dict(certificates.provide([], [no]))


def test_where_another_application_has_the_address_it_is_asked_for_the_name_alone():
    bag = denied(asked(first())[0])
    second = own.read(inputs(bag, first(), fresh='g' * 64), ADDRESSES)
    csr = asked(second)[0]
    assert certs.read_request(csr).names == certs.Names(('demo-0.internal',))
    found = own.read(inputs({**bag, **answer(csr)}, second, fresh='h' * 64), ADDRESSES)
    assert found.pem and asked(found) == [csr]
    assert messages(found) == [
        "active: this unit's certificate is not for its addresses (ca: 10.0.0.2 is certified for other)"
    ]
    assert own.read(inputs(answer(csr), found, fresh='i' * 64), ADDRESSES) == found
    # With the next one it is tried again, and so it is where the addresses are others.
    for more, where in (({'now': NOW + 40 * 3600}, ADDRESSES), ({}, ('10.0.0.3',))):
        later = own.read(inputs(answer(csr), found, fresh='i' * 64, **more), where)
        assert where[0] in certs.read_request(asked(later)[0]).names.addresses


def test_a_refusal_of_the_name_is_no_reason_to_ask_for_less():
    no = certificates.Refused(asked(first())[0], 'not allowed', 'domain_not_allowed')
    found = own.read(inputs(dict(certificates.provide([], [no])), first()), ADDRESSES)
    assert asked(found) == asked(first())
