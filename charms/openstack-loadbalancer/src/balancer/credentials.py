"""Which certificate, with which key, is good for an endpoint type: what others give, checked. Pure.

A certificate is given by hand (the option ``tls-secret``), or comes over ``certificates`` for one of this
application's requests. What is broken, has ended, is for other names or does not go with its key is refused by name,
and the last good one stays: it is on the unit's disk, and what is remembered of it is no secret.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from charmkit import Inputs, server_pair
from charmkit.relations import ENDPOINT_TYPES, wire

from . import certificate_requests

IN_FORCE = 'certificates'
"""The name in the unit's memory of the certificates in force, by endpoint type."""
RELATION = 'certificates'
FOLDER = '/etc/haproxy/certificates'
SOON_S = 21 * 86_400
"""So long before a certificate ends the status says so."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Credential:
    """A certificate that clients are shown, with its key."""

    chain: str
    """The certificate and who issued it, PEM."""
    key: str = dataclasses.field(default='', repr=False)
    """Its private key, PEM; '' where that is on the disk, and cannot be had from anybody now."""
    digest: str
    """Stands for what was given."""
    names: tuple[str, ...] = ()
    """What it is for."""
    fingerprint: str
    """SHA-1 of the certificate, by which haproxy calls it."""
    not_before: float
    """Seconds since the epoch, as the next."""
    not_after: float
    ca: str = ''
    """What clients are to trust, PEM; '' where nobody says."""
    request: str = ''
    """The request that it came for; '' for one that was given by hand."""

    @property
    def pem(self) -> str:
        """The content of its file; '' where the file stays as it is."""
        return f'{self.chain}{self.key.strip()}\n' if self.key else ''

    def covers(self, name: str) -> bool:
        """Whether clients that ask for *name* take it; a wildcard stands for one label (RFC 9525)."""
        name = name.lower()
        return name in self.names or f'*.{name.partition(".")[2]}' in self.names

    @property
    def soon_s(self) -> float:
        """How long before its end the status says so: renewal has had its time by then."""
        return min(SOON_S, (self.not_after - self.not_before) / 5)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Credentials:
    """All that there are."""

    configured: bool = False
    """The operator wants TLS."""
    by_type: Mapping[str, Credential] = dataclasses.field(default_factory=dict[str, Credential])
    problems: tuple[str, ...] = ()
    """What is refused, and why."""


@dataclasses.dataclass(frozen=True)
class _Offer:
    """What was given for a type: certificates and a key, both PEM."""

    certificates: str
    key: str
    where: str
    """Whose it is, for messages."""
    ca: str = ''
    request: str = ''

    @property
    def digest(self) -> str:
        return hashlib.sha256(f'{self.certificates}\0{self.key}'.encode()).hexdigest()[:32]


def path(t: str) -> str:
    """The file of the endpoint type *t*."""
    return f'{FOLDER}/{t}/certificate.pem'


def read(inputs: Inputs, secret: str) -> Credentials:
    """What is in force now; *secret* is the URI of the operator's own, or ''."""
    problems: list[str] = []
    by_hand = inputs.secrets.get(secret, {})
    if secret and not by_hand:
        problems.append(
            'option tls-secret: it cannot be read: juju grant-secret lets this application'
        )
    good: dict[str, Credential] = {}
    for t in ENDPOINT_TYPES:
        kept = _kept(inputs, t)
        offers = [*_given(by_hand, t), *certificate_requests.issued(inputs, t)]
        for offer in (_Offer(*o) for o in offers):
            key = server_pair.private_key(offer.key)
            same = kept if kept and kept.digest == offer.digest and key else None
            found = same or _validated(offer, inputs.now)
            if isinstance(found, Credential):
                good[t] = dataclasses.replace(found, key=key, ca=offer.ca, request=offer.request)
                break
            problems.append(f'{offer.where} for {t}: {found}')
        if t not in good and kept:
            good[t] = kept
    return Credentials(
        configured=bool(secret or inputs.of(RELATION)),
        by_type=good,
        problems=tuple(dict.fromkeys(problems)),
    )


def _given(content: Mapping[str, str], t: str) -> Iterator[tuple[str, str, str]]:
    """By hand: ``certificate`` and ``private-key``, or those of the type alone."""
    for prefix in (f'{t}-', ''):
        if chain := content.get(f'{prefix}certificate'):
            yield chain, content.get(f'{prefix}private-key', ''), 'option tls-secret'
            return


def _validated(offer: _Offer, now: float) -> Credential | str:
    """What is good of it, or what is wrong."""
    from charmkit import x509  # 60 ms, and seldom needed.

    try:
        pair = server_pair.read(offer.certificates, offer.key)
    except x509.InvalidError as e:
        return str(e)
    first = pair.chain[0]
    if first.not_after <= now:
        return f'the certificate ended on {x509.day(first.not_after)}'
    if first.not_before > now:
        return f'the certificate is good from {x509.day(first.not_before)} only'
    if not first.names.all:
        return 'the certificate is for no name and no address'
    return Credential(
        chain=pair.shown,
        digest=offer.digest,
        names=first.names.all,
        fingerprint=first.fingerprint,
        not_before=first.not_before,
        not_after=first.not_after,
    )


def _kept(inputs: Inputs, t: str) -> Credential | None:
    found = wire.load_object(wire.dump(inputs.memory.get(IN_FORCE) or {})).get(t)
    if not isinstance(found, Mapping):
        return None
    data = cast('Mapping[str, Any]', found)
    return Credential(
        chain=str(data['chain']),
        names=wire.texts(data['names']),
        digest=str(data['digest']),
        fingerprint=str(data['fingerprint']),
        not_before=float(data['not-before']),
        not_after=float(data['not-after']),
        ca=str(data['ca']),
        request=str(data['request']),
    )


def ends(shown: Mapping[str, Credential]) -> str:
    """When each ends, for haproxy (a map): the endpoint type, and seconds since the epoch."""
    return ''.join(f'{t} {int(c.not_after)}\n' for t, c in shown.items())


def memory(found: Credentials, modes: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """What later runs are to know; of what is served no more, nothing."""
    return {
        t: {
            'chain': c.chain,
            'names': list(c.names),
            'digest': c.digest,
            'fingerprint': c.fingerprint,
            'not-before': c.not_before,
            'not-after': c.not_after,
            'ca': c.ca,
            'request': c.request,
        }
        for t, c in found.by_type.items()
        if found.configured or modes.get(t) != 'http'
    }


def ageing(found: Credentials, now: float) -> tuple[Sequence[str], Sequence[str]]:
    """What has ended, and what ends soon, for the operator."""
    ended = [
        f'the certificate for {t} has ended'
        for t, c in found.by_type.items()
        if c.not_after <= now
    ]
    soon = [
        f'the certificate for {t} ends in {_days(c.not_after - now)}'
        for t, c in found.by_type.items()
        if 0 < c.not_after - now < c.soon_s
    ]
    return ended, soon


def _days(seconds: float) -> str:
    days = int(seconds // 86_400)
    return f'{days} day{"" if days == 1 else "s"}' if days else 'less than a day'
