"""VIPs that a unit gives away for good, with no other unit's help: the program that stops its keepalived. Pure.

A connection lives where it was begun: when a VIP moves, its packets reach the new owner, whose kernel resets it. So the
VIPs move at a moment when there is none. New connections are not taken from then on until they have moved: their first
packet is dropped, and a client's kernel sends it again after a second, to the new owner.

Where this cannot be had (no nftables in the kernel) the VIPs move as they are. To give VIPs away for a while, with long
connections, is :mod:`charmkit.proxy.vip_handover`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from .. import host
from . import programs

PACKAGE = 'nftables'
PROGRAM = f'{programs.FOLDER}/release-vips'
TABLE = 'openstack_release'
WAIT_S = 3
"""How long connections may take to end, while new ones wait."""


def release(vips: Iterable[str]) -> host.Host:
    """What gives *vips* away: their keepalived stops within it."""
    wanted = tuple(dict.fromkeys(vips))
    return host.Host(
        directories=(host.Directory(path=programs.FOLDER),),
        files=(host.File(path=PROGRAM, content=program(wanted), mode=0o755),),
        commands=(
            host.Command(
                name='release of VIPs',
                argv=(PROGRAM,),
                key=host.digest(' '.join(wanted)),
                timeout_s=60,
            ),
        ),
    )


def program(vips: Iterable[str]) -> str:
    """The text of :data:`PROGRAM`."""
    vips = tuple(vips)
    rules = ''.join(
        f'    {_family(vip)} daddr {vip} tcp flags & (syn | ack) == syn drop\n' for vip in vips
    )
    return _PROGRAM.format(
        vips=' '.join(vips), rules=rules, table=TABLE, tenths=10 * WAIT_S, note=programs.NOTE
    )


def _family(vip: str) -> str:
    return 'ip' if ipaddress.ip_address(vip).version == 4 else 'ip6'


_PROGRAM = """\
#!/bin/sh
{note}set -u

connected() {{
    for vip in {vips}; do
        [ -z "$(ss -Htn state established src "$vip")" ] || return 0
    done
    return 1
}}

if nft -f - <<'END'
table inet {table}
delete table inet {table}
table inet {table} {{
  chain arriving {{
    type filter hook input priority 0; policy accept;
{rules}  }}
}}
END
then
    left={tenths}
    while connected && [ "$left" -gt 0 ]; do
        sleep 0.1
        left=$((left - 1))
    done
fi
systemctl disable --now --quiet keepalived
nft delete table inet {table}
exit 0
"""
