"""Authorities of tests, and what they sign: certificates that OpenSSL and Python verify by the letter of RFC 5280."""

from __future__ import annotations

import datetime
import json
from typing import Any

from charmkit import x509 as certs
from charmkit.relations import certificates
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

SIGNS = x509.KeyUsage(
    digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
    key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
)  # fmt: skip


def authority(name: str) -> tuple[str, Any]:
    key = certs.own_key(certs.new_key(name * 10, 'root'))
    return signed(name, name, key, key.public_key(), None), key


def signed(subject: str, issuer: str, by: Any, key: Any, names: certs.Names | None) -> str:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=5)
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named(issuer))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=3650))
    )
    own = x509.BasicConstraints(ca=names is None, path_length=None)
    builder = builder.add_extension(own, critical=True)
    # Python 3.13 verifies by the letter of RFC 5280.
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key())
    builder = builder.add_extension(above, critical=False)
    itself = x509.SubjectKeyIdentifier.from_public_key(key)
    builder = builder.add_extension(itself, critical=False)
    if names is None:
        builder = builder.add_extension(SIGNS, critical=True)
    if names:
        builder = builder.add_extension(certs.alternative_names(names), critical=False)
    made = builder.sign(by, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode().strip()


def answers(asked: str, by: str = 'first', names: certs.Names | None = None) -> dict[str, str]:
    root, key = AUTHORITIES[by]
    out: list[certificates.Issued] = []
    for row in json.loads(asked or '[]'):
        csr = row['certificate_signing_request']
        found = certs.read_request(csr)
        own = signed('it', by, key, found.key, names or found.names)
        out.append(certificates.Issued(csr=csr, certificate=own, ca=root, chain=(own, root)))
    return dict(certificates.provide(out))


AUTHORITIES = {name: authority(name) for name in ('first', 'second')}
