"""What an option that is right by itself collides with on this unit, in its networks, and among the services. Pure.

Such a value is not taken: its last good one stays in force. A port that a service had first, a VIP that is in no
network, or a family that no network has, would else take away what clients use: only a relation that is broken does.
What was never otherwise is no collision: then it is the service that is refused (:mod:`balancer.layout`), or the VIP
that is named in the status.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from charmkit import Inputs
from charmkit.relations import ENDPOINT_TYPES, Relation

from . import exposure, interface, layout, options, reply, vrrp


def collision(
    inputs: Inputs,
    listeners: tuple[layout.Listener, ...],
    own: Mapping[str, Any],
    good: Mapping[str, Any],
    relations: Iterable[Relation],
) -> options.Held:
    """What an option collides with, by its name and value, in words; '' when with nothing.

    *own* are the options that are in force on this unit: haproxy has their ports. *good* are the last good ones.
    """
    relations = tuple(relations)
    services = {port: name for r in relations for name, port in interface.ports(r)}

    def held(name: str, value: Any) -> str:
        if name in (options.TYPES, options.FAMILIES):
            known = options.parsed(name, good.get(name))
            return '' if known in (None, value) else _lost(inputs, good, relations, name, value)
        if name == options.HTTP_BACKENDS:
            return _without_tls(good, relations) if good.get(name) and not value else ''
        if name == options.VIP:
            known = vrrp.listed(good.get(name, ''))
            return '' if name not in good or value == known else _vip(inputs, value, known)
        if name in good and good[name] != value and value in services:
            return f'port {value} is that of {services[value]}'
        return '' if own.get(name) == value else _port(inputs, listeners, name, value)

    return held


def _lost(
    inputs: Inputs, good: Mapping[str, Any], relations: Iterable[Relation], name: str, value: Any
) -> str:
    """Which relation would have nothing served any more with *value* for the option *name*, in words."""
    vips = vrrp.listed(good.get(options.VIP, ''))
    networks = {t: vrrp.interfaces(inputs, t, vips) for t in ENDPOINT_TYPES}
    bindings = {
        t: layout.Binding(addresses=tuple(dict.fromkeys(i.address for i in found)))
        for t, found in networks.items()
    }
    known = {n: options.parsed(n, good.get(n)) for n in (options.TYPES, options.FAMILIES)}

    def served(request: interface.Request, own: Mapping[str, Any]) -> layout.Layout:
        exposed = exposure.Exposure(
            types=own[options.TYPES] or ENDPOINT_TYPES,
            families=own[options.FAMILIES] or 'auto',
            allow_shared_spaces=bool(good.get(options.SHARED_SPACES)),
        )
        return layout.lay_out([request], layout.Surroundings(bindings=bindings, exposure=exposed))

    for request in _requests(good, relations):
        after = served(request, {**known, name: value})
        if served(request, known).frontends and not after.frontends:
            why = next((r.reason for r in after.refusals), '')
            return f'nothing would be served for {request.app} any more: {why}'
    return ''


def _without_tls(good: Mapping[str, Any], relations: Iterable[Relation]) -> str:
    """Which service has no unit that serves TLS, in words."""
    for request in _requests(good, relations):
        for service in (e.service for e in request.endpoints if e.protocol == 'http'):
            servers = [s for s in request.servers if s.service == service]
            if servers and not any(s.server_name for s in servers):
                return f'nothing would be served for {request.app} any more: no unit of {service} serves TLS'
    return ''


def _requests(
    good: Mapping[str, Any], relations: Iterable[Relation]
) -> Iterator[interface.Request]:
    trusted = options.parsed(options.BACKEND_NETWORKS, good.get(options.BACKEND_NETWORKS)) or ()
    for relation in relations:
        found = interface.parse(relation, interface.Addresses(trusted=trusted))
        if isinstance(found, interface.Request):
            yield found


def _port(inputs: Inputs, listeners: tuple[layout.Listener, ...], name: str, port: int) -> str:
    metrics = _addresses(inputs, 'metrics-endpoint')
    if name == options.METRICS_PORT:
        return layout.in_the_way(port, metrics, listeners)
    every = ('127.0.0.1', *_addresses(inputs, *ENDPOINT_TYPES), *metrics)
    return layout.in_the_way(port, dict.fromkeys(every), listeners)


def _addresses(inputs: Inputs, *bindings: str) -> tuple[str, ...]:
    return tuple(i.address for b in bindings for i in vrrp.interfaces(inputs, b, ()))


def _vip(inputs: Inputs, vips: tuple[str, ...], known: tuple[str, ...]) -> str:
    # A VIP that this unit holds is among its addresses.
    ours = (i.address for t in ENDPOINT_TYPES for i in vrrp.interfaces(inputs, t, known))
    members = {u: reply.read_member(bag).addresses for u, bag in inputs.peer_units.items()}
    every = {inputs.site.unit: {'': tuple(ours)}, **members}
    for unit, addresses in every.items():
        theirs = {vrrp.spelt(a) for found in addresses.values() for a in found}
        if taken := next((v for v in vips if v in theirs), ''):
            return f'{taken} is the address of {unit}'
    networks = {t: vrrp.interfaces(inputs, t, (*vips, *known)) for t in ENDPOINT_TYPES}
    _, homeless = vrrp.locate(vips, networks)
    return f'{", ".join(homeless)} is in no network of a binding' if homeless else ''
