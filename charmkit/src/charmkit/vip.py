"""Without a load balancer: a haproxy and a VIP on the units themselves, as files. Pure.

Each unit's haproxy serves the VIP's address alone (Apache has the unit's own) and sends requests
to every unit whose ``/healthcheck`` passes; keepalived decides which unit holds the VIP. The
units learn one another's addresses from the peer relation. What it filters, limits and checks is
what the load balancer does (:mod:`charmkit.proxy`).
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Mapping

from . import host, limits, state
from .proxy import config, haproxy, keepalived, programs
from .relations import ENDPOINT_TYPES, Databag, Network, address_in, unit_order, wire

KEY = 'addresses'
"""What each unit says to its peers: where it serves."""
READY_PORT = 8799


@dataclasses.dataclass(frozen=True)
class App:
    """An application that is served on the VIPs."""

    port: int
    silence: limits.Silence = limits.ORDINARY
    requests_at_once: int = 0
    """How many one unit can take; the others wait. 0: as many as come."""

    @property
    def bulk(self) -> bool:
        """Its transfers may pause for as long as any."""
        return self.silence.client_s >= limits.IDLE_S


@dataclasses.dataclass(frozen=True, kw_only=True)
class Vip:
    """A virtual address, and the network of this machine that it is in."""

    address: str
    network: Network

    @property
    def prefix(self) -> int:
        """Length of the network's prefix."""
        return ipaddress.ip_network(self.network.subnet, strict=False).prefixlen


def placed(inputs: state.Inputs) -> tuple[tuple[Vip, ...], tuple[str, ...]]:
    """Each address of the option ``vip`` in its network, and those that belong in none."""
    here = [n for t in ENDPOINT_TYPES for n in inputs.site.networks.get(t, ())]
    vips: list[Vip] = []
    homeless: list[str] = []
    for address in str(inputs.options.get('vip') or '').split():
        near = [n for n in here if address_in(address, n.subnet)]
        if near:
            vips.append(Vip(address=address, network=near[0]))
        else:
            homeless.append(address)
    return tuple(vips), tuple(homeless)


def request(addresses: Iterable[str]) -> Databag:
    """What this unit says to its peers."""
    return {KEY: wire.dump([a for a in addresses if not a.startswith('127.')])}


def addresses(inputs: state.Inputs) -> tuple[str, ...]:
    """Where the haproxy of any unit asks from: the addresses that each unit serves on, and the VIPs."""
    here = (a for t in ENDPOINT_TYPES for a in inputs.site.all_addresses.get(t, ()))
    theirs = (
        a
        for bag in inputs.peer_units.values()
        for a in wire.texts(wire.load_array(bag.get(KEY, '')))
    )
    return (*here, *theirs, *str(inputs.options.get('vip') or '').split())


def desired(
    inputs: state.Inputs,
    vips: tuple[Vip, ...],
    addresses: tuple[str, ...],
    apps: Mapping[str, App],
    *,
    leaving: bool = False,
) -> host.Host:
    """A haproxy for *apps* (by name) on *vips*, and keepalived to hold them."""
    unit = inputs.site.unit
    others = {
        name: wire.texts(wire.load_array(bag.get(KEY, '')))
        for name, bag in inputs.peer_units.items()
    }
    units = {unit: tuple(a for a in addresses if not a.startswith('127.')), **others}
    hosts = _hosts(inputs, vips)
    text = haproxy.render(haproxy_config(unit, vips, units, apps, hosts))
    files = host.Host(
        packages=frozenset({'haproxy', 'keepalived'}),
        files=(
            *(host.File(path=path, content=items) for path, items in text.lists.items()),
            host.File(
                path=haproxy.CONFIG,
                content=text.text,
                mode=0o640,
                check=('haproxy', '-c', '-f', '{path}'),
                notify=('haproxy',),
            ),
            host.File(
                path=keepalived.PATH,
                content=keepalived.render(_instance(unit, vips, units)),
                mode=0o640,
                notify=('keepalived',),
            ),
        ),
        services=(
            host.Service('haproxy', on_change='reload'),
            host.Service('keepalived', 'stopped' if leaving else 'running', 'reload'),
        ),
    )
    return host.merge(files, programs.beside_haproxy(), programs.beside_keepalived(READY_PORT))


def absent() -> host.Host:
    """Neither of them, for a unit that a load balancer stands before."""
    return host.Host(
        services=(
            host.Service('keepalived', 'stopped'),
            host.Service(programs.CHECK_SERVICE, 'stopped'),
            host.Service('haproxy', 'stopped'),
        )
    )


def haproxy_config(
    unit: str,
    vips: tuple[Vip, ...],
    units: Mapping[str, tuple[str, ...]],
    apps: Mapping[str, App],
    names: Iterable[str],
) -> config.Config:
    """One frontend for each application on every VIP, and all units behind it.

    *names* are the hosts that requests may name, beside the VIPs.
    """
    return config.Config(
        unit=unit,
        ready=config.Ready(port=READY_PORT),
        frontends=tuple(
            config.Frontend(
                name=name,
                binds=tuple(config.Bind(v.address, app.port, moves=True) for v in vips),
                backend=name,
                client_ms=app.silence.client_s * 1000,
                hosts=tuple(
                    config.Host(h, app.port)
                    for h in dict.fromkeys((*(v.address for v in vips), *names))
                ),
                denied_paths=config.HIDDEN_PATHS,
                small_bodies=not app.bulk,
            )
            for name, app in apps.items()
        ),
        backends=tuple(
            config.Backend(
                name=name,
                server_ms=app.silence.server_s * 1000,
                servers=tuple(
                    config.Server(
                        name=u.replace('/', '-'),
                        address=address,
                        port=app.port,
                        maxconn=app.requests_at_once,
                    )
                    for u, found in sorted(units.items(), key=lambda item: unit_order(item[0]))
                    for address in _reachable(found, vips)[:1]
                ),
            )
            for name, app in apps.items()
        ),
    )


def _hosts(inputs: state.Inputs, vips: tuple[Vip, ...]) -> tuple[str, ...]:
    """The names that the operator gave the endpoints, and addresses of units: nothing else is reflected into links."""
    named = (str(inputs.options.get(f'os-{t}-hostname') or '') for t in ENDPOINT_TYPES)
    return tuple(n for n in named if n)


def _instance(
    unit: str, vips: tuple[Vip, ...], units: Mapping[str, tuple[str, ...]]
) -> keepalived.Instance:
    first = vips[0]
    others = {name: found for name, found in units.items() if name != unit}
    return keepalived.Instance(
        unit=unit,
        vips=tuple(
            keepalived.Vip(address=v.address, prefix=v.prefix, interface=v.network.interface)
            for v in vips
        ),
        address=first.network.address,
        peers=tuple(a for found in others.values() for a in found),
        others=tuple(others),
        router_id=int(host.digest(first.address), 16) % 254 + 1,
    )


def _reachable(addresses: Iterable[str], vips: Iterable[Vip]) -> list[str]:
    """Those in a VIP's network first: the unit that holds it surely reaches them."""
    return sorted(addresses, key=lambda a: not any(address_in(a, v.network.subnet) for v in vips))
