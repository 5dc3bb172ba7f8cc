"""A certificate authority for tests: a root, an intermediate, and what they sign."""

from __future__ import annotations

import datetime
import json
from typing import Any

from charmkit import x509 as certs
from charmkit.relations import certificates
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID


class Authority:
    """Signs whatever it is asked for."""

    def __init__(self, seed: str = 'a root', now: float = 1_800_000_000.0) -> None:
        self.now = now
        self.serial = 1000
        self.key = certs.own_key(certs.new_key(seed, 'root'))
        self.root = self._sign(
            f'{seed}', f'{seed}', self.key, self.key.public_key(), ca=True, days=3650
        )
        self.issuer_key = certs.own_key(certs.new_key(seed, 'issuer'))
        self.issuer = self._sign(
            f'{seed} issuer', seed, self.key, self.issuer_key.public_key(), ca=True, days=3000
        )
        self.name = f'{seed} issuer'

    def _sign(
        self,
        subject: str,
        issuer: str,
        by: Any,
        key: Any,
        *,
        ca: bool,
        days: float,
        names: Any = None,
    ) -> str:
        self.serial += 1
        start = datetime.datetime.fromtimestamp(self.now - 60, datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key)
            .serial_number(self.serial)
            .not_valid_before(start)
            .not_valid_after(start + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if names is not None:
            builder = builder.add_extension(certs.alternative_names(names), critical=False)
        made = builder.sign(by, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM).decode().strip()

    def certify(self, key: Any, names: certs.Names, days: float = 90) -> str:
        """A certificate, PEM."""
        return self._sign('it', self.name, self.issuer_key, key, ca=False, days=days, names=names)

    def secret(self, *names: str, seed: str = 'by hand', days: float = 90) -> dict[str, str]:
        """As the option tls-secret has it."""
        key = certs.new_key(seed, 'server')
        own = self.certify(certs.own_key(key).public_key(), certs.Names.of(names), days)
        return {'certificate': f'{own}\n{self.issuer}\n', 'private-key': key}

    def answers(
        self, asked: str, days: float = 90, revoked: tuple[str, ...] = ()
    ) -> dict[str, str]:
        """The provider's databag for what a requirer has *asked* (JSON); *revoked* are requests."""
        out: list[certificates.Issued] = []
        for item in json.loads(asked or '[]'):
            csr = item['certificate_signing_request']
            found = certs.read_request(csr)
            own = self.certify(found.key, found.names, days)
            out.append(
                certificates.Issued(
                    csr=csr,
                    certificate=own,
                    ca=self.root,
                    chain=(own, self.issuer, self.root),
                    revoked=csr in revoked,
                )
            )
        return dict(certificates.provide(out))
