"""Spaces, and which endpoint uses which. Source: juju add-space, remove-space and bind, 3.6."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from .. import addresses, edit, gnuflag, topology
from ..model import Application, Machine, Model, Refused, Space
from ..requests import AddSpace, Bind, RemoveSpace, RenameSpace
from . import applications, found, subnets


def add(request: AddSpace, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """``juju add-space``: a network of its own."""
    _check_name(request.name)
    if request.name in model.spaces:
        raise Refused(f'cannot add space "{request.name}": space "{request.name}" already exists')
    if not request.cidrs:
        raise Refused(f'cannot add space "{request.name}": no subnet given')
    first, *more = subnets.paired(model, request.name, request.cidrs)
    network = '' if first.network == request.name else first.network
    space = Space(request.name, first.ipv4, first.ipv6, network, tuple(more), request.grows)
    return dataclasses.replace(model, spaces={**model.spaces, space.name: space}), {}


def _check_name(name: str) -> None:
    if not re.fullmatch(r'[a-z0-9]+(-[a-z0-9]+)*', name):
        raise Refused(
            f'invalid arguments specified: {gnuflag.quote(name)} is not a valid space name', code=2
        )


def rename(request: RenameSpace, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """``juju rename-space``, with everything that names it; its network stays what it is.

    Source: apiserver/facades/client/spaces/rename.go of Juju 3.6.
    """
    old, new = request.name, request.new
    for name in (old, new):
        _check_name(name)
    if old == new:
        raise Refused('invalid arguments specified: old-name and new-name are the same', code=2)
    why = f'cannot rename space "{old}": '
    if old == addresses.DEFAULT_SPACE:
        raise Refused(f'{why}the "{old}" space cannot be renamed')
    if new in model.spaces:
        raise Refused(f'{why}space "{new}" already exists')
    if old not in model.spaces:
        raise Refused(f'{why}space "{old}" not found')
    before = model.spaces[old]
    space = topology.with_subnets(
        dataclasses.replace(before, name=new, group=before.belongs), before.subnets
    )
    return dataclasses.replace(
        model,
        spaces={new if n == old else n: space if n == old else s for n, s in model.spaces.items()},
        constraints=_constraints(model.constraints, old, new),
        config={
            k: new if k == 'default-space' and v == old else v for k, v in model.config.items()
        },
        applications={n: _application(a, old, new) for n, a in model.applications.items()},
        machines={n: _machine(m, old, new) for n, m in model.machines.items()},
    ), {}


def _application(application: Application, old: str, new: str) -> Application:
    bindings = {e: new if s == old else s for e, s in application.bindings.items()}
    exposed = {
        endpoint: {**to, 'expose-to-spaces': [new if s == old else s for s in named]}
        if (named := to.get('expose-to-spaces'))
        else to
        for endpoint, to in application.exposed_endpoints.items()
    }
    return dataclasses.replace(
        application,
        bindings=bindings,
        exposed_endpoints=exposed,
        constraints=_constraints(application.constraints, old, new),
    )


def _machine(machine: Machine, old: str, new: str) -> Machine:
    there = tuple(
        dataclasses.replace(a, space=new) if a.space == old else a for a in machine.addresses
    )
    limits = _constraints(machine.constraints, old, new)
    return dataclasses.replace(machine, addresses=there, constraints=limits)


def _constraints(found: Mapping[str, Any], old: str, new: str) -> Mapping[str, Any]:
    named = found.get('spaces')
    if not named:
        return found
    words = named.split(',') if isinstance(named, str) else list(named)
    renamed = [f'{w[: len(w) - len(old)]}{new}' if w in (old, f'^{old}') else w for w in words]
    return {**found, 'spaces': ','.join(renamed) if isinstance(named, str) else renamed}


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


VERBS: Mapping[type, Any] = {AddSpace: add, RemoveSpace: remove, RenameSpace: rename, Bind: bind}
