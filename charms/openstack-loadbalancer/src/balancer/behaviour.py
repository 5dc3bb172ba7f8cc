"""How each kind of service is checked, timed and balanced: a table, and what overrides it.

The table is by the catalogue's service type. Over it goes what the relation asks for, and over
that what the operator sets in ``service-options``. Checks and timeouts are those that large
deployments run with (kolla-ansible, openstack-ansible); an API's own ``/healthcheck`` is used
wherever it has one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

from charmkit import limits
from charmkit.proxy.config import Balance, Check, Retry
from charmkit.relations import ENDPOINT_TYPES

from . import validation

BALANCES: tuple[Balance, ...] = ('leastconn', 'roundrobin', 'source-consistent')
RETRIES: tuple[Retry, ...] = ('none', 'conn', 'safe')

KEYS = ('check', 'balance', 'retry', 'timeouts', 'maxconn', 'exposure', 'urls')
"""What ``service-options`` may say of a service."""
_CHECK_KEYS = (
    'method', 'path', 'expect', 'host', 'port', 'interval-ms', 'timeout-ms', 'fall', 'rise',
)  # fmt: skip
_TIMEOUT_KEYS = ('client', 'server', 'queue', 'tunnel')
_MAXCONN_KEYS = ('frontend', 'server')
_MOST_CONNECTIONS = 1_000_000
_MOST_BODY = 2**40
_LEAST_MS = 1000
"""No service answers in less, nor does a client."""
_LEAST_CONNECTIONS = 16
"""Of a frontend: one client can keep several connections open, and they are no requests yet."""
_SMALLEST_BODY = 4096
"""Bytes: no service's every request is smaller."""
_EXPOSURE_KEYS = ('public', 'denied-paths', 'denied-methods', 'max-body', 'allowed-cidrs')
_METHODS = ('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What one service gets. Times in milliseconds, 0 for none."""

    check: Check = dataclasses.field(default_factory=Check)
    balance: Balance = 'leastconn'
    client_ms: int = limits.ORDINARY.client_s * 1000
    server_ms: int = limits.ORDINARY.server_s * 1000
    queue_ms: int = limits.QUEUE_S * 1000
    tunnel_ms: int = 0
    frontend_maxconn: int = 0
    server_maxconn: int = 256
    """Requests that one unit is given at once, where it does not say how many it can take; the
    rest wait for their turn, or for another unit."""
    maxconn_is_the_operators: bool = False
    """Then no unit's own word goes over it."""
    retry: Retry = 'safe'
    """``safe`` repeats GET and HEAD; ``conn`` what was never sent; ``none`` nothing."""
    small_bodies: bool = False
    """Its requests are small: they are taken in whole before a unit is given them, so that slow
    clients take nothing of it."""
    object_names: bool = False
    """Paths and headers carry the names of objects, which may be anything."""
    denied_paths: Mapping[str, tuple[str, ...]] = dataclasses.field(
        default_factory=dict[str, tuple[str, ...]]
    )
    """By endpoint type, path prefixes that are answered 404."""
    allowed_cidrs: Mapping[str, tuple[str, ...]] = dataclasses.field(
        default_factory=dict[str, tuple[str, ...]]
    )
    """By endpoint type, the only networks that are served; absent: all; empty: none."""
    denied_methods: Mapping[str, tuple[str, ...]] = dataclasses.field(
        default_factory=dict[str, tuple[str, ...]]
    )
    """By endpoint type, methods that are answered 405."""
    max_body: int = 0
    """The longest body that a request may announce, bytes; 0: any."""
    not_public: bool = False
    """Never on a public frontend, whoever asks for it."""


def _at(path: str, *expect: str, method: str = 'GET') -> Check:
    return Check(method=method, path=path, expect=expect or ('200',))


_SLOW_MS = limits.SLOW.server_s * 1000
_IDLE_MS = limits.IDLE_S * 1000
_ANY_RESPONSE = ('200-499',)

_API = Behaviour(small_bodies=True)
_SLOW_API = Behaviour(server_ms=_SLOW_MS)
_ROOT = Behaviour(check=_at('/', '200', '300'))
# Transfers last: a limit as for short requests would have them wait for one another.
_BULK = Behaviour(client_ms=_IDLE_MS, server_ms=_IDLE_MS, server_maxconn=1000)
_CONSOLE = Behaviour(
    tunnel_ms=_IDLE_MS, balance='source-consistent', retry='conn', server_maxconn=0
)

TABLE: Mapping[str, Behaviour] = {
    'identity': _API,
    'image': _BULK,
    'volumev3': _SLOW_API,
    'block-storage': _SLOW_API,
    # These have no /healthcheck route: their root lists versions.
    'compute': dataclasses.replace(_ROOT, server_ms=_SLOW_MS),
    'placement': dataclasses.replace(_ROOT, not_public=True, small_bodies=True),
    'compute-metadata': dataclasses.replace(_ROOT, not_public=True),
    'network': _SLOW_API,
    'orchestration': _SLOW_API,
    'cloudformation': _SLOW_API,
    'dashboard': Behaviour(check=_at('/auth/login/', '200'), balance='source-consistent'),
    'key-manager': _API,
    'load-balancer': dataclasses.replace(_ROOT, server_ms=_SLOW_MS),
    'dns': _API,
    'baremetal': dataclasses.replace(
        _ROOT,
        server_ms=_SLOW_MS,
        denied_paths={'public': ('/v1/lookup', '/v1/heartbeat')},
    ),
    'sharev2': _SLOW_API,
    'shared-file-system': _SLOW_API,
    'container-infra': _API,
    'alarming': _API,
    'metric': Behaviour(),
    'rating': _API,
    'database': _API,
    'instance-ha': _ROOT,
    'workflowv2': _ROOT,
    # It answers its root with 401, and that is how it looks when it is well.
    'reservation': Behaviour(check=_at('/', '401', '200', method='OPTIONS')),
    'object-store': dataclasses.replace(_BULK, object_names=True),
    'novnc': dataclasses.replace(_CONSOLE, check=_at('/vnc.html')),
    'spice': dataclasses.replace(_CONSOLE, check=_at('/spice_auto.html')),
    # It speaks websockets alone, and says 405 to all else.
    'serial': dataclasses.replace(_CONSOLE, check=_at('/', '405', '200', '400')),
}
UNKNOWN = Behaviour(check=_at('/', *_ANY_RESPONSE))
"""For a service type that the table does not have: anything but a server's own error is health."""


def of_type(service_type: str) -> Behaviour:
    """The table's row for *service_type*."""
    return TABLE.get(service_type, UNKNOWN)


def of_connections(base: Behaviour) -> Behaviour:
    """*base* for a service whose connections are passed on as they are: nothing is known of what
    they carry, so they may be silent for as long as any.
    """  # noqa: D205
    return dataclasses.replace(
        base,
        check=Check(tcp=True),
        client_ms=_IDLE_MS,
        server_ms=_IDLE_MS,
        tunnel_ms=_IDLE_MS,
        server_maxconn=0,
        small_bodies=False,
    )


def overridden(
    base: Behaviour, data: Mapping[str, Any], where: str, *, operator: bool = False
) -> Behaviour:
    """*base* with what *data* (a relation's endpoint, or the operator's options) sets.

    What an operator writes must be known, every key of it; a relation may have keys of a later version.

    Raises:
        validation.InvalidError: a value is not what it may be; *where* begins the message.
    """
    if operator:
        validation.mapping(data, where, KEYS)
    out = dataclasses.replace(base, check=_check(base.check, data.get('check'), where, operator))
    if data.get('balance') is not None:
        balance = validation.one_of(data['balance'], f'{where} balance', BALANCES)
        out = dataclasses.replace(out, balance=cast('Balance', balance))
    if data.get('retry') is not None:
        retry = validation.one_of(data['retry'], f'{where} retry', RETRIES)
        out = dataclasses.replace(out, retry=cast('Retry', retry))
    known = _TIMEOUT_KEYS if operator else None
    times = validation.mapping(data.get('timeouts'), f'{where} timeouts', known)
    for name in _TIMEOUT_KEYS:
        if times.get(name) is not None:
            ms = validation.duration_ms(times[name], f'{where} timeouts {name}')
            out = dataclasses.replace(out, **{f'{name}_ms': ms})
    known = _MAXCONN_KEYS if operator else None
    most = validation.mapping(data.get('maxconn'), f'{where} maxconn', known)
    for name in _MAXCONN_KEYS:
        if most.get(name) is not None:
            n = validation.integer(most[name], f'{where} maxconn {name}', 1, _MOST_CONNECTIONS)
            out = dataclasses.replace(out, **{f'{name}_maxconn': n})
    if operator and most.get('server') is not None:
        out = dataclasses.replace(out, maxconn_is_the_operators=True)
    return _exposed(out, data.get('exposure'), f'{where} exposure', operator=operator)


def within_limits(found: Behaviour, where: str) -> None:
    """Refuse what has the right form and would serve nobody.

    It is asked of what an operator sets anew, and of nothing that was in force before.

    Raises:
        validation.InvalidError: *where* begins the message.
    """
    for name in _TIMEOUT_KEYS:
        ms = getattr(found, f'{name}_ms')
        if 0 < ms < _LEAST_MS:
            raise validation.InvalidError(
                f'{where} timeouts {name} is shorter than a second: {ms}ms'
            )
    if n := found.frontend_maxconn:
        validation.integer(n, f'{where} maxconn frontend', _LEAST_CONNECTIONS, _MOST_CONNECTIONS)
    if found.max_body:
        at = f'{where} exposure max-body'
        validation.integer(found.max_body, at, _SMALLEST_BODY, _MOST_BODY)
    if any('/' in paths for paths in found.denied_paths.values()):
        raise validation.InvalidError(f'{where} exposure denied-paths has /, which is all of it')


def _exposed(base: Behaviour, value: object, where: str, *, operator: bool) -> Behaviour:
    """What may be reached from where. Only the operator can open what is shut."""
    data = validation.mapping(value, where, _EXPOSURE_KEYS if operator else None)
    denied = dict(base.denied_paths)
    for t, paths in validation.mapping(data.get('denied-paths'), f'{where} denied-paths').items():
        more = tuple(
            validation.plain_path(p, f'{where} denied-paths')
            for p in validation.items(paths, f'{where} denied-paths')
        )
        denied[_type(t, where)] = (*denied.get(t, ()), *more)
    allowed = dict(base.allowed_cidrs)
    if operator and 'allowed-cidrs' in data and not data['allowed-cidrs']:
        raise validation.InvalidError(
            f'{where} allowed-cidrs says nothing of any endpoint type; wanted: `{{public: []}}`, '
            'which lets nobody in, or networks'
        )
    for t, nets in validation.mapping(data.get('allowed-cidrs'), f'{where} allowed-cidrs').items():
        found = validation.items(nets, f'{where} allowed-cidrs')
        allowed[_type(t, where)] = tuple(
            str(validation.network(n, f'{where} allowed-cidrs')) for n in found
        )
    methods = dict(base.denied_methods)
    for t, found in validation.mapping(
        data.get('denied-methods'), f'{where} denied-methods'
    ).items():
        more = tuple(
            validation.one_of(m, f'{where} denied-methods', _METHODS)
            for m in validation.items(found, f'{where} denied-methods')
        )
        methods[_type(t, where)] = tuple(dict.fromkeys((*methods.get(t, ()), *more)))
    most = base.max_body
    if data.get('max-body') is not None:
        most = validation.integer(data['max-body'], f'{where} max-body', 1, _MOST_BODY)
    shut = base.not_public
    if data.get('public') is not None:
        public = validation.boolean(data['public'], f'{where} public')
        shut = not public if operator else shut or not public
    return dataclasses.replace(
        base,
        denied_paths=denied,
        denied_methods=methods,
        max_body=most,
        allowed_cidrs=allowed,
        not_public=shut,
    )


def _type(value: object, where: str) -> str:
    return validation.one_of(value, where, ENDPOINT_TYPES)


def _check(base: Check, data: object, where: str, operator: bool) -> Check:
    where = f'{where} check'
    known = _CHECK_KEYS if operator else None
    given = {k: v for k, v in validation.mapping(data, where, known).items() if v is not None}
    change: dict[str, Any] = {}
    if 'method' in given:
        methods = ('GET', 'HEAD', 'OPTIONS')
        change['method'] = validation.one_of(given['method'], f'{where} method', methods)
    if 'path' in given:
        change['path'] = validation.text(given['path'], f'{where} path', validation.PATH)
    if 'expect' in given:
        statuses = validation.items(given['expect'], f'{where} expect', at_most=16)
        change['expect'] = tuple(validation.status(s, f'{where} expect') for s in statuses)
        if not statuses:
            raise validation.InvalidError(f'{where} expect is empty')
    if 'host' in given:
        change['host'] = validation.host(given['host'], f'{where} host')
    if 'port' in given:
        change['port'] = validation.port(given['port'], f'{where} port')
    for key, low, high in (
        ('interval-ms', 100, 3_600_000),
        ('timeout-ms', 100, 600_000),
        ('fall', 1, 100),
        ('rise', 1, 100),
    ):
        if key in given:
            number = validation.integer(given[key], f'{where} {key}', low, high)
            change[key.replace('-', '_')] = number
    if change.keys() & {'method', 'path', 'expect'}:
        change['tcp'] = False
    return dataclasses.replace(base, **change)
