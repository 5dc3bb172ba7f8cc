"""How clients come to the services: what the operator opens to whom, and what stands in front of the load balancer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from charmkit.relations import ENDPOINT_TYPES

from . import interface, validation


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outside:
    """How clients reach something in front of this load balancer."""

    name: str
    """A host name or an address."""
    scheme: Literal['http', 'https'] = 'http'
    port: int = 0
    """0: the port of the service."""
    spelt: bool = False
    """The operator has said the scheme; where not, it is what this load balancer serves."""

    def seen(self, scheme: Literal['http', 'https']) -> Outside:
        """Of the *scheme* that is served, if nothing else was said."""
        said = self.spelt or self.scheme == 'https'
        return self if said else dataclasses.replace(self, scheme=scheme)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exposure:
    """What the operator decides about what is served where."""

    types: tuple[str, ...] = ENDPOINT_TYPES
    families: str = 'auto'
    """``auto``, ``ipv4``, ``ipv6`` or ``dual``."""
    allow_shared_spaces: bool = False
    external_vips: Mapping[str, tuple[Outside, ...]] = dataclasses.field(
        default_factory=dict[str, tuple[Outside, ...]]
    )
    hostnames: Mapping[str, Outside] = dataclasses.field(default_factory=dict[str, Outside])
    strict_hosts: bool = True
    service_options: Mapping[str, Mapping[str, Any]] = dataclasses.field(
        default_factory=dict[str, Mapping[str, Any]]
    )
    """By service name or service type; the name wins."""
    reserved_ports: Mapping[int, str] = dataclasses.field(default_factory=dict[int, str])
    """Ports that no service gets, and what they are for."""


def outside(value: object, where: str) -> Outside:
    """``[SCHEME://]HOST[:PORT]``; an IPv6 address in brackets where a port follows.

    Raises:
        validation.InvalidError: when it is something else.
    """
    text = value if isinstance(value, str) else ''
    scheme, found, rest = text.partition('://')
    if not found:
        scheme, rest = 'http', text
    validation.one_of(scheme, where, ('http', 'https'))
    rest = rest.removesuffix('/') if found else rest
    name, colon, port = rest, '', ''
    if rest.startswith('['):
        name, closed, port = rest[1:].partition(']')
        colon, port = port[:1], port[1:]
        if not closed or colon not in ('', ':') or ':' not in name:
            raise validation.InvalidError(f'{where} is not a host: {validation.shown(value)}')
    elif rest.count(':') == 1:
        name, colon, port = rest.partition(':')
    return Outside(
        name=validation.host(name, where),
        scheme='https' if scheme == 'https' else 'http',
        port=validation.port(port, where) if colon else 0,
        spelt=bool(found),
    )


def urls(data: Mapping[str, Any], where: str) -> dict[str, Outside]:
    """The ``urls`` of a service's options, by endpoint type: without a port, that of the scheme.

    Raises:
        validation.InvalidError: when one is not what it may be.
    """
    out: dict[str, Outside] = {}
    for t, value in validation.mapping(data.get('urls'), f'{where} urls', ENDPOINT_TYPES).items():
        found = outside(value, f'{where} urls')
        default = 443 if found.scheme == 'https' else 80
        # Without a scheme it is that of its port: whoever stands in front serves it otherwise.
        out[t] = dataclasses.replace(found, port=found.port or default, spelt=True)
    return out


def registered(
    t: str, endpoint: interface.Endpoint, exposure: Exposure, named: Mapping[str, Outside]
) -> tuple[Outside, ...]:
    """The names by which clients reach *endpoint*, the one for the catalogue first; () when it has no name.

    *named* are the ``urls`` of the service's own options.
    """
    found = [named.get(t), exposure.hostnames.get(t)]
    if t in endpoint.hostnames:
        found.append(Outside(name=endpoint.hostnames[t]))
    return tuple(x for x in found if x is not None)
