"""Options, constraints and trust change. Source: juju config, model-config, set-constraints and trust, 3.6."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from .. import addresses, edit, lifecycle, modelconfig, options
from ..model import Model, Refused, drop
from ..requests import Expose, SetConfig, SetConstraints, SetModelConfig, SetSshKeys, Trust
from . import found


def set_config(request: SetConfig, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """``juju config APP``: values are set, others reset."""
    application = found.application(model, request.application)
    charm = model.charms[application.charm]
    given = dict(request.options)
    trusted = options.trusted(charm, given)
    trust = application.trust if trusted is None else trusted
    unknown = [n for n in request.reset if n not in charm.options and n != 'trust']
    if unknown:
        raise Refused(f'unknown option "{unknown[0]}"')
    if 'trust' in request.reset:
        trust = False
    values = options.validated(charm, given)
    after = options.chosen({**drop(application.options, *request.reset), **values})
    if after == dict(application.options) and trust == application.trust:
        return model, {}
    return edit.application(model, application.name, options=after, trust=trust), {}


def set_model_config(
    request: SetModelConfig, model: Model, now: float
) -> tuple[Model, dict[str, Any]]:
    """``juju model-config``."""
    return _rescheduled(modelconfig.update(model, request.options, request.reset), model, now), {}


def _rescheduled(model: Model, before: Model, now: float) -> Model:
    """A new interval of ``update-status`` begins at once. Source: worker/uniter/remotestate of Juju 3.6."""
    if modelconfig.interval(before) != modelconfig.interval(model):
        for unit in list(model.units.values()):
            if unit.agent.update_status_at:
                model = lifecycle.next_update_status(model, unit.name, now)
    return model


def set_constraints(
    request: SetConstraints, model: Model, _now: float
) -> tuple[Model, dict[str, Any]]:
    """Constraints of the model or of one application: they hold for machines to come."""
    for space in addresses.spaces_in(request.constraints):
        if space not in model.spaces:
            raise Refused(f'space "{space}" not found')
    values = dict(request.constraints)
    if not request.application:
        return dataclasses.replace(model, constraints=values), {}
    application = found.application(model, request.application)
    if model.charms[application.charm].subordinate:
        raise Refused('constraints do not apply to subordinate applications')
    return edit.application(model, application.name, constraints=values), {}


def trust(request: Trust, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """``juju trust``."""
    found.application(model, request.application)
    return edit.application(model, request.application, trust=not request.remove), {}


def expose(request: Expose, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """``juju expose`` and ``juju unexpose``."""
    application = found.application(model, request.application)
    known = {'', *model.charms[application.charm].relations}
    for endpoint in request.endpoints:
        if endpoint not in known:
            raise Refused(f'endpoint "{endpoint}" not found')
    if request.undo:
        left = drop(application.exposed_endpoints, *request.endpoints)
        still = bool(request.endpoints and left)
        kept = left if still else {}
        return edit.application(model, application.name, exposed=still, exposed_endpoints=kept), {}
    endpoints = {**application.exposed_endpoints, **request.endpoints}
    return edit.application(model, application.name, exposed=True, exposed_endpoints=endpoints), {}


def set_ssh_keys(request: SetSshKeys, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """Keys are added whole, and removed by key, comment or fingerprint (already looked up)."""
    kept = [
        k for k in model.ssh_keys if k not in request.remove and _comment(k) not in request.remove
    ]
    added = [k for k in request.add if k not in kept]
    return dataclasses.replace(model, ssh_keys=(*kept, *added)), {}


def _comment(key: str) -> str:
    return key.split(None, 2)[2] if len(key.split(None, 2)) == 3 else key


VERBS: Mapping[type, Any] = {
    SetConfig: set_config,
    SetModelConfig: set_model_config,
    SetConstraints: set_constraints,
    Trust: trust,
    Expose: expose,
    SetSshKeys: set_ssh_keys,
}
