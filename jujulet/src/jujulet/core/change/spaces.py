"""Spaces, and which endpoint uses which. Source: juju add-space, remove-space and bind, 3.6."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from .. import addresses, edit
from ..model import Model, Refused, Space
from ..requests import AddSpace, Bind, RemoveSpace
from . import applications, found


def add(request: AddSpace, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """``juju add-space``: a network of its own."""
    if not re.fullmatch(r'[a-z0-9]+(-[a-z0-9]+)*', request.name):
        raise Refused(f'"{request.name}" is not a valid space name', code=2)
    if request.name in model.spaces:
        raise Refused(f'cannot add space "{request.name}": space "{request.name}" already exists')
    if not request.subnet4 and not request.subnet6:
        raise Refused(f'cannot add space "{request.name}": no subnet given')
    for text in filter(None, (request.subnet4, request.subnet6)):
        _check_subnet(model, text)
    space = Space(request.name, request.subnet4, request.subnet6)
    return dataclasses.replace(model, spaces={**model.spaces, space.name: space}), {}


def _check_subnet(model: Model, text: str) -> None:
    try:
        net = ipaddress.ip_network(text)
    except ValueError as error:
        raise Refused(f'"{text}" is not a valid CIDR: {error}', code=2) from None
    for space in model.spaces.values():
        for other in filter(None, (space.subnet4, space.subnet6)):
            mine = ipaddress.ip_network(other)
            if mine.version == net.version and mine.overlaps(net):  # pyright: ignore[reportArgumentType]
                raise Refused(f'subnet "{text}" overlaps "{other}" of space "{space.name}"')


def remove(request: RemoveSpace, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """``juju remove-space``: of one that nothing uses."""
    name = request.name
    if name not in model.spaces:
        raise Refused(f'cannot remove space "{name}": space "{name}" not found')
    if name == addresses.DEFAULT_SPACE:
        raise Refused(f'cannot remove space "{name}": the default space cannot be removed')
    users = [a.name for a in model.applications.values() if name in a.bindings.values()]
    users += [m.id for m in model.machines.values() if name in {x.space for x in m.addresses}]
    if users:
        raise Refused(f'cannot remove space "{name}": it is used by {", ".join(users)}')
    return edit.without(model, 'spaces', name), {}


def bind(request: Bind, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """``juju bind``: of endpoints to spaces in which all machines of the application are."""
    application = found.application(model, request.application)
    charm = model.charms[application.charm]
    given = applications.bindings(model, charm, request.bindings)
    after = {**given, **application.bindings, **request.bindings}
    return addresses.rebound(model, dataclasses.replace(application, bindings=after)), {}


VERBS: Mapping[type, Any] = {AddSpace: add, RemoveSpace: remove, Bind: bind}
