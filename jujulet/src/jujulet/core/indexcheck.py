"""What is kept with a model, held against what the model itself says: the checker that tests run after every change.

The slow way looks at everything, with nothing kept: who is left out by ``core.affected`` or ``core.indexes`` is seen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, cast

from . import relations, schedule, settle
from .indexes import Index, Indexes
from .model import Model, Unit
from .operations import Operation
from .parts import unit_key


def problems(model: Model, now: float) -> list[str]:
    """Everything that is kept and is not so, of a model from which nothing more should follow at *now*."""
    return [*_units(model), *_others(model), *_scopes(model), *_settled(model, now)]


def _alone(model: Model) -> Model:
    """The same model with nothing kept."""
    return dataclasses.replace(model, indexes=Indexes())


def _units(model: Model) -> Iterator[str]:
    kept, units = model.indexes, model.units.values()
    yield from _grouped(model, kept.units_by_application, [(u.application, u) for u in units])
    yield from _grouped(model, kept.units_by_machine, [(u.machine, u) for u in units])
    yield from _grouped(model, kept.subordinates, [(u.principal, u) for u in units])
    going = [(u.application, u) for u in units if u.life != 'alive']
    yield from _grouped(model, kept.going, going)


def _grouped(
    model: Model, index: Index[str, Unit], pairs: list[tuple[str, Unit]]
) -> Iterator[str]:
    said: dict[str, set[str]] = {}
    for group, unit in pairs:
        if group:
            said.setdefault(group, set()).add(unit.name)
    if index.groups(model.units) != said:
        yield f'units: kept {index.groups(model.units)}, said {said}'
    for group, names in said.items():
        if index.find(model.units, group) != tuple(sorted(names, key=unit_key)):
            yield f'units of {group} are out of order'


def _others(model: Model) -> Iterator[str]:
    alone = _alone(model)
    for name, mapping in (
        ('relations', model.relations),
        ('storage', model.storage),
        ('pending_tasks', model.tasks),
        ('secrets_owned', model.secrets),
        ('secrets_followed', model.secrets),
        ('timed_secrets', model.secrets),
    ):
        kept = getattr(model.indexes, name).groups(mapping)
        said = getattr(alone.indexes, name).groups(mapping)
        if kept != said:
            yield f'{name}: kept {kept}, said {said}'


def _scopes(model: Model) -> Iterator[str]:
    for relation in model.relations.values():
        for endpoint in relation.endpoints:
            kept = list(
                model.indexes.scope(relation).versions.get(endpoint.application, {}).items()
            )
            said = [
                (name, relation.units[name].version)
                for name in sorted(relation.units, key=unit_key)
                if name.rpartition('/')[0] == endpoint.application
            ]
            if kept != said:
                yield f'relation {relation.id}: kept {kept}, said {said}'
    for unit in model.units.values():
        for relation in relations.relations_of(model, unit):
            there = relations.present(model, unit, relation)
            seen = [n for n in there if relations.faces(model, unit, n, relation)]
            if seen != sorted(there, key=unit_key):
                yield f'unit {unit.name} sees {list(there)} in relation {relation.id}'


def _settled(model: Model, now: float) -> Iterator[str]:
    after = settle.settle_everything(_alone(model), now)
    for field in dataclasses.fields(model):
        if field.compare and getattr(model, field.name) != getattr(after, field.name):
            before, then = getattr(model, field.name), getattr(after, field.name)
            yield f'{field.name} were not settled: {_differing(before, then)}'


def _differing(before: Any, after: Any) -> str:
    if isinstance(before, Mapping):
        was = cast('Mapping[Any, Any]', before)
        keys = was.keys() | after.keys()
        return ', '.join(str(k) for k in keys if was.get(k) != after.get(k))
    return f'{before} became {after}'


def due(model: Model, busy: frozenset[str], now: float) -> tuple[Operation, ...]:
    """As ``schedule.due``, with nothing kept."""
    return schedule.due(_alone(model), busy, now)


def wake_at(model: Model, now: float) -> float | None:
    """As ``schedule.wake_at``, with nothing kept."""
    return schedule.wake_at(_alone(model), now)
