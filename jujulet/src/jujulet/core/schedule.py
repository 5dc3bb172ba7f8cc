"""Which operations may start now, and when to look again.

One operation a machine at a time, as Juju's machine lock has it; machines go in parallel. Pure: what the model
should become with time alone (a lease that runs out) is worked out here too, and again when the operation begins.
"""

from __future__ import annotations

from . import dependents, leadership, resolver, secrets, settle, tasks
from .model import Hook, Machine, Model, Unit
from .operations import (
    DestroyMachine,
    Operation,
    RebootMachine,
    RunHook,
    StartMachine,
)


def due(model: Model, busy: frozenset[str], now: float) -> tuple[Operation, ...]:
    """What may start now: at most one operation a machine, none for those in *busy*."""
    model = aged(model, now)
    units: dict[str, list[Unit]] = {}
    for unit in model.units.values():
        units.setdefault(unit.machine, []).append(unit)
    out: list[Operation] = []
    for machine in model.machines.values():
        if machine.id in busy:
            continue
        operation = _for_machine(model, machine, units.get(machine.id, []), now)
        if operation is not None:
            out.append(operation)
    return _ordered(model, out)


def _ordered(model: Model, found: list[Operation]) -> tuple[Operation, ...]:
    """New machines come in the order in which they are needed; who carries out starts few at once."""
    new = {o.machine: o for o in found if isinstance(o, StartMachine)}
    if len(new) < 2:
        return tuple(found)
    rest = (o for o in found if not isinstance(o, StartMachine))
    return (*(new[machine] for machine in dependents.first(model, new)), *rest)


def aged(model: Model, now: float) -> Model:
    """*model* with what time alone has changed: leases that have run out."""
    return settle.settle(model, now) if leadership.wake_at(model) else model


def _for_machine(
    model: Model, machine: Machine, units: list[Unit], now: float
) -> Operation | None:
    if machine.life != 'alive' and not units:
        return DestroyMachine(machine.id)
    if machine.phase == 'pending':
        return StartMachine(machine.id)
    if machine.phase != 'started' or any(u.agent.step == 'running' or u.agent.task for u in units):
        return None
    if any(u.agent.reboot for u in units):
        return RebootMachine(machine.id)
    return _for_units(model, machine, units, now) or _for_task(model, machine)


def _for_units(model: Model, machine: Machine, units: list[Unit], now: float) -> Operation | None:
    """Whoever has waited longest gets the machine."""
    for unit in sorted(units, key=lambda u: (u.agent_status.since, u.name)):
        if unit.agent.rests_until > now:
            continue
        step = resolver.next_step(model, unit, now)
        if step is None:
            continue
        if isinstance(step, Hook):
            return RunHook(unit.name, machine.id, step)
        return step
    return None


def _for_task(model: Model, machine: Machine) -> Operation | None:
    hook = tasks.next_hook(model, machine.id)
    return RunHook('', machine.id, hook) if hook else None


def wake_at(model: Model, now: float) -> float | None:
    """When ``due`` may answer differently though nothing has changed; None: not by time alone."""
    times = [resolver.wake_at(u) for u in model.units.values()]
    times += [u.agent.rests_until for u in model.units.values()]
    times += leadership.wake_at(model) + secrets.wake_at(model)
    later = [t for t in times if t > now]
    return min(later) if later else None
