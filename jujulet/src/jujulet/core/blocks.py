"""Sets of commands that a model refuses, as ``juju disable-command`` has it.

Source: cmd/juju/block and apiserver/common/block.go of Juju 3.6, with their words.
"""

from __future__ import annotations

from collections.abc import Mapping

from . import requests
from .model import Model, Refused

SETS: Mapping[str, str] = {
    'all': 'BlockChange',
    'destroy-model': 'BlockDestroy',
    'remove-object': 'BlockRemove',
}
"""What a user types, and what the model calls it."""

_REMOVALS = (
    requests.RemoveUnit,
    requests.RemoveApplication,
    requests.RemoveMachine,
    requests.RemoveRelation,
    requests.RemoveStorage,
    requests.RemoveRemote,
)
_NEVER = (
    requests.SwitchBlock,
    requests.Run,
    requests.CancelTask,
    requests.AddCharm,
    requests.AddSecret,
    requests.UpdateSecret,
    requests.RemoveSecret,
    requests.GrantSecret,
    requests.AddOffer,
    requests.RemoveOffer,
    requests.CreatePool,
    requests.UpdatePool,
    requests.RemovePool,
)
"""What Juju's API lets through whatever is disabled."""

_WHAT = {
    'BlockRemove': (
        '\nAll operations that remove machines, applications, units or\n'
        'relations have been disabled for the current model.\n'
        'To enable removal, run\n\n    juju enable-command remove-object\n\n'
    ),
    'BlockDestroy': (
        '\ndestroy-model operation has been disabled for the current model.\n'
        'To enable the command run\n\n    juju enable-command destroy-model\n\n'
    ),
    'BlockChange': (
        '\nAll operations that change model have been disabled for the current model.\n'
        'To enable changes, run\n\n    juju enable-command all\n\n'
    ),
}


def check(model: Model, request: requests.Request) -> None:
    """Let *request* pass. Refused, in Juju's words, if the user has disabled what it does."""
    if not model.blocks or isinstance(request, _NEVER):
        return
    kinds = ['BlockChange']
    if isinstance(request, requests.DestroyModel):
        kinds = ['BlockDestroy', 'BlockRemove', 'BlockChange']
    elif isinstance(request, _REMOVALS):
        kinds = ['BlockRemove', 'BlockChange']
    for kind in kinds:
        if kind in model.blocks:
            # What is said below belongs to the command, not to the set that is disabled.
            raise Refused(f'{model.blocks[kind]}\n{_WHAT[kinds[0]]}')


def shown(model: Model) -> list[dict[str, str]]:
    """``juju disabled-commands``, in the order in which they were disabled."""
    names = {kind: name for name, kind in SETS.items()}
    return [
        {'command-set': names[kind], **({'message': message} if message else {})}
        for kind, message in model.blocks.items()
    ]
