"""Where a service meets its clients: its addresses, its load balancers, and who may stop. Pure.

The catalogue's URL of an endpoint type is, in this order (charm-helpers' order, with one step
more): the host of ``os-TYPE-hostname``, the load balancer's frontend, the VIP, the unit's own
address. Where there is a load balancer, nothing is registered before it has said where its frontend is.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Mapping
from typing import Any

from . import (
    departure,
    endpoints,
    host,
    mixed_releases,
    renewal,
    state,
    unit_certificate,
    unit_tls,
    vip,
)
from . import spec as spec_
from .client_urls import BALANCED as BALANCED
from .client_urls import OWN as OWN
from .client_urls import awaited, hosts_of, remembered, unregistered, urls_of
from .client_urls import balanced as balanced
from .client_urls import given as given
from .client_urls import listen as listen
from .client_urls import load_balancers as load_balancers
from .proxy import vip_admission
from .relations import (
    ENDPOINT_TYPES,
    Databag,
    EndpointType,
    Relation,
    Site,
    drains,
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
    closing: bool = False
    """It is being removed, and is about to give its VIPs away (:mod:`charmkit.departure`)."""
    gone: bool = False
    """It is being removed, and nobody sends clients to it any more."""
    renews: bool = False
    """Apache is to take up another configuration (:mod:`charmkit.renewal`), out of rotation."""


PAUSED = state.PAUSED
SERVED = state.SERVED
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
    departs = departure.decide(why, inputs, balanced=bool(load_balancers(inputs)))
    return ServiceIntent(
        paused=paused or departs.gone,
        removing=why.removing,
        closing=departs.closing,
        gone=departs.gone,
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


_NO_CERTIFICATE = unit_certificate.UnitCertificate(name='')


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
    """It is known what to tell of its endpoints: no option that says so is bad for want of a good one, and its
    relations do not go."""
    vips: str
    """The VIPs in force."""
    urls_memory: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    """What later runs are to know of the URLs that clients have (:mod:`charmkit.client_urls`)."""
    tls: unit_tls.UnitTls = dataclasses.field(default_factory=unit_tls.UnitTls)
    """How Apache is to be reached by load balancers."""
    certificate: unit_certificate.UnitCertificate = _NO_CERTIFICATE
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
    spec: spec_.ServiceSpec,
    inputs: state.Inputs,
    intent: ServiceIntent,
    *,
    takes_up: bool = True,
) -> ServingState:
    """Work it out for the service *spec*; *takes_up*: Apache has, or is about to have, what is wanted of it."""
    balancers = load_balancers(inputs)
    inputs, homeless = (inputs, ()) if balancers else vip.housed(inputs)
    in_force: Mapping[str, int] | None = None if takes_up else inputs.memory.get(renewal.REQUESTS)
    apis = [o.api for o in endpoints.every(spec, inputs, in_force) if o.api]
    lifecycle = _lifecycle(balancers, inputs, intent)
    drain = drains.drain(balancers, inputs.site.unit, lifecycle)
    addresses = listen(inputs)
    own = () if balancers else vip.placed(inputs)[0]
    apps = {
        app.name: vip.App(
            app.port, app.silence, endpoints.requests_at_once(spec, app, inputs, in_force)
        )
        for app in spec.apps
    }
    out = intent.paused and (
        not balancers or lifecycle.state == 'maintenance' or drain.state == 'unsupported'
    )
    by_relation: dict[int, EndpointType] = {
        r.id: loadbalancer.ENDPOINTS[r.name] for r in balancers
    }
    given = balanced(spec, inputs)
    urls = {o.service: urls_of(o, inputs, given[o.service]) for o in endpoints.every(spec, inputs)}
    runs = mixed_releases.here(spec, inputs)
    gone = unregistered(given, inputs, balancers)
    wait = awaited(endpoints.every(spec, inputs), given, inputs, balancers)
    certificate = unit_certificate.read(inputs, addresses)
    served = inputs.memory.get(renewal.IN_FORCE) is not None
    tls = unit_tls.decide(certificate, balancers, inputs, gone, served=served)
    tls_before = unit_tls.before(tls, inputs)
    tls_published = tls if takes_up else tls_before
    mine = vip.part(
        inputs,
        own,
        addresses,
        apps,
        time_passes=intent.time_passes,
        removing=intent.removing,
        closing=intent.closing,
    )
    return ServingState(
        site=dataclasses.replace(
            inputs.site,
            urls=urls,
            hosts=hosts_of(urls, inputs, balancers),
            listening=endpoints.listening(spec, inputs.site, balancers),
            secure_port={
                o.service: o.api.tls_port
                for o in endpoints.every(spec, inputs)
                if o.api and o.api.tls_port and tls_before.published
            },
            unregistered=gone,
            awaited=wait,
        ),
        addresses=addresses,
        out_of_service=out,
        announced=lifecycle.state == 'maintenance'
        if balancers
        else intent.gone or not inputs.options.get('vip'),
        status=_status(intent, balancers, lifecycle, drain, out)
        or vip.misplaced(homeless)
        or _unanswered(wait, balancers)
        or mine.status,
        vrrp=mine,
        # The relations of one that is being removed go one by one: it has no load balancer any more, and others do.
        settled=not (inputs.unsettled or inputs.dying),
        vips=str(inputs.options.get('vip') or ''),
        urls_memory=remembered(given, wait, gone, inputs),
        lifecycle=lifecycle,
        trusted=trusted(inputs),
        coming_back=_state(drains.last_lifecycle(balancers)) in ('drain', 'maintenance'),
        tls=tls,
        certificate=certificate,
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
                    server_name=tls_published.server_name if tls_published.published else '',
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


_RENEWAL = loadbalancer.Lifecycle(state='drain', token='', reason=renewal.REASON)
_REMOVED = state.Status('maintenance', 'is being removed')
_PAUSED = state.Status('maintenance', 'paused: run the resume action to serve again')


def _status(
    intent: ServiceIntent,
    balancers: list[Relation],
    lifecycle: loadbalancer.Lifecycle,
    drain: drains.Drain,
    out: bool,
) -> state.Status | None:
    if intent.closing or intent.gone:
        return _REMOVED
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


def _unanswered(
    wait: Mapping[str, frozenset[EndpointType]], balancers: list[Relation]
) -> state.Status | None:
    types = frozenset[EndpointType]().union(*wait.values())
    who = sorted({r.app for r in balancers if loadbalancer.ENDPOINTS[r.name] in types})
    if not types:
        return None
    where = ', '.join(t for t in ENDPOINT_TYPES if t in types)
    said = f'waiting for {", ".join(who)} to say where clients reach it ({where})'
    return state.Status('waiting', said)
