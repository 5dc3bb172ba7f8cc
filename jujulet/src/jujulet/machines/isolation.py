"""Keeps spaces apart by firewall rules of our own.

podman's option ``isolate`` is not enough: when the last container of any isolated network goes, netavark (1.4, seen)
takes away the jump to its isolation rules, and every space of every model reaches every other until the next such
network comes. Ours is a table of its own, replaced whole in one transaction, which nothing else touches.
"""

from __future__ import annotations

import asyncio
import fcntl
import pathlib
import tempfile
from collections.abc import Collection, Iterable

from . import bridges as bridges_
from .protocol import MachineError
from .tools import Failed, run

TABLE = 'inet jujulet'

LOCK = pathlib.Path('/run/lock/jujulet-spaces')
"""Held while the rules are replaced: several users' controllers share one firewall."""


def rules(spaces: Iterable[Collection[str]]) -> str:
    """A script for nft: whatever comes in from a bridge does not leave by one of another space, IPv4 and IPv6 alike.

    What goes from one bridge of a space to another keeps its sender: podman's networks put the host's in its place.
    """
    spaces = [sorted(set(space)) for space in spaces]
    names = sorted(name for space in spaces for name in space)
    together = [', '.join(f'"{n}"' for n in space) for space in spaces if len(space) > 1]
    lines = [f'table {TABLE}', f'delete table {TABLE}']
    if names:
        lines += [f'table {TABLE} {{', ' chain others {']
        lines += [f'  oifname "{name}" drop' for name in names]
        lines += [
            ' }',
            ' chain forward {',
            '  type filter hook forward priority -5; policy accept;',
        ]
        lines += [f'  iifname {{ {those} }} oifname {{ {those} }} accept' for those in together]
        lines += [f'  iifname "{name}" oifname != "{name}" jump others' for name in names]
        lines += [' }']
        if together:
            lines += [' chain senders {', '  type nat hook postrouting priority srcnat - 5;']
            lines += [
                f'  iifname {{ {those} }} oifname {{ {those} }} meta nfproto {family} '
                f'snat {ip} to {ip} saddr'
                for those in together
                for family, ip in (('ipv4', 'ip'), ('ipv6', 'ip6'))
            ]
            lines += [' }']
        lines += ['}']
    return '\n'.join(lines) + '\n'


async def in_force(bridges: Iterable[str]) -> bool:
    """Whether there are rules for all of *bridges*: whoever flushes the firewall takes ours with the others."""
    try:
        said = await run(['nft', 'list', 'table', *TABLE.split()])
    except Failed:
        return False
    return all(f'iifname "{name}"' in said for name in bridges)


async def renew() -> list[str]:
    """Rules for all networks of all of jujulet's state directories, as podman lists them now; their bridges.

    Raises:
        MachineError: nft is missing or refused: spaces could reach one another, so no machine may start.
    """
    with tempfile.TemporaryDirectory(prefix='jujulet-') as scratch, LOCK.open('w') as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        script = pathlib.Path(scratch, 'rules.nft')
        spaces = await bridges_.spaces()
        script.write_text(rules(spaces))
        try:
            await run(['nft', '-f', str(script)])
        except Failed as failed:
            raise MachineError(
                f'spaces cannot be kept apart: nft: {failed.stderr.strip()}'
            ) from None
    return [name for space in spaces for name in space]
