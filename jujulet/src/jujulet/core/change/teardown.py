"""Units, applications and models go. Source: juju remove-* and destroy-model, 3.6."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from .. import edit, relations, settle
from ..model import Application, Model, Refused
from ..requests import DestroyModel, RemoveApplication, RemoveUnit


def remove_unit(request: RemoveUnit, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """``juju remove-unit``: the unit dies in its own time."""
    for name in request.units:
        unit = model.units.get(name)
        if unit is None:
            raise Refused(f'removing unit {name} failed: unit "{name}" does not exist')
        if unit.principal and not request.force:
            raise Refused(
                f'removing unit {name} failed: unit "{name}" is a subordinate, to remove use '
                f'remove-relation. Note: this will remove all units of "{unit.application}"'
            )
    for name in request.units:
        model = edit.unit(
            model,
            name,
            life='dying',
            force=model.units[name].force or request.force,
            destroy_storage=request.destroy_storage,
        )
    return model, {'units': list(request.units)}


def remove_application(
    request: RemoveApplication, model: Model, _now: float
) -> tuple[Model, dict[str, Any]]:
    """``juju remove-application``: its relations and units die first."""
    for name in request.applications:
        if name not in model.applications:
            raise Refused(f'removing application {name} failed: application "{name}" not found')
        offered = [o.name for o in model.offers.values() if o.application == name]
        if offered and not request.force:
            raise Refused(
                f'removing application {name} failed: cannot destroy application "{name}": '
                f'application is used by {len(offered)} offer{"s" if len(offered) > 1 else ""}'
            )
    for name in request.applications:
        model = end_application(
            model,
            model.applications[name],
            force=request.force,
            destroy_storage=request.destroy_storage,
        )
    return model, {'applications': list(request.applications)}


def end_application(
    model: Model, application: Application, *, force: bool, destroy_storage: bool
) -> Model:
    """*model* in which an application is on its way out, and its relations and units with it."""
    name = application.name
    model = edit.application(model, name, life='dying', destroy_storage=destroy_storage)
    for relation in model.relations_of(name):
        if not relations.is_peer(relation) and relation.life == 'alive':
            model = edit.relation(model, relation.id, life='dying')
    for unit in model.units_of(name):
        model = edit.unit(
            model,
            unit.name,
            life='dying',
            force=unit.force or force,
            destroy_storage=destroy_storage,
        )
    return model


def destroy_model(request: DestroyModel, model: Model, now: float) -> tuple[Model, dict[str, Any]]:
    """``juju destroy-model``. With ``--force`` no hook is waited for: only machines are left to take down."""
    model = dataclasses.replace(
        model,
        life='dying',
        force=model.force or request.force,
        destroy_storage=model.destroy_storage or request.destroy_storage,
    )
    for application in list(model.applications.values()):
        model = end_application(model, application, force=request.force, destroy_storage=True)
    if request.force:
        for unit in sorted(model.units.values(), key=lambda u: not u.principal):
            model = settle.without_unit(model, unit.name, now)
    offers = list(model.offers)
    model = edit.without(model, 'offers', *offers) if offers else model
    return model, {}


VERBS: Mapping[type, Any] = {
    RemoveUnit: remove_unit,
    RemoveApplication: remove_application,
    DestroyModel: destroy_model,
}
