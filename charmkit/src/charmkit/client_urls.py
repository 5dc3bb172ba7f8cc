"""Where clients find a service: URLs by endpoint type, the names in them, and where the unit listens for that. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from . import endpoints, state, vip
from .relations import (
    ENDPOINT_TYPES,
    EndpointType,
    Relation,
    Site,
    host_in_url,
    loadbalancer,
)


def load_balancers(inputs: state.Inputs) -> list[Relation]:
    """The relations with load balancers."""
    return [r for name in loadbalancer.ENDPOINTS for r in inputs.of(name)]


def unregistered(
    given: Mapping[str, Mapping[str, str]], inputs: state.Inputs, balancers: Iterable[Relation]
) -> frozenset[EndpointType]:
    """Endpoint types that nobody balances, where some load balancer serves another one.

    They would be a unit's own address, in a network that may be private. The internal type stays: by it the
    cloud's services find one another, and without it none of them could check a token.
    """
    related = {loadbalancer.ENDPOINTS[r.name] for r in balancers}
    if not any(given.values()):
        return frozenset()
    return frozenset(
        t
        for t in ENDPOINT_TYPES
        if t != 'internal' and t not in related and not inputs.options.get(f'os-{t}-hostname')
    )


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
        if name := str(inputs.options.get(f'os-{t}-hostname') or ''):
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
