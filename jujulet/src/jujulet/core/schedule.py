"""Which operations may start now, and when to look again.

One operation a machine at a time, as Juju's machine lock has it; machines go in parallel. Pure: what the model
should become with time alone (a lease that runs out) is worked out here too, and again when the operation begins.
"""

from __future__ import annotations

from . import dependents, leadership, resolver, secrets, settle, tasks
from .agenda import Agenda
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
    agenda = followed(model, busy, now)
    found = {machine: agenda.anew(model, machine, now) for machine in model.machines}
    return _ordered(model, [o for m, o in found.items() if o is not None and m not in busy])


def followed(model: Model, busy: frozenset[str], now: float) -> Agenda:
    """What each machine that is not *busy* does next; *model* is to be :func:`aged`."""
    agenda = _agenda(model)
    agenda.follow(model, busy, now)
    return agenda


def _agenda(model: Model) -> Agenda:
    if model.indexes.agenda is None:
        model.indexes.agenda = Agenda(for_machine)
    return model.indexes.agenda


def without_hooks(model: Model, agenda: Agenda) -> tuple[Operation, ...]:
    """All that may start but hooks that no task asked for, in the order in which it is needed."""
    return _ordered(model, agenda.others())


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


def for_machine(model: Model, machine_id: str, now: float) -> Operation | None:
    """What a machine does next, worked out from *model* alone. KeyError if there is no such machine."""
    machine, units = model.machines[machine_id], model.units_on(machine_id)
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
    first = _agenda(model).wake_at(model, now)
    times = [first] if first else []
    times += leadership.wake_at(model) + secrets.wake_at(model)
    later = [t for t in times if t > now]
    return min(later) if later else None
