"""The operator's options, read and checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import yaml
from charmkit.relations import ENDPOINT_TYPES

from . import checked, layout


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """All options, as values of their own kind."""

    rules: layout.Rules
    vips: tuple[str, ...]
    maxconn: int
    strict_hosts: bool
    log_requests: bool
    proxy_protocol_from: tuple[str, ...]
    forwarded_from: tuple[str, ...]
    ready_port: int
    metrics_port: int
    max_concurrent: int
    lease_s: float
    linger_s: float
    drain_wait_s: float
    vrrp_id: int
    advert_s: float


def read(options: Mapping[str, Any]) -> Options:
    """*options* as Juju gives them.

    Raises:
        checked.InvalidError: naming the option that is not what it may be.
    """
    ready, metrics = _port(options, 'ready-port', 8405), _port(options, 'metrics-port', 8404)
    if ready == metrics:
        raise checked.InvalidError('ready-port and metrics-port are the same')
    service_options = _service_options(str(options.get('service-options') or ''))
    layout.check_options(service_options)
    return Options(
        rules=layout.Rules(
            types=_types(str(options.get('endpoint-types') or ' '.join(ENDPOINT_TYPES))),
            families=checked.one_of(
                options.get('address-families') or 'auto',
                'address-families',
                ('auto', 'ipv4', 'ipv6', 'dual'),
            ),
            allow_shared_spaces=bool(options.get('allow-shared-spaces', False)),
            external_vips=_external(str(options.get('external-vips') or '')),
            hostnames={
                t: checked.text(h, 'hostnames', checked.HOSTNAME)
                for t, h in _pairs('hostnames', str(options.get('hostnames') or ''))
            },
            service_options=service_options,
            reserved_ports={ready: 'ready-port', metrics: 'metrics-port'},
        ),
        vips=tuple(str(checked.address(v, 'vip')) for v in str(options.get('vip') or '').split()),
        maxconn=checked.integer(options.get('maxconn', 0), 'maxconn', 0, 1_000_000),
        strict_hosts=bool(options.get('strict-hosts', True)),
        log_requests=bool(options.get('log-requests', False)),
        proxy_protocol_from=_networks(options, 'proxy-protocol-from'),
        forwarded_from=_networks(options, 'forwarded-from'),
        ready_port=ready,
        metrics_port=metrics,
        max_concurrent=_integer(options, 'max-concurrent-drains', 1, 1, 1000),
        lease_s=_integer(options, 'drain-lease', 1800, 60, 86_400),
        linger_s=_integer(options, 'linger', 120, 0, 86_400),
        drain_wait_s=_integer(options, 'drain-wait', 30, 0, 600),
        vrrp_id=_integer(options, 'vrrp-id', 51, 1, 255),
        advert_s=_integer(options, 'vrrp-advert-ms', 200, 50, 10_000) / 1000,
    )


def _integer(options: Mapping[str, Any], name: str, otherwise: int, low: int, high: int) -> int:
    return checked.integer(options.get(name, otherwise), name, low, high)


def _port(options: Mapping[str, Any], name: str, otherwise: int) -> int:
    return _integer(options, name, otherwise, 1, 65535)


def _types(text: str) -> tuple[str, ...]:
    given = [checked.one_of(t, 'endpoint-types', ENDPOINT_TYPES) for t in text.split()]
    if not given:
        raise checked.InvalidError('endpoint-types is empty')
    return tuple(t for t in ENDPOINT_TYPES if t in given)


def _networks(options: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(str(checked.network(n, name)) for n in str(options.get(name) or '').split())


def _pairs(name: str, text: str) -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    for item in text.split():
        key, equals, value = item.partition('=')
        if not equals:
            raise checked.InvalidError(f'{name} is not like public=…: {checked.shown(item)}')
        out.append((checked.one_of(key, name, ENDPOINT_TYPES), value))
    return out


def _external(text: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for t, value in _pairs('external-vips', text):
        given = tuple(str(checked.address(a, 'external-vips')) for a in value.split(','))
        found[t] = (*found.get(t, ()), *given)
    return found


def _service_options(text: str) -> dict[str, Mapping[str, Any]]:
    try:
        data: object = yaml.safe_load(text) if text else {}
    except (yaml.YAMLError, RecursionError):
        raise checked.InvalidError('service-options is not YAML') from None
    top = checked.mapping(data, 'service-options')
    return {
        checked.text(key, 'service-options', checked.NAME): checked.mapping(
            value, f'service-options {key}'
        )
        for key, value in top.items()
    }
