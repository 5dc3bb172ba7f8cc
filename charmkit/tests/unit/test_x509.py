"""Keys, requests and certificates: what is made is what others read, and what others made is believed in nothing."""

from __future__ import annotations

import datetime
import functools
import ipaddress
from collections.abc import Callable

import pytest
from charmkit import x509 as certs
from charmkit.x509 import InvalidError, Names
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import NameOID

SEED = 's' * 64
DAY = datetime.datetime(2026, 2, 3, 4, 5, 6, tzinfo=datetime.UTC)
NAMES = Names(('a.example', '*.b.example'), ('10.0.0.1', '2001:db8::1'))
PEM = serialization.Encoding.PEM


def key(name: str) -> ec.EllipticCurvePrivateKey:
    return certs.own_key(certs.new_key(SEED, name))


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@functools.cache
def certificate(name: str, issuer: str, *, signer: str = '', names: Names | None = NAMES) -> str:
    """Of *name*, that says it is issued by *issuer*, signed with the key of *signer*."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(key(name).public_key())
        .serial_number(0xAB12)
        .not_valid_before(DAY)
        .not_valid_after(DAY + datetime.timedelta(days=2))
    )
    if names is not None:
        builder = builder.add_extension(certs.alternative_names(names), critical=False)
    made = builder.sign(key(signer or issuer), hashes.SHA256())
    return made.public_bytes(PEM).decode()


def test_a_key_is_made_of_its_seed_and_its_name():
    first = certs.new_key(SEED, 'a')
    assert certs.new_key(SEED, 'a') == first
    assert len({first, certs.new_key(SEED, 'b'), certs.new_key('t' * 64, 'a')}) == 3
    assert first.startswith('-----BEGIN PRIVATE KEY-----\n')
    # Whoever changes how it is made gives every unit another key.
    number = 0xB9053C2E31D779E2BADABE320DAD1A7D8135E6001CB176BA1C0B055683AC0859
    assert key('a').private_numbers().private_value == number
    assert isinstance(key('a').curve, ec.SECP256R1)
    assert certs.pem_of(key('a')) == first


def test_a_key_that_cannot_be_read_or_is_of_another_kind_is_refused():
    other = ed25519.Ed25519PrivateKey.generate()
    plain = other.private_bytes(
        PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    locked = other.private_bytes(
        PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b'x')
    ).decode()
    assert isinstance(certs.private_key(plain), ed25519.Ed25519PrivateKey)
    for text in ('', 'nonsense', locked):
        with pytest.raises(InvalidError, match=r'^the private key is not PEM, or has a password$'):
            certs.private_key(text)
    with pytest.raises(InvalidError, match=r'^the private key is of another kind$'):
        certs.own_key(plain)


def test_names_are_told_apart_each_once_in_order():
    found = Names.of(
        ['B.example', '10.0.0.1', 'a.example', 'b.EXAMPLE', '2001:DB8:0::1', '10.0.0.1']
    )
    assert found == Names(('b.example', 'a.example'), ('10.0.0.1', '2001:db8::1'))
    assert found.all == ('b.example', 'a.example', '10.0.0.1', '2001:db8::1')


@pytest.mark.parametrize(
    ('name', 'covered'),
    [
        ('a.example', True),
        ('A.Example', True),
        ('x.a.example', False),
        ('x.b.example', True),
        ('b.example', False),
        ('x.y.b.example', False),
        ('10.0.0.1', True),
        ('2001:DB8::1', True),
        ('10.0.0.2', False),
        ('0.0.0.1', False),
    ],
)
def test_what_a_certificate_covers(name: str, covered: bool):
    assert NAMES.covers(name) is covered


def test_a_request_is_read_as_it_was_made():
    made = certs.request(certs.new_key(SEED, 'a'), NAMES, unique='unit-1')
    assert made == certs.request(certs.new_key(SEED, 'a'), NAMES, unique='unit-1')
    assert made != certs.request(certs.new_key(SEED, 'a'), NAMES, unique='unit-2')
    read = certs.read_request(f'above\n{made}below')
    assert read.names == NAMES
    assert read.common_name == 'a.example'
    assert read.key == key('a').public_key()
    signed = x509.load_pem_x509_csr(made.encode())
    assert [a.value for a in signed.subject] == ['a.example', 'unit-1']
    assert isinstance(signed.signature_hash_algorithm, hashes.SHA256)
    extension = signed.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert extension.critical is False
    assert extension.value.get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address(a) for a in NAMES.addresses
    ]


@pytest.mark.parametrize(
    ('hosts', 'common'),
    [
        (('x' * 65, 'y' * 64), 'y' * 64),
        (('x' * 65,), ''),
        ((), ''),
    ],
)
def test_the_common_name_is_the_first_that_fits(hosts: tuple[str, ...], common: str):
    made = certs.request(certs.new_key(SEED, 'a'), Names(hosts), unique='u')
    assert certs.read_request(made).common_name == common


def asked(signer: object, *names: x509.GeneralName, common: str = 'x') -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(named(common))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(signer, algorithm).public_bytes(PEM).decode()  # pyright: ignore[reportArgumentType]


def test_a_request_without_names_has_none():
    assert certs.read_request(asked(key('a'))).names == Names()


@pytest.mark.parametrize(
    'make',
    [
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: ec.generate_private_key(ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.generate,
        lambda: rsa.generate_private_key(65537, 2048),
    ],
    ids=['P-384', 'P-521', 'Ed25519', 'RSA'],
)
def test_keys_of_good_kinds_are_taken(make: Callable[[], object]):
    assert certs.read_request(asked(make())).common_name == 'x'


DNS = x509.DNSName('a')
NONSENSE = '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----'


@pytest.mark.parametrize(
    ('make', 'words'),
    [
        (lambda: '', 'it is not a certificate signing request in PEM'),
        (lambda: certificate('a', 'a'), 'it is not a certificate signing request in PEM'),
        (
            lambda: asked(key('a')) * 2,
            'it holds 2 blocks of CERTIFICATE REQUEST, at most 1 are allowed',
        ),
        (lambda: NONSENSE, 'it cannot be read as a certificate signing request'),
        (
            lambda: asked(rsa.generate_private_key(65537, 1024)),  # noqa: S505 -- that is the point
            'its RSA key has 1024 bits, at least 2048 are wanted',
        ),
        (
            lambda: asked(ec.generate_private_key(ec.SECP256K1())),
            'its key is on the curve secp256k1; P-256, P-384 or P-521 are wanted',
        ),
        (
            lambda: asked(dsa.generate_private_key(1024)),  # noqa: S505 -- as above
            'its key is neither RSA nor ECDSA nor Ed25519',
        ),
        (
            lambda: asked(key('a'), *(x509.DNSName(f'{n}') for n in range(101))),
            'it has 101 names, at most 100 are allowed',
        ),
        (
            lambda: asked(key('a'), DNS, x509.RFC822Name('a@a.example')),
            'it has a name that is neither a host name nor an IP address',
        ),
    ],
)
def test_what_no_certificate_may_be_made_of_is_refused_in_words(
    make: Callable[[], str], words: str
):
    with pytest.raises(InvalidError) as told:
        certs.read_request(make())
    assert str(told.value) == words


def test_a_hundred_names_are_no_too_many_and_a_registered_id_is_passed_over():
    many = asked(key('a'), *(x509.DNSName(f'{n}') for n in range(100)))
    assert len(certs.read_request(many).names.hosts) == 100
    identity = x509.RegisteredID(x509.ObjectIdentifier('1.2.3.4'))
    assert certs.read_request(asked(key('a'), DNS, identity)).names == Names(('a',))


def test_a_request_that_another_key_signed_is_refused():
    whole = x509.load_pem_x509_csr(asked(key('a')).encode()).public_bytes(
        serialization.Encoding.DER
    )
    other = x509.load_pem_x509_csr(asked(key('a'), common='y').encode()).public_bytes(
        serialization.Encoding.DER
    )
    forged = whole.replace(b'\x0c\x01x', b'\x0c\x01y')
    assert forged not in (whole, other)
    with pytest.raises(InvalidError, match=r'^its signature is not that of its key$'):
        certs.read_request(x509.load_der_x509_csr(forged).public_bytes(PEM).decode())


def test_blocks_are_those_of_a_kind_in_order_and_not_too_many():
    one, other = certificate('a', 'a'), certificate('b', 'a')
    text = f'{one}between\n{certs.new_key(SEED, "a")}{other}'
    assert certs.blocks(text, 'CERTIFICATE') == (one.strip(), other.strip())
    assert certs.blocks(text, 'PRIVATE KEY') == (certs.new_key(SEED, 'a').strip(),)
    assert len(certs.blocks(one * 10, 'CERTIFICATE')) == 10
    with pytest.raises(InvalidError, match=r'^it holds 11 blocks of CERTIFICATE, at most 10 are'):
        certs.blocks(one * 11, 'CERTIFICATE')
    assert certs.blocks(' ' * 64 * 1024, 'CERTIFICATE') == ()
    with pytest.raises(InvalidError, match=r'^it is longer than 65536 characters$'):
        certs.blocks(' ' * (64 * 1024 + 1), 'CERTIFICATE')


def test_a_certificate_is_read_whole():
    pem = certificate('a', 'ca')
    (found,) = certs.certificates(pem)
    whole = x509.load_pem_x509_certificate(pem.encode())
    assert found == certs.Certificate(
        pem=pem.strip(),
        serial='ab12',
        fingerprint=whole.fingerprint(hashes.SHA1()).hex(),  # noqa: S303
        names=NAMES,
        not_before=DAY.timestamp(),
        not_after=DAY.timestamp() + 2 * 86400,
        subject='CN=a',
        issuer='CN=ca',
    )
    assert not found.is_root
    assert certs.certificates(certificate('a', 'a'))[0].is_root
    assert certs.certificates(certificate('a', 'a', names=None))[0].names == Names()


def test_a_certificate_that_cannot_be_read_is_told():
    broken = NONSENSE.replace(' REQUEST', '')
    for read in (certs.certificates, certs.chain):
        with pytest.raises(InvalidError, match=r'^it holds a certificate that cannot be read$'):
            read(broken)
    many = Names(tuple(f'{n}' for n in range(101)))
    with pytest.raises(InvalidError, match=r'^it has 101 names'):
        certs.certificates(certificate('a', 'ca', names=many))


def subjects(*pems: str) -> list[str]:
    return [c.subject for c in certs.chain(''.join(pems))]


def test_a_chain_begins_with_the_first_and_ends_below_the_root():
    leaf, low, high, root = (
        certificate('leaf', 'low'),
        certificate('low', 'high'),
        certificate('high', 'root'),
        certificate('root', 'root'),
    )
    assert subjects(leaf, root, high, low) == ['CN=leaf', 'CN=low', 'CN=high']
    assert subjects(leaf, high) == ['CN=leaf']
    assert subjects(low, leaf) == ['CN=low']
    assert subjects(root, leaf) == ['CN=root']
    with pytest.raises(InvalidError, match=r'^it holds no certificate in PEM$'):
        certs.chain('')


def test_one_that_did_not_sign_is_not_above():
    leaf = certificate('leaf', 'low', signer='other')
    assert subjects(leaf, certificate('low', 'root')) == ['CN=leaf']


def test_two_that_issue_each_other_end():
    assert subjects(certificate('x', 'y'), certificate('y', 'x')) == ['CN=x', 'CN=y']


def test_a_certificate_and_its_key_belong_together():
    pem = certificate('a', 'ca')
    assert certs.belong_together(pem, certs.new_key(SEED, 'a')) is True
    assert certs.belong_together(pem, certs.new_key(SEED, 'b')) is False
    with pytest.raises(InvalidError, match=r'^the certificate cannot be read$'):
        certs.belong_together('x', certs.new_key(SEED, 'a'))
    with pytest.raises(InvalidError, match=r'^the private key is not PEM'):
        certs.belong_together(pem, 'x')


def test_moments_are_in_universal_time():
    assert certs.moment(DAY.timestamp() + 0.9) == DAY
    assert certs.day(DAY.timestamp()) == '2026-02-03'
    assert certs.day(DAY.timestamp() + 20 * 3600) == '2026-02-04'
