"""VIPs that go from one unit to another in order, with every connection that was begun: files and services.

A connection lives where it was begun. When a VIP moves, its packets reach the new owner, whose kernel knows nothing of
it and resets it. So, for as long as the former owner has connections:

- the former owner *keeps* the VIPs on its loopback interface: its kernel goes on taking packets that are sent to it,
  and it answers clients itself. It is not asked for by ARP or neighbour discovery, and says nothing of the VIPs
  (``arp_ignore`` 1, ``arp_announce`` 2; IPv6 answers for an interface's own addresses alone);
- the new owner *passes on* to it, as they are, the packets of connections that were not begun at the new owner.

Sources: nft(8) (sets filled by the packet path, ``fwd``), ip-sysctl of the kernel, and how GitHub's GLB director gives
packets a second chance.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Iterator

from .. import host
from . import programs

PACKAGE = 'nftables'
KEEPER = 'openstack-haproxy-keep-vips'
PASSER = 'openstack-haproxy-pass-on'
TABLE = 'openstack_vips'
KEPT = '/run/openstack-haproxy/kept-vips'
"""What is kept: on each line a VIP and the interface where it was; not there when nothing is."""
_WANTED = f'{programs.FOLDER}/kept-vips'
_KEEP = f'{programs.FOLDER}/keep-vips'
_PASSED = f'{programs.FOLDER}/pass-on.nft'
_CONNECTION_S = 3600
"""A connection of which nothing was seen for so long is forgotten by the one that passes on."""
_CONNECTIONS = 262_144
"""How many the one that passes on remembers as begun at itself."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kept:
    """A VIP that the former owner keeps."""

    address: str
    interface: str
    """Where it was, and packets for it still come in."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PassedOn:
    """A VIP of which the new owner passes packets on."""

    address: str
    interface: str
    to: str
    """The former owner's own address, in the same network."""


def beside(kept: Iterable[Kept] = (), passed_on: Iterable[PassedOn] = ()) -> host.Host:
    """What a unit needs of its machine to keep these VIPs, and to pass on what comes for those; nothing: neither."""
    kept, passed_on = tuple(kept), tuple(passed_on)
    keep, pass_on = _unit(KEEPER), _unit(PASSER)
    lines = ''.join(f'{k.address} {k.interface}\n' for k in kept)
    # What is stopped keeps its file as it was: nothing is to be started again for it.
    return host.Host(
        packages=frozenset({PACKAGE}),
        directories=(host.Directory(path=programs.FOLDER),),
        files=(
            host.File(path=_KEEP, content=_KEEP_TEXT, mode=0o755),
            host.File(path=keep, content=_KEEP_UNIT),
            host.File(path=pass_on, content=_PASS_UNIT),
            host.File(path=_WANTED, content=lines, notify=(KEEPER,) if kept else ()),
            host.File(
                path=_PASSED,
                content=rules(passed_on),
                notify=(PASSER,) if passed_on else (),
            ),
        ),
        services=(
            host.SystemdService(KEEPER, 'running' if kept else 'stopped'),
            host.SystemdService(PASSER, 'running' if passed_on else 'stopped'),
        ),
    )


def rules(passed_on: Iterable[PassedOn]) -> str:
    """The rules for nft: the connections begun here are remembered, the others' packets go to their unit."""
    by_interface: dict[str, list[PassedOn]] = {}
    for one in passed_on:
        by_interface.setdefault(one.interface, []).append(one)
    inner = '\n'.join(
        _chain(number, name, by_interface[name])
        for number, name in enumerate(sorted(by_interface))
    )
    kinds = sorted({_family(one.address) for found in by_interface.values() for one in found})
    sets = '\n'.join(_set(family) for family in kinds)
    table = f'table netdev {TABLE}'
    return (
        f'# Written by the charm: changes are lost.\n{table}\ndelete {table}\n{table} {{\n{sets}\n{inner}}}\n'
        if inner
        else '# Written by the charm: changes are lost.\n'
    )


def _set(family: str) -> str:
    return f"""\
  set begun_{family} {{
    typeof {family} saddr . tcp sport . {family} daddr . tcp dport
    flags dynamic,timeout
    timeout {_CONNECTION_S}s
    size {_CONNECTIONS}
  }}"""


def _chain(number: int, interface: str, every: Iterable[PassedOn]) -> str:
    lines = ''.join(f'    {line}\n' for one in every for line in _rules(one))
    return f"""\
  chain in_{number} {{
    type filter hook ingress device "{interface}" priority 0; policy accept;
{lines}  }}
"""


def _rules(one: PassedOn) -> Iterator[str]:
    family = _family(one.address)
    key = f'{family} saddr . tcp sport . {family} daddr . tcp dport'
    known = f'update @begun_{family} {{ {key} }} accept'
    yield f'{family} daddr {one.address} tcp flags & (syn | ack) == syn {known}'
    yield f'{family} daddr {one.address} {key} @begun_{family} {known}'
    yield (
        f'{family} daddr {one.address} meta l4proto tcp fwd {family} to {one.to} device "{one.interface}"'
    )


def _family(address: str) -> str:
    return 'ip' if ipaddress.ip_address(address).version == 4 else 'ip6'


def _unit(name: str) -> str:
    return f'/etc/systemd/system/{name}.service'


_NOTE = '# Written by the charm: changes are lost.\n'

_KEEP_TEXT = f"""\
#!/bin/sh
# keep-vips start: VIPs that this unit gives away stay on its loopback interface, for the connections that it has.
# keep-vips stop: they do not any more.
set -eu
said={KEPT}

quiet() {{
    [ -e "/proc/sys/net/ipv4/conf/$1" ] || return 0
    echo "$2" > "/proc/sys/net/ipv4/conf/$1/arp_ignore"
    echo "$3" > "/proc/sys/net/ipv4/conf/$1/arp_announce"
}}

forget() {{
    [ -e "$said" ] || return 0
    while read -r vip interface; do
        case $vip in
            *:*) length=128 ;;
            *) length=32; quiet "$interface" 0 0 ;;
        esac
        if [ -n "$(ip -o address show dev lo to "$vip/$length")" ]; then
            ip address del "$vip/$length" dev lo
        fi
    done < "$said"
    rm -f "$said"
}}

forget
[ "$1" = start ] || exit 0
mkdir -p /run/openstack-haproxy
cp {_WANTED} "$said"
while read -r vip interface; do
    case $vip in
        *:*) ip address replace "$vip/128" dev lo ;;
        *)
            # Before the address is there: the network is never told of it by this unit.
            quiet "$interface" 1 2
            ip address replace "$vip/32" dev lo
            ;;
    esac
done < "$said"
"""

_KEEP_UNIT = (
    _NOTE
    + f"""\
[Unit]
Description=Keeps VIPs that this unit gives away, for the connections that it has
After=network-online.target
Wants=network-online.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={_KEEP} start
ExecStop={_KEEP} stop

[Install]
WantedBy=multi-user.target
"""
)

_PASS_UNIT = (
    _NOTE
    + f"""\
[Unit]
Description=Passes on what comes for connections to VIPs that were begun at another unit
After=network-online.target
Wants=network-online.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f {_PASSED}
ExecStop=/usr/sbin/nft delete table netdev {TABLE}

[Install]
WantedBy=multi-user.target
"""
)
