"""TLS between the members and their clients: what a member shows them, and what is published. Pure.

An authority related to ``certificates`` is what switches it on. Nothing restarts for it: the cluster would restart at
once. Each member says for itself what it offers, and clients come by TLS once all of them do
(:mod:`charmkit.relations.rabbitmq`).

1. The certificate comes: the member takes clients by TLS too, on a port of its own, and tells them of it once it has
   seen it answer.
2. Clients change over, each in its time, and say so.
3. Once every unit of every client has said so, the port without TLS is closed but on loopback, as soon as nobody is
   connected by it.

Back it goes the same way: the port without TLS is open before the other is published no more, which stays open.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, cast

import asking
import charmkit
import listeners
import succession
from charmkit import server_certificate, unit_certificate
from charmkit.relations import certificates, host_in_url, rabbitmq, server_tls

PEM = listeners.PEM
MEMORY = 'tls'
PEER = 'tls'
"""In a unit's data on the peer relation: which authority stands behind what it shows to clients of all units."""
_MOST_NAMED = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class AmqpTls:
    """TLS on this unit, in this run."""

    pem: str = dataclasses.field(default='', repr=False)
    """What is to be in its file; '' leaves that as it is."""
    lines: tuple[str, ...] = ()
    """For the node's configuration; none without TLS."""
    plain: bool = True
    """Clients are taken without TLS too."""
    published: str = ''
    """Whom clients are to trust, PEM; '' where no TLS is published to them."""
    holds: bool = True
    """What is published holds."""
    certificate: unit_certificate.UnitCertificate | None = None
    memory: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    peer: str = ''
    task: listeners.Listen | None = None
    status: tuple[charmkit.Status, ...] = ()

    @property
    def ports(self) -> frozenset[int]:
        """Those that clients come by."""
        plain = {rabbitmq.PORT} if self.plain else set[int]()
        return frozenset(plain | ({rabbitmq.TLS_PORT} if self.lines else set[int]()))


def decide(inputs: charmkit.Inputs) -> AmqpTls:
    """What follows from the certificate, from where the node listens, and from what clients say."""
    before = cast('Mapping[str, Any]', inputs.memory.get(MEMORY) or {})
    if not (inputs.of(unit_certificate.RELATION) or before):
        return AmqpTls()
    here, every = inputs.site.address_on('amqp'), _addresses(inputs)
    certificate = unit_certificate.read(inputs, every, own=here)
    clients = asking.asked(inputs).every
    was = published = str(before.get('published', ''))
    # Who does not say how it comes may come by TLS all the same.
    marks = {r.tls for r in clients} if was else set[str]()
    digest = fingerprint(certificate.chain)
    why_not = server_certificate.unfit(certificate, here)
    shown = server_certificate.decide(certificate, digest, before, marks, inputs.now, why_not)
    found = inputs.seen.get(listeners.LISTEN)
    seen = found if isinstance(found, listeners.Seen) else listeners.Seen()
    shows = bool(shown.digest) and seen.shown == shown.digest
    if certificate.related and shows and not why_not:
        published = shown.trusted
    elif not certificate.related and seen.plain:
        published = ''
    by_tls = bool(clients) and all(r.tls for r in clients)
    plain = not (certificate.related and published and by_tls)
    peer = server_tls.mark(shown.root) if shows and {*every} <= {*certificate.names} else ''
    return AmqpTls(
        pem=shown.pem,
        lines=listeners.configuration(host_in_url(here)) if shown.digest else (),
        plain=plain,
        published=published,
        # What was said before stays said while it cannot be seen to hold.
        holds=shows or not published,
        certificate=certificate,
        memory={
            **certificate.memory,
            MEMORY: {
                'published': published,
                **server_certificate.in_force(shown, before, taken_up=shows),
            },
        },
        peer=peer if found is not None else inputs.my_peer_data.get(PEER, ''),
        task=listeners.Listen(here, plain, shown.digest) if shown.digest or was else None,
        status=(
            *certificate.status,
            *(
                (
                    *server_certificate.statuses(
                        shown, why_not, inputs.now, offered=bool(published)
                    ),
                    *_statuses(seen, clients, plain=plain, offered=bool(published)),
                )
                if certificate.related
                else ()
            ),
        ),
    )


def beside(desired: charmkit.Desired, tls: AmqpTls, inputs: charmkit.Inputs) -> charmkit.Desired:
    """*desired*, with TLS where it has the node run."""
    if not tls.certificate or desired.failure or succession.role(inputs) in ('former', 'apart'):
        return desired
    request = tls.certificate.request if tls.certificate.related else None
    runs = any(task.name == CONVERGE for task in desired.tasks)
    return dataclasses.replace(
        desired,
        unit_data={
            **desired.unit_data,
            **({unit_certificate.RELATION: request} if request is not None else {}),
            'peers': {
                **desired.unit_data.get('peers', {}),
                **({PEER: tls.peer} if tls.peer else {}),
            },
        },
        memory={**desired.memory, **tls.memory},
        tasks=(*desired.tasks, *((tls.task,) if tls.task and runs else ())),
        status=(*desired.status, *tls.status),
    )


def handed_over_without(inputs: charmkit.Inputs, to: str) -> str:
    """Why clients that verify could not be handed over to the unit *to*; '' when they can."""
    mine = inputs.my_peer_data.get(PEER, '')
    verified = any(r.tls for r in asking.asked(inputs).every)
    if not verified or succession.bag_of(inputs, to).get(PEER, '') == mine != '':
        return ''
    return f'Clients verify this unit, and {to} has no certificate of the same authority for its address yet'


def fingerprint(chain: str) -> str:
    """SHA-256 of the first certificate of *chain*, PEM, in hexadecimal digits; '' for none."""
    blocks = certificates.pem_blocks(chain)
    if not blocks:
        return ''
    body = ''.join(blocks[0].split('-----')[2].split())
    return hashlib.sha256(base64.b64decode(body)).hexdigest()


def _addresses(inputs: charmkit.Inputs) -> tuple[str, ...]:
    """Where clients come: to this unit, and by another one that hands them on.

    Of those with several members some (kombu) go on to verify the address of the first when they go on to the next.
    """
    others = (bag.get(succession.AMQP_HOST, '') for bag in inputs.peer_units.values())
    return tuple(dict.fromkeys((inputs.site.address_on('amqp'), *filter(None, others))))


def _statuses(
    seen: listeners.Seen,
    clients: tuple[rabbitmq.Request, ...],
    *,
    plain: bool,
    offered: bool,
) -> Iterator[charmkit.Status]:
    if seen.wrong:
        text = f'the server does not show its certificate yet: {seen.wrong[:300]}'
        yield charmkit.Status('waiting', text)
    without = sorted({r.unit for r in clients if not r.tls})
    stays = f'port {rabbitmq.PORT} stays open'
    if offered and without:
        named = ' '.join(without[:_MOST_NAMED])
        more = f' and {len(without) - _MOST_NAMED} more' if len(without) > _MOST_NAMED else ''
        yield charmkit.Status('active', f'without TLS come {named}{more}: {stays}')
    elif seen.plain and seen.connected and not plain:
        yield charmkit.Status('active', f'without TLS come {seen.connected} connections: {stays}')


CONVERGE = 'cluster'
