"""What haproxy's configuration says, as plain data. Times in milliseconds."""

from __future__ import annotations

import dataclasses
from typing import Literal

from .. import limits

Mode = Literal['http', 'tcp']
Balance = Literal['leastconn', 'roundrobin', 'source-consistent']
Retry = Literal['none', 'conn', 'safe']

SERVER_PATHS = ('/server-status', '/server-info')
"""Apache's own pages: no client has any business with them."""
HIDDEN_PATHS = (*SERVER_PATHS, '/healthcheck')
"""What no client outside has any business with."""


@dataclasses.dataclass(frozen=True)
class Bind:
    """A literal address and port to listen on."""

    address: str
    port: int
    moves: bool = False
    """It is a VIP: listened on also by the unit that does not hold it, ready for when it does."""


@dataclasses.dataclass(frozen=True)
class Host:
    """A host that a request may name, and how clients reach it."""

    name: str
    """A name or an address, without brackets."""
    port: int
    """The port that clients connect to, which their links are to have."""
    scheme: Literal['http', 'https'] = 'http'
    """``https`` where something in front of this haproxy ends TLS."""

    @property
    def is_default_port(self) -> bool:
        """Whether clients leave the port out."""
        return self.port == (443 if self.scheme == 'https' else 80)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tls:
    """TLS that ends at a frontend."""

    folders: tuple[str, ...]
    """Of certificates; a client's name for the server chooses among them."""
    minimum: Literal['1.2', '1.3'] = '1.2'
    plain_too: bool = False
    """Clients may speak HTTP without TLS on the same port as well, for as long as they change over."""
    strict_transport_s: int = 0
    """How long browsers that came by a host name are to come by TLS alone (RFC 6797), seconds; 0: it is not said."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Frontend:
    """Where one service is served, and what may pass."""

    name: str
    binds: tuple[Bind, ...]
    backend: str
    mode: Mode = 'http'
    client_ms: int = limits.ORDINARY.client_s * 1000
    maxconn: int = 0
    hosts: tuple[Host, ...] = ()
    strict_hosts: bool = True
    """Refuse requests that name any other host (421)."""
    denied_paths: tuple[str, ...] = ()
    """Prefixes of paths that are answered 404, however they are spelt."""
    allowed: tuple[str, ...] | None = None
    """The only networks that are served; None: all. An empty tuple lets nobody in."""
    keep_underscores: bool = False
    """Let header names with underscores pass: object metadata has them."""
    literal_paths: bool = False
    """``..`` in a path is part of a name, and not a step up: names of objects may have it."""
    small_bodies: bool = False
    """Take bodies of up to one buffer in whole before a server is given the request."""
    closing: bool = False
    """Each response says that its connection ends."""
    proxy_protocol_from: tuple[str, ...] = ()
    """Networks that begin each connection with the PROXY protocol."""
    forwarded_from: tuple[str, ...] = ()
    """Networks whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed."""
    public: bool = False
    """Outsiders come here: they cannot say who they are by the headers from which services learn that."""
    denied_methods: tuple[str, ...] = ()
    """Answered 405."""
    max_body: int = 0
    """The longest body that a request may announce, bytes; 0: any."""
    requests_limit: int = 0
    """Requests of one client in ten seconds, beyond which they are answered 429; 0: any number."""
    logins_limit: int = 0
    """Wrong passwords of one client in a minute, after which none of it is tried any more; 0: any number."""
    tls: Tls | None = None
    """None: whoever comes speaks HTTP."""
    changed_over: bool = False
    """Both schemes were taken here: a worker from before a reload may still have connections to hand on."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Check:
    """How a server's health is asked for."""

    method: str = 'GET'
    path: str = '/healthcheck'
    expect: tuple[str, ...] = ('200',)
    """Statuses, and ranges of them such as ``200-399``."""
    host: str = ''
    port: int = 0
    """Where to ask, if not on the port that serves."""
    interval_ms: int = 2000
    fall: int = 3
    rise: int = 2
    timeout_ms: int = limits.CHECK_S * 1000
    tcp: bool = False
    """Only connect."""
    tls: bool = False
    """Ask over TLS with the certificate unchecked, as version 1 of the interface has it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Server:
    """One unit that serves."""

    name: str
    address: str
    port: int
    weight: int = 100
    backup: bool = False
    maxconn: int = 0
    """Requests at once; the rest wait. 0: as many as come."""
    server_name: str = ''
    """It is spoken to by TLS, and has to show a certificate for this name; '': without TLS."""
    disabled: bool = False
    """Out of rotation when haproxy starts from nothing."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Backend:
    """The servers of one service, and how they are used."""

    name: str
    servers: tuple[Server, ...]
    mode: Mode = 'http'
    host: str = ''
    """What checks name as their host, where :attr:`Check.host` is silent."""
    balance: Balance = 'leastconn'
    server_ms: int = limits.ORDINARY.server_s * 1000
    queue_ms: int = limits.QUEUE_S * 1000
    tunnel_ms: int = 0
    retry: Retry = 'safe'
    """``safe`` repeats GET and HEAD; ``conn`` what was never sent; ``none`` nothing."""
    check: Check = Check()
    outsiders: bool = False
    """Outsiders come here: those who transfer much never get all places (:mod:`transfers`)."""


@dataclasses.dataclass(frozen=True)
class Peer:
    """A unit that shares its counters of clients."""

    name: str
    address: str
    port: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ready:
    """Where ``/ready`` says whether this haproxy wants clients; always on loopback."""

    port: int
    addresses: tuple[str, ...] = ()
    """Inside the cloud: whoever reaches them may ask."""
    guarded: tuple[str, ...] = ()
    """Addresses that outsiders reach: only :attr:`sources` may ask there."""
    sources: tuple[str, ...] = ()
    in_service: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """All of it."""

    unit: str
    ready: Ready
    frontends: tuple[Frontend, ...] = ()
    backends: tuple[Backend, ...] = ()
    metrics: tuple[Bind, ...] = ()
    ends: tuple[str, ...] = ()
    """What there are certificates for: when they end is in :data:`haproxy.ENDS`, and shown at ``/certificates``."""
    maxconn: int = 0
    """Connections at once; 0: as many as descriptors and memory allow."""
    descriptors: int = 40_000
    """At most so many file descriptors, two for each connection."""
    threads: int = 0
    """0: as many as there are processors."""
    log_requests: bool = False
    """Log every request, not only those that went wrong."""
    authorities: tuple[str, ...] = ()
    """Who may have issued the certificates of servers, PEM."""
    peers: tuple[Peer, ...] = ()
    """Units that share counters, this one among them."""
    syslog: tuple[str, ...] = ()
    """Where the log goes besides, ``HOST:PORT`` (UDP)."""
    keep_states: bool = False
    """Take the administrative state of servers over a reload from :data:`haproxy.STATE_FILE`."""
