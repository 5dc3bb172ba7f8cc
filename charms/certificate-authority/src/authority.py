"""A private certificate authority: its root, the intermediate that signs, certificates and the revocation list. Pure.

The root signs intermediates and nothing else. Profiles are those of RFC 5280, and for servers the CA/Browser Forum's
baseline requirements where they make sense for a private authority.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import hmac
from collections.abc import Mapping

from charmkit import x509 as certs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa, types
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY_S = 86_400
ROOT_DAYS = 10 * 365
ISSUER_DAYS = 2 * 365
_SKEW_S = 300
"""How much the clock of a client may be behind."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pair:
    """A certificate that signs, and its key; PEM."""

    certificate: str
    key: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Authority:
    """Root and intermediate."""

    root: Pair
    issuer: Pair

    @property
    def trusted(self) -> str:
        """What clients are to trust, PEM."""
        return self.root.certificate


def make(name: str, seed: str, now: float) -> Authority:
    """A new authority called *name*, made of *seed*; *now* in seconds since the epoch."""
    key = certs.own_key(certs.new_key(seed, 'root'))
    subject = _name(f'{name} root {_serial(seed, "root") % 0xFFFF:04x}')
    builder = _signing(subject, subject, key.public_key(), 1).serial_number(_serial(seed, 'root'))
    made = _valid(builder, now, ROOT_DAYS).sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    root = Pair(certificate=_pem(made), key=certs.pem_of(key))
    return Authority(root=root, issuer=intermediate(root, name, seed, now))


def intermediate(root: Pair, name: str, seed: str, now: float) -> Pair:
    """A new intermediate, signed by *root*."""
    above = x509.load_pem_x509_certificate(root.certificate.encode())
    key = certs.own_key(certs.new_key(seed, 'issuer'))
    serial = _serial(seed, 'issuer')
    subject = _name(f'{name} issuer {serial % 0xFFFFFFFF:08x}')
    builder = _signing(subject, above.subject, key.public_key(), 0).serial_number(serial)
    builder = builder.add_extension(_by(above), critical=False)
    last = min(now + ISSUER_DAYS * DAY_S, above.not_valid_after_utc.timestamp())
    made = _until(builder, now, last).sign(
        certs.own_key(root.key), hashes.SHA256(), ecdsa_deterministic=True
    )
    return Pair(certificate=_pem(made), key=certs.pem_of(key))


def issue(
    authority: Authority,
    asked: certs.Request,
    names: certs.Names,
    seed: str,
    now: float,
    days: int,
) -> str:
    """A certificate for servers and clients, PEM: for *names*, with the key of *asked*, for *days*.

    It ends with its issuer at the latest.
    """
    above = x509.load_pem_x509_certificate(authority.issuer.certificate.encode())
    short = [n for n in (asked.common_name.lower(), *names.all) if n in names.all and len(n) <= 64]
    key_usage = x509.KeyUsage(
        digital_signature=True,
        key_encipherment=isinstance(asked.key, rsa.RSAPublicKey),
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(short[0]) if short else x509.Name([]))
        .issuer_name(above.subject)
        .public_key(asked.key)
        .serial_number(_serial(seed, f'{authority.issuer.certificate} {names.all} {_key(asked)}'))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage, critical=True)
        .add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
            critical=False,
        )
        .add_extension(certs.alternative_names(names), critical=not short)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(asked.key), critical=False)
        .add_extension(_by(above), critical=False)
    )
    last = min(now + days * DAY_S, above.not_valid_after_utc.timestamp())
    made = _until(builder, now, last).sign(
        certs.own_key(authority.issuer.key), hashes.SHA256(), ecdsa_deterministic=True
    )
    return _pem(made)


def revocations(authority: Authority, revoked: Mapping[str, float], now: float) -> str:
    """The revocation list of the intermediate, PEM: serials in hexadecimal digits, and when each was revoked.

    It is good for a week.
    """
    above = x509.load_pem_x509_certificate(authority.issuer.certificate.encode())
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(above.subject)
        .last_update(certs.moment(now))
        .next_update(certs.moment(now) + datetime.timedelta(days=7))
        .add_extension(_by(above), critical=False)
        .add_extension(x509.CRLNumber(int(now)), critical=False)
    )
    for serial, at in sorted(revoked.items()):
        one = x509.RevokedCertificateBuilder().serial_number(int(serial, 16))
        builder = builder.add_revoked_certificate(one.revocation_date(certs.moment(at)).build())
    made = builder.sign(
        certs.own_key(authority.issuer.key), hashes.SHA256(), ecdsa_deterministic=True
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def _signing(
    subject: x509.Name, issuer: x509.Name, key: types.CertificatePublicKeyTypes, below: int
) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(
        digital_signature=False,
        key_encipherment=False,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=below), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _by(above: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    found = above.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(found)


def _valid(builder: x509.CertificateBuilder, now: float, days: int) -> x509.CertificateBuilder:
    return _until(builder, now, now + days * DAY_S)


def _until(builder: x509.CertificateBuilder, now: float, last: float) -> x509.CertificateBuilder:
    return builder.not_valid_before(certs.moment(now - _SKEW_S)).not_valid_after(
        certs.moment(last)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _serial(seed: str, what: str) -> int:
    """159 bits, never 0 (RFC 5280, 4.1.2.2)."""
    mac = hmac.new(seed.encode(), f'serial {what}'.encode(), hashlib.sha256).digest()
    return int.from_bytes(mac[:20]) >> 1 | 1


def _key(asked: certs.Request) -> str:
    return asked.key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def _pem(made: x509.Certificate) -> str:
    return made.public_bytes(serialization.Encoding.PEM).decode()
