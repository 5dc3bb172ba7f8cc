"""Where a service meets its clients: its addresses, its load balancers, and who may stop. Pure.

The catalogue's URL of an endpoint type is, in this order (charm-helpers' order, with one step
more): the host of ``os-TYPE-hostname``, the load balancer's frontend, the VIP, the unit's own
address.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from . import host, state, vip
from . import spec as spec_
from .relations import (
    ENDPOINT_TYPES,
    Databag,
    EndpointType,
    Relation,
    Site,
    host_in_url,
    loadbalancer,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """Where this unit serves, and whether it does."""

    site: Site
    """The site with its URLs filled in."""
    addresses: tuple[str, ...]
    """What Apache listens on."""
    out_of_service: bool
    told: bool
    """Whoever sends clients here knows that this unit stops: a load balancer has drained it, or
    there is none. Others must be left to notice that its health check fails."""
    status: state.Status | None
    host: host.Host
    peer_data: Databag
    """What this unit says to its peers."""
    unit_data: Mapping[str | int, Databag] = dataclasses.field(
        default_factory=dict[str | int, Databag]
    )
    app_data: Mapping[str | int, Databag] = dataclasses.field(
        default_factory=dict[str | int, Databag]
    )


def place(spec: spec_.ServiceSpec, inputs: state.Inputs) -> Place:
    """Work it out for the service *spec*."""
    balancers = [r for name in loadbalancer.ENDPOINTS for r in inputs.of(name)]
    offered = [
        loadbalancer.Service(
            name=_offered_name(spec, app),
            type=app.type,
            frontend_port=app.port,
            backend_port=app.port,
            path=app.path,
            types=app.types,
            options={'check': {'method': 'GET', 'path': '/healthcheck', 'expect': ['200']}},
        )
        for app in spec.apps
        if app.type
    ]
    lifecycle = _lifecycle(balancers, inputs)
    drain = loadbalancer.drain(balancers, inputs.site.unit, lifecycle)
    addresses = _listen(inputs, balancers)
    own, homeless = ((), ()) if balancers else vip.placed(inputs)
    ports = {app.name: app.port for app in spec.apps}
    out = inputs.paused and (
        not balancers or lifecycle.state == 'maintenance' or drain.state == 'unsupported'
    )
    by_relation: dict[int, EndpointType] = {
        r.id: loadbalancer.ENDPOINTS[r.name] for r in balancers
    }
    return Place(
        site=dataclasses.replace(inputs.site, urls=_urls(spec, inputs, balancers)),
        addresses=addresses,
        out_of_service=out,
        told=lifecycle.state == 'maintenance' if balancers else not inputs.options.get('vip'),
        status=_status(inputs, balancers, lifecycle, drain, out) or _misplaced(homeless),
        host=vip.desired(inputs, own, addresses, ports, leaving=inputs.leaving)
        if own
        else vip.absent(),
        peer_data=vip.request(addresses),
        unit_data={
            r.id: loadbalancer.unit_request(
                offered,
                by_relation[r.id],
                _addresses_on(inputs.site, r.name),
                loadbalancer.told(r, balancers, inputs.site.unit, lifecycle),
            )
            for r in balancers
        },
        app_data={r.id: loadbalancer.app_request(offered, by_relation[r.id]) for r in balancers},
    )


def _offered_name(spec: spec_.ServiceSpec, app: spec_.WsgiApp) -> str:
    return spec.name if app == spec.apps[0] else app.name


def _lifecycle(balancers: list[Relation], inputs: state.Inputs) -> loadbalancer.Lifecycle:
    lifecycle = loadbalancer.steer(
        loadbalancer.last(balancers),
        balancers,
        unit=inputs.site.unit,
        paused=inputs.paused,
        healthy=inputs.healthy,
        fresh_token=state.password(inputs, 'lifecycle'),
        wish=inputs.drain_wish,
    )
    if inputs.tick and lifecycle.state != 'ready':
        return dataclasses.replace(lifecycle, beat=lifecycle.beat + 1)
    return lifecycle


def _urls(
    spec: spec_.ServiceSpec, inputs: state.Inputs, balancers: Iterable[Relation]
) -> dict[str, str]:
    app = spec.apps[0]
    balanced = loadbalancer.urls(balancers, spec.name)
    vips = str(inputs.options.get('vip') or '').split()
    urls: dict[str, str] = {}
    for t in ENDPOINT_TYPES:
        scheme, netloc = 'http', ''
        if t in balanced:
            parts = urlsplit(balanced[t])
            scheme, netloc = parts.scheme, parts.netloc
        else:
            address = _vip_on(inputs.site, t, vips) or inputs.site.address_on(t)
            netloc = f'{host_in_url(address)}:{app.port}'
        if name := str(inputs.options.get(f'os-{t}-hostname') or ''):
            port = urlsplit(f'//{netloc}').port
            netloc = name if port is None else f'{name}:{port}'
        urls[t] = f'{scheme}://{netloc}'
    return urls


def _vip_on(site: Site, binding: str, vips: list[str]) -> str:
    """The VIP that lies in the binding's networks, or else the first."""
    near = [vip for vip in vips if site.is_near(binding, vip)]
    return (near or vips or [''])[0]


def _addresses_on(site: Site, binding: str) -> tuple[str, ...]:
    return site.all_addresses.get(binding) or (site.address_on(binding),)


def _listen(inputs: state.Inputs, balancers: Iterable[Relation]) -> tuple[str, ...]:
    """Literal addresses only: a wildcard would serve on networks that the operator kept away."""
    bindings = (*ENDPOINT_TYPES, *(r.name for r in balancers))
    found = {a for b in bindings for a in _addresses_on(inputs.site, b)}
    return ('127.0.0.1', *sorted(found - {'127.0.0.1'}))


def _misplaced(homeless: tuple[str, ...]) -> state.Status | None:
    if not homeless:
        return None
    return state.Status('blocked', f'vip is in no network of this unit: {" ".join(homeless)}')


def _status(
    inputs: state.Inputs,
    balancers: list[Relation],
    lifecycle: loadbalancer.Lifecycle,
    drain: loadbalancer.Drain,
    out: bool,
) -> state.Status | None:
    if inputs.paused and out:
        return state.Status('maintenance', 'paused: run the resume action to serve again')
    if inputs.paused:
        return state.Status('maintenance', f'draining, {drain.state}: {drain.reason}')
    if lifecycle.state != 'ready':
        return state.Status('waiting', 'waiting to be healthy before clients come back')
    if complaints := loadbalancer.complaints(balancers):
        return state.Status('blocked', '; '.join(complaints))
    return None
