"""The operator's options of DNS: in which zones names are, and which server takes updates of them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

from . import validation

_MOST_ZONES = 16
_KEY_NAME = re.compile(r'[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}')
"""A domain name by form alone (RFC 8945, section 4.2): many have an underscore."""
_ALGORITHMS = ('hmac-sha256', 'hmac-sha384', 'hmac-sha512')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dns:
    """What they say."""

    zones: tuple[str, ...] = ()
    """Domains in which names are asked for; in lower case."""
    ttl_s: int = 30
    """How long others may remember a record."""
    server: str = ''
    """Host name or address of the server that takes updates; '': there is none."""
    port: int = 53
    key_name: str = ''
    algorithm: str = 'hmac-sha256'
    secret: str = ''
    """The URI of the secret with the key; '': there is none."""


def read(v: Mapping[str, Any]) -> Dns:
    """From the values of :data:`READERS`, by option."""
    server, port = v['dns-server']
    return Dns(
        zones=v['dns-zones'],
        ttl_s=v['dns-ttl'],
        server=server,
        port=port,
        key_name=v['dns-key-name'],
        algorithm=v['dns-key-algorithm'],
        secret=v['dns-key'],
    )


def _words(value: object, name: str) -> list[str]:
    if not isinstance(value, str):
        raise validation.InvalidError(f'{name} is no text: {validation.shown(value)}')
    return value.split()


def _one(value: object, name: str) -> str:
    found = _words(value, name)
    if len(found) > 1:
        raise validation.InvalidError(f'{name} is not one word: {validation.shown(value)}')
    return found[0] if found else ''


def _zones(value: object, name: str) -> tuple[str, ...]:
    found = [validation.hostname(z, name).lower() for z in _words(value, name)]
    if len(found) > _MOST_ZONES:
        raise validation.InvalidError(f'{name} has more than {_MOST_ZONES} zones')
    return tuple(dict.fromkeys(found))


def _server(value: object, name: str) -> tuple[str, int]:
    """``HOST``, ``HOST:PORT``; an address of IPv6 with a port in brackets."""
    text = _one(value, name)
    host, port = text, ''
    if text.startswith('[') or text.count(':') == 1:
        host, _, port = text.rpartition(':')
        host = host.removeprefix('[').removesuffix(']')
        if not port:
            raise validation.InvalidError(f'{name} is not HOST:PORT: {validation.shown(value)}')
    return (
        validation.host(host, name) if text else '',
        validation.port(port, name) if port else 53,
    )


def _key_name(value: object, name: str) -> str:
    found = _one(value, name)
    return validation.text(found, name, _KEY_NAME).lower() if found else ''


def _algorithm(value: object, name: str) -> str:
    return validation.one_of(value, name, _ALGORITHMS)


def _ttl(value: object, name: str) -> int:
    return validation.integer(value, name, 5, 86_400)


def secret(value: object, name: str) -> str:
    """The URI of a secret, or nothing."""
    found = _one(value, name)
    if found and not found.startswith('secret:'):
        raise validation.InvalidError(f'{name} is no secret: {validation.shown(value)}')
    return found


READERS: Mapping[str, tuple[Callable[[Any, str], Any], Any]] = {
    'dns-zones': (_zones, ''),
    'dns-ttl': (_ttl, 30),
    'dns-server': (_server, ''),
    'dns-key-name': (_key_name, ''),
    'dns-key-algorithm': (_algorithm, 'hmac-sha256'),
    'dns-key': (secret, ''),
}
"""How each option is read, and its default."""
