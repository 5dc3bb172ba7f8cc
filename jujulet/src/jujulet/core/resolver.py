"""What a unit's agent does next: the order of events, and nothing else.

The order is Juju's (worker/uniter/resolver.go): reboot, what is queued, what has failed, relation-created, leadership,
secrets, tasks, storage; then, for a dying unit, relations, stop, remove; for a living one install, upgrade,
config-changed, relations, update-status. Nothing here changes the model: ``core.lifecycle`` does.
"""

from __future__ import annotations

from . import leadership, options, relationhooks, secrets, storage, tasks
from .model import Hook, Model, Unit
from .operations import AttachStorage, DeployCharm

Step = Hook | DeployCharm | AttachStorage


def next_hook(model: Model, unit: Unit, now: float) -> Hook | None:
    """The hook, action or command that *unit* runs next; None if there is none now, or if one is running."""
    step = next_step(model, unit, now)
    return step if isinstance(step, Hook) else None


def next_step(model: Model, unit: Unit, now: float) -> Step | None:
    """What the unit's agent does next, be it a hook or something on the machine that a hook needs."""
    agent = unit.agent
    if unit.life == 'dead' or agent.step == 'running' or agent.task or agent.removed:
        return None
    if not agent.deployed:
        return _first_charm(model, unit)
    if _rebooted(model, unit):
        return Hook('start')
    if agent.reboot:
        return None
    if agent.step == 'queued':
        return agent.hook
    if agent.step == 'failed':
        return _while_failed(model, unit, now)
    return _idle(model, unit, now)


def _first_charm(model: Model, unit: Unit) -> DeployCharm | None:
    if unit.life != 'alive':
        return None
    return DeployCharm(unit.name, model.applications[unit.application].charm)


def _rebooted(model: Model, unit: Unit) -> bool:
    machine = model.machines.get(unit.machine)
    if machine is None or not unit.agent.started or unit.agent.stopped or unit.agent.reboot:
        return False
    if unit.agent.step != 'idle' and unit.agent.hook == Hook('start'):
        return False
    return machine.boots > unit.agent.boots_seen


def _while_failed(model: Model, unit: Unit, now: float) -> Step | None:
    agent = unit.agent
    if agent.resolved == 'retry' or (agent.retry_at and agent.retry_at <= now):
        return agent.hook
    application = model.applications[unit.application]
    if application.force_charm and agent.deployed != application.charm:
        return DeployCharm(unit.name, application.charm)
    return tasks.next_hook(model, unit.name) if agent.installed else None


def _idle(model: Model, unit: Unit, now: float) -> Step | None:
    installed = unit.agent.installed and not unit.agent.removed
    return (
        relationhooks.next_created(model, unit)
        or leadership.next_hook(model, unit)
        or secrets.next_hook(model, unit, now)
        or (tasks.next_hook(model, unit.name) if installed else None)
        or storage.next_hook(model, unit)
        or (_living(model, unit, now) if unit.life == 'alive' else _dying(model, unit))
    )


def _dying(model: Model, unit: Unit) -> Step | None:
    hook = relationhooks.next_hook(model, unit)
    if hook is not None:
        return hook
    if unit.agent.started and not unit.agent.stopped:
        return Hook('stop')
    if unit.agent.installed and not unit.agent.removed:
        return Hook('remove')
    return None


def _living(model: Model, unit: Unit, now: float) -> Step | None:
    agent = unit.agent
    waiting = storage.pending(model, unit)
    for each in waiting:
        if not each.attached:
            return AttachStorage(unit.name, each.id)
    if not agent.installed:
        return Hook('install')
    upgrade = _upgrade(model, unit)
    if upgrade is not None:
        return upgrade
    digest = options.digest(model, unit)
    if agent.config_seen != digest:
        return Hook('config-changed', digest=digest)
    return relationhooks.next_hook(model, unit) or _update_status(unit, now)


def _upgrade(model: Model, unit: Unit) -> Step | None:
    application = model.applications[unit.application]
    if unit.agent.deployed != application.charm:
        return DeployCharm(unit.name, application.charm)
    if unit.agent.charm_seen < application.charm_modified:
        return Hook('upgrade-charm', version=application.charm_modified)
    return None


def _update_status(unit: Unit, now: float) -> Hook | None:
    at = unit.agent.update_status_at
    return Hook('update-status') if unit.agent.started and at and at <= now else None


def wake_at(unit: Unit) -> float:
    """When a unit's answer changes by time alone; 0: never."""
    if unit.agent.step == 'failed':
        return unit.agent.retry_at
    if unit.agent.step == 'idle' and unit.life == 'alive' and unit.agent.started:
        return unit.agent.update_status_at
    return 0.0


def finished(model: Model, unit: Unit) -> bool:
    """Whether a dying unit has nothing left to do, so that it may go."""
    if unit.life == 'alive' or unit.agent.step == 'running' or unit.agent.task:
        return False
    if not unit.agent.installed and unit.agent.step == 'idle':
        return not unit.agent.storage_attached
    return unit.agent.removed
