"""``juju grant`` and ``revoke``: there is one user, who may do everything; what is asked is checked as Juju does.

Source: cmd/juju/model/grantrevoke.go and core/permission/access.go of Juju 3.6, with their words.
"""

from __future__ import annotations

import re

from ..core import model as model_
from . import command, home, models
from .command import Call, Command

_LEVELS = {
    'model': ('read', 'write', 'admin'),
    'offer': ('read', 'consume', 'admin'),
    'controller': ('login', 'superuser'),
}
_MODEL = re.compile(r'([a-z0-9]+(?:[.+-][a-z0-9]+)*/)?[a-z0-9]+[a-z0-9-]*')
_OFFER = re.compile(r'(?:[^:/]+:)?(?:[^/]+/)?[a-z0-9][a-z0-9-]*\.[a-z][a-z0-9-]*')


def _about(call: Call) -> str:
    """What is given or taken access to: ``model``, ``offer`` or ``controller``. Refused as Juju's ``Init`` does."""
    access, targets = call.args[1], call.args[2:]
    offers = [t for t in targets if _OFFER.fullmatch(t)]
    named = [t for t in targets if t not in offers]
    for name in named:
        if not _MODEL.fullmatch(name.rpartition(':')[2]):
            raise command.usage_error(f'model name "{name}" not valid')
    if offers and named:
        raise command.usage_error('either specify model names or offer URLs but not both')
    verb = "See 'juju help grant'."
    if targets and access in _LEVELS['controller']:
        raise command.usage_error(
            f'You have specified a controller access permission "{access}".\n'
            f'If you intended to change controller access, do not specify any model names or offer URLs.\n{verb}'
        )
    if not targets and access in _LEVELS['model']:
        raise command.usage_error(
            f'You have specified a model access permission "{access}".\n'
            f'If you intended to change model access, you need to specify one or more model names.\n{verb}'
        )
    about = 'offer' if offers else 'model' if named else 'controller'
    if targets and access not in _LEVELS[about]:
        raise command.usage_error(f'"{access}" {about} access not valid')
    return about


def _target(call: Call) -> str:
    about = _about(call)
    home.check_controller(call['controller'])
    if about == 'controller' and call.args[1] not in _LEVELS['controller']:
        raise model_.Refused(f'"{call.args[1]}" controller access not valid')
    for name in call.args[2:] if about == 'model' else ():
        models.find(call, home.resolve_model(name))
    return about


def _grant(call: Call) -> None:
    about, user, access = _target(call), *call.args[:2]
    if user == home.USER:
        raise model_.Refused(f'user already has "{access}" access or greater')
    raise model_.Refused(
        f'could not grant {about} access: user "{user}" does not exist locally: user "{user}" not found'
    )


def _revoke(call: Call) -> None:
    about, user = _target(call), call.args[0]
    if user == home.USER:
        raise model_.Refused(
            f'could not revoke {about} access: "{user}" is the only user here, and may do everything'
        )
    raise model_.Refused(f'could not revoke {about} access: user "{user}" not found')


_NEEDS = ('no user specified', 'no permission level specified')
_USAGE = '<user name> <permission> [<model name> ... | <offer url> ...]'
_ONE_USER = (
    'Here is one user, admin, who may do everything: what is asked is checked, and refused as Juju refuses it for\n'
    'a user who is not there.\n'
)

COMMANDS = (
    Command(
        'grant',
        _grant,
        'Grants access level to a Juju user for a model, controller, or application offer.',
        _USAGE,
        flags=(command.CONTROLLER,),
        needs=_NEEDS,
        most=None,
        model=False,
        details=_ONE_USER,
    ),
    Command(
        'revoke',
        _revoke,
        'Revokes access from a Juju user for a model, controller, or application offer.',
        _USAGE,
        flags=(command.CONTROLLER,),
        needs=_NEEDS,
        most=None,
        model=False,
        details=_ONE_USER,
    ),
)
