"""Where clients find a service: URLs by endpoint type, the names in them, and where the unit listens for that. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from . import endpoints, state, vip
from . import spec as spec_
from .relations import (
    ENDPOINT_TYPES,
    EndpointType,
    Relation,
    Site,
    host_in_url,
    loadbalancer,
)

BALANCED = 'balanced'
"""The name in the unit's memory of the URLs that load balancers have given, by service and endpoint type."""
OWN = 'own-urls'
"""There: by service, the endpoint types that clients reach without a load balancer."""


def load_balancers(inputs: state.Inputs) -> list[Relation]:
    """The relations with load balancers."""
    return [r for name in loadbalancer.ENDPOINTS for r in inputs.of(name)]


def given(inputs: state.Inputs, service: str) -> dict[str, str]:
    """The URLs of *service* that load balancers gave this unit last, by endpoint type."""
    kept: Mapping[str, Mapping[str, str]] = inputs.memory.get(BALANCED) or {}
    return dict(kept.get(service, {}))


def balanced(spec: spec_.ServiceSpec, inputs: state.Inputs) -> dict[str, dict[str, str]]:
    """URLs that load balancers give, by service and endpoint type.

    One that says nothing for a while has not taken back what it said before: only a relation that ends does.
    """
    balancers = load_balancers(inputs)
    related = _types(balancers)
    kept: Mapping[str, Mapping[EndpointType, str]] = inputs.memory.get(BALANCED) or {}
    said = loadbalancer.urls(balancers)
    found: dict[str, dict[str, str]] = {}
    for service in (o.service for o in endpoints.every(spec, inputs)):
        before = {t: u for t, u in kept.get(service, {}).items() if t in related}
        found[service] = {**before, **said.get(service, {})}
    return found


def unregistered(
    given: Mapping[str, Mapping[str, str]], inputs: state.Inputs, balancers: Iterable[Relation]
) -> frozenset[EndpointType]:
    """Endpoint types that nobody balances, where some load balancer is related for another one.

    They would be a unit's own address, in a network that may be private. The internal type stays: by it the
    cloud's services find one another, and without it none of them could check a token. What clients had before there
    was a load balancer they have until one serves.
    """
    related = _types(balancers)
    if not related:
        return frozenset()
    kept = frozenset[str]()
    if not any(given.values()):
        kept = kept.union(*_own_before(inputs, given).values())
    return frozenset(
        t
        for t in ENDPOINT_TYPES
        if t not in {'internal', *related, *kept} and not _name(t, inputs)
    )


def awaited(
    offered: Iterable[endpoints.Offered],
    given: Mapping[str, Mapping[str, str]],
    inputs: state.Inputs,
    balancers: Iterable[Relation],
) -> dict[str, frozenset[EndpointType]]:
    """By service: endpoint types that a load balancer is related for, and has not said where.

    A unit's own address would be registered, which clients may not reach. What they had before the load balancer was
    related they have until it has answered.
    """
    related, before = _types(balancers), _own_before(inputs, given)
    found: dict[str, frozenset[EndpointType]] = {}
    for one in offered:
        known = {*given[one.service], *before.get(one.service, ())}
        types: tuple[EndpointType, ...] = one.api.types if one.api else ()
        wait: frozenset[EndpointType] = frozenset(
            t for t in types if t in related and t not in known and not _name(t, inputs)
        )
        if wait:
            found[one.service] = wait
    return found


def remembered(
    given: Mapping[str, Mapping[str, str]],
    wait: Mapping[str, frozenset[EndpointType]],
    gone: frozenset[EndpointType],
    inputs: state.Inputs,
) -> dict[str, Any]:
    """What later runs are to know: what load balancers have *given*, and what clients have without them.

    The latter counts once the unit has served: an address that was only asked for was in no catalogue. *wait* and
    *gone* are those of :func:`awaited` and :func:`unregistered`.
    """
    before, served = _own_before(inputs, given), bool(inputs.memory.get(state.SERVED))
    own: dict[str, list[str]] = {}
    for service, by_type in given.items():
        without = {*by_type, *gone, *wait.get(service, ())}
        kept = before.get(service, frozenset())
        own[service] = [t for t in ENDPOINT_TYPES if t not in without and (served or t in kept)]
    return {BALANCED: given, OWN: {s: types for s, types in own.items() if types}}


def _types(balancers: Iterable[Relation]) -> frozenset[EndpointType]:
    return frozenset(loadbalancer.ENDPOINTS[r.name] for r in balancers)


def _name(t: EndpointType, inputs: state.Inputs) -> str:
    """The host that the operator gave to the endpoint type; '' for none."""
    return str(inputs.options.get(f'os-{t}-hostname') or '')


def _own_before(inputs: state.Inputs, services: Iterable[str]) -> dict[str, frozenset[str]]:
    """By service, the endpoint types that clients had without a load balancer.

    A unit that served under a charm that kept no account of it had all that no load balancer had given.
    """
    kept: Mapping[str, Iterable[str]] | None = inputs.memory.get(OWN)
    if kept is None and inputs.memory.get(state.SERVED):
        return {s: frozenset(ENDPOINT_TYPES) - given(inputs, s).keys() for s in services}
    return {service: frozenset(types) for service, types in (kept or {}).items()}


def urls_of(
    one: endpoints.Offered, inputs: state.Inputs, given: Mapping[str, str]
) -> dict[str, str]:
    """By endpoint type, where clients reach *one*; load balancers have *given* some of it."""
    # The units' own haproxy has Apache's applications alone.
    vips = () if one.daemon else vip.asked(inputs)
    urls: dict[str, str] = {}
    for t in ENDPOINT_TYPES:
        scheme, netloc = 'http', ''
        if t in given:
            parts = urlsplit(given[t])
            scheme, netloc = parts.scheme, parts.netloc
        else:
            address = _vip_on(inputs.site, t, vips) or inputs.site.address_on(t)
            netloc = f'{host_in_url(address)}:{one.port}'
        if name := _name(t, inputs):
            port = urlsplit(f'//{netloc}').port
            netloc = name if port is None else f'{name}:{port}'
        urls[t] = f'{scheme}://{netloc}'
    return urls


def hosts_of(
    urls: Mapping[str, Mapping[str, str]], inputs: state.Inputs, balancers: Iterable[Relation]
) -> dict[str, tuple[str, ...]]:
    """By service: the names and addresses of its *urls*, of its load balancers and VIPs, and this unit's own."""
    own = {*vip.asked(inputs), *listen(inputs)}
    replies = [reply for reply in map(loadbalancer.read, balancers) if reply]
    found: dict[str, tuple[str, ...]] = {}
    for service, by_type in urls.items():
        frontends = [f for a in replies for f in a.frontends.get(service, {}).values()]
        published = {host for f in frontends for host in (f.hostname, *f.addresses)}
        hosts = {urlsplit(url).hostname or '' for url in by_type.values()}
        found[service] = tuple(sorted((own | published | hosts) - {''}))
    return found


def _vip_on(site: Site, binding: str, vips: tuple[str, ...]) -> str:
    """The VIP that lies in the binding's networks, or else the first."""
    near = [vip for vip in vips if site.is_near(binding, vip)]
    return (near or [*vips] or [''])[0]


def listen(
    inputs: state.Inputs, types: Iterable[EndpointType] = ENDPOINT_TYPES
) -> tuple[str, ...]:
    """Where an application with endpoints of *types* listens.

    Literal addresses only: a wildcard would serve on networks that the operator kept away.
    """
    if inputs.options.get('vip'):  # The units' own haproxy asks each at any of its addresses.
        types = ENDPOINT_TYPES
    related = (r.name for r in load_balancers(inputs) if loadbalancer.ENDPOINTS[r.name] in types)
    found = {a for b in (*types, *related) for a in endpoints.addresses_on(inputs.site, b)}
    # Nor on a VIP that it happens to hold.
    return ('127.0.0.1', *sorted(found - {'127.0.0.1', *vip.asked(inputs)}))
