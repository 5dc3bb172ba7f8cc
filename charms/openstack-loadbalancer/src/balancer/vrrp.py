"""Where the VIPs go on this unit, and its part in who holds them."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Mapping

from charmkit import state
from charmkit.proxy import keepalived
from charmkit.relations import host_in


@dataclasses.dataclass(frozen=True, kw_only=True)
class Interface:
    """One address of this unit."""

    name: str
    address: str
    network: str
    """In CIDR notation."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Vip:
    """A VIP, and where it goes on this unit."""

    address: str
    prefix: int
    interface: str
    type: str


def interfaces(inputs: state.Inputs, binding: str, vips: Iterable[str]) -> tuple[Interface, ...]:
    """This unit's own addresses on *binding* that clients elsewhere can reach.

    One of the *vips* that the unit holds shows among them, and is left out. Interfaces are named
    as the machine names them: Juju's names may be those of another moment.
    """
    held = {spelt(v) for v in vips}
    names = inputs.facts.interfaces
    return tuple(
        Interface(
            name=names.get(n.address, n.interface),
            address=n.address,
            network=n.subnet or n.address,
        )
        for n in inputs.site.networks.get(binding, ())
        if spelt(n.address) not in held and _reachable(n.address)
    )


def spelt(text: str) -> str:
    """An address in its one spelling (IPv6 has many); what is none, as it is."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


def listed(text: object) -> tuple[str, ...]:
    """Addresses separated by spaces, each in its one spelling."""
    return tuple(spelt(a) for a in str(text).split())


def _reachable(text: str) -> bool:
    address = ipaddress.ip_address(text)
    return not (address.is_link_local or address.is_loopback)


def locate(
    vips: Iterable[str], networks: Mapping[str, Iterable[Interface]]
) -> tuple[tuple[Vip, ...], tuple[str, ...]]:
    """Each VIP on the binding whose network holds it, and those that no binding's network holds.

    *networks* are this unit's interfaces by endpoint type; a VIP may serve several types.
    """
    located: list[Vip] = []
    homeless: list[str] = []
    for vip in vips:
        address = ipaddress.ip_address(vip)
        found = [
            Vip(
                address=str(address),
                prefix=ipaddress.ip_network(i.network, strict=False).prefixlen,
                interface=i.name,
                type=t,
            )
            for t, interfaces in networks.items()
            for i in interfaces
            if host_in(vip, i.network)
        ]
        located += {v.type: v for v in reversed(found)}.values()
        if not found:
            homeless.append(vip)
    return tuple(located), tuple(homeless)


def instance(
    unit: str,
    vips: Iterable[Vip],
    networks: Mapping[str, Iterable[Interface]],
    peers: Mapping[str, Iterable[str]],
    *,
    departed: Iterable[str] = (),
    router_id: int,
    advert_s: float,
) -> keepalived.Instance:
    """The part of *unit*. *peers* are the addresses of the other load balancer units, by unit.

    *departed* are those of units that may still run and are there no more.
    """
    vips = tuple(vips)
    version = ipaddress.ip_address(vips[0].address).version
    own = next(
        i.address
        for interfaces in networks.values()
        for i in interfaces
        if i.name == vips[0].interface and ipaddress.ip_address(i.address).version == version
    )
    return keepalived.Instance(
        unit=unit,
        vips=tuple(
            keepalived.Vip(address=v.address, prefix=v.prefix, interface=v.interface) for v in vips
        ),
        address=own,
        peers=(*(a for addresses in peers.values() for a in addresses), *departed),
        others=tuple(peers),
        router_id=router_id,
        advert_s=advert_s,
    )
