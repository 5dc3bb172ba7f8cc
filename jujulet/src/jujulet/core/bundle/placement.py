"""Which units a bundle adds to a model, in what order, and where each goes.

Source: Juju's bundle change planner: ``to`` shorter than ``num_units`` has its last item repeated; an application by
its name means its next unit; units that others stand on come first.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from .. import model as model_
from .document import Invalid
from .nouns import Bundle, BundleApplication, Placement


@dataclasses.dataclass(frozen=True)
class NewUnit:
    """A unit to add."""

    application: str
    index: int
    """Which of the application's units it is, from 0, those that exist included."""
    placement: Placement


def natural(text: str) -> list[tuple[int, str]]:
    """Sorts ``a2`` before ``a10``."""
    return [(int(p), '') if p.isdigit() else (-1, p) for p in re.split(r'(\d+)', text) if p]


def existing(model: model_.Model, application: str) -> list[model_.Unit]:
    """Units of *application* that are there to stay, by number."""
    return [u for u in model.units_of(application) if u.life == 'alive']


def expanded(app: BundleApplication, units: Mapping[str, int]) -> list[Placement]:
    """One placement a unit. *units*: how many each application of the bundle will have.

    A container on a machine is a machine of its own here, beside and not inside the other: it is placed as new.
    """
    found: list[Placement] = []
    following: dict[str, int] = {}
    for index in range(app.num_units):
        place = app.to[min(index, len(app.to) - 1)] if app.to else Placement('new')
        if place.container:
            place = Placement('new', container=place.container, text=place.text)
        elif place.kind == 'unit':
            unit = following.get(place.target, 0) if place.unit is None else place.unit
            following[place.target] = unit + 1
            there = unit < units.get(place.target, 0)
            place = dataclasses.replace(place, unit=unit) if there else Placement('new')
        found.append(place)
    return found


def new_units(bundle: Bundle, model: model_.Model) -> list[NewUnit]:
    """Units to add, each after the one that it stands on; applications in natural order.

    Raises:
        Invalid: placements that go round in a circle.
    """
    counts = {
        name: max(app.num_units, len(existing(model, name)))
        for name, app in bundle.applications.items()
    }
    waiting: list[NewUnit] = []
    for name in sorted(bundle.applications, key=natural):
        places = expanded(bundle.applications[name], counts)
        first = len(existing(model, name))
        waiting += [NewUnit(name, index, places[index]) for index in range(first, len(places))]
    there = {(name, i) for name in bundle.applications for i in range(len(existing(model, name)))}
    ordered: list[NewUnit] = []
    while waiting:
        later: list[NewUnit] = []
        for unit in waiting:
            if _stands_on(unit) <= there:
                ordered.append(unit)
                there.add((unit.application, unit.index))
            else:
                later.append(unit)
        if len(later) == len(waiting):
            names = ', '.join(sorted({u.application for u in waiting}))
            raise Invalid(f'{bundle.path}: cycle in placement directives for: {names}')
        waiting = later
    return ordered


def _stands_on(unit: NewUnit) -> set[tuple[str, int]]:
    """Units that must be there first: the one it is placed on, and its elder, since units get names in order."""
    found = {(unit.application, unit.index - 1)} if unit.index else set[tuple[str, int]]()
    place = unit.placement
    return found | ({(place.target, place.unit or 0)} if place.kind == 'unit' else set())


def machine_map(
    bundle: Bundle, model: model_.Model, given: Mapping[str, str], *, by_id: bool
) -> dict[str, str]:
    """The model's machine for each of the bundle's that is there already.

    *given* and *by_id* are ``--map-machines existing,a=b``; other machines are known by the units on them.

    Raises:
        Invalid: *given* names a machine that is not there.
    """
    found: dict[str, str] = {}
    for inside, outside in given.items():
        if inside not in bundle.machines:
            raise Invalid(f'--map-machines: the bundle has no machine "{inside}"')
        if outside not in model.machines:
            raise Invalid(f'--map-machines: the model has no machine "{outside}"')
        found[inside] = outside
    if by_id:
        for id_ in bundle.machines:
            if id_ in model.machines:
                found.setdefault(id_, id_)
    for name in sorted(bundle.applications, key=natural):
        places = expanded(bundle.applications[name], {})
        for unit, place in zip(existing(model, name), places, strict=False):
            if place.kind == 'machine' and unit.machine:
                found.setdefault(place.target, unit.machine.partition('/')[0])
    return found
