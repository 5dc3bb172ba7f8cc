"""Where a unit goes: which machine, or a new one with an address in every space that it needs.

Source: Juju's placement directives (``--to``; documentation.ubuntu.com/juju/3.6/reference/placement-directive).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from . import addresses, edit, modelconfig, statuses, storage
from .charm import Base
from .model import Application, Machine, Model, Refused, Status, Unit


def add_machine(
    model: Model,
    base: Base,
    constraints: Mapping[str, Any],
    spaces: tuple[str, ...],
    now: float,
    *,
    exclusive: bool = True,
) -> tuple[Model, str]:
    """A new machine, its addresses allotted; the answer is its id. Raises Refused for an unknown or full space."""
    model, number = edit.number(model, 'machine')
    mid = str(number)
    model, found = addresses.allocate(model, mid, spaces)
    machine = Machine(
        id=mid,
        base=base,
        since=now,
        constraints=dict(constraints),
        addresses=found,
        hostname=f'juju-{model.uuid[-6:]}-{mid}',
        lsb_release=_lsb_release(model, base),
        exclusive=exclusive,
    )
    return edit.put_machine(model, machine), mid


def _lsb_release(model: Model, base: Base) -> str:
    if base.name != 'debian' or model.machines_kind != 'container':
        return ''
    return str(modelconfig.get(model, 'lsb-release'))


MOST_AT_ONCE = 10_000
"""Units or machines that one request may add: a bundle of a stranger's may ask for any number."""


def add_units(
    model: Model,
    application: str,
    count: int,
    to: tuple[str, ...],
    now: float,
    attach: tuple[str, ...] = (),
) -> tuple[Model, list[str]]:
    """New units of a principal application, or one with storage to *attach*: their names. Raises Refused."""
    if attach and count != 1:
        raise Refused('--attach-storage cannot be used with -n', code=2)
    if count > MOST_AT_ONCE:
        raise Refused(f'cannot add {count} units at once: at most {MOST_AT_ONCE}')
    if len(to) > count:
        raise Refused('too many placement directives provided: more than the number of units')
    names: list[str] = []
    for index in range(count):
        app = model.applications[application]
        name = f'{application}/{app.next_unit}'
        model, machine = _place(model, app, name, to[index] if index < len(to) else '', now)
        before, model = model, add_unit(model, application, machine, '', now, attach)
        storage.check_places(before, model, name)
        names.append(name)
    return model, names


def add_unit(
    model: Model,
    application: str,
    machine: str,
    principal: str,
    now: float,
    attach: tuple[str, ...] = (),
) -> Model:
    """*model* with one more unit of *application*, on a machine that is there, with storage to *attach*."""
    app = model.applications[application]
    name = f'{application}/{app.next_unit}'
    ready = model.machines[machine].phase == 'started'
    waiting = statuses.INSTALLING_AGENT if ready else statuses.WAITING_FOR_MACHINE
    unit = Unit(
        name=name,
        application=application,
        machine=machine,
        principal=principal,
        workload=Status('waiting', waiting, now),
        agent_status=Status('allocating', '', now),
    )
    model = edit.application(model, application, next_unit=app.next_unit + 1)
    model = edit.put_unit(model, unit)
    for sid in attach:
        model = storage.give(model, name, sid, new=True)
    model = storage.provide(model, name, now)
    storage.check_count(model, name, attach)
    return model


def _place(model: Model, app: Application, unit: str, to: str, now: float) -> tuple[Model, str]:
    constraints = {**model.constraints, **app.constraints}
    spaces = addresses.needed_spaces(app, constraints)
    target = _target(model, to)
    if not target:
        return add_machine(model, app.base, constraints, spaces, now)
    machine = model.machines.get(target)
    if machine is None:
        raise Refused(f'cannot add unit for application "{app.name}": machine {target} not found')
    _check(model, app, machine, unit, spaces)
    if machine.exclusive and model.units_on(target):
        model = edit.machine(model, target, exclusive=False)
    return model, target


def _check(
    model: Model, app: Application, machine: Machine, unit: str, spaces: tuple[str, ...]
) -> None:
    why = f'cannot assign unit "{unit}" to machine {machine.id}: '
    if machine.life != 'alive':
        raise Refused(f'{why}machine is not found or not alive')
    if machine.base != app.base:
        raise Refused(
            f'{why}base does not match: unit has "{app.base}", machine has "{machine.base}"'
        )
    lacking = addresses.missing(model, machine.id, spaces)
    if lacking:
        raise Refused(f'{why}machine is not in space "{lacking[0]}"')


def _target(model: Model, to: str) -> str:
    """The machine that a directive names; empty for a new one. A container on a machine is a new machine here."""
    if to in ('', 'new') or to in ('lxd', 'kvm') or to.startswith(('lxd:', 'kvm:')):
        return ''
    if re.fullmatch(r'\d+(/(lxd|kvm)/\d+)?', to):
        return to
    name, slash, _ = to.partition('/')
    if slash and to in model.units:
        return model.units[to].machine
    if not slash and name in model.applications and model.units_of(name):
        return model.units_of(name)[0].machine
    raise Refused(f'unsupported placement directive "{to}": give a machine, "new", or a unit')
