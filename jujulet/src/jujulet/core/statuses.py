"""Statuses that the agent itself sets, with what it keeps of their history.

Source: worker/uniter/op_callbacks.go and worker/uniter/operation/runhook.go of Juju 3.6.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from . import edit
from .model import Model, Status, Unit

KEPT = 40
"""How many statuses of a unit are remembered."""

WAITING_FOR_MACHINE = 'waiting for machine'
INSTALLING_AGENT = 'installing agent'
AGENT_INITIALIZING = 'agent initializing'


def remembered(unit: Unit, kind: str, status: Status) -> tuple[tuple[str, Status], ...]:
    """A unit's history with one more status (*kind*: ``workload`` or ``juju-unit``)."""
    return (*unit.history, (kind, status))[-KEPT:]


def workload(model: Model, name: str, current: str, message: str, now: float) -> Model:
    """*model* in which the agent has set the workload's status."""
    unit = model.units[name]
    status = Status(current, message, now)
    changed = dataclasses.replace(
        unit, workload=status, history=remembered(unit, 'workload', status)
    )
    return edit.put_unit(model, changed)


def agent(
    model: Model,
    name: str,
    current: str,
    message: str,
    now: float,
    data: Mapping[str, Any] | None = None,
) -> Model:
    """*model* in which the agent's own status differs; the same if it already was so."""
    unit = model.units[name]
    old = unit.agent_status
    if (old.current, old.message, dict(old.data)) == (current, message, dict(data or {})):
        return model
    status = Status(current, message, now, data or {})
    changed = dataclasses.replace(
        unit, agent_status=status, history=remembered(unit, 'juju-unit', status)
    )
    return edit.put_unit(model, changed)
