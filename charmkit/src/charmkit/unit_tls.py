"""TLS between load balancers and Apache on the unit: what Apache serves, and what is published to load balancers. Pure.

Nothing is lost on the way to TLS and back, since the unit takes both for a while, on a port each:

1. the unit has a certificate, and every load balancer unit says that it can verify it: Apache serves TLS beside HTTP;
2. once Apache has taken that up, that is published to load balancers;
3. once each of them says that it comes by TLS, Apache takes HTTP on loopback alone.

Back to HTTP it goes the same way. What a load balancer does not say for a while changes nothing.

Each of these steps renews Apache, and takes the unit out of rotation for that. So a unit by which nobody is served yet
waits for its certificate, and for load balancers that are going to verify it, and begins with the last step.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from . import state
from .relations import ENDPOINT_TYPES, EndpointType, Relation, loadbalancer
from .unit_certificate import UnitCertificate

MEMORY = 'tls-inside'
"""The name in the unit's memory of what is published to load balancers, and of what Apache serves."""
FILE = '/etc/ssl/private/openstack.pem'
"""The certificate, who issued it, and its key."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class UnitTls:
    """How Apache is reached by others than the unit itself."""

    server_name: str = ''
    """That its certificate is for."""
    pem: str = dataclasses.field(default='', repr=False)
    plain: bool = True
    """HTTP is taken from others."""
    secure: bool = False
    """TLS is."""
    published: bool = False
    """Load balancers are asked to come by TLS."""
    waits: tuple[state.Status, ...] = ()
    """Nobody is served yet, nor is to be before load balancers can come by TLS: what is missing."""
    status: tuple[state.Status, ...] = ()

    @property
    def memory(self) -> dict[str, Any]:
        """What the next run is to know; nothing where there never was TLS."""
        if not self.pem:
            return {}
        return {MEMORY: {'published': self.published, 'plain': self.plain}}


def decide(
    certificate: UnitCertificate,
    balancers: Sequence[Relation],
    inputs: state.Inputs,
    unregistered: frozenset[EndpointType],
    *,
    served: bool,
) -> UnitTls:
    """What is wanted now. Endpoint types that are *unregistered* are in no catalogue; *served*: it has had clients."""
    kept = cast('Mapping[str, Any]', inputs.memory.get(MEMORY) or {})
    was, was_plain = bool(kept.get('published')), bool(kept.get('plain', True))
    unit = inputs.site.unit
    why_not = _why_not(certificate, balancers, unregistered, published=was, served=served)
    published = not why_not and bool(certificate.pem)
    used = [_users(r, unit) for r in balancers]
    everywhere = bool(used) and all(u == 'all' for u in used)
    nowhere = all(u == 'none' for u in used)
    note = (state.Status('active', f'http inside: {why_not}'),) if why_not else ()
    return UnitTls(
        server_name=certificate.name,
        pem=certificate.pem,
        plain=not (published and (everywhere or not served or (was and not was_plain))),
        secure=bool(certificate.pem) and (published or was or not nowhere),
        published=published,
        waits=() if served else tuple(_waits(certificate, balancers, unregistered)),
        status=note if certificate.related and certificate.pem else (),
    )


def before(wanted: UnitTls, inputs: state.Inputs) -> UnitTls:
    """What is in force while Apache has not taken up what is *wanted*."""
    kept = cast('Mapping[str, Any]', inputs.memory.get(MEMORY) or {})
    return dataclasses.replace(
        wanted, published=bool(kept.get('published')), plain=bool(kept.get('plain', True))
    )


def _why_not(
    certificate: UnitCertificate,
    balancers: Sequence[Relation],
    unregistered: frozenset[EndpointType],
    *,
    published: bool,
    served: bool,
) -> str:
    """Why load balancers are not to come by TLS, in words; '' when they are."""
    if not certificate.related:
        return 'nobody is related to issue certificates'
    if not certificate.pem:
        return 'there is no certificate'
    if not balancers:
        return 'there is no load balancer'
    if own := _unbalanced(balancers, unregistered):
        return f'no load balancer has the {" and ".join(own)} endpoints'
    for relation in balancers:
        reply = loadbalancer.read(relation)
        if published and (reply is None or reply.verify or not relation.units):
            continue
        if reply is None or not _verifies(reply, served=served):
            return f'{relation.app} cannot verify certificates (see its receive-ca-cert)'
    return ''


def _waits(
    certificate: UnitCertificate,
    balancers: Sequence[Relation],
    unregistered: frozenset[EndpointType],
) -> Iterator[state.Status]:
    """What is missing yet where every load balancer is going to come by TLS, or may be."""
    replies = [(r.app, loadbalancer.read(r)) for r in balancers]
    by_http = [reply for _, reply in replies if reply and _comes_by_http(reply)]
    if not certificate.related or not balancers or by_http or _unbalanced(balancers, unregistered):
        return
    if not certificate.pem:
        yield from certificate.status
    late = sorted({a for a, reply in replies if not (reply and _verifies(reply, served=False))})
    if late:
        yield state.Status('waiting', f'waiting for {" and ".join(late)} to verify certificates')


def _unbalanced(
    balancers: Sequence[Relation], unregistered: frozenset[EndpointType]
) -> list[EndpointType]:
    """The endpoint types that clients reach at the unit itself."""
    related = {loadbalancer.ENDPOINTS[r.name] for r in balancers}
    return [t for t in ENDPOINT_TYPES if t not in related and t not in unregistered]


def _verifies(reply: loadbalancer.Reply, *, served: bool) -> bool:
    """Whether every unit of a load balancer can verify certificates, and goes on to.

    Where nobody is *served* yet, one that has said nothing does not count: if it comes, it comes as it is asked to.
    """
    every = frozenset(reply.lb_units)
    every = every if served else every & reply.heard
    return bool(every) and reply.verify >= every


def _comes_by_http(reply: loadbalancer.Reply) -> bool:
    """Whether one does, and says nothing of going to verify certificates."""
    can = reply.verify | reply.tls_begins
    heard = frozenset(reply.lb_units) & reply.heard
    return reply.version < loadbalancer.TLS_VERSION or bool(heard - can)


def _users(relation: Relation, unit: str) -> str:
    """Which units of the load balancer come to *unit* by TLS: ``all``, ``some`` or ``none``."""
    reply = loadbalancer.read(relation)
    if reply is None or not reply.lb_units:
        return 'none'
    by_tls = {u for u, units in reply.verifiers.items() if unit in units}
    if by_tls >= {*reply.lb_units}:
        return 'all'
    return 'some' if by_tls else 'none'
