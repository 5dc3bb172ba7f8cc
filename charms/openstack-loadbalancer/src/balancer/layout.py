"""Which service is served where: from what is asked for, and the addresses there are, to frontends.

A frontend comes about in one way only: service, endpoint type, the binding of that type, its
addresses. So there is no wildcard bind, and admin is never on a public address.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from charmkit.relations import ENDPOINT_TYPES, unit_order

from . import behaviour, checked, interface


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules:
    """What the operator decides about the layout."""

    types: tuple[str, ...] = ENDPOINT_TYPES
    families: str = 'auto'
    """``auto``, ``ipv4``, ``ipv6`` or ``dual``."""
    allow_shared_spaces: bool = False
    external_vips: Mapping[str, tuple[str, ...]] = dataclasses.field(
        default_factory=dict[str, tuple[str, ...]]
    )
    hostnames: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    service_options: Mapping[str, Mapping[str, Any]] = dataclasses.field(
        default_factory=dict[str, Mapping[str, Any]]
    )
    """By service name or service type; the name wins."""
    reserved_ports: Mapping[int, str] = dataclasses.field(default_factory=dict[int, str])
    """Ports that no service gets, and what they are for."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Frontend:
    """One service on the addresses of its endpoint types (several, where they share addresses)."""

    name: str
    service: str
    types: tuple[str, ...]
    addresses: tuple[str, ...]
    vips: frozenset[str]
    port: int
    protocol: str
    behaviour: behaviour.Behaviour
    hosts: tuple[str, ...]
    """The only hosts that a request may name, without port."""
    backend: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Backend:
    """The units behind one service and endpoint type."""

    name: str
    service: str
    app: str
    protocol: str
    behaviour: behaviour.Behaviour
    servers: tuple[interface.Server, ...]


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


@dataclasses.dataclass(frozen=True)
class _Claim:
    """One relation's wish for one service over one endpoint type, that passed all checks so far."""

    request: interface.Request
    endpoint: interface.Endpoint
    type: str
    behaviour: behaviour.Behaviour


def lay_out(
    requests: Iterable[interface.Request], bindings: Mapping[str, Binding], rules: Rules
) -> Layout:
    """The layout for *requests*; of two that want the same, the older relation gets it."""
    refusals: list[interface.Refusal] = []
    claims: list[_Claim] = []
    ordered = sorted(requests, key=lambda r: r.relation)
    owners: dict[str, str] = {}
    for request in ordered:
        for endpoint in request.endpoints:
            for item in _claims(request, endpoint, owners, rules, bindings):
                if isinstance(item, _Claim):
                    claims.append(item)
                else:
                    refusals.append(item)
    return _resolve(claims, refusals, bindings, rules)


def usable(binding: Binding, families: str) -> tuple[str, ...]:
    """The addresses of *binding* that are of the *families* to serve."""
    want = {'ipv4': {4}, 'ipv6': {6}}.get(families, {4, 6})
    return tuple(a for a in binding.all if ipaddress.ip_address(a).version in want)


def _claims(
    request: interface.Request,
    endpoint: interface.Endpoint,
    owners: dict[str, str],
    rules: Rules,
    bindings: Mapping[str, Binding],
) -> list[_Claim | interface.Refusal]:
    def refuse(reason: str) -> list[_Claim | interface.Refusal]:
        return [
            interface.Refusal(
                relation=request.relation,
                app=request.app,
                reason=reason,
                service=endpoint.service,
            )
        ]

    owner = owners.setdefault(endpoint.service, request.app)
    if owner != request.app:
        return refuse(f'service {endpoint.service} is served for application {owner} already')
    if endpoint.port in rules.reserved_ports:
        return refuse(f'port {endpoint.port} is kept for {rules.reserved_ports[endpoint.port]}')
    wanted = [t for t in endpoint.types if t in rules.types]
    if not wanted:
        return refuse(f'this load balancer serves {", ".join(rules.types)} only')
    how = endpoint.behaviour
    for key in (endpoint.type, endpoint.service):
        if key in rules.service_options:
            how = behaviour.overridden(
                how, rules.service_options[key], f'service-options {key}', operator=True
            )
    out: list[_Claim | interface.Refusal] = []
    for t in wanted:
        if t == 'public' and how.not_public:
            out += refuse(f'{endpoint.service} is never served on a public network')
        elif not _addresses(t, bindings, rules):
            out += refuse(_why_no_address(t, bindings))
        else:
            out.append(_Claim(request, endpoint, t, how))
    return out


def _why_no_address(t: str, bindings: Mapping[str, Binding]) -> str:
    if t == 'admin' and bindings.get('admin', Binding(addresses=())).all:
        return (
            'the admin binding has only addresses that are public too '
            '(bind it to a space of its own, or set allow-shared-spaces)'
        )
    return f'the {t} binding has no address of the families to serve'


def _addresses(t: str, bindings: Mapping[str, Binding], rules: Rules) -> tuple[str, ...]:
    nothing = Binding(addresses=())
    found = usable(bindings.get(t, nothing), rules.families)
    if t == 'admin' and 'public' in rules.types and not rules.allow_shared_spaces:
        public = set(bindings.get('public', nothing).all)
        found = tuple(a for a in found if a not in public)
    return found


def _resolve(
    claims: Sequence[_Claim],
    refusals: list[interface.Refusal],
    bindings: Mapping[str, Binding],
    rules: Rules,
) -> Layout:
    # Who has an address and port already, and the types that share them.
    taken: dict[tuple[str, int], tuple[str, str]] = {}
    kept: list[_Claim] = []
    for claim in claims:
        places = [(a, claim.endpoint.port) for a in _addresses(claim.type, bindings, rules)]
        others = [taken[p] for p in places if p in taken]
        clash = [(s, app) for s, app in others if s != claim.endpoint.service]
        if clash:
            service, app = clash[0]
            refusals.append(
                interface.Refusal(
                    relation=claim.request.relation,
                    app=claim.request.app,
                    service=claim.endpoint.service,
                    reason=f'port {claim.endpoint.port} is used by {service} of {app}',
                )
            )
            continue
        for place in places:
            taken[place] = (claim.endpoint.service, claim.request.app)
        kept.append(claim)
    return _assemble(kept, refusals, bindings, rules)


def _assemble(
    claims: Sequence[_Claim],
    refusals: list[interface.Refusal],
    bindings: Mapping[str, Binding],
    rules: Rules,
) -> Layout:
    # (service, port, address) -> the types there; then addresses with the same types go together.
    at: dict[tuple[str, int, str], list[str]] = {}
    first: dict[tuple[str, str], _Claim] = {}
    for claim in claims:
        first.setdefault((claim.endpoint.service, claim.type), claim)
        for address in _addresses(claim.type, bindings, rules):
            types = at.setdefault((claim.endpoint.service, claim.endpoint.port, address), [])
            if claim.type not in types:
                types.append(claim.type)
    groups: dict[tuple[str, int, tuple[str, ...]], list[str]] = {}
    for (service, port, address), types in at.items():
        ordered = tuple(t for t in ENDPOINT_TYPES if t in types)
        groups.setdefault((service, port, ordered), []).append(address)
    vips = frozenset(v for b in bindings.values() for v in b.vips)
    frontends = tuple(
        _frontend(first[service, types[0]], types, tuple(addresses), vips, bindings, rules)
        for (service, _, types), addresses in groups.items()
    )
    published: dict[tuple[int, str, str], str] = {}
    for claim in claims:
        for f in frontends:
            if f.service == claim.endpoint.service and claim.type in f.types:
                key = (claim.request.relation, claim.endpoint.service, claim.type)
                published.setdefault(key, f.name)
    backends = tuple(_backend(service, t, claims) for service, t in first)
    return Layout(
        frontends=frontends,
        backends=backends,
        refusals=tuple(refusals),
        published=published,
    )


def _frontend(
    claim: _Claim,
    types: tuple[str, ...],
    addresses: tuple[str, ...],
    vips: frozenset[str],
    bindings: Mapping[str, Binding],
    rules: Rules,
) -> Frontend:
    hosts = [*addresses]
    for t in types:
        hosts += _addresses(t, bindings, rules)
        hosts += rules.external_vips.get(t, ())
        hosts += [h for h in (rules.hostnames.get(t), claim.endpoint.hostnames.get(t)) if h]
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
    )


def check_options(options: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse ``service-options`` that could not be laid over a service.

    Raises:
        checked.InvalidError: naming the option at fault.
    """
    for key, data in options.items():
        checked.text(key, 'service-options', checked.NAME)
        behaviour.overridden(behaviour.UNKNOWN, data, f'service-options {key}', operator=True)


def own_addresses(bindings: Mapping[str, Binding], rules: Rules) -> dict[str, tuple[str, ...]]:
    """By endpoint type, this unit's own addresses that may be served on."""
    return {
        t: tuple(a for a in _addresses(t, bindings, rules) if a in bindings[t].addresses)
        for t in rules.types
        if t in bindings
    }
