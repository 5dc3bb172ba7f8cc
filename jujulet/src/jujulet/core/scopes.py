"""Units enter and leave the scope of relations, and subordinates come and go with that.

Source: worker/uniter/relation of Juju 3.6 (a unit is seen by others only once it is installed), and its page on
subordinates (documentation.ubuntu.com/juju/3.6/reference/charm).
"""

from __future__ import annotations

from collections.abc import Iterable

from . import addresses, edit, placement, relationhooks, relations
from .model import Databag, Model, Relation, Unit, drop, put


def settle(model: Model, now: float, units: Iterable[str]) -> Model:
    """*model* in which those of *units* whose agent is at leisure have entered and left what they should."""
    for name in units:
        unit = model.units[name]
        if unit.agent.step != 'idle' or unit.agent.task or not unit.agent.installed:
            continue
        for relation in relations.relations_of(model, unit):
            model = _settle_one(model, name, relation.id, now)
    return model


def _settle_one(model: Model, name: str, rid: int, now: float) -> Model:
    unit, relation = model.units[name], model.relations[rid]
    if relationhooks.can_skip_departure(model, unit, relation):
        return relationhooks.left(model, name, rid)
    if _may_enter(model, unit, relation):
        return _enter(model, unit, relation, now)
    return model


def _may_enter(model: Model, unit: Unit, relation: Relation) -> bool:
    if unit.name in relation.units or unit.life != 'alive':
        return False
    if relation.life != 'alive' or relation.suspended:
        return False
    own = relations.own_side(relation, unit.application)
    charm = model.charms.get(unit.agent.deployed) or model.charm_of(unit.application)
    if own.name not in charm.relations and not relations.is_implicit(model, own):
        return False  # The charm that is unpacked does not know the endpoint.
    return not any(u.life != 'alive' for u in _partners(model, unit, relation))


def _partners(model: Model, unit: Unit, relation: Relation) -> list[Unit]:
    """Subordinates of a principal that belong to the other side of a container relation."""
    if not relations.is_container(relation) or unit.principal or relations.is_peer(relation):
        return []
    other = relations.other_side(relation, unit.application).application
    return [u for u in model.subordinates_of(unit.name) if u.application == other]


def _enter(model: Model, unit: Unit, relation: Relation, now: float) -> Model:
    own = relations.own_side(relation, unit.application)
    bag = Databag(addresses.settings(model, unit.name, own.name), 1)
    before = relation.departed.get(unit.name)
    if before is not None:
        bag = Databag(bag.data, before.version + 1)
    model = edit.relation(
        model,
        relation.id,
        units=put(relation.units, unit.name, bag),
        departed=drop(relation.departed, unit.name),
        ever_in_scope=True,
    )
    if relation.id not in unit.agent.relations:
        model = edit.known(model, unit.name, relation.id, created=False)
    return _subordinate(model, model.units[unit.name], model.relations[relation.id], now)


def _subordinate(model: Model, unit: Unit, relation: Relation, now: float) -> Model:
    if not relations.is_container(relation) or unit.principal or relations.is_peer(relation):
        return model
    other = relations.other_side(relation, unit.application).application
    if not model.charm_of(other).subordinate or _partners(model, unit, relation):
        return model
    if model.applications[other].life != 'alive':
        return model
    return placement.add_unit(model, other, unit.machine, unit.name, now)


def refreshed(model: Model, name: str) -> Model:
    """*model* in which a unit's own databags have its addresses as they are now (at ``config-changed``)."""
    for relation in relations.entered(model, name):
        own = relations.own_side(relation, model.units[name].application)
        bag = relation.units[name]
        data = {**bag.data, **_moved(bag, addresses.settings(model, name, own.name))}
        if data != dict(bag.data):
            units = put(relation.units, name, Databag(data, bag.version + 1))
            model = edit.relation(model, relation.id, units=units)
    return model


def _moved(bag: Databag, settings: dict[str, str]) -> dict[str, str]:
    """Those of Juju's settings that the charm has not deleted."""
    return {k: v for k, v in settings.items() if k in bag.data}


def orphaned(model: Model, unit: Unit) -> bool:
    """Whether a subordinate has no living container relation left with its principal's application."""
    principal = model.units.get(unit.principal)
    if principal is None:
        return True
    for relation in model.relations_of(unit.application):
        if relation.life != 'alive' or not relations.is_container(relation):
            continue
        if relations.other_side(relation, unit.application).application == principal.application:
            return False
    return True
