"""What becomes of a unit when something on this host keeps a step from being carried out: a full disk, a lost folder.

The step ends as if its agent had died, the unit's agent shows ``failed`` with a sentence, and it is tried again after
pauses that grow. It passes by itself once the cause does. Source: ``reportAgentError`` of worker/uniter/agent.go of
Juju 3.6, whose agent shows ``failed`` and is restarted.
"""

from __future__ import annotations

from . import edit, lifecycle, machines
from .model import Model, Status, Unit
from .operations import AttachStorage, DeployCharm, Operation, RunHook

FIRST_PAUSE, LAST_PAUSE = 5.0, 300.0
"""Seconds, as between the attempts of a hook that has failed."""


def pause(attempts: int) -> float:
    """Seconds to wait after so many attempts in vain, 1 or more."""
    return min(FIRST_PAUSE * 2.0 ** (min(attempts, 20) - 1), LAST_PAUSE)


def met(model: Model, operation: Operation, said: str, now: float) -> Model:
    """*model* after *operation* could not be carried out; *said* is why, one sentence."""
    if not isinstance(operation, RunHook | DeployCharm | AttachStorage):
        return machines.progress(model, operation.machine, said, now)
    if isinstance(operation, RunHook) and operation.hook.task:
        return _task(model, operation, said, now)
    model = lifecycle.interrupted(model, operation.unit, now)
    if operation.unit not in model.units:
        return model
    attempts = model.units[operation.unit].agent.stumbles + 1
    return edit.agent(
        model,
        operation.unit,
        stumbles=attempts,
        rests_until=now + pause(attempts),
        trouble=f'{_what(operation)}: {said}',
    )


def over(model: Model, operation: Operation) -> Model:
    """*model* after *operation* was carried out, whatever its hook's exit code: nothing keeps its unit any more."""
    if not isinstance(operation, RunHook | DeployCharm | AttachStorage):
        return model
    unit = model.units.get(operation.unit)
    if unit is None or not unit.agent.trouble:
        return model
    return edit.agent(model, unit.name, stumbles=0, rests_until=0.0, trouble='')


def shown(unit: Unit) -> Status | None:
    """What the unit's agent shows instead of its own status; None if all is well."""
    if not unit.agent.trouble:
        return None
    return Status('failed', unit.agent.trouble, unit.agent_status.since)


def _task(model: Model, operation: RunHook, said: str, now: float) -> Model:
    """An action or command is not tried again, as it was asked for once: it has failed, and says why."""
    task = operation.hook.task
    if operation.unit:
        model = lifecycle.interrupted(model, operation.unit, now)
    else:
        model = lifecycle.abandoned(model, task, now)
    if task in model.tasks and model.tasks[task].status == 'failed':
        model = edit.task(model, task, message=said)
    return model


def _what(operation: RunHook | DeployCharm | AttachStorage) -> str:
    if isinstance(operation, DeployCharm):
        return 'cannot unpack the charm'
    if isinstance(operation, AttachStorage):
        return f'cannot attach storage {operation.storage}'
    return f'cannot run {operation.hook.kind}'
