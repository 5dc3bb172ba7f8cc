"""Where a service meets its clients: its addresses, its load balancers, and who may stop. Pure.

The catalogue's URL of an endpoint type is, in this order (charm-helpers' order, with one step
more): the host of ``os-TYPE-hostname``, the load balancer's frontend, the VIP, the unit's own
address.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from . import endpoints, host, mixed_releases, renewal, state, vip
from . import spec as spec_
from .proxy import vip_admission
from .relations import (
    ENDPOINT_TYPES,
    Databag,
    EndpointType,
    Relation,
    Site,
    drains,
    host_in_url,
    loadbalancer,
    running,
)
from .why import Action, Why, action


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServiceIntent:
    """What this unit is about to do with its clients, as operator, Juju and its own health have it."""

    paused: bool = False
    """The pause action was run and resume was not since, or the unit is being removed."""
    removing: bool = False
    """It is being removed: its relations are gone already."""
    time_passes: bool = False
    healthy: bool = False
    """Its own health checks have passed in this run."""
    drain: loadbalancer.Lifecycle | None = None
    """What the pause action asks for: reason, deadline, force."""
    renews: bool = False
    """Apache is to take up another configuration (:mod:`charmkit.renewal`), out of rotation."""


PAUSED = 'paused'
"""The name in the unit's memory of whether it is paused."""
BALANCED = 'balanced'
"""Of the URLs that load balancers have given, by service and endpoint type."""
SERVED = 'served'
"""Whether it has had all that it needs, and has not been put out of service for want of it since."""
HEALTH = 'health'
"""Of the task that asks the unit's own API."""


def intent(why: Why, inputs: state.Inputs) -> ServiceIntent:
    """What follows from why this run is."""
    pause = action(why, 'pause')
    paused = bool(inputs.memory.get(PAUSED, False))
    if pause is not None or why.removing:
        paused = True
    elif action(why, 'resume') is not None:
        paused = False
    return ServiceIntent(
        paused=paused,
        removing=why.removing,
        time_passes=why.time_passes,
        healthy=inputs.seen.get(HEALTH) == '',
        drain=_drain_asked(pause) if pause is not None else None,
    )


def _drain_asked(pause: Action) -> loadbalancer.Lifecycle:
    force = bool(pause.params.get('force', False))
    return loadbalancer.Lifecycle(
        state='drain',
        token='',
        reason=str(pause.params.get('reason', 'paused')),
        deadline_s=int(pause.params.get('deadline', 300)),
        on_deadline='force' if force else 'wait',
        force=force,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServingState:
    """Where this unit serves, and whether it does."""

    site: Site
    """The site with its URLs filled in."""
    addresses: tuple[str, ...]
    """What Apache listens on."""
    out_of_service: bool
    announced: bool
    """Whoever sends clients here knows that this unit stops: a load balancer has drained it, or
    there is none. Others must be left to notice that its health check fails."""
    status: state.Status | None
    vrrp: vip.Part
    """Its own haproxy and keepalived, where there is no load balancer."""
    peer_data: Databag
    """What this unit says to its peers."""
    lifecycle: loadbalancer.Lifecycle
    """What this unit wants of its load balancers."""
    settled: bool
    """It is known what to tell of its endpoints: no option that says so is bad for want of a good one."""
    vips: str
    """The VIPs in force."""
    coming_back: bool
    """They have taken it out, and wait to hear that it is well."""
    trusted: tuple[str, ...] = ()
    """Networks (CIDR) whose word on a client's address counts."""
    unheeded: Mapping[str, frozenset[str]] = dataclasses.field(
        default_factory=dict[str, frozenset[str]]
    )
    """What load balancers and peers say that this unit need not hear: see :attr:`charmkit.state.Desired.unheeded`."""
    unit_data: Mapping[str | int, Databag] = dataclasses.field(
        default_factory=dict[str | int, Databag]
    )
    app_data: Mapping[str | int, Databag] = dataclasses.field(
        default_factory=dict[str | int, Databag]
    )


def serving_state(
    spec: spec_.ServiceSpec, inputs: state.Inputs, intent: ServiceIntent
) -> ServingState:
    """Work it out for the service *spec*."""
    balancers = load_balancers(inputs)
    inputs, homeless = (inputs, ()) if balancers else vip.housed(inputs)
    apis = [o.api for o in endpoints.every(spec, inputs) if o.api]
    lifecycle = _lifecycle(balancers, inputs, intent)
    drain = drains.drain(balancers, inputs.site.unit, lifecycle)
    addresses = listen(inputs)
    own = () if balancers else vip.placed(inputs)[0]
    apps = {
        app.name: vip.App(app.port, app.silence, endpoints.size(spec, app, inputs).requests)
        for app in spec.apps
    }
    out = intent.paused and (
        not balancers or lifecycle.state == 'maintenance' or drain.state == 'unsupported'
    )
    by_relation: dict[int, EndpointType] = {
        r.id: loadbalancer.ENDPOINTS[r.name] for r in balancers
    }
    given = balanced(spec, inputs)
    urls = {
        o.service: _urls_of(o, inputs, given[o.service]) for o in endpoints.every(spec, inputs)
    }
    runs = mixed_releases.here(spec, inputs)
    mine = vip.part(
        inputs, own, addresses, apps, time_passes=intent.time_passes, removing=intent.removing
    )
    return ServingState(
        site=dataclasses.replace(
            inputs.site,
            urls=urls,
            hosts=_hosts(urls, inputs, balancers),
            listening=endpoints.listening(spec, inputs.site, balancers),
            unregistered=_unregistered(given, inputs, balancers),
        ),
        addresses=addresses,
        out_of_service=out,
        announced=lifecycle.state == 'maintenance' if balancers else not inputs.options.get('vip'),
        status=_status(intent, balancers, lifecycle, drain, out)
        or vip.misplaced(homeless)
        or mine.status,
        vrrp=mine,
        settled=not inputs.unsettled,
        vips=str(inputs.options.get('vip') or ''),
        lifecycle=lifecycle,
        trusted=trusted(inputs),
        coming_back=_state(drains.last_lifecycle(balancers)) in ('drain', 'maintenance'),
        unheeded={
            **dict.fromkeys(
                loadbalancer.ENDPOINTS,
                _WHILE_READY if lifecycle.state == 'ready' and not intent.paused else _ALWAYS,
            ),
            'peers': vip_admission.UNHEEDED
            if inputs.site.leader
            else vip_admission.UNHEEDED | {renewal.WAITS},
        },
        peer_data={
            **vip.request(addresses),
            **mine.unit_data,
            **running.write(runs),
        },
        unit_data={
            r.id: {
                **loadbalancer.unit_request(
                    apis,
                    by_relation[r.id],
                    endpoints.addresses_on(inputs.site, r.name),
                    drains.lifecycle_for(r, balancers, inputs.site.unit, lifecycle),
                ),
                **running.write(runs),
            }
            for r in balancers
        },
        app_data={r.id: loadbalancer.app_request(apis, by_relation[r.id]) for r in balancers},
    )


_ALWAYS = frozenset({running.KEY})
"""Unheeded: which releases are in rotation: an action asks when it needs to know."""
_WHILE_READY = _ALWAYS | {'acks', 'grants'}
"""And how far a load balancer has come with a drain, or with taking the unit back: nothing follows from the latter."""


def nowhere(inputs: state.Inputs, intent: ServiceIntent) -> ServingState:
    """For an agent, which has no clients: it stops when it is told to."""
    return ServingState(
        site=inputs.site,
        addresses=(),
        out_of_service=intent.paused,
        announced=True,
        status=_PAUSED if intent.paused else None,
        vrrp=vip.Part(machine=host.Host(), memory={}),
        peer_data={},
        lifecycle=loadbalancer.Lifecycle(state='ready', token=''),
        settled=True,
        vips='',
        coming_back=False,
    )


def trusted(inputs: state.Inputs) -> tuple[str, ...]:
    """Networks (CIDR) whose word on a client's address counts.

    Those of the load balancers; else, with a VIP, of the units' own haproxy; else nobody's.
    """
    balancers = load_balancers(inputs)
    if balancers:
        replies = filter(None, map(loadbalancer.read, balancers))
        said = {cidr for reply in replies for cidr in reply.trusted_cidrs}
    elif inputs.options.get('vip'):
        said = set(vip.addresses(inputs))
    else:
        return ()
    return tuple(sorted({str(n) for text in said if (n := _network(text)) is not None}))


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """None for what is no network, or all of them: that would be to believe everybody."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        return None
    return network if network.prefixlen else None


def load_balancers(inputs: state.Inputs) -> list[Relation]:
    """The relations with load balancers."""
    return [r for name in loadbalancer.ENDPOINTS for r in inputs.of(name)]


def serves_clients(inputs: state.Inputs) -> bool:
    """Whether load balancers send clients to this unit, or have not yet seen the last of them."""
    balancers = load_balancers(inputs)
    return _state(drains.last_lifecycle(balancers)) in ('ready', 'drain')


def _state(lifecycle: loadbalancer.Lifecycle | None) -> str:
    return lifecycle.state if lifecycle else ''


def _lifecycle(
    balancers: list[Relation], inputs: state.Inputs, intent: ServiceIntent
) -> loadbalancer.Lifecycle:
    lifecycle = drains.next_lifecycle(
        drains.last_lifecycle(balancers),
        balancers,
        unit=inputs.site.unit,
        paused=intent.paused or intent.renews,
        healthy=intent.healthy,
        fresh_token=state.password(inputs, 'lifecycle'),
        wish=intent.drain or (_RENEWAL if intent.renews else None),
    )
    if intent.time_passes and lifecycle.state != 'ready':
        return dataclasses.replace(lifecycle, beat=lifecycle.beat + 1)
    return lifecycle


def balanced(spec: spec_.ServiceSpec, inputs: state.Inputs) -> dict[str, dict[str, str]]:
    """URLs that load balancers give, by service and endpoint type.

    One that says nothing for a while has not taken back what it said before: only a relation that ends does.
    """
    balancers = load_balancers(inputs)
    related = {loadbalancer.ENDPOINTS[r.name] for r in balancers}
    kept: Mapping[str, Mapping[EndpointType, str]] = inputs.memory.get(BALANCED) or {}
    said = loadbalancer.urls(balancers)
    found: dict[str, dict[str, str]] = {}
    for service in (o.service for o in endpoints.every(spec, inputs)):
        before = {t: u for t, u in kept.get(service, {}).items() if t in related}
        found[service] = {**before, **said.get(service, {})}
    return found


def _unregistered(
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


def _urls_of(
    one: endpoints.Offered, inputs: state.Inputs, given: Mapping[str, str]
) -> dict[str, str]:
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


def _hosts(
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


_RENEWAL = loadbalancer.Lifecycle(state='drain', token='', reason=renewal.REASON)
_PAUSED = state.Status('maintenance', 'paused: run the resume action to serve again')


def _status(
    intent: ServiceIntent,
    balancers: list[Relation],
    lifecycle: loadbalancer.Lifecycle,
    drain: drains.Drain,
    out: bool,
) -> state.Status | None:
    if intent.paused and out:
        return _PAUSED
    if intent.paused:
        return state.Status('maintenance', f'draining, {drain.state}: {drain.reason}')
    if intent.renews and not drain.proceed:
        said = f'draining for a {renewal.REASON}, {drain.state}: {drain.reason}'
        return state.Status('maintenance', said)
    if lifecycle.state != 'ready':
        return state.Status('waiting', 'waiting to be healthy before clients come back')
    if complaints := loadbalancer.complaints(balancers):
        return state.Status('blocked', '; '.join(complaints))
    return None
