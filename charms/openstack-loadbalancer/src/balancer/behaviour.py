"""How each kind of service is checked, timed and balanced: a table, and what overrides it.

The table is by the catalogue's service type. Over it goes what the relation asks for, and over
that what the operator sets in ``service-options``. Checks and timeouts are those that large
deployments run with; an API's own ``/healthcheck`` is used wherever it has one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from . import checked

BALANCES = {
    'leastconn': 'leastconn',
    'roundrobin': 'roundrobin',
    # Consistent: a server can leave and come back, and a weight can change, at run time.
    'source-consistent': 'source',
}
RETRIES = ('none', 'conn', 'safe')
REPEATED_UP_TO = 10_000
"""Requests a second to one backend above which reads that die are no longer repeated."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Check:
    """How a server's health is asked for. Times in milliseconds."""

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
    timeout_ms: int = 10_000
    tcp: bool = False
    """Only connect."""
    tls: bool = False
    """Ask over TLS with the certificate unchecked, as version 1 of the interface has it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What one service gets. Times in milliseconds, 0 for the default of haproxy."""

    check: Check = Check()
    balance: str = 'leastconn'
    client_ms: int = 60_000
    server_ms: int = 60_000
    queue_ms: int = 60_000
    tunnel_ms: int = 0
    frontend_maxconn: int = 0
    server_maxconn: int = 0
    retry: str = 'safe'
    """``safe`` repeats GET and HEAD (up to :data:`REPEATED_UP_TO`); ``conn`` what was never sent; ``none`` nothing."""
    keep_underscores: bool = False
    """Let header names with underscores pass: object metadata has them."""
    denied_paths: Mapping[str, tuple[str, ...]] = dataclasses.field(
        default_factory=dict[str, tuple[str, ...]]
    )
    """By endpoint type, path prefixes that are answered 404."""
    allowed_cidrs: Mapping[str, tuple[str, ...]] = dataclasses.field(
        default_factory=dict[str, tuple[str, ...]]
    )
    """By endpoint type, the only networks that are served; absent: all."""
    not_public: bool = False
    """Never on a public frontend, whoever asks for it."""


def _at(path: str, *expect: str, method: str = 'GET') -> Check:
    return Check(method=method, path=path, expect=expect or ('200',))


_TCP = Check(tcp=True)
_SLOW = 300_000
_HOUR = 3_600_000
_ANY_ANSWER = ('200-499',)

_API = Behaviour()
_SLOW_API = Behaviour(server_ms=_SLOW)
_ROOT = Behaviour(check=_at('/', '200', '300'))
_BULK = Behaviour(client_ms=_HOUR, server_ms=_HOUR)
_CONSOLE = Behaviour(tunnel_ms=_HOUR, balance='source-consistent', retry='conn')

TABLE: Mapping[str, Behaviour] = {
    'identity': _API,
    'image': _BULK,
    'volumev3': _SLOW_API,
    'block-storage': _SLOW_API,
    # These have no /healthcheck route: their root lists versions.
    'compute': dataclasses.replace(_ROOT, server_ms=_SLOW),
    'placement': dataclasses.replace(_ROOT, not_public=True),
    'compute-metadata': dataclasses.replace(_ROOT, not_public=True),
    'network': _SLOW_API,
    'orchestration': _SLOW_API,
    'cloudformation': _SLOW_API,
    'dashboard': Behaviour(check=_at('/auth/login/', '200'), balance='source-consistent'),
    'key-manager': _API,
    'load-balancer': dataclasses.replace(_ROOT, server_ms=_SLOW),
    'dns': _API,
    'baremetal': dataclasses.replace(
        _ROOT,
        server_ms=_SLOW,
        denied_paths={'public': ('/v1/lookup', '/v1/heartbeat')},
    ),
    'sharev2': _SLOW_API,
    'shared-file-system': _SLOW_API,
    'container-infra': _API,
    'alarming': _API,
    'metric': _API,
    'rating': _API,
    'database': _API,
    'instance-ha': _ROOT,
    'workflowv2': _ROOT,
    # It answers its root with 401, and that is how it looks when it is well.
    'reservation': Behaviour(check=_at('/', '401', '200', method='OPTIONS')),
    'object-store': dataclasses.replace(_BULK, keep_underscores=True),
    'novnc': dataclasses.replace(_CONSOLE, check=_at('/vnc.html')),
    'spice': dataclasses.replace(_CONSOLE, check=_at('/spice_auto.html')),
    # It speaks websockets alone, and says 405 to all else.
    'serial': dataclasses.replace(_CONSOLE, check=_at('/', '405', '200', '400')),
}
UNKNOWN = Behaviour(check=_at('/', *_ANY_ANSWER))
"""For a service type that the table does not have: anything but a server's own error is health."""


def of_type(service_type: str) -> Behaviour:
    """The table's row for *service_type*."""
    return TABLE.get(service_type, UNKNOWN)


def overridden(
    base: Behaviour, data: Mapping[str, Any], where: str, *, operator: bool = False
) -> Behaviour:
    """*base* with what *data* (a relation's endpoint, or the operator's options) sets.

    Raises:
        checked.InvalidError: a value is not what it may be; *where* begins the message.
    """
    out = dataclasses.replace(base, check=_check(base.check, data.get('check'), where))
    if data.get('balance') is not None:
        balance = checked.one_of(data['balance'], f'{where} balance', tuple(BALANCES))
        out = dataclasses.replace(out, balance=balance)
    if data.get('retry') is not None:
        retry = checked.one_of(data['retry'], f'{where} retry', RETRIES)
        out = dataclasses.replace(out, retry=retry)
    times = checked.mapping(data.get('timeouts'), f'{where} timeouts')
    for name in ('client', 'server', 'queue', 'tunnel'):
        if times.get(name) is not None:
            ms = checked.duration_ms(times[name], f'{where} timeouts {name}')
            out = dataclasses.replace(out, **{f'{name}_ms': ms})
    most = checked.mapping(data.get('maxconn'), f'{where} maxconn')
    for name in ('frontend', 'server'):
        if most.get(name) is not None:
            n = checked.integer(most[name], f'{where} maxconn {name}', 1, 1_000_000)
            out = dataclasses.replace(out, **{f'{name}_maxconn': n})
    exposure = checked.mapping(data.get('exposure'), f'{where} exposure')
    return _exposed(out, exposure, f'{where} exposure', operator=operator)


def _exposed(base: Behaviour, data: Mapping[str, Any], where: str, *, operator: bool) -> Behaviour:
    """What may be reached from where. Only the operator can open what is shut."""
    denied = dict(base.denied_paths)
    for t, paths in checked.mapping(data.get('denied-paths'), f'{where} denied-paths').items():
        more = tuple(
            checked.text(p, f'{where} denied-paths', checked.PATH)
            for p in checked.items(paths, f'{where} denied-paths')
        )
        denied[_type(t, where)] = (*denied.get(t, ()), *more)
    allowed = dict(base.allowed_cidrs)
    for t, nets in checked.mapping(data.get('allowed-cidrs'), f'{where} allowed-cidrs').items():
        found = checked.items(nets, f'{where} allowed-cidrs')
        allowed[_type(t, where)] = tuple(
            str(checked.network(n, f'{where} allowed-cidrs')) for n in found
        )
    shut = base.not_public
    if data.get('public') is not None:
        public = checked.boolean(data['public'], f'{where} public')
        shut = not public if operator else shut or not public
    return dataclasses.replace(base, denied_paths=denied, allowed_cidrs=allowed, not_public=shut)


def _type(value: object, where: str) -> str:
    return checked.one_of(value, where, ('public', 'internal', 'admin'))


def _check(base: Check, data: object, where: str) -> Check:
    where = f'{where} check'
    given = {k: v for k, v in checked.mapping(data, where).items() if v is not None}
    change: dict[str, Any] = {}
    if 'method' in given:
        methods = ('GET', 'HEAD', 'OPTIONS')
        change['method'] = checked.one_of(given['method'], f'{where} method', methods)
    if 'path' in given:
        change['path'] = checked.text(given['path'], f'{where} path', checked.PATH)
    if 'expect' in given:
        statuses = checked.items(given['expect'], f'{where} expect', at_most=16)
        change['expect'] = tuple(
            checked.text(str(s), f'{where} expect', checked.STATUS) for s in statuses
        )
        if not statuses:
            raise checked.InvalidError(f'{where} expect is empty')
    if 'host' in given:
        change['host'] = checked.text(given['host'], f'{where} host', checked.HOSTNAME)
    if 'port' in given:
        change['port'] = checked.port(given['port'], f'{where} port')
    for key, low, high in (
        ('interval-ms', 100, 3_600_000),
        ('timeout-ms', 100, 600_000),
        ('fall', 1, 100),
        ('rise', 1, 100),
    ):
        if key in given:
            number = checked.integer(given[key], f'{where} {key}', low, high)
            change[key.replace('-', '_')] = number
    if change.keys() & {'method', 'path', 'expect'}:
        change['tcp'] = False
    return dataclasses.replace(base, **change)
