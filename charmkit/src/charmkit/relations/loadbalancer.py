"""The ``openstack-api-endpoints`` interface, version 2: the side of the service behind.

An API charm offers ``public-backend``, ``internal-backend`` and ``admin-backend``; each may go to
another load balancer, or all three to one. On each of them

- the leader writes :func:`app_request`: the services, and the endpoint type that is asked for;
- every unit writes :func:`unit_request`: where it serves, and its :class:`Lifecycle`;
- :func:`read` gives the :class:`Reply`: the frontends to register in the catalogue
  (:func:`urls`), what was refused and why, and what :mod:`.drains` needs to know how far a drain has come.

A unit's :class:`Lifecycle` is what :func:`.drains.next_lifecycle` says next. It stops serving only when that is
``maintenance``: every load balancer unit has then seen its last request end.

The first version of the interface (upstream's ``openstack-loadbalancer``) is a subset: its load
balancers read our data and answer ``frontends``, but know no drain.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, cast

from . import ENDPOINT_TYPES, Databag, EndpointType, Relation, host_in_url, wire

VERSIONS = (1, 2)
ENDPOINTS: Mapping[str, EndpointType] = {f'{t}-backend': t for t in ENDPOINT_TYPES}
"""The relations that an API charm offers, and the endpoint type asked for over each."""

NOTICE_S = 7.0
"""Seconds after which a load balancer has surely noticed that a unit's ``/healthcheck`` fails.

Three checks, two seconds apart, and one second for the last to end. A unit that cannot ask for a
drain any more (its ``stop`` hook runs when its relations are gone), or whose load balancer knows
no drain, fails its health check, waits this long, and then until its own connections have ended.
"""

State = Literal['ready', 'drain', 'maintenance', 'gone']


@dataclasses.dataclass(frozen=True, kw_only=True)
class Api:
    """One API that wants clients sent to it."""

    name: str
    """Unique in the relation: ``nova``, ``nova-metadata``."""
    type: str
    """The catalogue's service type; the load balancer takes its defaults from it."""
    frontend_port: int
    backend_port: int
    path: str = ''
    """What follows host and port in the catalogue's URL, such as ``/v2.1``."""
    types: tuple[EndpointType, ...] = ENDPOINT_TYPES
    """The endpoint types that it has; on the relation of another type it is not mentioned."""
    min_ready: int = 1
    """A drain is granted only while this many units stay ready."""
    tls_port: int = 0
    """Where it serves TLS, if the unit does at all; 0: nowhere."""
    requests_at_once: int = 0
    """How many requests this unit can take at once; the load balancer lets the others wait. 0: it does not say."""
    options: Mapping[str, object] = dataclasses.field(default_factory=dict[str, object])
    """More of the wire format: ``check``, ``balance``, ``timeouts``, ``maxconn``, ``retry``…"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lifecycle:
    """What a unit wants of its load balancers; *token* is new with every change of *state*."""

    state: State
    token: str
    reason: str = ''
    deadline_s: int = 300
    on_deadline: Literal['wait', 'force'] = 'wait'
    """At the deadline: go on waiting for the last request, or cut it off."""
    force: bool = False
    """Drain even when fewer than ``min-ready`` units stay."""
    beat: int = 0
    """Raised by each ``update-status`` while not ready: it keeps the grant's lease alive."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Frontend:
    """Where clients reach one service over one endpoint type."""

    url: str
    addresses: tuple[str, ...]
    port: int
    protocol: str = 'http'
    hostname: str = ''


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the load balancer says of one service: ``ready``, ``pending`` or ``rejected``."""

    state: str
    reason: str = ''


@dataclasses.dataclass(frozen=True, kw_only=True)
class Grant:
    """The load balancer's leave for one unit to drain: ``granted``, ``queued``, ``refused``.

    ``refused`` without a token: a drain would be, if it were asked for.
    """

    token: str
    state: str
    position: int = 0
    reason: str = ''


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ack:
    """How far one load balancer unit has come with one unit's lifecycle."""

    token: str
    state: str
    sessions: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reply:
    """All that one load balancer says over one relation."""

    balancer: str
    version: int
    frontends: Mapping[str, Mapping[str, Frontend]]
    """By service name, then by endpoint type."""
    status: Mapping[str, Verdict]
    grants: Mapping[str, Grant]
    """By unit of this application."""
    acks: Mapping[str, Mapping[str, Ack]]
    """By load balancer unit, then by unit of this application."""
    lb_units: tuple[str, ...]
    """The load balancer units whose acknowledgement counts."""
    verifiers: Mapping[str, frozenset[str]] = dataclasses.field(
        default_factory=dict[str, frozenset[str]]
    )
    """Its units that can verify certificates, or still do, and to which units of this application each comes by TLS."""
    tls_ends: frozenset[str] = frozenset()
    """Of those, the ones that nobody tells any more whom to believe: they are to be served HTTP again."""
    tls_begins: frozenset[str] = frozenset()
    """Its units that are going to verify certificates, once they have heard whom to believe."""
    heard: frozenset[str] = frozenset()
    """Its units that have said anything at all."""
    trusted_cidrs: tuple[str, ...] = ()
    """Where its requests come from: forwarded headers are to be believed from there only."""

    @property
    def verify(self) -> frozenset[str]:
        """Its units that can verify certificates, and go on to."""
        return frozenset(self.verifiers) - self.tls_ends


def app_request(services: Iterable[Api], endpoint_type: EndpointType) -> Databag:
    """What the leader writes into the application's databag of one relation."""
    endpoints = [
        {
            'service-name': s.name,
            'service-type': s.type,
            'frontend-port': s.frontend_port,
            'check-type': 'http',
            'endpoint-types': [endpoint_type],
            'path': s.path,
            'min-ready': s.min_ready,
            **s.options,
        }
        for s in services
        if endpoint_type in s.types
    ]
    return {'interface-versions': wire.dump(VERSIONS), 'endpoints': wire.dump(endpoints)}


def unit_request(
    services: Iterable[Api],
    endpoint_type: EndpointType,
    addresses: Sequence[str],
    lifecycle: Lifecycle,
    *,
    backup: bool = False,
    server_name: str = '',
) -> Databag:
    """What each unit writes: *addresses* on the relation's binding, the preferred one first.

    A unit that is a *backup* gets something to do only while no other one is well. With *server_name* it is to be
    reached by TLS where it serves that, with a certificate for this name.
    """
    endpoints = [
        {
            'service-name': s.name,
            'backend-ip': addresses[0],
            'backend-port': s.tls_port if server_name and s.tls_port else s.backend_port,
            'addresses': list(addresses),
            **(
                {'tls': {'mode': 'verify', 'server-name': server_name}}
                if server_name and s.tls_port
                else {}
            ),
            **({'maxconn': s.requests_at_once} if s.requests_at_once else {}),
            **({'backup': True} if backup else {}),
        }
        for s in services
        if endpoint_type in s.types
    ]
    return {'endpoints': wire.dump(endpoints), 'lifecycle': write_lifecycle(lifecycle)}


def write_lifecycle(lifecycle: Lifecycle) -> str:
    """The wire format of *lifecycle*."""
    return wire.dump(
        {
            'state': lifecycle.state,
            'token': lifecycle.token,
            'reason': lifecycle.reason,
            'deadline-s': lifecycle.deadline_s,
            'on-deadline': lifecycle.on_deadline,
            'force': lifecycle.force,
            'beat': lifecycle.beat,
            'services': ['*'],
        }
    )


def read_lifecycle(bag: Databag) -> Lifecycle | None:
    """The lifecycle that a unit last wrote (its own databag remembers it), if any."""
    data = wire.load_object(bag.get('lifecycle', ''))
    state = data.get('state')
    if state not in ('ready', 'drain', 'maintenance', 'gone'):
        return None
    return Lifecycle(
        state=state,
        token=wire.text(data.get('token')),
        reason=wire.text(data.get('reason')),
        deadline_s=wire.number(data.get('deadline-s'), 300),
        on_deadline='force' if data.get('on-deadline') == 'force' else 'wait',
        force=bool(data.get('force', False)),
        beat=wire.number(data.get('beat'), 0),
    )


def read(relation: Relation) -> Reply | None:
    """What the load balancer answered, or None while it has not; unreadable parts count as absent.

    A version 1 load balancer gives addresses and no URL: the URL is made of the first address.
    """
    if _REPLY not in relation.parsed:
        relation.parsed[_REPLY] = _parse(relation)
    return cast('Reply | None', relation.parsed[_REPLY])


_REPLY = 'load balancer'
TLS_VERSION = 2
"""Of the interface: from this one on load balancers may come by TLS."""
TLS_TO = 'tls-to'
"""In the databag of a load balancer's unit that can verify certificates: the units that it comes to by TLS."""
TLS_ENDS = 'tls-ends'
"""There too: it still comes to them by TLS, and wants HTTP: nobody says any more whom it is to believe."""
TLS_BEGINS = 'tls-begins'
"""In its place: somebody is related who is going to say whom it is to believe."""


def _parse(relation: Relation) -> Reply | None:
    bag = relation.app_data
    if 'interface-versions' not in bag and 'frontends' not in bag:
        return None
    theirs = {v for v in wire.load_array(bag.get('interface-versions', '')) if isinstance(v, int)}
    return Reply(
        balancer=relation.app,
        version=max(theirs & set(VERSIONS), default=1),
        frontends={
            service: {t: _frontend(f) for t, f in wire.objects(by_type)}
            for service, by_type in wire.objects(wire.load_object(bag.get('frontends', '')))
        },
        status={
            service: Verdict(state=wire.text(v.get('state')), reason=wire.text(v.get('reason')))
            for service, v in wire.objects(wire.load_object(bag.get('status', '')))
        },
        grants={
            unit: Grant(
                token=wire.text(g.get('token')),
                state=wire.text(g.get('state')),
                position=wire.number(g.get('position')),
                reason=wire.text(g.get('reason')),
            )
            for unit, g in wire.objects(wire.load_object(bag.get('grants', '')))
        },
        acks={
            lb_unit: {
                unit: Ack(
                    token=wire.text(a.get('token')),
                    state=wire.text(a.get('state')),
                    sessions=wire.number(a.get('sessions')),
                )
                for unit, a in wire.objects(wire.load_object(data.get('acks', '')))
            }
            for lb_unit, data in relation.units.items()
        },
        lb_units=wire.texts(wire.load_array(bag.get('lb-units', ''))),
        verifiers={
            lb_unit: frozenset(wire.texts(wire.load_array(data[TLS_TO])))
            for lb_unit, data in relation.units.items()
            if TLS_TO in data
        },
        tls_ends=frozenset(u for u, data in relation.units.items() if TLS_ENDS in data),
        tls_begins=frozenset(u for u, data in relation.units.items() if TLS_BEGINS in data),
        heard=frozenset(u for u, data in relation.units.items() if 'acks' in data),
        trusted_cidrs=wire.texts(wire.load_object(bag.get('proxy', '')).get('trusted-cidrs')),
    )


def urls(relations: Iterable[Relation]) -> dict[str, dict[EndpointType, str]]:
    """The URLs by service and endpoint type, where a load balancer serves it.

    Over several relations the type's own one wins: public URLs are taken from
    ``public-backend`` alone. A type that is absent is the unit's own to serve.
    """
    found: dict[str, dict[EndpointType, str]] = {}
    for relation in sorted(relations, key=lambda r: r.id):
        endpoint_type = ENDPOINTS.get(relation.name)
        reply = read(relation) if endpoint_type else None
        if reply is None or endpoint_type is None:
            continue
        for service, frontends in reply.frontends.items():
            frontend = frontends.get(endpoint_type)
            if frontend is not None and frontend.url:
                found.setdefault(service, {}).setdefault(endpoint_type, frontend.url)
    return found


def complaints(relations: Iterable[Relation]) -> tuple[str, ...]:
    """What an operator must hear about: refused services, and two load balancers for one type."""
    out: list[str] = []
    by_type: dict[str, list[str]] = {}
    for relation in sorted(relations, key=lambda r: r.id):
        by_type.setdefault(relation.name, []).append(relation.app)
        reply = read(relation)
        for name, verdict in sorted(reply.status.items()) if reply else ():
            if verdict.state == 'rejected':
                what = 'the relation' if name == '*' else name
                out.append(f'{relation.app} refuses {what}: {verdict.reason}')
    for endpoint, apps in by_type.items():
        if len(apps) > 1:
            out.append(f'{endpoint} has several load balancers: {", ".join(apps)}')
    return tuple(out)


def _frontend(data: Mapping[str, Any]) -> Frontend:
    addresses = wire.texts(data.get('ip'))
    port = wire.number(data.get('port'))
    protocol = wire.text(data.get('protocol')) or 'http'
    hostname = wire.text(data.get('hostname'))
    host = hostname or (host_in_url(addresses[0]) if addresses else '')
    url = wire.text(data.get('url')) or (f'{protocol}://{host}:{port}' if host else '')
    return Frontend(url=url, addresses=addresses, port=port, protocol=protocol, hostname=hostname)
