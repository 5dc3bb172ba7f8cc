"""keepalived.conf: which unit holds the VIPs.

All VIPs are in one VRRP instance, so one unit owns all of them at all times. The instance speaks
unicast over one network, follows the links of the others, and steps back when the local haproxy
is not ready; it never looks at the services behind, which are the same from every unit.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Mapping

from charmkit import state
from charmkit.relations import unit_order

CHECK = '/usr/local/lib/openstack-loadbalancer/ready'


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


def interfaces(
    inputs: state.Inputs, binding: str, names: Mapping[str, str]
) -> tuple[Interface, ...]:
    """This unit's own addresses on *binding* that clients elsewhere can reach.

    A VIP that the unit holds shows among them, and is left out. *names* are the interfaces' own,
    by address: Juju's may be those of another moment.
    """
    vips = {_spelt(v) for v in str(inputs.options.get('vip') or '').split()}
    return tuple(
        Interface(
            name=names.get(n.address, n.interface),
            address=n.address,
            network=n.subnet or n.address,
        )
        for n in inputs.site.networks.get(binding, ())
        if _spelt(n.address) not in vips and _reachable(n.address)
    )


def _spelt(text: str) -> str:
    """An address in its one spelling (IPv6 has many); what is none, as it is."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


def _reachable(text: str) -> bool:
    address = ipaddress.ip_address(text)
    return not (address.is_link_local or address.is_loopback)


def place(
    vips: Iterable[str], networks: Mapping[str, Iterable[Interface]]
) -> tuple[tuple[Vip, ...], tuple[str, ...]]:
    """Each VIP on the binding whose network holds it, and those that no binding's network holds.

    *networks* are this unit's interfaces by endpoint type; a VIP may serve several types.
    """
    placed: list[Vip] = []
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
            if address in ipaddress.ip_network(i.network, strict=False)
        ]
        placed += {v.type: v for v in reversed(found)}.values()
        if not found:
            homeless.append(vip)
    return tuple(placed), tuple(homeless)


def render(
    unit: str,
    vips: Iterable[Vip],
    networks: Mapping[str, Iterable[Interface]],
    peers: Mapping[str, Iterable[str]],
    *,
    router_id: int,
    advert_s: float,
) -> str:
    """The file for *unit*.

    *peers* are the addresses of the other load balancer units, by unit. The first VIP's network
    carries the advertisements.
    """
    vips = {v.address: v for v in vips}.values()
    first = next(iter(vips))
    version = ipaddress.ip_address(first.address).version
    own = next(
        i.address
        for interfaces in networks.values()
        for i in interfaces
        if i.name == first.interface and _version(i.address) == version
    )
    home = ipaddress.ip_network(f'{first.address}/{first.prefix}', strict=False)
    others = sorted(
        {a for addresses in peers.values() for a in addresses if ipaddress.ip_address(a) in home}
    )
    priority = 200 - [*sorted([unit, *peers], key=unit_order)].index(unit)
    same = [v for v in vips if _version(v.address) == version]
    other = [v for v in vips if _version(v.address) != version]
    links = sorted({v.interface for v in vips})
    return f"""\
# Written by the charm: changes are lost.
global_defs {{
    router_id {unit.replace('/', '-')}
    vrrp_version 3
    vrrp_garp_master_refresh 60
    vrrp_min_garp true
    enable_script_security
    script_user nobody
    vrrp_priority -20
    vrrp_no_swap
}}

vrrp_script haproxy_ready {{
    script "{CHECK}"
    interval 1
    timeout 2
    fall 2
    rise 1
}}

vrrp_instance openstack {{
    state BACKUP
    nopreempt
    interface {first.interface}
    virtual_router_id {router_id}
    priority {max(priority, 1)}
    advert_int {advert_s:g}
    unicast_src_ip {own}
{_block('unicast_peer', others)}\
{_block('track_interface', links)}\
{_block('track_script', ['haproxy_ready'])}\
{_block('virtual_ipaddress', [_line(v) for v in same])}\
{_block('virtual_ipaddress_excluded', [_line(v) for v in other])}\
}}
"""


def check_script(port: int) -> str:
    """The program that says whether the local haproxy is ready: it answers, and wants clients."""
    return f"""\
#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/{port} || exit 1
printf 'GET /ready HTTP/1.0\\r\\n\\r\\n' >&3
read -r -t 1 _ code _ <&3
[ "$code" = 200 ]
"""


def _block(name: str, lines: Iterable[str]) -> str:
    lines = list(lines)
    if not lines:
        return ''
    inner = ''.join(f'        {line}\n' for line in lines)
    return f'    {name} {{\n{inner}    }}\n'


def _line(vip: Vip) -> str:
    return f'{vip.address}/{vip.prefix} dev {vip.interface}'


def _version(address: str) -> int:
    return ipaddress.ip_address(address).version
