"""Small changes to a model as functions: one part replaced, everything else the same object."""

from __future__ import annotations

import dataclasses
from typing import Any

from . import model as model_
from .model import Model, drop, put


def unit(model: Model, name: str, **changes: Any) -> Model:
    """*model* in which fields of one unit differ. KeyError if there is no such unit."""
    return put_unit(model, dataclasses.replace(model.units[name], **changes))


def put_unit(model: Model, value: model_.Unit) -> Model:
    """*model* with this unit, new or in place of the one of that name."""
    return dataclasses.replace(model, units=put(model.units, value.name, value))


def agent(model: Model, name: str, **changes: Any) -> Model:
    """*model* in which a unit's agent has come further."""
    value = dataclasses.replace(model.units[name].agent, **changes)
    return unit(model, name, agent=value)


def known(model: Model, name: str, relation_id: int, **changes: Any) -> Model:
    """*model* in which a unit's agent knows something else of one relation."""
    agents = model.units[name].agent
    before = agents.relations.get(relation_id, model_.KnownRelation())
    after = dataclasses.replace(before, **changes)
    return agent(model, name, relations=put(agents.relations, relation_id, after))


def application(model: Model, name: str, **changes: Any) -> Model:
    """*model* in which fields of one application differ."""
    value = dataclasses.replace(model.applications[name], **changes)
    return put_application(model, value)


def put_application(model: Model, value: model_.Application) -> Model:
    """*model* with this application."""
    return dataclasses.replace(model, applications=put(model.applications, value.name, value))


def relation(model: Model, relation_id: int, **changes: Any) -> Model:
    """*model* in which fields of one relation differ."""
    return put_relation(model, dataclasses.replace(model.relations[relation_id], **changes))


def put_relation(model: Model, value: model_.Relation) -> Model:
    """*model* with this relation."""
    return dataclasses.replace(model, relations=put(model.relations, value.id, value))


def machine(model: Model, machine_id: str, **changes: Any) -> Model:
    """*model* in which fields of one machine differ."""
    return put_machine(model, dataclasses.replace(model.machines[machine_id], **changes))


def put_machine(model: Model, value: model_.Machine) -> Model:
    """*model* with this machine."""
    return dataclasses.replace(model, machines=put(model.machines, value.id, value))


def put_secret(model: Model, value: model_.Secret) -> Model:
    """*model* with this secret."""
    return dataclasses.replace(model, secrets=put(model.secrets, value.id, value))


def put_storage(model: Model, value: model_.Storage) -> Model:
    """*model* with this storage instance."""
    return dataclasses.replace(model, storage=put(model.storage, value.id, value))


def task(model: Model, task_id: str, **changes: Any) -> Model:
    """*model* in which fields of one task differ."""
    value = dataclasses.replace(model.tasks[task_id], **changes)
    return dataclasses.replace(model, tasks=put(model.tasks, task_id, value))


def number(model: Model, kind: str, first: int = 0) -> tuple[Model, int]:
    """The next number of a kind, and the model in which it is taken."""
    value = model.sequences.get(kind, first)
    return taken(model, kind, value), value


def taken(model: Model, kind: str, value: int) -> Model:
    """*model* in which the numbers of a kind up to *value* are taken."""
    return dataclasses.replace(model, sequences=put(model.sequences, kind, value + 1))


def without(model: Model, part: str, *keys: Any) -> Model:
    """*model* whose mapping *part* (``units``, ``relations``, …) lacks *keys*."""
    changed: Any = {part: drop(getattr(model, part), *keys)}
    return dataclasses.replace(model, **changed)


def put_task(model: Model, value: model_.Task) -> Model:
    """*model* with this task."""
    return dataclasses.replace(model, tasks=put(model.tasks, value.id, value))


def put_operation(model: Model, value: model_.Operation) -> Model:
    """*model* with this operation."""
    return dataclasses.replace(model, operations=put(model.operations, value.id, value))
