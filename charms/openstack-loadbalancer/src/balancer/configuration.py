"""haproxy's configuration for a layout."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from charmkit.proxy import config

from . import layout, tls


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unit:
    """What the configuration needs to know of the unit that it is for."""

    name: str
    inside: tuple[str, ...] = ()
    """Its addresses that only the cloud itself reaches."""
    outside: tuple[str, ...] = ()
    """Its addresses that clients reach."""
    ready_port: int = 8405
    ready_from: tuple[str, ...] = ()
    """Networks of an outside load balancer that asks ``/ready`` on the outer addresses."""
    metrics_addresses: tuple[str, ...] = ()
    metrics_port: int = 8404
    maxconn: int = 0
    descriptors: int = 40_000
    threads: int = 0
    proxy_protocol_from: tuple[str, ...] = ()
    """Networks of an outside load balancer that begins each connection with the PROXY protocol."""
    forwarded_from: tuple[str, ...] = ()
    """Networks of an outside load balancer whose ``X-Forwarded-For`` is to be believed."""
    strict_hosts: bool = True
    log_requests: bool = False
    in_service: bool = True
    requests_limit: int = 0
    logins_limit: int = 0
    """Of each public client; 0: none (:class:`charmkit.proxy.config.Frontend`)."""
    peers: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """The address of each unit that counts clients together with this one, itself among them."""
    peers_port: int = 8406
    syslog: tuple[str, ...] = ()
    authorities: tuple[str, ...] = ()
    """Who may have issued the certificates of units behind, PEM."""
    tls: tls.Tls = dataclasses.field(default_factory=tls.Tls)


def configuration(
    what: layout.Layout,
    unit: Unit,
    disabled: Mapping[str, frozenset[str]] | None = None,
) -> config.Config:
    """What haproxy is to do; *disabled* are servers by backend that a start must not bring into rotation."""
    public = {f.backend for f in what.frontends if 'public' in f.types}
    return config.Config(
        unit=unit.name,
        ready=config.Ready(
            port=unit.ready_port,
            addresses=unit.inside,
            guarded=unit.outside,
            sources=unit.ready_from,
            in_service=unit.in_service,
        ),
        frontends=tuple(_frontend(f, unit) for f in what.frontends),
        backends=tuple(
            _backend(b, (disabled or {}).get(b.name, frozenset()), outsiders=b.name in public)
            for b in what.backends
        ),
        ends=tuple(unit.tls.shown),
        metrics=tuple(config.Bind(a, unit.metrics_port) for a in unit.metrics_addresses),
        maxconn=unit.maxconn,
        descriptors=unit.descriptors,
        threads=unit.threads,
        log_requests=unit.log_requests,
        peers=tuple(
            config.Peer(u.replace('/', '-'), a, unit.peers_port)
            for u, a in sorted(unit.peers.items())
        )
        if unit.requests_limit or unit.logins_limit
        else (),
        syslog=unit.syslog,
        authorities=unit.authorities
        if any(s.server_name for b in what.backends for s in b.servers)
        else (),
        keep_states=True,
    )


def _frontend(f: layout.Frontend, unit: Unit) -> config.Frontend:
    how = f.behaviour
    denied = {path for t in f.types for path in how.denied_paths.get(t, ())}
    hidden = config.HIDDEN_PATHS if 'public' in f.types else config.SERVER_PATHS
    public = 'public' in f.types
    ends = unit.tls.of(f.types) if f.protocol == 'http' else None
    hosts = [h.seen('https' if ends else 'http') for h in f.hosts]
    return config.Frontend(
        name=f.name,
        binds=tuple(config.Bind(a, f.port, moves=a in f.vips) for a in f.addresses),
        backend=f.backend,
        mode=f.protocol,
        client_ms=how.client_ms,
        maxconn=how.frontend_maxconn,
        hosts=tuple(config.Host(h.name, h.port or f.port, h.scheme) for h in hosts),
        strict_hosts=unit.strict_hosts,
        denied_paths=tuple(sorted({*denied, *hidden})),
        allowed=_allowed(f),
        keep_underscores=how.object_names,
        literal_paths=how.object_names,
        small_bodies=how.small_bodies,
        proxy_protocol_from=unit.proxy_protocol_from,
        forwarded_from=unit.forwarded_from,
        public=public,
        denied_methods=tuple(
            dict.fromkeys(m for t in f.types for m in how.denied_methods.get(t, ()))
        ),
        max_body=how.max_body,
        requests_limit=unit.requests_limit if public else 0,
        logins_limit=unit.logins_limit if public and f.type == 'identity' else 0,
        tls=ends,
        changed_over=f.protocol == 'http' and unit.tls.changed_over(f.types),
    )


def _allowed(f: layout.Frontend) -> tuple[str, ...] | None:
    """The networks that may come in. Types that share addresses cannot be told apart: a limit of one is one of all."""
    each = [how for t in f.types if (how := f.behaviour.allowed_cidrs.get(t)) is not None]
    return tuple(sorted({net for nets in each for net in nets})) if each else None


def _backend(b: layout.Backend, disabled: Iterable[str], *, outsiders: bool) -> config.Backend:
    how, away = b.behaviour, frozenset(disabled)
    return config.Backend(
        name=b.name,
        mode=b.protocol,
        host=b.service,
        balance=how.balance,
        server_ms=how.server_ms,
        queue_ms=how.queue_ms,
        tunnel_ms=how.tunnel_ms,
        retry=how.retry,
        check=how.check,
        outsiders=outsiders,
        servers=tuple(
            config.Server(
                name=s.name,
                address=s.address,
                port=s.port,
                weight=s.weight,
                backup=s.backup,
                maxconn=how.server_maxconn
                if how.maxconn_is_the_operators
                else s.maxconn or how.server_maxconn,
                server_name=s.server_name,
                disabled=s.name in away,
            )
            for s in b.servers
        ),
    )
