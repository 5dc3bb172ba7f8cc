"""TLS between this load balancer and the units behind it: whom it believes, and which units it sends nothing to. Pure.

Certificates of units are verified for requests and for checks alike, with the name that the unit gives over its
relation (which Juju vouches for). Whoever may have issued them comes over ``receive-ca-cert``, and from the provider
of this application's own certificates.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from charmkit import Inputs, Status, trust
from charmkit.relations import (
    JUJUS_OWN,
    Databag,
    Relation,
    certificates,
    loadbalancer,
    unit_order,
    wire,
)

from . import credentials, interface, layout, rotation

MEMORY = 'authorities'
"""The name in the unit's memory of the authorities in force."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Authorities:
    """Whom this load balancer believes."""

    certificates: tuple[str, ...] = ()
    """PEM. What was known last, where nobody says anything now: units may still serve TLS."""
    known_now: bool = False
    """Somebody says so now."""
    awaited: bool = False
    """Nobody has said so yet, and somebody is related who is going to."""
    silent: tuple[str, ...] = ()
    """Then: who over ``receive-ca-cert``. The status names providers of certificates by itself."""
    problems: tuple[str, ...] = ()
    memory: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])


def read(inputs: Inputs, found: credentials.Credentials) -> Authorities:
    """From both relations."""
    given = trust.read(inputs)
    own = (certificates.readable(c.ca) for c in found.by_type.values() if c.ca)
    related = inputs.of(credentials.RELATION)
    every = tuple(dict.fromkeys((*given.certificates, *(c for c in own if c and related))))
    kept = tuple(cast('list[str]', inputs.memory.get(MEMORY) or []))
    trusted = inputs.of(trust.RELATION)
    return Authorities(
        certificates=every or kept,
        known_now=bool(every),
        awaited=not (every or kept) and any(not _said(r) for r in (*related, *trusted)),
        silent=() if every or kept else tuple(sorted({r.app for r in trusted if not _said(r)})),
        problems=given.problems,
        memory={**given.memory, **({MEMORY: list(every or kept)} if every or kept else {})},
    )


def _said(relation: Relation) -> bool:
    """Whether the other side has written anything yet."""
    return any(bag.keys() - JUJUS_OWN for bag in (relation.app_data, *relation.units.values()))


def reachable(
    asked: interface.Request, found: Authorities, *, http_backends: bool
) -> interface.Request:
    """*asked* without the units that nothing may be sent to, each with the reason."""
    http = {e.service for e in asked.endpoints if e.protocol == 'http'}
    refused: dict[str, str] = {}
    for server in asked.servers:
        if server.server_name and not found.certificates:
            refused[server.unit] = (
                f'{server.service}: it serves TLS, and nobody says who may have issued its certificate '
                '(relate receive-ca-cert)'
            )
        elif server.service in http and not (server.server_name or http_backends):
            refused[server.unit] = (
                f'{server.service}: it serves no TLS, and http-backends is false'
            )
    if not refused:
        return asked
    return dataclasses.replace(
        asked,
        servers=tuple(s for s in asked.servers if s.unit not in refused),
        refused_units={**asked.refused_units, **refused},
    )


def reply(
    app: str, found: Authorities, what: layout.Layout, before: Databag, *, in_force: bool
) -> Databag:
    """What this unit says to *app*, where it said *before*: to which of its units it comes by TLS."""
    text = before.get(loadbalancer.TLS_TO, '[]')
    if in_force:
        units = {
            s.unit
            for b in what.backends
            for s in b.servers
            if s.server_name and s.unit.rpartition('/')[0] == app
        }
        text = wire.dump(sorted(units, key=unit_order))
    if found.known_now:
        return {loadbalancer.TLS_TO: text}
    if found.awaited:
        return {loadbalancer.TLS_BEGINS: 'yes'}
    # Units serve TLS for as long as somebody comes by it, with what was believed last.
    return {loadbalancer.TLS_TO: text, loadbalancer.TLS_ENDS: 'yes'} if text != '[]' else {}


def statuses(
    found: Authorities,
    what: layout.Layout,
    workers: Iterable[rotation.Worker],
    *,
    edge: bool,
) -> Iterator[Status]:
    """What the operator should know; *edge*: clients come by TLS."""
    for text in found.problems:
        yield Status('blocked', text)
    yield from _not_verified(what, [w for w in workers if w.current])
    if found.silent:
        yield Status('waiting', f'waiting for {" and ".join(found.silent)} to say whom to believe')
    plain = sorted(
        {
            b.service
            for b in what.backends
            if b.protocol == 'http'
            for s in b.servers
            if not s.server_name
        }
    )
    if plain and edge:
        yield Status('active', f'http inside, to {", ".join(plain)}')


def _not_verified(what: layout.Layout, workers: Iterable[rotation.Worker]) -> Iterator[Status]:
    """Units whose certificate is not accepted: they get no request."""
    secure = {(b.name, s.name): s.unit for b in what.backends for s in b.servers if s.server_name}
    wrong: dict[str, str] = {}
    for worker in workers:
        for key, seen in worker.servers.items():
            if key in secure and not seen.up and seen.handshake:
                wrong[secure[key]] = seen.handshake
    for unit, why in sorted(wrong.items(), key=lambda item: unit_order(item[0])):
        yield Status(
            'blocked', f'{unit} gets no requests: its certificate is not accepted ({why})'
        )
