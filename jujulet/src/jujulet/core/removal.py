"""What goes when something is removed, in Juju's words.

Source: removeapplication.go, removeunit.go (cmd/juju/application) and remove.go (cmd/juju/machine) of Juju 3.6.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from . import storage
from .model import Model


def of_application(model: Model, name: str, *, destroy_storage: bool) -> list[str]:
    """Lines for an application; none when there is none of that name."""
    if name not in model.applications:
        return []
    units = [unit.name for unit in model.units_of(name)]
    return [
        f'will remove application {name}',
        *(f'- will remove unit {unit}' for unit in units),
        *_stored(model, units, destroy=destroy_storage),
    ]


def of_unit(model: Model, name: str, *, destroy_storage: bool) -> list[str]:
    """Lines for a unit; none when there is none of that name."""
    if name not in model.units:
        return []
    return [f'will remove unit {name}', *_stored(model, [name], destroy=destroy_storage)]


def of_machine(model: Model, id_: str) -> list[str]:
    """Lines for a machine; none when there is none of that number. Its units' storage stays in the model."""
    if id_ not in model.machines:
        return []
    units = [unit.name for unit in model.units.values() if unit.machine == id_]
    return [
        f'will remove machine {id_}',
        *(f'- will remove unit {unit}' for unit in units),
        *_stored(model, units, destroy=False),
    ]


def _stored(model: Model, units: Iterable[str], *, destroy: bool) -> Iterator[str]:
    verb = 'remove' if destroy else 'detach'
    for unit in units:
        for one in storage.of_unit(model, unit):
            yield f'- will {verb} storage {one.id}'
