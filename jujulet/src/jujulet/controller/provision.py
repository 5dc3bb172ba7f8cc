"""Makes, restarts and removes machines, and keeps the link to the agent of each."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping

from ..core import bases, dependents, lxdprofile, operations
from ..core import machines as machines_
from ..core import model as model_
from ..machines import link as link_
from ..machines import protocol
from . import engine as engine_
from . import installcache

logger = logging.getLogger(__name__)

AGENT_GRACE_S, AGENT_GRACE_MOST_S = 2.0, 60.0
"""Seconds after which a machine that is not heard of is looked after: the first time, and later ones at most."""

HELLO_TIMEOUT_S = 180.0
"""How long a machine's system may take from its start until its agent says hello."""

LAYER_POLL_S = 0.5
"""How often a machine that waits for a layer looks for it."""

Key = tuple[str, str]
"""(model uuid, machine id)."""


class Provision:
    """The machines of all models, as far as they are there, and the links to their agents."""

    def __init__(self, engine: engine_.Engine, cache: installcache.InstallCache):
        self._engine = engine
        self._cache = cache
        self._starting = asyncio.Semaphore(max(2, os.cpu_count() or 2))
        """Starting a machine takes a core; more at once only make each of them slower."""
        self._servers: dict[Key, asyncio.Server] = {}
        self._links: dict[Key, link_.AgentLink] = {}
        self._arrivals: dict[Key, asyncio.Event] = {}
        self.on_listen: Callable[[str, str], Awaitable[None]] = _nothing
        """Awaited with (model uuid, machine id) before a machine is started."""
        engine.on_remove = self._hang_up
        for kind in engine.machines.values():
            kind.current = self._current

    def link(self, uuid: str, machine: str) -> link_.AgentLink | None:
        """The link to a machine's agent, if it is there."""
        return self._links.get((uuid, machine))

    async def recover(self) -> None:
        """After a start of the controller: find out which machines are still there, and bring back the rest."""
        alive = {(u, i) for u, m in self._engine.models.items() for i in m.machines}
        for kind in self._engine.machines.values():
            try:
                await kind.recover(alive)  # They share a folder: each must know of the other's.
            except Exception as error:  # Whatever it was: what is well must not wait for ever.
                self._not_recovered(error)
        for uuid, machine in sorted(alive):
            if self._engine.models[uuid].machines[machine].phase in ('started', 'down'):
                self._engine.update(
                    uuid, lambda m, i=machine: machines_.down(m, i, self._engine.clock())
                )
                self._engine.spawn(self._return(uuid, machine), uuid)

    def _not_recovered(self, error: Exception) -> None:
        logger.error('not all is as it was: %s', error, exc_info=error)
        for uuid in self._engine.models:
            said = f'after the start of the controller not all is as it was: {error}'
            self._engine.log(uuid, 'controller-0', 'ERROR', 'jujulet.controller', said)

    async def stop(self) -> None:
        """Hang up on every agent: each waits for the next controller."""
        servers, links = list(self._servers.values()), list(self._links.values())
        for server in servers:
            server.close()
        for link in links:
            link.close()
        await asyncio.gather(*(link.closed.wait() for link in links))
        await asyncio.sleep(0)  # Let those that served them end, too.

    async def _return(self, uuid: str, machine: str) -> None:
        """Bring a machine back that was there before the controller went away."""
        model = self._engine.models[uuid]
        try:
            async with self._starting:
                await self._listen(uuid, machine)
                await self._engine.machines_of(uuid).ensure(_spec(model, machine), lambda _: None)
        except protocol.MachineError as error:
            self._fail(uuid, machine, str(error))

    async def start(self, uuid: str, operation: operations.StartMachine) -> None:
        """Make a machine; ends when its agent is there, or when it cannot be made."""
        machine = operation.machine

        def progress(message: str) -> None:
            if machine in self._engine.models[uuid].machines:
                now = self._engine.clock()
                self._engine.update(uuid, lambda m: machines_.progress(m, machine, message, now))

        layer = self._cache.layer_for(uuid, machine)
        while not layer and (holder := self._cache.awaited(uuid, machine)):
            progress(f'waiting for what {holder} installs, to start from that')
            await asyncio.sleep(LAYER_POLL_S)
            if self._machines(uuid)[machine].life != 'alive':
                return
        layer = layer or self._cache.layer_for(uuid, machine)
        model = self._engine.update(uuid, lambda m: engine_.replaced(m, machine, layer=layer))
        arrived = self._arrivals.setdefault((uuid, machine), asyncio.Event())
        try:
            async with self._starting:
                await self._listen(uuid, machine)
                await self._engine.machines_of(uuid).ensure(_spec(model, machine), progress)
                await asyncio.wait_for(arrived.wait(), HELLO_TIMEOUT_S)
        except protocol.LayerGone:
            # Pruned a moment ago. It is chosen anew, for the machine is still wanted.
            self._engine.update(uuid, lambda m: engine_.replaced(m, machine, layer=''))
        except protocol.MachineError as error:
            self._fail(uuid, machine, str(error))
        except TimeoutError:
            self._fail(
                uuid,
                machine,
                f'its agent did not start within {HELLO_TIMEOUT_S:.0f} s: '
                'see `jujulet doctor`, then `juju retry-provisioning`',
            )

    def _fail(self, uuid: str, machine: str, message: str) -> None:
        logger.error('machine %s of %s: %s', machine, uuid, message)
        now = self._engine.clock()
        self._engine.update(uuid, lambda m: machines_.failed(m, machine, message, now))
        self._engine.log(uuid, f'machine-{machine}', 'ERROR', 'juju.worker.provisioner', message)

    def _hang_up(self, uuid: str, machine: str = '') -> None:
        """Hear no more of a machine, or of all of a model."""
        for key in {*self._servers, *self._links, *self._arrivals}:
            if key[0] != uuid or machine not in ('', key[1]):
                continue
            if server := self._servers.pop(key, None):
                server.close()
            if link := self._links.pop(key, None):
                link.close()
            self._arrivals.pop(key, None)

    async def destroy(self, uuid: str, operation: operations.DestroyMachine) -> None:
        """Take a machine down and forget it."""
        machine = operation.machine
        self._hang_up(uuid, machine)
        await self._engine.machines_of(uuid).destroy(uuid, machine)
        self._engine.update(uuid, lambda m: machines_.gone(m, machine, self._engine.clock()))

    async def reboot(self, uuid: str, operation: operations.RebootMachine) -> None:
        """Restart a machine's system; ends when its agent is back."""
        arrived = asyncio.Event()
        self._arrivals[uuid, operation.machine] = arrived
        await self._engine.machines_of(uuid).reboot(uuid, operation.machine)
        await asyncio.wait_for(arrived.wait(), HELLO_TIMEOUT_S)

    async def _listen(self, uuid: str, machine: str) -> None:
        """Wait for the agent of a machine, now and whenever it comes back."""
        if (uuid, machine) in self._servers:
            return
        path = self._engine.machines_of(uuid).run_dir(uuid, machine) / protocol.AGENT_SOCKET

        async def meet(link: link_.AgentLink) -> None:
            await self._meet(uuid, machine, link)

        self._servers[uuid, machine] = await link_.listen(path, meet)
        await self.on_listen(uuid, machine)

    async def _meet(self, uuid: str, machine: str, link: link_.AgentLink) -> None:
        if machine not in self._machines(uuid):
            link.close()
            return
        if old := self._links.get((uuid, machine)):
            old.close()
        self._links[uuid, machine] = link
        now = self._engine.clock()
        given = self._engine.machines_of(uuid).given(uuid, machine)
        self._engine.update(uuid, lambda m: machines_.started(m, machine, link.boots, now, given))
        self._arrivals.setdefault((uuid, machine), asyncio.Event()).set()
        await link.closed.wait()
        if self._links.get((uuid, machine)) is not link:
            return
        del self._links[uuid, machine]
        if machine in self._machines(uuid):
            now = self._engine.clock()
            self._engine.update(uuid, lambda m: machines_.down(m, machine, now))
            self._engine.spawn(self._look_after(uuid, machine), uuid)

    async def _look_after(self, uuid: str, machine: str) -> None:
        """Have an agent that has died started again, or say what keeps its machine away."""
        pause = AGENT_GRACE_S
        while True:
            await asyncio.sleep(pause)
            found = self._machines(uuid).get(machine)
            if found is None or found.phase != 'down' or (uuid, machine) in self._links:
                return
            if machine in self._engine.occupied(uuid):
                continue  # It is being restarted, or goes.
            try:
                said = await self._engine.machines_of(uuid).revive(uuid, machine)
            except (protocol.MachineError, OSError) as error:
                said = str(error)
            if said and (uuid, machine) not in self._links:
                self._report_progress(uuid, machine, said)
            pause = min(pause * 2, AGENT_GRACE_MOST_S)

    def _report_progress(self, uuid: str, machine: str, said: str) -> None:
        now = self._engine.clock()
        self._engine.update(uuid, lambda m: machines_.progress(m, machine, said, now))

    def _current(self, uuid: str, machine: str) -> protocol.MachineSpec | None:
        return (
            _spec(self._engine.models[uuid], machine) if machine in self._machines(uuid) else None
        )

    def _machines(self, uuid: str) -> Mapping[str, model_.Machine]:
        if uuid in self._engine.removing:
            return {}
        model = self._engine.models.get(uuid)
        return model.machines if model else {}


async def _nothing(uuid: str, machine: str) -> None:
    pass


def _spec(model: model_.Model, machine: str) -> protocol.MachineSpec:
    wanted = model.machines[machine]
    return protocol.MachineSpec(
        model=model.uuid,
        model_name=model.name,
        id=machine,
        base=wanted.base,
        hostname=wanted.hostname,
        layer=wanted.layer,
        addresses=wanted.addresses,
        spaces=model.spaces,
        constraints=wanted.constraints,
        lsb_release=bases.lsb_release(wanted.lsb_release) if wanted.lsb_release else '',
        ssh_keys=model.ssh_keys,
        devices=lxdprofile.wanted_devices(model, machine),
        modules=lxdprofile.wanted_modules(model, machine),
        cpu_shares=dependents.cpu_shares(model, machine),
    )
