"""Machines come and go by themselves. Source: juju add-machine and remove-machine, 3.6."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import addresses, bases, edit, modelconfig, placement
from .. import charm as charm_
from .. import machines as machines_
from ..model import Model, Refused
from ..requests import AddMachine, RemoveMachine, RetryProvisioning


def add(request: AddMachine, model: Model, now: float) -> tuple[Model, dict[str, Any]]:
    """``juju add-machine``."""
    try:
        base = bases.parse(request.base) if request.base else modelconfig.default_base(model)
    except charm_.Invalid as error:
        raise Refused(str(error)) from None
    constraints = {**model.constraints, **request.constraints}
    default = str(modelconfig.get(model, 'default-space')) or addresses.DEFAULT_SPACE
    spaces = tuple(addresses.spaces_in(constraints)) or (default,)
    if request.count > placement.MOST_AT_ONCE:
        raise Refused(
            f'cannot add {request.count} machines at once: at most {placement.MOST_AT_ONCE}'
        )
    ids: list[str] = []
    for _ in range(request.count):
        model, mid = placement.add_machine(
            model, base or bases.LATEST_LTS, constraints, spaces, now
        )
        ids.append(mid)
    return model, {'machines': ids}


def remove(request: RemoveMachine, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """``juju remove-machine``: of empty machines, or with ``--force`` with everything on them."""
    for mid in request.machines:
        if mid not in model.machines:
            raise Refused(f'removing machine {mid} failed: machine {mid} not found')
        units = sorted(u.name for u in model.units.values() if u.machine == mid)
        if units and not request.force:
            names = ', '.join(f'"{name}"' for name in units)
            raise Refused(
                f'removing machine {mid} failed: machine {mid} has unit{"s" if len(units) > 1 else ""} '
                f'{names} assigned'
            )
        for name in units:
            model = edit.unit(model, name, life='dying', force=True)
        model = edit.machine(model, mid, life='dying')
    return model, {'machines': list(request.machines)}


def retry(request: RetryProvisioning, model: Model, now: float) -> tuple[Model, dict[str, Any]]:
    """``juju retry-provisioning``."""
    failed = [m.id for m in model.machines.values() if m.phase == 'failed']
    for mid in request.machines:
        if mid not in model.machines:
            raise Refused(f'machine {mid} not found')
        if mid not in failed:
            raise Refused(f'machine {mid} is not in an error state')
    chosen = failed if request.all else list(request.machines)
    for mid in chosen:
        model = machines_.restarted(model, mid, now)
    return model, {'machines': chosen}


VERBS: Mapping[type, Any] = {AddMachine: add, RemoveMachine: remove, RetryProvisioning: retry}
