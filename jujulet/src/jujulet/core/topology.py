"""Where units are: the spaces of a model, and the machines with their addresses in them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from . import charm as charm_
from .parts import Life, frozen_map


@dataclasses.dataclass(frozen=True)
class Space:
    """A network of the model. Machines in two spaces have an address in each; spaces cannot reach one another."""

    name: str
    subnet4: str
    """IPv4 subnet in CIDR form; the gateway is its first host."""
    subnet6: str = ''
    network: str = ''
    """What its network is called after where that is another name than its own: one that it had before."""


@dataclasses.dataclass(frozen=True)
class Address:
    """Where a machine is in one space. Static: it survives restarts of machine and host."""

    space: str
    ipv4: str
    ipv6: str = ''
    mac: str = ''


def interface(number: int) -> str:
    """Name of the interface of a machine's address: machines are made so."""
    return f'eth{number}'


@dataclasses.dataclass(frozen=True)
class Machine:
    """A machine: wanted from the moment it is in the model, there once ``phase`` is ``started``."""

    id: str
    base: charm_.Base
    life: Life = 'alive'
    phase: Literal['pending', 'started', 'down', 'failed'] = 'pending'
    """``pending``: to be made. ``started``: agent connected. ``down``: agent lost. ``failed``: could not be made."""
    message: str = ''
    """Progress or error of making it, for people (shown as the message of ``machine-status``)."""
    since: float = 0.0
    constraints: Mapping[str, Any] = dataclasses.field(default_factory=frozen_map)
    addresses: tuple[Address, ...] = ()
    layer: str = ''
    """Key of the install layer that it is made from; empty for a bare base (see ``core.layers``)."""
    boots: int = 0
    """How often its system has started; a unit that has seen fewer runs an extra ``start``."""
    hostname: str = ''
    exclusive: bool = True
    """False once a unit was placed here by ``--to``: no install layer is taken from it."""
    given: Mapping[str, bool] = dataclasses.field(default_factory=frozen_map)
    """Devices and kernel modules that it was to have at its last start, and whether the host has them."""
