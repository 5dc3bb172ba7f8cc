"""What a model looks like at one moment: applications, units, machines. Pure data."""

from __future__ import annotations

import dataclasses
from typing import TypeAlias


@dataclasses.dataclass(frozen=True, order=True)
class Unit:
    """A unit, with the statuses that `juju status` shows."""

    name: str
    machine: str = ''
    leader: bool = False
    agent_status: str = 'idle'
    workload_status: str = 'active'
    subordinate: bool = False
    message: str = ''
    agent_message: str = ''
    address: str = ''
    ports: tuple[str, ...] = ()

    @property
    def application(self) -> str:
        """The application that the unit is of."""
        return self.name.partition('/')[0]


@dataclasses.dataclass(frozen=True, order=True)
class Application:
    """An application and its units."""

    name: str
    units: tuple[Unit, ...] = ()
    subordinate: bool = False
    charm: str = ''
    revision: int = 0
    status: str = 'active'
    message: str = ''
    relations: tuple[tuple[str, str], ...] = ()
    """Endpoint and related application."""


@dataclasses.dataclass(frozen=True, order=True)
class Machine:
    """A machine by its id."""

    id: str
    status: str = 'started'
    addresses: tuple[str, ...] = ()
    hostname: str = ''
    message: str = ''

    @property
    def name(self) -> str:
        """The id: machines have no other name."""
        return self.id


@dataclasses.dataclass(frozen=True)
class Model:
    """Everything that a selector can choose from, in the order of `juju status`."""

    applications: tuple[Application, ...] = ()
    machines: tuple[Machine, ...] = ()


Thing: TypeAlias = Unit | Application | Machine
