"""Which service is served where: from what is asked for, and the addresses there are, to frontends.

A frontend comes about in one way only: service, endpoint type, the binding of that type, its
addresses. So there is no wildcard bind, and admin is never on a public address.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Mapping, Sequence

from charmkit.proxy.config import Mode
from charmkit.relations import ENDPOINT_TYPES, unit_order

from . import behaviour, interface
from . import exposure as exposure_
from .exposure import Outside


@dataclasses.dataclass(frozen=True, kw_only=True)
class Binding:
    """The addresses of one endpoint type on this unit."""

    addresses: tuple[str, ...]
    """The unit's own."""
    vips: tuple[str, ...] = ()
    """Those that move between units."""

    @property
    def all(self) -> tuple[str, ...]:
        """Every address to serve on, each once, VIPs first."""
        return tuple(dict.fromkeys((*self.vips, *self.addresses)))


@dataclasses.dataclass(frozen=True)
class Listener:
    """Another program that listens on this unit."""

    address: str
    """``0.0.0.0`` and ``::`` are all addresses of their family."""
    port: int
    program: str = ''

    def is_in_the_way(self, address: str, port: int) -> bool:
        """Whether nobody else can listen there."""
        if self.port != port:
            return False
        if self.address in ('*', '::', '[::]'):
            return True  # It has IPv4 as well, unless it says otherwise: that cannot be seen.
        if self.address == '0.0.0.0':  # noqa: S104
            return ':' not in address
        return self.address == address


@dataclasses.dataclass(frozen=True, kw_only=True)
class Frontend:
    """One service on the addresses of its endpoint types (several, where they share addresses)."""

    name: str
    service: str
    types: tuple[str, ...]
    addresses: tuple[str, ...]
    vips: frozenset[str]
    port: int
    protocol: Mode
    behaviour: behaviour.Behaviour
    hosts: tuple[Outside, ...]
    """The only hosts that a request may name."""
    type: str = ''
    """The service's, in the catalogue."""
    backend: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Backend:
    """The units behind one service and endpoint type."""

    name: str
    service: str
    app: str
    protocol: Mode
    behaviour: behaviour.Behaviour
    servers: tuple[interface.Server, ...]
    min_ready: int = 1
    """The most that any of its relations asks for."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """Everything that is to be served, and what is refused."""

    frontends: tuple[Frontend, ...] = ()
    backends: tuple[Backend, ...] = ()
    refusals: tuple[interface.Refusal, ...] = ()
    published: Mapping[tuple[int, str, str], str] = dataclasses.field(
        default_factory=dict[tuple[int, str, str], str]
    )
    """The frontend's name for (relation, service, type)."""

    def services(self) -> dict[str, frozenset[str]]:
        """By unit, the services that are served from it."""
        out: dict[str, frozenset[str]] = {}
        for b in self.backends:
            for s in b.servers:
                out[s.unit] = out.get(s.unit, frozenset()) | {b.service}
        return out

    def min_ready(self) -> dict[str, int]:
        """By service, how many units must stay."""
        out: dict[str, int] = {}
        for b in self.backends:
            out[b.service] = max(out.get(b.service, 0), b.min_ready)
        return out


@dataclasses.dataclass(frozen=True)
class _Claim:
    """One relation's wish for one service over one endpoint type, that passed all checks so far."""

    request: interface.Request
    endpoint: interface.Endpoint
    type: str
    behaviour: behaviour.Behaviour
    urls: Mapping[str, Outside]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the layout has to fit into."""

    bindings: Mapping[str, Binding]
    """By endpoint type."""
    exposure: exposure_.Exposure = dataclasses.field(default_factory=exposure_.Exposure)
    listeners: tuple[Listener, ...] = ()
    lingering: Mapping[int, str] = dataclasses.field(default_factory=dict[int, str])
    """Relations that are gone and still served, and until when, in words."""


def lay_out(requests: Iterable[interface.Request], around: Surroundings) -> Layout:
    """The layout for *requests*; of two that want the same, the older relation gets it."""
    refusals: list[interface.Refusal] = []
    claims: list[_Claim] = []
    owners: dict[str, interface.Request] = {}
    for request in sorted(requests, key=lambda r: r.relation):
        for endpoint in request.endpoints:
            for item in _claims(request, endpoint, owners, around):
                if isinstance(item, _Claim):
                    claims.append(item)
                else:
                    refusals.append(item)
    return _resolve(claims, refusals, around)


def usable(binding: Binding, families: str) -> tuple[str, ...]:
    """The addresses of *binding* that are of the *families* to serve."""
    want = {'ipv4': {4}, 'ipv6': {6}}.get(families, {4, 6})
    return tuple(a for a in binding.all if ipaddress.ip_address(a).version in want)


def _claims(
    request: interface.Request,
    endpoint: interface.Endpoint,
    owners: dict[str, interface.Request],
    around: Surroundings,
) -> list[_Claim | interface.Refusal]:
    def refuse(reason: str) -> list[_Claim | interface.Refusal]:
        return [_refusal(request, endpoint, reason)]

    exposure = around.exposure
    owner = owners.setdefault(endpoint.service, request)
    if owner.app != request.app:
        until = around.lingering.get(owner.relation)
        why = f', which has left, until {until}' if until else ' already'
        return refuse(f'service {endpoint.service} is served for application {owner.app}{why}')
    if endpoint.port in exposure.reserved_ports:
        return refuse(f'port {endpoint.port} is kept for {exposure.reserved_ports[endpoint.port]}')
    wanted = [t for t in endpoint.types if t in exposure.types]
    if not wanted:
        return refuse(f'this load balancer serves {", ".join(exposure.types)} only')
    how, named = _as_operator_has_it(endpoint, exposure)
    out: list[_Claim | interface.Refusal] = []
    for t in wanted:
        if t == 'public' and how.not_public:
            out += refuse(f'{endpoint.service} is never served on a public network')
        elif not _addresses(t, around):
            out += refuse(_why_no_address(t, around.bindings))
        elif taken := in_the_way(endpoint.port, _addresses(t, around), around.listeners):
            out += refuse(taken)
        else:
            out.append(_Claim(request, endpoint, t, how, named))
    return out


def _as_operator_has_it(
    endpoint: interface.Endpoint, exposure: exposure_.Exposure
) -> tuple[behaviour.Behaviour, dict[str, Outside]]:
    how, named = endpoint.behaviour, dict[str, Outside]()
    for key in dict.fromkeys((endpoint.type, endpoint.service)):
        if key in exposure.service_options:
            where, data = f'service-options {key}', exposure.service_options[key]
            how = behaviour.overridden(how, data, where, operator=True)
            named.update(exposure_.urls(data, where))
    return how, named


def _refusal(
    request: interface.Request, endpoint: interface.Endpoint, reason: str
) -> interface.Refusal:
    return interface.Refusal(
        relation=request.relation, app=request.app, reason=reason, service=endpoint.service
    )


def in_the_way(port: int, addresses: Iterable[str], listeners: Iterable[Listener]) -> str:
    """Which of *listeners* keeps haproxy from *port* on one of *addresses*, in words; '' when none does."""
    listeners = tuple(listeners)
    for address in addresses:
        for other in listeners:
            if other.is_in_the_way(address, port):
                who = other.program or 'another program'
                return f'port {port} is used by {who} on this unit ({address})'
    return ''


def _why_no_address(t: str, bindings: Mapping[str, Binding]) -> str:
    if t == 'admin' and bindings.get('admin', Binding(addresses=())).all:
        return (
            'the admin binding has only addresses that are public too '
            '(bind it to a space of its own, or set allow-shared-spaces)'
        )
    return f'the {t} binding has no address of the families to serve'


def _addresses(t: str, around: Surroundings) -> tuple[str, ...]:
    exposure, nothing = around.exposure, Binding(addresses=())
    found = usable(around.bindings.get(t, nothing), exposure.families)
    if t == 'admin' and 'public' in exposure.types and not exposure.allow_shared_spaces:
        public = set(around.bindings.get('public', nothing).all)
        found = tuple(a for a in found if a not in public)
    return found


def _resolve(
    claims: Sequence[_Claim], refusals: list[interface.Refusal], around: Surroundings
) -> Layout:
    # Who has an address and port already, and the types that share them.
    taken: dict[tuple[str, int], tuple[str, str]] = {}
    ports: dict[tuple[str, str], int] = {}
    kept: list[_Claim] = []
    for claim in claims:
        # A frontend's name is made of the two: haproxy takes none twice.
        port = ports.get((claim.endpoint.service, claim.type), claim.endpoint.port)
        if port != claim.endpoint.port:
            reason = f'{claim.endpoint.service} is served on port {port} already, not {claim.endpoint.port}'
            refusals.append(_refusal(claim.request, claim.endpoint, reason))
            continue
        sockets = [(a, claim.endpoint.port) for a in _addresses(claim.type, around)]
        others = [taken[s] for s in sockets if s in taken]
        clash = [(s, app) for s, app in others if s != claim.endpoint.service]
        if clash:
            service, app = clash[0]
            reason = f'port {claim.endpoint.port} is used by {service} of {app}'
            refusals.append(_refusal(claim.request, claim.endpoint, reason))
            continue
        for s in sockets:
            taken[s] = (claim.endpoint.service, claim.request.app)
        ports[claim.endpoint.service, claim.type] = claim.endpoint.port
        kept.append(claim)
    return _assemble(kept, refusals, around)


def _assemble(
    claims: Sequence[_Claim], refusals: list[interface.Refusal], around: Surroundings
) -> Layout:
    # (service, port, address) -> the types there; then addresses with the same types go together.
    at: dict[tuple[str, int, str], list[str]] = {}
    first: dict[tuple[str, str], _Claim] = {}
    for claim in claims:
        first.setdefault((claim.endpoint.service, claim.type), claim)
        for address in _addresses(claim.type, around):
            types = at.setdefault((claim.endpoint.service, claim.endpoint.port, address), [])
            if claim.type not in types:
                types.append(claim.type)
    groups: dict[tuple[str, int, tuple[str, ...]], list[str]] = {}
    for (service, port, address), types in at.items():
        ordered = tuple(t for t in ENDPOINT_TYPES if t in types)
        groups.setdefault((service, port, ordered), []).append(address)
    frontends = tuple(
        _frontend(first[service, types[0]], types, tuple(addresses), around)
        for (service, _, types), addresses in groups.items()
    )
    published: dict[tuple[int, str, str], str] = {}
    for claim in claims:
        for f in frontends:
            if f.service == claim.endpoint.service and claim.type in f.types:
                key = (claim.request.relation, claim.endpoint.service, claim.type)
                published.setdefault(key, f.name)
    return Layout(
        frontends=frontends,
        backends=tuple(_backend(service, t, claims) for service, t in first),
        refusals=tuple(refusals),
        published=published,
    )


def _frontend(
    claim: _Claim, types: tuple[str, ...], addresses: tuple[str, ...], around: Surroundings
) -> Frontend:
    hosts = [Outside(name=a) for a in addresses]
    for t in types:
        hosts += [Outside(name=a) for a in _addresses(t, around)]
        hosts += exposure_.registered(t, claim.endpoint, around.exposure, claim.urls)
        hosts += around.exposure.external_vips.get(t, ())
    vips = frozenset(v for b in around.bindings.values() for v in b.vips)
    return Frontend(
        name=f'{claim.endpoint.service}.{"-".join(types)}',
        service=claim.endpoint.service,
        types=types,
        addresses=addresses,
        vips=vips & set(addresses),
        port=claim.endpoint.port,
        protocol=claim.endpoint.protocol,
        behaviour=claim.behaviour,
        hosts=tuple(dict.fromkeys(hosts)),
        type=claim.endpoint.type,
        backend=f'{claim.endpoint.service}.{types[0]}',
    )


def _backend(service: str, t: str, claims: Sequence[_Claim]) -> Backend:
    mine = [c for c in claims if c.endpoint.service == service and c.type == t]
    servers: dict[str, interface.Server] = {}
    for claim in mine:
        for server in claim.request.servers:
            if server.service == service:
                servers.setdefault(server.unit, server)
    head = mine[0]
    return Backend(
        name=f'{service}.{t}',
        service=service,
        app=head.request.app,
        protocol=head.endpoint.protocol,
        behaviour=head.behaviour,
        servers=tuple(sorted(servers.values(), key=lambda s: unit_order(s.unit))),
        min_ready=max(c.endpoint.min_ready for c in mine),
    )


def own_addresses(around: Surroundings) -> dict[str, tuple[str, ...]]:
    """By endpoint type, this unit's own addresses that may be served on."""
    bindings = around.bindings
    return {
        t: tuple(a for a in _addresses(t, around) if a in bindings[t].addresses)
        for t in around.exposure.types
        if t in bindings
    }
