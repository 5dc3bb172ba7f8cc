"""One podman network a subnet of a model's spaces."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Literal

from jujulet.core import model, topology

from . import bridges, commands, isolation
from .protocol import MachineError
from .tools import Failed, run, there


class Networks:
    """The networks that carry one state directory's label."""

    def __init__(self, token: str):
        self.token = token
        self._locks: dict[str, asyncio.Lock] = {}
        self._there: dict[str, str] = {}  # By network: to which space it belongs.
        self._bridges: list[str] = []
        self._renewing = asyncio.Lock()

    async def ensure(self, uuid: str, space: model.Space, address: model.Address) -> None:
        """Make the network in which *address* is, of a space; idempotent.

        Raises:
            MachineError: the subnet is in use, podman refused, or spaces cannot be kept apart.
        """
        subnet = topology.subnet_of(space, address)
        name = commands.network_of(uuid, subnet)
        async with self._locks.setdefault(name, asyncio.Lock()):
            if self._there.get(name) == space.belongs:
                if not await isolation.in_force(self._bridges):  # Somebody flushed the firewall.
                    await self._renew()
                return
            await self._make(uuid, space, subnet)
            await self._renew()
            self._there[name] = space.belongs

    async def _make(self, uuid: str, space: model.Space, subnet: model.Subnet) -> None:
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
            if 'already exists' not in failed.stderr:
                raise MachineError(_why(space, subnet, failed)) from None
            fits = await self._fits(name, space, subnet)
            if fits == 'as wanted':
                return
            if fits == 'not ours':
                raise MachineError(_why(space, subnet, failed)) from None
            try:  # It was moved to another space: no machine is in it, or podman refuses.
                await run(['podman', 'network', 'rm', name])
                await run(create)
            except Failed as again:
                raise MachineError(_why(space, subnet, again)) from None

    def forget(self) -> None:
        """Believe no more that the networks that were made are there: somebody has removed one."""
        self._there.clear()

    async def _renew(self) -> None:
        async with self._renewing:
            self._bridges = await isolation.renew()

    async def _fits(
        self, name: str, space: model.Space, subnet: model.Subnet
    ) -> Literal['as wanted', 'of another space', 'not ours']:
        """Whether the network of that name is ours, has the subnet, and is of that space."""
        seen: dict[str, Any] = json.loads(await run(['podman', 'network', 'inspect', name]))[0]
        labels: dict[str, str] = seen.get('labels') or {}
        subnets = {s.get('subnet') for s in seen.get('subnets', [])}
        mine = labels.get('jujulet.state') == self.token
        if not mine or subnet.cidrs[0] not in subnets:
            return 'not ours'
        same = bridges.space_of(seen) == space.belongs
        return 'as wanted' if same else 'of another space'

    async def remove(self, uuid: str = '', *, but: frozenset[str] = frozenset()) -> None:
        """Remove the networks of a model, or of all models *but* those; idempotent."""
        gone = [n for n, o in (await self._ours()).items() if o not in but and uuid in ('', o)]
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

    async def _ours(self) -> dict[str, str]:
        """Our networks: name and model. Without podman there are none."""
        if not there('podman'):
            return {}
        said = await run(
            [
                'podman',
                'network',
                'ls',
                f'--filter=label=jujulet.state={self.token}',
                '--format=json',
            ]
        )
        return {
            n['name']: n.get('labels', {}).get('jujulet.model', '')
            for n in json.loads(said or '[]')
        }


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
