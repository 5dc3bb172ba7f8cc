"""One podman network a subnet of a model's spaces."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
from collections.abc import Iterable, Mapping
from typing import Any

from jujulet.core import model, topology

from . import bridges, commands, isolation
from .protocol import MachineError
from .tools import Failed, run, there

Wanted = tuple[str, frozenset[str]]
"""What a network is to be: to which space of its model it belongs, and its subnets in CIDR form."""


def wanted(uuid: str, spaces: Iterable[model.Space]) -> dict[str, Wanted]:
    """The networks of a model's spaces, by name."""
    return {
        commands.network_of(uuid, subnet): (space.belongs, _canonical(subnet.cidrs))
        for space in spaces
        for subnet in space.subnets
    }


def stale(
    seen: Iterable[Mapping[str, Any]], uuid: str, all_wanted: Mapping[str, Wanted]
) -> list[str]:
    """Of the networks that podman has *seen* of ours, those of the model that are not as wanted, or not at all.

    A space that was removed leaves its networks: their subnets, and their names for another space of that name.
    """
    return [
        str(network['name'])
        for network in seen
        if _model(network) == uuid and all_wanted.get(network['name']) != _is(network)
    ]


def _is(network: Mapping[str, Any]) -> Wanted:
    subnets: list[Mapping[str, str]] = network.get('subnets') or []
    return bridges.space_of(network), _canonical(s['subnet'] for s in subnets)


def _canonical(cidrs: Iterable[str]) -> frozenset[str]:
    return frozenset(str(ipaddress.ip_network(cidr)) for cidr in cidrs)


def _model(network: Mapping[str, Any]) -> str:
    labels: Mapping[str, str] = network.get('labels') or {}
    return labels.get('jujulet.model', '')


class Networks:
    """The networks that carry one state directory's label."""

    def __init__(self, token: str):
        self.token = token
        self._locks: dict[str, asyncio.Lock] = {}
        self._there: dict[str, Wanted] = {}
        self._bridges: list[str] = []
        self._renewing = asyncio.Lock()

    async def ensure(
        self, uuid: str, spaces: Mapping[str, model.Space], address: model.Address
    ) -> None:
        """Make the network in which *address* is, of one of a model's *spaces*; idempotent.

        *spaces* are all of the model: what it has networks for besides is in the way, and goes where it is.

        Raises:
            MachineError: the subnet is in use, podman refused, or spaces cannot be kept apart.
        """
        space = spaces[address.space]
        subnet = topology.subnet_of(space, address)
        name = commands.network_of(uuid, subnet)
        every = wanted(uuid, spaces.values())
        async with self._locks.setdefault(name, asyncio.Lock()):
            if self._there.get(name) == every[name]:
                if not await isolation.in_force(self._bridges):  # Somebody flushed the firewall.
                    await self._renew()
                return
            await self._make(uuid, space, subnet, every)
            await self._renew()
            self._there[name] = every[name]

    async def _make(
        self, uuid: str, space: model.Space, subnet: model.Subnet, every: Mapping[str, Wanted]
    ) -> None:
        labels = {
            'jujulet.state': self.token,
            'jujulet.model': uuid,
            bridges.SPACE: space.belongs,
        }
        isolate = subnet.network == space.belongs and await backend() != 'cni'
        create = commands.create_network(uuid, subnet, labels, isolate=isolate)
        name = commands.network_of(uuid, subnet)
        try:
            await run(create)
        except Failed as failed:
            seen = await self._ours()
            if any(n['name'] == name and _is(n) == every[name] for n in seen):
                return
            if not (gone := stale(seen, uuid, every)):
                raise MachineError(_why(space, subnet, failed)) from None
            for one in gone:
                self._there.pop(one, None)
                with contextlib.suppress(Failed):  # A machine is in it; or it went just now.
                    await run(['podman', 'network', 'rm', one])
            try:
                await run(create)
            except Failed as again:
                await self._renew()  # The bridges that went may be somebody else's now.
                raise MachineError(_why(space, subnet, again)) from None

    def forget(self) -> None:
        """Believe no more that the networks that were made are there: somebody has removed one."""
        self._there.clear()

    async def _renew(self) -> None:
        async with self._renewing:
            self._bridges = await isolation.renew()

    async def remove(self, uuid: str = '', *, but: frozenset[str] = frozenset()) -> None:
        """Remove the networks of a model, or of all models *but* those; idempotent."""
        models = {str(n['name']): _model(n) for n in await self._ours()}
        gone = [n for n, of in models.items() if of not in but and uuid in ('', of)]
        for name in gone:
            await run(['podman', 'network', 'rm', '--force', name])
            self._there.pop(name, None)
        if gone:  # A bridge's name is used again, by networks that are not ours too.
            await self._renew()

    async def steady(self) -> None:
        """A machine has started: the bridges of its networks, which came with the first one, are put right.

        They keep their hardware address, and send nothing back to where it came from.

        Raises:
            MachineError: the kernel refused.
        """
        if not self._bridges:
            self._bridges = await bridges.names()
        try:
            bridges.hold(self._bridges)
        except OSError as error:
            raise MachineError(f'a bridge does not keep its hardware address: {error}') from None
        try:
            bridges.send_nothing_back(self._bridges)
        except OSError as error:
            raise MachineError(f'a bridge sends back what a machine sent: {error}') from None

    async def _ours(self) -> list[dict[str, Any]]:
        """Our networks, as podman lists them. Without podman there are none."""
        if not there('podman'):
            return []
        mine = f'--filter=label=jujulet.state={self.token}'
        return json.loads(await run(['podman', 'network', 'ls', mine, '--format=json']) or '[]')


async def backend() -> str:
    """Podman's network backend: ``netavark`` or ``cni``; empty if it has none that works."""
    try:
        return (await run(['podman', 'info', '--format={{.Host.NetworkBackend}}'])).strip()
    except Failed:
        return ''


def _why(space: model.Space, subnet: model.Subnet, failed: Failed) -> str:
    reason = failed.stderr.strip().removeprefix('Error: ')
    text = f'network of space {space.name} ({subnet.cidrs[0]}) could not be made: {reason}'
    if 'already used' in reason or 'conflict' in reason:
        # A space keeps its subnets.
        text += (
            '. Remove what has that subnet, then juju retry-provisioning; or make the model anew '
            f'with another one: juju add-space {space.name} CIDR'
        )
    elif 'netavark' in reason or 'network backend' in reason:
        text += '. `jujulet doctor` has the command that mends it'
    return text
