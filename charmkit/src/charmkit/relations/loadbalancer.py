"""The ``openstack-api-endpoints`` interface, version 2: the side of the service behind.

An API charm offers ``public-backend``, ``internal-backend`` and ``admin-backend``; each may go to
another load balancer, or all three to one. On each of them

- the leader writes :func:`app_request`: the services, and the endpoint type that is asked for;
- every unit writes :func:`unit_request`: where it serves, and its :class:`Lifecycle`;
- :func:`read` gives the :class:`Reply`: the frontends to register in the catalogue
  (:func:`urls`), what was refused and why, and how far a drain has come (:func:`drain`).

A unit's :class:`Lifecycle` is what :func:`next_lifecycle` says next. It stops serving only when that is
``maintenance``: every load balancer unit has then seen its last request end.

The first version of the interface (upstream's ``openstack-loadbalancer``) is a subset: its load
balancers read our data and answer ``frontends``, but know no drain.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

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
DrainState = Literal['drained', 'unsupported', 'draining', 'timeout', 'queued', 'asked', 'refused']
_WORST_LAST: tuple[DrainState, ...] = (
    'drained', 'unsupported', 'draining', 'timeout', 'queued', 'asked', 'refused',
)  # fmt: skip


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
    """The load balancer's leave for one unit to drain: ``granted``, ``queued``, ``refused``."""

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
    trusted_cidrs: tuple[str, ...] = ()
    """Where its requests come from: forwarded headers are to be believed from there only."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Drain:
    """How far a drain has come, over all load balancers."""

    state: DrainState
    reason: str = ''
    sessions: int = 0

    @property
    def proceed(self) -> bool:
        """The unit may stop: nothing is sent to it any more, and nothing is under way."""
        return self.state == 'drained'


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
) -> Databag:
    """What each unit writes: *addresses* on the relation's binding, the preferred one first.

    A unit that is a *backup* gets something to do only while no other one is well.
    """
    endpoints = [
        {
            'service-name': s.name,
            'backend-ip': addresses[0],
            'backend-port': s.backend_port,
            'addresses': list(addresses),
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


def next_lifecycle(
    current: Lifecycle | None,
    relations: Iterable[Relation],
    *,
    unit: str,
    paused: bool,
    healthy: bool,
    fresh_token: str,
    wish: Lifecycle | None = None,
) -> Lifecycle:
    """The lifecycle that follows *current*: ready, drain, maintenance, and ready again.

    A paused unit drains, and goes to ``maintenance`` when every load balancer has let it: from
    then on, and not before, it may stop. A unit that is to serve again is ``ready`` once
    *healthy*: its own health check passes locally. *current* is what the unit last wrote
    (:func:`read_lifecycle`), the same on all its relations; it comes back as it is, token and
    all, when nothing is to change. *fresh_token* is any string never used before. *wish* holds
    the reason, deadline and force of a new drain.
    """
    state = current.state if current else 'ready'
    if current and paused and state == 'drain':
        if drain(relations, unit, current).proceed:
            return dataclasses.replace(current, state='maintenance', token=fresh_token)
        if wish and wish.force and not current.force:
            return dataclasses.replace(wish, state='drain', token=fresh_token)
        return current
    if paused and state == 'ready':
        new = wish or Lifecycle(state='drain', token='', reason='paused')
        return dataclasses.replace(new, state='drain', token=fresh_token)
    if current is None or (not paused and state != 'ready' and healthy):
        return Lifecycle(state='ready', token=fresh_token)
    return current


def read(relation: Relation) -> Reply | None:
    """What the load balancer answered, or None while it has not; unreadable parts count as absent.

    A version 1 load balancer gives addresses and no URL: the URL is made of the first address.
    """
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
        trusted_cidrs=wire.texts(wire.load_object(bag.get('proxy', '')).get('trusted-cidrs')),
    )


def urls(relations: Iterable[Relation], service: str) -> dict[EndpointType, str]:
    """The URL of *service* by endpoint type, where a load balancer serves it.

    Over several relations the type's own one wins: public URLs are taken from
    ``public-backend`` alone. A type that is absent is the unit's own to serve.
    """
    found: dict[EndpointType, str] = {}
    for relation in sorted(relations, key=lambda r: r.id):
        endpoint_type = ENDPOINTS.get(relation.name)
        answer = read(relation)
        if answer is None or endpoint_type is None:
            continue
        frontend = answer.frontends.get(service, {}).get(endpoint_type)
        if frontend is not None and frontend.url:
            found.setdefault(endpoint_type, frontend.url)
    return found


def complaints(relations: Iterable[Relation]) -> tuple[str, ...]:
    """What an operator must hear about: refused services, and two load balancers for one type."""
    out: list[str] = []
    by_type: dict[str, list[str]] = {}
    for relation in sorted(relations, key=lambda r: r.id):
        by_type.setdefault(relation.name, []).append(relation.app)
        answer = read(relation)
        for name, verdict in sorted(answer.status.items()) if answer else ():
            if verdict.state == 'rejected':
                what = 'the relation' if name == '*' else name
                out.append(f'{relation.app} refuses {what}: {verdict.reason}')
    for endpoint, apps in by_type.items():
        if len(apps) > 1:
            out.append(f'{endpoint} has several load balancers: {", ".join(apps)}')
    return tuple(out)


def last_lifecycle(relations: Iterable[Relation]) -> Lifecycle | None:
    """What this unit last wanted: what it wrote to the load balancer that is told first."""
    said = (read_lifecycle(r.my_data) for r in sorted(relations, key=_turn))
    return next((x for x in said if x), None)


def lifecycle_for(
    relation: Relation, relations: Iterable[Relation], unit: str, lifecycle: Lifecycle
) -> Lifecycle:
    """What the load balancer of *relation*, one of *relations*, is told when *lifecycle* holds.

    A wish to drain is told in turn, by the load balancers' names: to each once those before it
    have granted it. Told all at once, two load balancers could each grant another unit, and the
    two units would wait for one another for ever.
    """
    if lifecycle.state != 'drain' or lifecycle.force:
        return lifecycle
    before = (r for r in relations if r.app < relation.app and r.units)
    if all(_granted(r, unit, lifecycle) for r in before):
        return lifecycle
    still = dataclasses.replace(lifecycle, state='ready', token=f'before-{lifecycle.token}')
    return read_lifecycle(relation.my_data) or still


def _turn(relation: Relation) -> tuple[str, int]:
    return relation.app, relation.id


def _granted(relation: Relation, unit: str, lifecycle: Lifecycle) -> bool:
    answer = read(relation)
    if answer is None or answer.version < 2:
        return answer is not None
    grant = answer.grants.get(unit)
    return grant is not None and (grant.state, grant.token) == ('granted', lifecycle.token)


def drain(relations: Iterable[Relation], unit: str, lifecycle: Lifecycle) -> Drain:
    """How far the drain that *lifecycle* asks for has come, on every load balancer.

    *relations* are all those of :data:`ENDPOINTS`; without any, nobody sends requests through a
    load balancer and the unit may proceed. In ``maintenance`` the drain is done already.
    """
    if lifecycle.state in ('maintenance', 'gone'):
        return Drain(state='drained')
    relations = tuple(relations)
    # One whose turn has not come says nothing, and one before it has not granted.
    each = [
        _drain_of(relation, unit, lifecycle)
        for relation in relations
        if lifecycle_for(relation, relations, unit, lifecycle).token == lifecycle.token
    ]
    return max(each, key=lambda d: _WORST_LAST.index(d.state), default=Drain(state='drained'))


def in_rotation(relations: Iterable[Relation], unit: str, lifecycle: Lifecycle) -> bool:
    """Every load balancer unit sends requests here again, after a change to ``ready``."""
    return all(
        _acked(answer, unit, lifecycle.token, {'ready'})
        for answer in map(read, relations)
        if answer is not None and answer.version >= 2
    )


def _drain_of(relation: Relation, unit: str, lifecycle: Lifecycle) -> Drain:
    answer = read(relation)
    if not relation.units:
        return Drain(state='drained')
    if answer is None:
        return Drain(state='asked', reason=f'{relation.app} has not answered')
    if answer.version < 2:
        return Drain(state='unsupported', reason=f'{relation.app} knows no drain')
    token = lifecycle.token
    if answer.lb_units and _acked(answer, unit, token, {'drained', 'forced'}):
        return Drain(state='drained')
    mine = [acks[unit] for acks in answer.acks.values() if unit in acks]
    sessions = sum(a.sessions for a in mine if a.token == token)
    grant = answer.grants.get(unit)
    if (grant is None or grant.token != token) and not any(a.token == token for a in mine):
        return Drain(state='asked', reason=f'{relation.app} has not decided yet')
    if grant is not None and grant.token == token and grant.state == 'refused':
        return Drain(state='refused', reason=f'{relation.app}: {grant.reason}')
    if grant is not None and grant.token == token and grant.state == 'queued':
        return Drain(state='queued', reason=f'{relation.app}: {grant.reason}')
    late = any(a.token == token and a.state == 'timeout' for a in mine)
    return Drain(
        state='timeout' if late else 'draining',
        reason=f'{relation.app}: {sessions} requests under way',
        sessions=sessions,
    )


def _acked(answer: Reply, unit: str, token: str, states: set[str]) -> bool:
    acks = [answer.acks.get(lb_unit, {}).get(unit) for lb_unit in answer.lb_units]
    return all(a is not None and a.token == token and a.state in states for a in acks)


def _frontend(data: Mapping[str, Any]) -> Frontend:
    addresses = wire.texts(data.get('ip'))
    port = wire.number(data.get('port'))
    protocol = wire.text(data.get('protocol')) or 'http'
    hostname = wire.text(data.get('hostname'))
    host = hostname or (host_in_url(addresses[0]) if addresses else '')
    url = wire.text(data.get('url')) or (f'{protocol}://{host}:{port}' if host else '')
    return Frontend(url=url, addresses=addresses, port=port, protocol=protocol, hostname=hostname)
