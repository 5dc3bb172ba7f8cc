"""The interfaces ``tls-certificates`` (version 1) and ``certificate_transfer``: both sides, as databags.

The keys and shapes are those of the maintained library (``charmlibs-interfaces-tls-certificates``), which is the
referee in the tests: its requirer reads what is written here, and its requests are read here. Nothing here knows what
a certificate is (:mod:`charmkit.x509` does).

A requirer asks in the databag of a unit, or of its application where all units share a key. The provider answers in
its application's databag.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable

from . import Databag, Relation, wire

MOST_REQUESTS = 100
"""How many requests of one databag are looked at."""
REQUESTS = 'certificate_signing_requests'


@dataclasses.dataclass(frozen=True)
class Asked:
    """A certificate signing request, as somebody wrote it: to be believed in nothing."""

    csr: str
    """PEM, with what is around it taken away."""
    who: str
    """The unit that asks, or the application."""
    ca: bool = False
    """It asks for a certificate authority's certificate."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Issued:
    """A certificate for a request. All of it PEM."""

    csr: str
    certificate: str
    ca: str
    """What clients are to trust."""
    chain: tuple[str, ...] = ()
    """From the certificate up, itself and what is to be trusted among them."""
    revoked: bool = False


@dataclasses.dataclass(frozen=True)
class Refused:
    """A request that is refused, and why, in one sentence."""

    csr: str
    reason: str
    name: str = 'other'
    """By the library's table: ``ip_not_allowed``, ``domain_not_allowed``, ``wildcard_not_allowed``, ``other``."""


_CODES = {
    'ip_not_allowed': 101,
    'domain_not_allowed': 102,
    'wildcard_not_allowed': 103,
    'server_not_available': 201,
    'other': 999,
}


def asked(relation: Relation) -> tuple[Asked, ...]:
    """All that *relation* asks for: the application's requests, then each unit's; each once."""
    bags = [(relation.app, relation.app_data), *sorted(relation.units.items())]
    found: dict[str, Asked] = {}
    for who, bag in bags:
        for item in wire.load_array(bag.get(REQUESTS, ''))[:MOST_REQUESTS]:
            data = wire.load_object(wire.dump(item))
            if csr := wire.text(data.get('certificate_signing_request')).strip():
                found.setdefault(csr, Asked(csr, who, ca=bool(data.get('ca'))))
    return tuple(found.values())


def request(csrs: Iterable[str]) -> Databag:
    """What a requirer writes."""
    every = [{'certificate_signing_request': csr.strip(), 'ca': False} for csr in csrs]
    return {REQUESTS: wire.dump(every)} if every else {}


def provide(issued: Iterable[Issued], refused: Iterable[Refused] = ()) -> Databag:
    """What the provider's leader writes."""
    certificates = [
        {
            'certificate': i.certificate.strip(),
            'certificate_signing_request': i.csr.strip(),
            'ca': i.ca.strip(),
            'chain': [c.strip() for c in i.chain],
            **({'revoked': True} if i.revoked else {}),
        }
        for i in issued
    ]
    errors = [
        {
            # The library writes the first, the interface's schema has the second.
            'csr': r.csr.strip(),
            'certificate_signing_request': r.csr.strip(),
            'error': {'code': _CODES[r.name], 'name': r.name, 'message': r.reason},
        }
        for r in refused
    ]
    return {
        **({'certificates': wire.dump(certificates)} if certificates else {}),
        **({'request_errors': wire.dump(errors)} if errors else {}),
    }


def issued(bag: Databag) -> tuple[Issued, ...]:
    """What a provider has answered; what is not readable is left out."""
    out: list[Issued] = []
    for item in wire.load_array(bag.get('certificates', ''))[: 10 * MOST_REQUESTS]:
        data = wire.load_object(wire.dump(item))
        csr = wire.text(data.get('certificate_signing_request')).strip()
        certificate = wire.text(data.get('certificate')).strip()
        if csr and certificate:
            out.append(
                Issued(
                    csr=csr,
                    certificate=certificate,
                    ca=wire.text(data.get('ca')).strip(),
                    chain=tuple(c.strip() for c in wire.texts(data.get('chain'))[:10]),
                    revoked=data.get('revoked') is True,
                )
            )
    return tuple(out)


def refused(bag: Databag) -> tuple[Refused, ...]:
    """What a provider has refused."""
    out: list[Refused] = []
    for item in wire.load_array(bag.get('request_errors', ''))[: 10 * MOST_REQUESTS]:
        data = wire.load_object(wire.dump(item))
        csr = wire.text(data.get('csr')) or wire.text(data.get('certificate_signing_request'))
        error = wire.load_object(wire.dump(data.get('error')))
        name = wire.text(error.get('name'))
        reason = ' '.join(wire.text(error.get('message')).split())[:300]
        out.append(Refused(csr.strip(), reason, name if name in _CODES else 'other'))
    return tuple(out)


def transfer(trusted: Iterable[str]) -> Databag:
    """What a provider of ``certificate_transfer`` (version 1) writes: certificates that clients are to trust, PEM."""
    return {'version': '1', 'certificates': wire.dump([c.strip() for c in trusted])}


def transferred(relations: Iterable[Relation]) -> tuple[str, ...]:
    """What clients are to trust by all *relations* of ``certificate_transfer``: versions 1 and 0, each once."""
    found: list[str] = []
    for relation in relations:
        found += wire.texts(wire.load_array(relation.app_data.get('certificates', '')))[:50]
        for _, bag in sorted(relation.units.items()):  # Version 0, in units' databags.
            found += [bag.get('ca', ''), *wire.texts(wire.load_array(bag.get('chain', '')))[:10]]
    return tuple(dict.fromkeys(c.strip() for c in found if c.strip()))


_PEM = re.compile(
    r'-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]{1,32768}?-----END CERTIFICATE-----'
)


def pem_blocks(text: str) -> list[str]:
    """The certificates in *text*, as they stand there."""
    return _PEM.findall(text)


def readable(block: str) -> str:
    """*block* as OpenSSL writes it; '' where it cannot read it. One in a store would break every client."""
    import ssl  # Seldom needed.

    try:
        pem = ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(block.strip()))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=pem)
    except (ValueError, ssl.SSLError):
        return ''
    return pem.strip() if context.cert_store_stats()['x509'] == 1 else ''


def authorities(text: str) -> tuple[str, ...]:
    """Whom *text* has one trust, each once; nobody where one of them cannot be read."""
    found = [readable(block) for block in pem_blocks(text)]
    return tuple(dict.fromkeys(found)) if all(found) else ()
