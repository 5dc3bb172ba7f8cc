"""Certificates and keys as people give them: made fit for any server, or refused in one sentence."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from charmkit import server_pair
from charmkit import x509 as certs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

SEED = 's' * 64
USAGE = {
    'digital_signature': False, 'content_commitment': False, 'key_encipherment': False,
    'data_encipherment': False, 'key_agreement': False, 'key_cert_sign': False, 'crl_sign': True,
    'encipher_only': False, 'decipher_only': False,
}  # fmt: skip


def key(name: str) -> ec.EllipticCurvePrivateKey:
    return certs.own_key(certs.new_key(SEED, name))


def pem(
    of: Any, form: Any = serialization.PrivateFormat.PKCS8, password: bytes | None = None
) -> str:
    hidden = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    return of.private_bytes(serialization.Encoding.PEM, form, hidden).decode()


def certificate(
    subject: str, issuer: str, *extensions: tuple[Any, bool], of: Any = None, hashed: Any = None
) -> str:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    start = datetime.datetime(2026, 2, 3, tzinfo=datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named(issuer))
        .public_key((of or key(subject)).public_key())
        .serial_number(5)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName('a.example')]), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    made = builder.sign(key(issuer), hashed or hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


LEAF, LOW, ROOT = (
    certificate('leaf', 'low'),
    certificate('low', 'root'),
    certificate('root', 'root'),
)
KEY = pem(key('leaf'))
SEC1 = serialization.PrivateFormat.TraditionalOpenSSL
PARAMETERS = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n'
Spelling = Callable[[str], str]
SPELLINGS: dict[str, tuple[Spelling, Spelling]] = {
    'as it is': (str, str),
    'of another system': (
        lambda t: t.replace('\n', '\r\n'),
        lambda t: t.replace('\n', '\r\n'),
    ),
    'in one line': (lambda t: t.replace('\n', ' '), lambda t: t.replace('\n', ' ')),
    'indented': (lambda t: t.replace('\n', '\n  '), lambda t: t.replace('\n', '\n  ')),
    'with words around': (lambda t: f'subject=/CN=ö\n{t}\nmore\0', lambda t: f'Bag\n{t}more'),
    'with blank lines': (lambda t: t.replace('\n', '\n\n'), lambda t: t.replace('\n', '\n\n')),
    'without a last line break': (str.strip, str.strip),
    'with the key among them': (lambda t: KEY + t, str),
    'with parameters': (str, lambda t: PARAMETERS + pem(key('leaf'), SEC1)),
}


@pytest.mark.parametrize('how', SPELLINGS)
@pytest.mark.parametrize(
    'order', [(LEAF, LOW, ROOT), (ROOT, LOW, LEAF), (LOW, LEAF), (LEAF, LEAF, LOW)]
)
def test_however_they_are_written_and_ordered_a_server_gets_the_same(
    how: str, order: tuple[str, ...]
):
    certificates, private = SPELLINGS[how]
    found = server_pair.read(certificates(''.join(order)), private(KEY))
    assert found.shown == LEAF + LOW
    assert found.key in (KEY, pem(key('leaf'), SEC1))
    assert KEY.splitlines()[1] not in repr(found)


def rsa_key(bits: int) -> Any:
    return rsa.generate_private_key(65537, bits)


TAKEN = {
    'RSA': lambda: rsa_key(2048),
    'P-384': lambda: ec.generate_private_key(ec.SECP384R1()),
    'Ed25519': ed25519.Ed25519PrivateKey.generate,
}
NOT_TAKEN = {
    'RSA key has 1024 bits': lambda: rsa_key(1024),
    'curve secp256k1': lambda: ec.generate_private_key(ec.SECP256K1()),
    'curve secp224r1': lambda: ec.generate_private_key(ec.SECP224R1()),
    'neither RSA nor': ed448.Ed448PrivateKey.generate,
    'neither RSA': lambda: dsa.generate_private_key(2048),
}


@pytest.mark.parametrize('kind', TAKEN)
def test_keys_of_other_kinds_are_taken(kind: str):
    own = TAKEN[kind]()
    assert server_pair.read(certificate('it', 'low', of=own), pem(own)).key == pem(own)


@pytest.mark.parametrize('why', NOT_TAKEN)
def test_keys_that_no_server_or_client_takes_are_refused(why: str):
    own = NOT_TAKEN[why]()
    with pytest.raises(certs.InvalidError, match=f'^the private key: its .*{why}'):
        server_pair.read(certificate('it', 'low', of=own), pem(own))


@pytest.mark.parametrize(
    ('private', 'why'),
    [
        ('', 'is not PEM, or has a password'),
        (pem(key('leaf'), password=b'x'), 'is not PEM, or has a password'),
        (pem(key('leaf'), SEC1, b'x'), 'is not PEM, or has a password'),
        (KEY + pem(key('low')), 'there are 2 private keys, one is wanted'),
        (pem(key('low')), 'the certificate does not go with its private key'),
        ('-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----', 'is not PEM'),
    ],
)
def test_what_is_no_key_of_it_is_refused(private: str, why: str):
    with pytest.raises(certs.InvalidError, match=why):
        server_pair.read(LEAF, private)


@pytest.mark.parametrize(
    ('extension', 'why'),
    [
        (x509.KeyUsage(**USAGE), 'is not for signatures'),
        (
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]),
            r'is not for servers \(serverAuth\)',
        ),
        (
            x509.UnrecognizedExtension(x509.ObjectIdentifier('1.2.3.4'), b'\x05\x00'),
            r'that clients do not know \(1\.2\.3\.4\)',
        ),
    ],
)
def test_what_clients_do_not_take_is_refused(extension: Any, why: str):
    with pytest.raises(certs.InvalidError, match=why):
        server_pair.read(certificate('leaf', 'low', (extension, True)), KEY)


def test_what_it_may_be_beside_that_is_taken():
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, x509.ObjectIdentifier('1.2')])
    usage = x509.KeyUsage(**{**USAGE, 'digital_signature': True})
    names = x509.IssuerAlternativeName([x509.RFC822Name('a@b.example')])
    text = certificate('leaf', 'low', (both, False), (usage, True), (names, False))
    assert server_pair.read(text, KEY).chain[0].names.hosts == ('a.example',)


def test_an_issuer_with_a_key_that_is_too_small_is_refused():
    """OpenSSL would refuse the whole chain."""
    small = rsa_key(1024)
    low = certificate('low', 'root', of=small)
    start = datetime.datetime(2026, 2, 3, tzinfo=datetime.UTC)
    leaf = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, 'low')]))
        .public_key(key('leaf').public_key())
        .serial_number(6)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=9))
        .sign(small, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
        .decode()
    )
    with pytest.raises(certs.InvalidError, match=r'^the certificate of its issuer: .* 1024 bits'):
        server_pair.read(leaf + low, KEY)


@pytest.mark.parametrize(
    'text', ['', 'x', KEY, '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----']
)
def test_no_certificate_is_none(text: str):
    with pytest.raises(certs.InvalidError, match=r'^it holds (no|a) certificate '):
        server_pair.read(text, KEY)
