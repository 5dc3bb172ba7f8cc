"""Looking things up by the names that users give, with Juju's words when there is no such thing."""

from __future__ import annotations

from ..model import Application, Model, Refused, Unit


def application(model: Model, name: str, *, prefix: str = '') -> Application:
    """The application of that name. Raises Refused."""
    if name not in model.applications:
        raise Refused(f'{prefix}application "{name}" not found')
    return model.applications[name]


def unit(model: Model, name: str) -> Unit:
    """The unit of that name; ``app/leader`` is its leader. Raises Refused."""
    app, slash, number = name.partition('/')
    if slash and number == 'leader':
        found = application(model, app)
        if not found.leader or found.leader not in model.units:
            raise Refused(f'could not determine leader for "{app}"')
        return model.units[found.leader]
    if not slash or not number.isdigit():
        raise Refused(f'"{name}" is not a valid unit name', code=2)
    if name not in model.units:
        raise Refused(f'unit "{name}" not found')
    return model.units[name]


def alive(found: Application) -> Application:
    """*found*, unless it is on its way out. Raises Refused."""
    if found.life != 'alive':
        raise Refused(f'application "{found.name}" is not alive')
    return found
