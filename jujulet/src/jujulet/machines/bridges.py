"""The bridges of our networks: their hardware addresses, and what their ports do.

The kernel gives a bridge the lowest hardware address of its ports, so another machine may change it, coming or going.
Its neighbours know the host by the old one then, and their answers to it are lost for up to 13 s (seen: one machine in
three, where two were before). An address that was set stays. netavark sets none (1.4, Debian 12).

The ports of podman's CNI bridges send every broadcast back to the machine that it came from (``hairpin_mode``). Where
that machine's interface is itself the port of a bridge within, that bridge learns its own addresses as being outside,
and loses its traffic (seen with Open vSwitch 3.1 and 3.5).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import pathlib
import socket
import struct
from collections.abc import Iterable, Mapping
from typing import Any

from .tools import run

_SIOCSIFHWADDR = 0x8924  # linux/sockios.h
_ARPHRD_ETHER = 1  # linux/if_arp.h
_SET = '3'  # NET_ADDR_SET of linux/netdevice.h: somebody chose it
_NET = pathlib.Path('/sys/class/net')


SPACE = 'jujulet.space'
"""The label of a network that says to which space of its model it belongs (see ``topology.Space.belongs``)."""


async def names() -> list[str]:
    """The bridges of all networks of all of jujulet's state directories, as podman lists them now."""
    return [name for space in await spaces() for name in space]


async def spaces() -> list[list[str]]:
    """The bridges of all spaces of all of jujulet's state directories, as podman lists them now."""
    said = await run(['podman', 'network', 'ls', '--filter=label=jujulet.state', '--format=json'])
    found: dict[tuple[str, ...], list[str]] = {}
    networks: list[dict[str, Any]] = json.loads(said or '[]')
    for network in networks:
        labels: dict[str, str] = network.get('labels') or {}
        where = (labels['jujulet.state'], labels.get('jujulet.model', ''), space_of(network))
        found.setdefault(where, []).append(network['network_interface'])
    return list(found.values())


def space_of(network: Mapping[str, Any]) -> str:
    """The space to which a network says that it belongs; one that says nothing is called after it."""
    labels: dict[str, str] = network.get('labels') or {}
    name: str = '-'.join(network['name'].split('-')[2:])  # jujulet-3f9a01-NAME
    return labels.get(SPACE, name)


def send_nothing_back(bridges: Iterable[str]) -> None:
    """Have no port of those *bridges* that are there return to a machine what it sent itself.

    Raises:
        OSError: the kernel refused.
    """
    for name in bridges:
        for port in sorted((_NET / name / 'brif').glob('*/hairpin_mode')):
            if _said(port) not in ('', '0'):
                # It may go at this moment, with its machine.
                with contextlib.suppress(FileNotFoundError):
                    port.write_text('0')


def hold(bridges: Iterable[str]) -> None:
    """Have those *bridges* that are there keep the hardware address that they have now.

    Raises:
        OSError: the kernel refused.
    """
    for name in bridges:
        address = _said(_NET / name / 'address')
        if not address or _said(_NET / name / 'addr_assign_type') in ('', _SET):
            continue  # It comes with its first machine, and goes with its network.
        wanted = struct.pack(
            '16sH14s', name.encode(), _ARPHRD_ETHER, bytes.fromhex(address.replace(':', ''))
        )
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            try:
                fcntl.ioctl(any_socket, _SIOCSIFHWADDR, wanted)
            except OSError as error:
                if error.errno != errno.ENODEV:
                    raise


def _said(file: pathlib.Path) -> str:
    """What the kernel says of an interface; '' when it is not there, or goes at this moment.

    While it goes, its files say EINVAL (source: ``netdev_show`` in net/core/net-sysfs.c of Linux).
    """
    try:
        return file.read_text().strip()
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENODEV, errno.EINVAL):
            raise
        return ''
