"""What becomes of machines, as the edge reports it. A report about a machine that is gone changes nothing."""

from __future__ import annotations

from collections.abc import Mapping

from . import edit, lifecycle, settle, statuses, tasks
from .model import Model


def started(
    model: Model, machine: str, boots: int, now: float, given: Mapping[str, bool] | None = None
) -> Model:
    """*model* in which a machine's agent has connected; *boots* counts the starts of its system.

    *given* are the devices and kernel modules that it was to have, and whether the host has them.
    """
    if machine not in model.machines:
        return model
    found = model.machines[machine]
    since = found.since if found.phase == 'started' else now
    model = edit.machine(
        model,
        machine,
        phase='started',
        boots=max(boots, found.boots),
        message='',
        since=since,
        given=dict(given or {}),
    )
    for unit in model.units_on(machine):
        if unit.agent.reboot and boots > found.boots:
            model = edit.agent(model, unit.name, reboot='')
        if not unit.agent.deployed and unit.workload.message == statuses.WAITING_FOR_MACHINE:
            model = statuses.workload(model, unit.name, 'waiting', statuses.INSTALLING_AGENT, now)
    return settle.settle(model, now)


def failed(model: Model, machine: str, message: str, now: float) -> Model:
    """*model* in which a machine could not be made; *message* says why, for the user."""
    if machine not in model.machines:
        return model
    model = edit.machine(model, machine, phase='failed', message=message, since=now)
    return settle.settle(model, now)


def progress(model: Model, machine: str, message: str, now: float) -> Model:
    """*model* in which a machine that is being made has come further."""
    if machine not in model.machines or model.machines[machine].message == message:
        return model
    return edit.machine(model, machine, message=message, since=now)


def down(model: Model, machine: str, now: float) -> Model:
    """*model* in which a machine's agent is lost: what its units had in hand is interrupted."""
    if machine not in model.machines:
        return model
    for unit in model.units_on(machine):
        model = lifecycle.interrupted(model, unit.name, now)
    for task in list(model.tasks.values()):
        if task.receiver == machine:
            model = lifecycle.abandoned(model, task.id, now)
    if model.machines[machine].phase == 'started':
        model = edit.machine(model, machine, phase='down', since=now)
    return settle.settle(model, now)


def restarted(model: Model, machine: str, now: float) -> Model:
    """*model* in which a machine that is down, or could not be made, is to be started (again)."""
    if machine not in model.machines or model.machines[machine].phase not in ('down', 'failed'):
        return model
    model = edit.machine(model, machine, phase='pending', message='', since=now)
    return settle.settle(model, now)


def gone(model: Model, machine: str, now: float) -> Model:
    """*model* without a machine. Units that were still on it are gone with it."""
    if machine not in model.machines:
        return model
    for unit in sorted(model.units_on(machine), key=lambda u: not u.principal):
        model = settle.without_unit(model, unit.name, now)
    model = tasks.cancelled_for(model, machine, now)
    return settle.settle(edit.without(model, 'machines', machine), now)
