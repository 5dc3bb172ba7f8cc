"""Machines that are on the host and that no model knows, taken up as far as can be seen.

What they tell: of which model they are, their base, name, addresses and networks. Applications, units and relations
are not among it: a machine comes up, can be reached, and is removed as any other.
"""

from __future__ import annotations

import dataclasses
import uuid as uuid_
from collections.abc import Iterable, Mapping
from typing import Literal

from . import edit, topology
from . import model as model_
from .charm import Base
from .model import Address, Machine, Model, Space

KEPT = 'adopted'
"""Begins the name of a model of which no name is known, or whose name another model has."""


@dataclasses.dataclass(frozen=True)
class Found:
    """A machine, and what its folder says of it."""

    model: str
    """The model's uuid."""
    machine: str
    base: Base
    kind: Literal['container', 'process'] = 'container'
    model_name: str = ''
    hostname: str = ''
    layer: str = ''
    addresses: tuple[Address, ...] = ()
    spaces: tuple[Space, ...] = ()


def adopted(models: Mapping[str, Model], found: Iterable[Found], now: float) -> dict[str, Model]:
    """*models* by uuid, and in them, or in new ones, each machine of *found* that they lack. It is to be started."""
    known = dict(models)
    for each in found:
        model = known.get(each.model) or _model(each, [m.name for m in known.values()], now)
        known[each.model] = _with(model, each, now)
    return known


def _model(found: Found, taken: Iterable[str], now: float) -> Model:
    name = found.model_name
    if not name or name in set(taken):
        name = f'{KEPT}-{found.model.replace("-", "")[:6]}'
    return Model(
        uuid=_uuid(found.model),
        name=name,
        created=now,
        machines_kind=found.kind,
    )


def _uuid(text: str) -> str:
    return str(uuid_.UUID(text))


def _together(one: Space, other: Space) -> Space:
    """A space with all subnets that two of its machines know of: one was made before the space grew."""
    known = {cidr for subnet in one.subnets for cidr in subnet.cidrs}
    more = [s for s in other.subnets if not known & set(s.cidrs)]
    return topology.with_subnets(one, (*one.subnets, *more)) if more else one


def _with(model: Model, found: Found, now: float) -> Model:
    if found.machine in model.machines:
        return model
    spaces = dict(model.spaces)
    for space in found.spaces:
        spaces[space.name] = _together(spaces.get(space.name, space), space)
    kept = tuple(a for a in found.addresses if a.space in spaces)
    machine = Machine(
        id=found.machine,
        base=found.base,
        phase='down',
        since=now,
        addresses=kept,
        layer=found.layer,
        hostname=found.hostname,
        exclusive=False,
    )
    model = dataclasses.replace(model, spaces=spaces)
    if found.machine.isdigit():
        next_ = max(model.sequences.get('machine', 0), int(found.machine) + 1)
        model = dataclasses.replace(model, sequences=model_.put(model.sequences, 'machine', next_))
    return edit.put_machine(model, machine)
