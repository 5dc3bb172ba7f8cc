"""Units are added, and mended after a failed hook. Source: juju add-unit and resolved, 3.6."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import edit, placement, settle
from ..model import Model, Refused
from ..requests import AddUnit, Resolved
from . import found


def add_unit(request: AddUnit, model: Model, now: float) -> tuple[Model, dict[str, Any]]:
    """``juju add-unit``."""
    application = found.alive(found.application(model, request.application))
    if request.num_units < 1:
        raise Refused('--num-units must be a positive integer', code=2)
    if model.charms[application.charm].subordinate:
        raise Refused('cannot add unit to a subordinate application directly')
    model, names = placement.add_units(
        model, application.name, request.num_units, request.to, now, request.attach_storage
    )
    return model, {'units': names}


def resolved(request: Resolved, model: Model, now: float) -> tuple[Model, dict[str, Any]]:
    """``juju resolved``: run the failed hook again, or go on as if it had run."""
    if request.all:
        names = [u.name for u in model.units.values() if u.agent.step == 'failed']
    else:
        names = [found.unit(model, name).name for name in request.units]
    for name in names:
        agent = model.units[name].agent
        if agent.step != 'failed':
            raise Refused(f'unit "{name}" is not in an error state')
        if agent.resolved:
            raise Refused(f'cannot set resolved mode for unit "{name}": already resolved')
        if not request.retry:
            model = settle.skipped(model, name, now)
            continue
        model = edit.agent(model, name, resolved='retry')
    return model, {'units': names}


VERBS: Mapping[type, Any] = {AddUnit: add_unit, Resolved: resolved}
