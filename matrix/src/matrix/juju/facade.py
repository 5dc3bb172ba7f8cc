"""The model as custom tasks know it: the part of libjuju 0.4 that juju-solutions/matrix and its users touch.

Everything it shows is the newest status that the link knows; what it does goes through the link.
"""

from __future__ import annotations

import asyncio
import dataclasses
import shlex
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from matrix.juju import link
from matrix.plans import snapshot


@dataclasses.dataclass(frozen=True)
class Info:
    """What `model.info` has."""

    name: str
    uuid: str = ''


@dataclasses.dataclass(frozen=True)
class Action:
    """An action that was started; `await action.wait()` gives the same with its results."""

    status: str
    results: Mapping[str, object]
    message: str = ''
    data: Mapping[str, object] = dataclasses.field(default_factory=dict[str, object])

    async def wait(self) -> Action:
        """The action when it has ended; it has."""
        return self


class Unit:
    """One unit, by its name; its statuses are those of the moment when they are read."""

    def __init__(self, model: Model, name: str):
        self._model = model
        self.name = name
        self._since = (('', ''), '')

    @property
    def _now(self) -> snapshot.Unit:
        found = self._model.seen(self.name)
        return found or snapshot.Unit(self.name, agent_status='', workload_status='terminated')

    @property
    def application(self) -> str:
        """The name of its application."""
        return self.name.partition('/')[0]

    @property
    def dead(self) -> bool:
        """Whether it is gone."""
        return self._model.seen(self.name) is None

    @property
    def agent_status(self) -> str:
        """The agent's status."""
        return self._now.agent_status

    @property
    def workload_status(self) -> str:
        """The workload's status."""
        return self._now.workload_status

    @property
    def workload_status_message(self) -> str:
        """What the workload says."""
        return self._now.message

    @property
    def agent_status_since(self) -> float:
        """Since when the agent's status is what it is, as seconds of `time.time()`."""
        return self._model.since(self.name, 'agent')

    @property
    def workload_status_since(self) -> float:
        """Since when the workload's status is what it is, as seconds of `time.time()`."""
        return self._model.since(self.name, 'workload')

    @property
    def subordinate(self) -> bool:
        """Whether it is a subordinate."""
        return self._now.subordinate

    @property
    def public_address(self) -> str:
        """Its address."""
        return self._now.address

    @property
    def machine(self) -> str:
        """The id of its machine."""
        return self._now.machine

    async def is_leader_from_status(self) -> bool:
        """Whether status shows it as the leader."""
        return self._now.leader

    async def is_leader(self) -> bool:
        """Whether it is the leader, by a status that is asked for now."""
        await self._model.link.fresh()
        return self._now.leader

    async def run(self, command: str, timeout: float | None = None) -> Action:
        """Run a shell command as root on its machine."""
        ran = await self._model.link.script(self.name, command, within=timeout or 60.0)
        results: dict[str, object] = {'Code': str(ran.code), 'Stdout': ran.output, 'Stderr': ''}
        status = 'completed' if ran.code == 0 else 'failed'
        return Action(status, results, data={'results': results})

    async def run_action(self, action_name: str, **params: object) -> Action:
        """Run an action to its end; one that fails has status `failed`."""
        try:
            results = await self._model.link.run_action(
                self.name, action_name, params, within=600.0
            )
        except link.LinkError as error:
            return Action('failed', {}, str(error))
        return Action('completed', results, data={'results': results})

    async def remove(self) -> None:
        """Ask for it to be removed."""
        await self._model.link.remove_unit(self.name)

    destroy = remove

    def __repr__(self) -> str:
        return f'<Unit {self.name}>'


class Application:
    """One application, by its name."""

    def __init__(self, model: Model, name: str):
        self._model = model
        self.name = name

    @property
    def _now(self) -> snapshot.Application:
        found = [one for one in self._model.link.now().applications if one.name == self.name]
        return found[0] if found else snapshot.Application(self.name, status='terminated')

    @property
    def units(self) -> list[Unit]:
        """Its units."""
        return [self._model.unit(one.name) for one in self._now.units]

    @property
    def status(self) -> str:
        """Its status."""
        return self._now.status

    @property
    def dead(self) -> bool:
        """Whether it is gone."""
        return self.name not in self._model.applications

    @property
    def subordinate(self) -> bool:
        """Whether it is a subordinate."""
        return self._now.subordinate

    async def add_unit(self, count: int = 1, to: str | None = None) -> None:
        """Ask for more units."""
        await self._model.link.add_unit(self.name, count, to)

    add_units = add_unit

    def __repr__(self) -> str:
        return f'<Application {self.name}>'


@dataclasses.dataclass(frozen=True)
class Machine:
    """One machine."""

    id: str
    status: str
    addresses: tuple[str, ...]


@dataclasses.dataclass
class Model:
    """What a custom task gets as `context.juju_model`. `deploys` and `clears` are what deploy and reset do."""

    link: link.Link
    deploys: Callable[[str], Awaitable[None]]
    clears: Callable[[], Awaitable[None]]
    uuid: str = ''
    _units: dict[str, Unit] = dataclasses.field(default_factory=dict[str, Unit])
    _since: dict[tuple[str, str], tuple[str, float]] = dataclasses.field(
        default_factory=dict[tuple[str, str], tuple[str, float]]
    )

    @property
    def info(self) -> Info:
        """Its name and uuid."""
        return Info(self.link.model.rpartition(':')[2].rpartition('/')[2], self.uuid)

    @property
    def name(self) -> str:
        """Its name."""
        return self.info.name

    @property
    def applications(self) -> dict[str, Application]:
        """Applications by name."""
        return {one.name: Application(self, one.name) for one in self.link.now().applications}

    @property
    def units(self) -> dict[str, Unit]:
        """Units by name."""
        return {
            unit.name: self.unit(unit.name)
            for one in self.link.now().applications
            for unit in one.units
        }

    @property
    def machines(self) -> dict[str, Machine]:
        """Machines by id."""
        return {
            one.id: Machine(one.id, one.status, one.addresses) for one in self.link.now().machines
        }

    def unit(self, name: str) -> Unit:
        """The one object for a unit."""
        return self._units.setdefault(name, Unit(self, name))

    def seen(self, name: str) -> snapshot.Unit | None:
        """A unit in the newest status."""
        return next(
            (
                unit
                for one in self.link.now().applications
                for unit in one.units
                if unit.name == name
            ),
            None,
        )

    def since(self, name: str, which: str) -> float:
        """Since when a status was seen to be what it is."""
        unit = self.seen(name)
        now = (
            '' if unit is None else unit.agent_status if which == 'agent' else unit.workload_status
        )
        before, at = self._since.get((name, which), (None, 0.0))
        if before != now:
            at = time.time()
            self._since[name, which] = (now, at)
        return at

    async def deploy(self, entity_url: str, *_: Any, **__: Any) -> None:
        """Deploy a bundle or charm by its path."""
        await self.deploys(str(entity_url))

    async def reset(self, force: bool = False) -> None:
        """Ask for everything to be removed."""
        await self.clears()

    async def block_until(
        self, *conditions: Callable[[], bool], timeout: float | None = None, wait_period: float = 0
    ) -> None:
        """Wait until all conditions hold; they are asked at every change of status, and every second.

        Raises:
            TimeoutError: they do not within so many seconds.
        """
        async with asyncio.timeout(timeout):
            while not all(condition() for condition in conditions):
                await asyncio.sleep(wait_period or 1.0)

    def all_units_idle(self) -> bool:
        """Whether every agent is idle."""
        return all(
            unit.agent_status == 'idle'
            for one in self.link.now().applications
            for unit in one.units
        )

    async def get_status(self) -> snapshot.Model:
        """A status that is asked for now."""
        return await self.link.fresh()

    async def cli(self, command: str) -> str:
        """Any `juju` command on this model: more than libjuju had."""
        return await self.link.cli(*shlex.split(command))


@dataclasses.dataclass(frozen=True)
class Controller:
    """What a custom task gets as `context.juju_controller`: its name is all that can be known without libjuju."""

    controller_name: str = ''
