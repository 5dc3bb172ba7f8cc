"""What a service has for clients: applications of Apache's, and daemons that listen by themselves. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

from . import apache, limits, state
from . import spec as spec_
from .relations import EndpointType, Relation, Site, loadbalancer


@dataclasses.dataclass(frozen=True, kw_only=True)
class Offered:
    """One of them."""

    service: str
    """What it is called at the load balancer, and in the catalogue if it is there."""
    port: int
    api: loadbalancer.Api | None
    """What is published to a load balancer; None: nothing."""
    daemon: bool = False


def every(
    spec: spec_.ServiceSpec,
    inputs: state.Inputs,
    in_force: Mapping[str, int] | None = None,
) -> Iterator[Offered]:
    """All that *spec* has; *in_force*: see :func:`requests_at_once`."""
    for app in spec.apps:
        service = spec.service_of(app)
        api = loadbalancer.Api(
            name=service,
            type=app.type,
            frontend_port=app.port,
            backend_port=app.port,
            tls_port=app.port + apache.TLS_OFFSET,
            path=app.path,
            types=app.types,
            # Each unit's own: another one may have another size.
            requests_at_once=requests_at_once(spec, app, inputs, in_force),
            options=_options('/healthcheck', app.silence),
        )
        yield Offered(service=service, port=app.port, api=api if app.type else None)
    for served in spec.served:
        api = loadbalancer.Api(
            name=served.service,
            type=served.type,
            frontend_port=served.port,
            backend_port=served.port,
            types=served.types,
            options=_options(served.health, served.silence),
        )
        yield Offered(service=served.service, port=served.port, api=api, daemon=True)


def size(spec: spec_.ServiceSpec, app: spec_.WsgiApp, inputs: state.Inputs) -> apache.Size:
    """How many processes and threads serve *app* on this unit."""
    return apache.size(
        inputs.facts.cpus,
        inputs.facts.memory_mib // len(spec.apps),
        one_thread=app.one_thread,
        processes=int(inputs.options.get('workers', 0)),
        threads=int(inputs.options.get('threads', 0)),
        bulk=app.silence.client_s >= limits.IDLE_S,
    )


def requests_at_once(
    spec: spec_.ServiceSpec,
    app: spec_.WsgiApp,
    inputs: state.Inputs,
    in_force: Mapping[str, int] | None = None,
) -> int:
    """How many requests this unit can take at once for *app*.

    *in_force*: by application, while Apache has another configuration than the one that is wanted.
    """
    return (in_force or {}).get(app.name) or size(spec, app, inputs).requests


def listening(
    spec: spec_.ServiceSpec, site: Site, balancers: Iterable[Relation]
) -> dict[str, str]:
    """By service that a daemon serves: the one address that it listens on, where its load balancer asks for it."""
    related: dict[EndpointType, str] = {loadbalancer.ENDPOINTS[r.name]: r.name for r in balancers}
    return {s.service: _address(s.types, site, related) for s in spec.served}


def _address(types: tuple[EndpointType, ...], site: Site, related: dict[EndpointType, str]) -> str:
    balanced = (addresses_on(site, related[t])[0] for t in types if t in related)
    return next(balanced, site.address_on(types[0]))


def addresses_on(site: Site, binding: str) -> tuple[str, ...]:
    """This unit's addresses on *binding*, the preferred one first."""
    return site.all_addresses.get(binding) or (site.address_on(binding),)


def _options(health: str, silence: limits.Silence) -> dict[str, object]:
    return {
        'check': {'method': 'GET', 'path': health, 'expect': ['200']},
        # Apache waits a little longer for each (charmkit.limits).
        'timeouts': {'client': f'{silence.client_s}s', 'server': f'{silence.server_s}s'},
    }
