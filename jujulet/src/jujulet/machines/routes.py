"""Ways from a machine to the other subnets of its spaces, where it would go out by its first interface otherwise."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Iterable

from jujulet.core import model, topology

from .protocol import MachineSpec
from .tools import Failed, run

logger = logging.getLogger(__name__)


def wanted(spec: MachineSpec) -> list[tuple[str, ...]]:
    """A command of ``ip`` for each subnet of the machine's spaces in which it is not itself."""
    found: list[tuple[str, ...]] = []
    for number, address in enumerate(spec.addresses):
        space = spec.spaces[address.space]
        own = topology.subnet_of(space, address)
        for other in space.subnets:
            for family, cidr, ours in (('-4', other.ipv4, own.ipv4), ('-6', other.ipv6, own.ipv6)):
                if other == own or not cidr or not ours:
                    continue
                gateway = str(ipaddress.ip_network(ours)[1])
                interface = model.interface(number)
                found.append(
                    ('ip', family, 'route', 'replace', cidr, 'via', gateway, 'dev', interface)
                )
    return found


def learners(
    spec: MachineSpec,
    known: Iterable[str],
    current: Callable[[str, str], MachineSpec | None],
) -> list[MachineSpec]:
    """Who is to know these ways now that machine *spec* is there: itself, and the *known* ones of its model."""
    if not any(len(space.subnets) > 1 for space in spec.spaces.values()):
        return []
    found = [current(spec.model, machine) for machine in known if machine != spec.id]
    return [spec, *(each for each in found if each is not None)]


async def lay(spec: MachineSpec, pid: int) -> None:
    """Have the machine whose process 1 is *pid* know these ways, as far as its charms left the interfaces alone."""
    for command in wanted(spec):
        try:
            await run(['nsenter', f'--target={pid}', '--net', *command])
        except Failed as failed:
            logger.warning('machine %s: %s', spec.id, failed)
