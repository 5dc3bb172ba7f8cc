"""Without a load balancer: a haproxy and a VIP on the units themselves, as files. Pure.

Each unit's haproxy serves the VIP's address alone (Apache has the unit's own) and sends requests
to every unit whose ``/healthcheck`` passes; keepalived decides which unit holds the VIP. The
units learn one another's addresses from the peer relation.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Mapping

from . import host, state
from .relations import ENDPOINT_TYPES, Databag, Network, address_in, host_in_url, unit_order, wire

KEY = 'addresses'
"""What each unit says to its peers: where it serves."""
READY_PORT = 8799
_CHECK = '/usr/local/lib/charmkit/haproxy-ready'
_NOTE = '# Written by the charm: local changes are overwritten.\n'


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


def desired(
    inputs: state.Inputs,
    vips: tuple[Vip, ...],
    addresses: tuple[str, ...],
    ports: Mapping[str, int],
) -> host.Host:
    """A haproxy for *ports* (by application) on *vips*, and keepalived to hold them."""
    unit = inputs.site.unit
    others = {
        name: wire.texts(wire.load_array(bag.get(KEY, '')))
        for name, bag in inputs.peer_units.items()
    }
    units = {unit: tuple(a for a in addresses if not a.startswith('127.')), **others}
    return host.Host(
        packages=frozenset({'haproxy', 'keepalived'}),
        files=(
            host.File(
                path='/etc/haproxy/haproxy.cfg',
                content=haproxy_cfg(vips, units, ports),
                check=('haproxy', '-c', '-q', '-f', '{path}'),
                notify=('haproxy',),
            ),
            host.File(path=_CHECK, content=_CHECK_TEXT, mode=0o755),
            host.File(
                path='/etc/keepalived/keepalived.conf',
                content=keepalived_conf(unit, vips, units),
                notify=('keepalived',),
            ),
        ),
        services=(
            host.Service('haproxy', on_change='reload'),
            host.Service('keepalived', 'stopped' if inputs.leaving else 'running', 'reload'),
        ),
    )


def absent() -> host.Host:
    """Neither of them, for a unit that a load balancer stands before."""
    return host.Host(
        services=(host.Service('keepalived', 'stopped'), host.Service('haproxy', 'stopped'))
    )


def haproxy_cfg(
    vips: Iterable[Vip], units: Mapping[str, tuple[str, ...]], ports: Mapping[str, int]
) -> str:
    """haproxy.cfg: one frontend for each application on every VIP, and all units behind it.

    A reload loses nothing (``idle-close-on-response``), and only what is safe is asked twice.
    """
    vips = tuple(vips)
    sections = [_NOTE + _GLOBAL]
    for name, port in ports.items():
        binds = ''.join(f'    bind {host_in_url(v.address)}:{port} transparent\n' for v in vips)
        servers = ''.join(
            f'    server {unit.replace("/", "-")} {host_in_url(address)}:{port}\n'
            for unit, addresses in sorted(units.items(), key=lambda item: unit_order(item[0]))
            for address in _reachable(addresses, vips)[:1]
        )
        sections.append(f'frontend {name}\n{binds}{_HEADERS}    default_backend {name}\n')
        sections.append(f'backend {name}\n{_BACKEND}{servers}')
    return '\n'.join(sections)


def keepalived_conf(unit: str, vips: tuple[Vip, ...], units: Mapping[str, tuple[str, ...]]) -> str:
    """keepalived.conf: one VRRP instance for all VIPs, so that one unit holds all of them.

    Unicast, without pre-emption; a unit whose haproxy is not ready steps back.
    """
    first = vips[0]
    family = ipaddress.ip_address(first.address).version
    peers = sorted(
        a
        for name, addresses in units.items()
        if name != unit
        for a in addresses
        if address_in(a, first.network.subnet)
    )
    priority = max(200 - sorted(units, key=unit_order).index(unit), 1)
    same = [v for v in vips if ipaddress.ip_address(v.address).version == family]
    other = [v for v in vips if v not in same]
    return (
        _NOTE
        + _KEEPALIVED.format(router=unit.replace('/', '-'), check=_CHECK)
        + 'vrrp_instance openstack {\n'
        + '    state BACKUP\n    nopreempt\n    advert_int 0.2\n'
        + f'    interface {first.network.interface}\n'
        + f'    virtual_router_id {int(host.digest(first.address), 16) % 254 + 1}\n'
        + f'    priority {priority}\n'
        + f'    unicast_src_ip {first.network.address}\n'
        + _block('unicast_peer', peers)
        + _block('track_interface', sorted({v.network.interface for v in vips}))
        + _block('track_script', ['haproxy_ready'])
        + _block('virtual_ipaddress', map(_line, same))
        + _block('virtual_ipaddress_excluded', map(_line, other))
        + '}\n'
    )


def _reachable(addresses: Iterable[str], vips: Iterable[Vip]) -> list[str]:
    """Those in a VIP's network first: the unit that holds it surely reaches them."""
    return sorted(addresses, key=lambda a: not any(address_in(a, v.network.subnet) for v in vips))


def _block(name: str, lines: Iterable[str]) -> str:
    inner = ''.join(f'        {line}\n' for line in lines)
    return f'    {name} {{\n{inner}    }}\n' if inner else ''


def _line(vip: Vip) -> str:
    return f'{vip.address}/{vip.prefix} dev {vip.network.interface}'


_GLOBAL = f"""global
    log /dev/log local0
    user haproxy
    group haproxy
    hard-stop-after 30m
    stats socket /run/haproxy/admin.sock mode 600 level admin

defaults
    mode http
    log global
    option httplog
    option idle-close-on-response
    option redispatch 1
    retries 3
    timeout connect 5s
    timeout client 300s
    timeout server 300s
    timeout queue 60s
    timeout http-request 30s
    timeout http-keep-alive 60s
    timeout check 10s

frontend ready
    bind 127.0.0.1:{READY_PORT}
    monitor-uri /ready
"""

_HEADERS = """    http-request del-header Forwarded
    http-request del-header X-Forwarded- -m beg
    http-request del-header Proxy
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Proto http
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
"""

_BACKEND = """    balance leastconn
    retry-on conn-failure empty-response
    http-request disable-l7-retry unless METH_GET
    option httpchk
    http-check send meth GET uri /healthcheck
    http-check expect status 200
    default-server check inter 2s fall 3 rise 2
"""

_CHECK_TEXT = f"""#!/bin/bash
# Ready when the local haproxy answers; what it has behind it is the same from every unit.
exec 3<>/dev/tcp/127.0.0.1/{READY_PORT} || exit 1
printf 'GET /ready HTTP/1.0\\r\\n\\r\\n' >&3
read -r -t 1 _ code _ <&3
[ "$code" = 200 ]
"""

_KEEPALIVED = """global_defs {{
    router_id {router}
    vrrp_version 3
    vrrp_garp_master_refresh 60
    enable_script_security
    script_user nobody
}}

vrrp_script haproxy_ready {{
    script "{check}"
    interval 1
    timeout 2
    fall 2
    rise 1
}}

"""
