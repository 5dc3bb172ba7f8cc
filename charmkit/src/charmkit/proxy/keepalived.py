"""keepalived.conf: which unit holds the VIPs.

All VIPs are in one VRRP instance, so one unit owns all of them at all times. The instance speaks
unicast over one network, follows the links of the others, and steps back when the local haproxy
is not ready; it never looks at the services behind, which are the same from every unit.

It runs in real time where the machine lets it, and so does its check, which says in the journal where it cannot: on a
busy machine, an advertisement that is late looks like a unit that died.
Whether haproxy is ready stands in a file (:data:`programs.DOWN`), which keepalived is notified of when
it changes: nothing is started to find out. Sources: keepalived.conf(5), RFC 5798.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Sequence

from .. import host
from ..relations import unit_order
from . import programs

PATH = '/etc/keepalived/keepalived.conf'
ADVERTS_MISSED = 5
"""After so many advertisements that did not come, the unit that holds the VIPs counts as dead."""
REAL_TIME_PRIORITY = programs.REAL_TIME_PRIORITY


@dataclasses.dataclass(frozen=True, kw_only=True)
class Vip:
    """A VIP, and where it goes on this unit."""

    address: str
    prefix: int
    interface: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Instance:
    """A unit's part in who holds the VIPs."""

    unit: str
    vips: tuple[Vip, ...]
    """At least one: the first one's network carries the advertisements."""
    address: str
    """This unit's own, in the first VIP's network."""
    peers: tuple[str, ...]
    """The other units' addresses, of any network."""
    others: tuple[str, ...]
    """The other units' names."""
    router_id: int
    advert_s: float = 0.2


def desired(what: Instance | None, ready_port: int) -> host.Host:
    """Keepalived with *what*, and what tells it whether haproxy is ready; without a part neither runs.

    *ready_port* answers ``/ready`` on loopback.
    """
    if what is None:
        return ABSENT
    mine = host.Host(
        files=(host.File(path=PATH, content=render(what), mode=0o640, notify=('keepalived',)),),
        services=(host.SystemdService('keepalived', on_change='reload'),),
    )
    return host.merge(programs.beside_keepalived(ready_port), mine)


ABSENT = host.Host(
    absent=(host.Absent(path=PATH),),
    services=(
        host.SystemdService('keepalived', 'stopped'),
        host.SystemdService(programs.CHECK_SERVICE, 'stopped'),
    ),
)
"""A unit that holds no VIPs, passes them on, or is no part of it yet."""


def render(what: Instance) -> str:
    """The file."""
    vips = tuple({v.address: v for v in what.vips}.values())
    first = vips[0]
    version = _version(first.address)
    home = ipaddress.ip_network(f'{first.address}/{first.prefix}', strict=False)
    peers = sorted({a for a in what.peers if ipaddress.ip_address(a) in home})
    rank = sorted({what.unit, *what.others}, key=unit_order).index(what.unit)
    same = [v for v in vips if _version(v.address) == version]
    other = [v for v in vips if _version(v.address) != version]
    return f"""\
# Written by the charm: changes are lost.
global_defs {{
    router_id {what.unit.replace('/', '-')}
    vrrp_version 3
    vrrp_garp_master_refresh 60
    vrrp_min_garp true
    enable_script_security
    script_user nobody
    vrrp_rt_priority {REAL_TIME_PRIORITY}
    vrrp_rlimit_rttime 1000000
    vrrp_priority -20
    vrrp_no_swap
    vrrp_down_timer_adverts {ADVERTS_MISSED}
}}

track_file haproxy_down {{
    file "{programs.DOWN}"
    weight 0
    init_file 1
}}

vrrp_instance openstack {{
    state BACKUP
    nopreempt
    interface {first.interface}
    virtual_router_id {what.router_id}
    priority {max(200 - rank, 1)}
    advert_int {what.advert_s:g}
    unicast_src_ip {what.address}
{_block('unicast_peer', peers)}\
{_block('track_interface', sorted({v.interface for v in vips}))}\
{_block('track_file', ['haproxy_down'])}\
{_block('virtual_ipaddress', [_line(v) for v in same])}\
{_block('virtual_ipaddress_excluded', [_line(v) for v in other])}\
}}
"""


def _block(name: str, lines: Sequence[str] | Iterable[str]) -> str:
    inner = ''.join(f'        {line}\n' for line in lines)
    return f'    {name} {{\n{inner}    }}\n' if inner else ''


def _line(vip: Vip) -> str:
    return f'{vip.address}/{vip.prefix} dev {vip.interface}'


def _version(address: str) -> int:
    return ipaddress.ip_address(address).version
