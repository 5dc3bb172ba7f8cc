"""Requests of users, carried out on a model. Pure; what follows from a change is settled before it is handed back."""

from __future__ import annotations

import functools
from typing import Any

from .. import requests, settle
from ..model import Model, Refused
from . import (
    actions,
    applications,
    config,
    machines,
    refresh,
    relations,
    remotes,
    secrets,
    spaces,
    storage,
    teardown,
    units,
)

Answer = dict[str, Any]


@functools.singledispatch
def _carry_out(request: Any, model: Model, now: float) -> tuple[Model, Answer]:
    raise Refused(f'{type(request).__name__} is not supported')


for _module in (
    actions,
    applications,
    config,
    machines,
    refresh,
    relations,
    remotes,
    secrets,
    spaces,
    storage,
    teardown,
    units,
):
    for _kind, _verb in _module.VERBS.items():
        _carry_out.register(_kind, _verb)


def apply(model: Model, request: requests.Request, now: float) -> tuple[Model, Answer]:
    """The model after *request*, and what the command has to say.

    Raises Refused, with the text that Juju would print, if it cannot be; then nothing has changed.
    """
    if model.life != 'alive' and not isinstance(request, _WHILE_DYING):
        raise Refused(f'model "{model.name}" is no longer alive')
    after, answer = _carry_out(request, model, now)
    return settle.settle(after, now), answer


_WHILE_DYING = (
    requests.DestroyModel,
    requests.RemoveUnit,
    requests.RemoveApplication,
    requests.RemoveMachine,
    requests.RemoveRelation,
    requests.RemoveStorage,
    requests.RemoveOffer,
    requests.RemoveRemote,
    requests.Resolved,
    requests.CancelTask,
    requests.SetModelConfig,
    requests.Run,
    requests.Exec,
)
