"""Ways from a machine to the other subnets of its spaces, where it would go out by its first interface otherwise."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

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
    known: Callable[[], Iterable[str]],
    current: Callable[[str, str], MachineSpec | None],
) -> list[MachineSpec]:
    """Who is to know these ways now that machine *spec* is there: itself, and the *known* ones of its model.

    Each as it is now: a space may have got another subnet while the machine was made.
    """
    own = current(spec.model, spec.id) or spec
    if not any(len(space.subnets) > 1 for space in own.spaces.values()):
        return []
    found = [current(spec.model, machine) for machine in known() if machine != spec.id]
    return [own, *(each for each in found if each is not None)]


class Routes:
    """What each machine that runs knows of these ways: what it lacks is laid whenever there is occasion."""

    def __init__(self) -> None:
        # By machine: its process 1, and the command that was given for a subnet.
        self._known: dict[tuple[str, str], tuple[int, dict[str, tuple[str, ...]]]] = {}

    async def lay(self, spec: MachineSpec, pidfile: Path) -> None:
        """Have a machine know its ways, as far as its charms left the interfaces alone. One that goes needs none."""
        try:
            pid = int(pidfile.read_text())
        except (OSError, ValueError):
            return
        names = spec.model, spec.id
        if names not in self._known or self._known[names][0] != pid:
            self._known[names] = pid, {}
        _, known = self._known[names]
        for command in wanted(spec):
            cidr = command[4]
            if known.get(cidr) == command:
                continue
            try:
                await run(['nsenter', f'--target={pid}', '--net', *command])
            except Failed as failed:  # Tried again when there is occasion.
                logger.warning('machine %s: %s', spec.id, failed)
            else:
                known[cidr] = command

    def forget(self, model: str, machine: str) -> None:
        """A machine is no more."""
        self._known.pop((model, machine), None)
