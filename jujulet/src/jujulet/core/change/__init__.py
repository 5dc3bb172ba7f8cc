"""Requests of users, carried out on a model. Pure; what follows from a change is settled before it is handed back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .. import blocks as blocks_
from .. import requests, settle
from ..model import Model, Refused
from . import (
    actions,
    applications,
    bases,
    blocks,
    config,
    machines,
    pools,
    refresh,
    relations,
    remotes,
    secrets,
    spaces,
    storage,
    subnets,
    teardown,
    units,
)

Reply = dict[str, Any]


Verb = Callable[[Any, Model, float], tuple[Model, Reply]]

VERBS: Mapping[type, Verb] = {
    kind: verb
    for module in (
        actions,
        applications,
        bases,
        blocks,
        config,
        machines,
        pools,
        refresh,
        relations,
        remotes,
        secrets,
        spaces,
        storage,
        subnets,
        teardown,
        units,
    )
    for kind, verb in module.VERBS.items()
}
"""What carries out each kind of request."""


def apply(
    model: Model, request: requests.Request, now: float, *, by_user: bool = True
) -> tuple[Model, Reply]:
    """The model after *request*, and what the command has to say.

    What a user has disabled binds users alone: *by_user* is false for what a machine asks.
    Raises Refused, with the text that Juju would print, if it cannot be; then nothing has changed.
    """
    if model.life != 'alive' and not isinstance(request, _WHILE_DYING):
        raise Refused(f'model "{model.name}" is no longer alive')
    if by_user:
        blocks_.check(model, request)
    after, reply = VERBS[type(request)](request, model, now)
    return settle.settle(after, now), reply


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
    requests.SwitchBlock,
    requests.Run,
    requests.Exec,
)
