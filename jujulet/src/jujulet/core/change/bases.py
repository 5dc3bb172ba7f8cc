"""Units to come get another base; those that are there stay as they are.

Source: apiserver/facades/client/application/updatebase.go and state.Application.UpdateApplicationBase of Juju 3.6,
whose texts are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import bases, edit
from .. import charm as charm_
from ..model import Application, Model, Refused
from ..requests import SetApplicationBase
from . import found


def set_application_base(
    request: SetApplicationBase, model: Model, _now: float
) -> tuple[Model, dict[str, Any]]:
    """``juju set-application-base``: of the application, and of the subordinates that its units have."""
    application = found.alive(found.application(model, request.application))
    charm = model.charms[application.charm]
    if charm.subordinate:
        raise Refused(
            f'"{application.name}" is a subordinate application, update-series not supported'
        )
    base = _known(request.base)
    if not bases.supported(charm, base) and not request.force:
        raise Refused(
            f'base "{base}" not supported by charm "{charm.name}", '
            f'supported bases are: {bases.names(charm.bases)}'
        )
    every = [application, *subordinates(model, application.name)]
    for each in every[1:]:
        _check_subordinate(model, each, base, force=request.force)
    for each in every:
        if each.base != base:
            model = edit.application(model, each.name, base=base)
    return model, {'applications': [each.name for each in every]}


def subordinates(model: Model, application: str) -> list[Application]:
    """The applications of which units of *application* have a subordinate, by name."""
    names = {
        subordinate.application
        for unit in model.units_of(application)
        for subordinate in model.subordinates_of(unit.name)
    }
    return [model.applications[name] for name in sorted(names)]


def _known(text: str) -> charm_.Base:
    try:
        base = bases.parse(text)
        bases.python_of(base)  # Of one that is not known, no machine could be made.
    except charm_.Invalid as error:
        raise Refused(str(error)) from None
    return base


def _check_subordinate(
    model: Model, application: Application, base: charm_.Base, *, force: bool
) -> None:
    charm = model.charms[application.charm]
    if not bases.supported(charm, base) and not force:
        raise Refused(
            f'updating application base: base "{base}" not supported by charm, '
            f'the charm supported bases are: {bases.names(charm.bases)}'
        )


VERBS: Mapping[type, Any] = {SetApplicationBase: set_application_base}
