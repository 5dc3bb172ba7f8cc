"""What the edge is told to do next, and may do at the same time.

``core.schedule.due`` returns these; the controller carries each out and reports the end through
``core.lifecycle`` (hooks, tasks) or ``core.machines`` (machines).
"""

from __future__ import annotations

import dataclasses

from . import model as model_


@dataclasses.dataclass(frozen=True)
class StartMachine:
    """Make the machine, or start it again. Ends in ``machines.started`` or ``machines.failed``."""

    machine: str


@dataclasses.dataclass(frozen=True)
class DestroyMachine:
    """Take the machine down and forget it. Ends in ``machines.gone``."""

    machine: str


@dataclasses.dataclass(frozen=True)
class DeployCharm:
    """Unpack a charm on a unit's machine: the first, or a newer one. Ends in ``lifecycle.deployed``."""

    unit: str
    url: str


@dataclasses.dataclass(frozen=True)
class AttachStorage:
    """Make a storage instance's place on the machine. Ends in ``lifecycle.storage_attached``."""

    unit: str
    storage: str


@dataclasses.dataclass(frozen=True)
class RunHook:
    """Run one hook, action or command. Between ``lifecycle.begin`` and ``lifecycle.finish``."""

    unit: str
    """Empty for a command on a machine."""
    machine: str
    hook: model_.Hook


@dataclasses.dataclass(frozen=True)
class RebootMachine:
    """Restart the machine's system. Ends in ``machines.started``."""

    machine: str


Operation = StartMachine | DestroyMachine | DeployCharm | AttachStorage | RunHook | RebootMachine
