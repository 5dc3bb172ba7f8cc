"""Whom a change concerns: of which units it must be asked anew what follows from it, and what they do next.

Everything that ``core.settle`` and ``core.resolver`` look at for one unit stands here, seen from the other side. Who is
left out does not hear of a change: ``core.indexcheck`` asks all units, after every change in tests.
"""

from __future__ import annotations

import dataclasses

from . import indexes, relations, secrets
from .model import Application, Model, Relation, Unit


@dataclasses.dataclass
class Affected:
    """What is to be looked at; units may be gone by now."""

    units: set[str] = dataclasses.field(default_factory=set[str])
    news: set[str] = dataclasses.field(default_factory=set[str])
    """Units that have something more to hear of than before, and nothing less: who has work goes on having some."""
    applications: set[str] = dataclasses.field(default_factory=set[str])
    """Those whose leader may be another."""
    machines: set[str] = dataclasses.field(default_factory=set[str])
    owners: set[str] = dataclasses.field(default_factory=set[str])
    """Units whose storage may have to go."""

    def add(self, other: Affected) -> None:
        """Take in what another change concerns."""
        for field in dataclasses.fields(self):
            getattr(self, field.name).update(getattr(other, field.name))


def everything(model: Model) -> Affected:
    """All that there is."""
    return Affected(
        units=set(model.units),
        applications=set(model.applications),
        machines=set(model.machines),
        owners={s.owner for s in model.storage.values()},
    )


def between(before: Model | None, after: Model) -> Affected:
    """What the difference between two models concerns, whichever came first."""
    if before is None or _elsewhere(before) != _elsewhere(after):
        return everything(after)
    found = Affected()
    _units(found, before, after)
    _applications(found, before, after)
    _relations(found, before, after)
    _machines(found, before, after)
    _secrets(found, before, after)
    _storage(found, before, after)
    _tasks(found, before, after)
    for names in indexes.changed(before.remotes, after.remotes):
        for name in names:
            for relation in after.relations_of(name):
                _everybody(found, after, relation)
    return found


def _elsewhere(model: Model) -> tuple[object, ...]:
    """What concerns all units."""
    return model.uuid, model.life, model.juju_version, model.seed, model.force


def _units(found: Affected, before: Model, after: Model) -> None:
    keys, gone = indexes.changed(before.units, after.units)
    for name in (*keys, *gone):
        old, new = before.units.get(name), after.units.get(name)
        found.units.add(name)
        if old is None or new is None or _standing(old) != _standing(new):
            for unit in (old, new):
                if unit is not None:
                    _change_of_standing(found, after, unit)


def _standing(unit: Unit) -> tuple[object, ...]:
    """What others see of a unit, other than in its databags."""
    agent = unit.agent
    return (
        unit.application,
        unit.machine,
        unit.principal,
        unit.life,
        unit.force,
        agent.deployed,
        agent.stopped,
    )


def _change_of_standing(found: Affected, after: Model, unit: Unit) -> None:
    found.applications.add(unit.application)
    found.machines.add(unit.machine)
    found.owners.add(unit.name)
    found.units.update(u.name for u in after.subordinates_of(unit.name))
    if unit.principal:
        found.units.add(unit.principal)
    for relation in after.relations_of(unit.application):
        _facing(found.units, after, unit.name, unit.application, relation)


def _facing(
    units: set[str], model: Model, name: str, application: str, relation: Relation
) -> None:
    """Add who may see a unit in a relation, and in one within containers all that it shares its machine with."""
    other = relations.other_side(relation, application).application
    if relations.is_container(relation) and not relations.is_peer(relation):
        unit = model.units.get(name)
        if unit is not None:
            units.update(u.name for u in model.units_on(unit.machine) if u.application == other)
            return
    units.update(model.indexes.units_by_application.find(model.units, other))


def _applications(found: Affected, before: Model, after: Model) -> None:
    keys, gone = indexes.changed(before.applications, after.applications)
    charms = set(indexes.changed(before.charms, after.charms)[0])
    if charms:
        keys += [a.name for a in after.applications.values() if a.charm in charms]
    for name in (*keys, *gone):
        old, new = before.applications.get(name), after.applications.get(name)
        found.applications.add(name)
        if old is None or new is None or new.charm in charms or _settings(old) != _settings(new):
            _of(found, after, name)
        if old is None or new is None or new.charm in charms or _kind(old) != _kind(new):
            for relation in after.relations_of(name):
                _everybody(found, after, relation)


def _settings(application: Application) -> tuple[object, ...]:
    """What its own units go by."""
    return (
        application.charm,
        application.life,
        application.options,
        application.trust,
        application.bindings,
        application.leader,
        application.leader_settings_version,
        application.charm_modified,
        application.force_charm,
    )


def _kind(application: Application) -> tuple[object, ...]:
    """What units of others go by."""
    return application.charm, application.life


def _of(found: Affected, model: Model, application: str) -> None:
    found.units.update(model.indexes.units_by_application.find(model.units, application))


def _everybody(found: Affected, model: Model, relation: Relation) -> None:
    for endpoint in relation.endpoints:
        _of(found, model, endpoint.application)


def _relations(found: Affected, before: Model, after: Model) -> None:
    keys, gone = indexes.changed(before.relations, after.relations)
    for rid in gone:
        _everybody(found, after, before.relations[rid])
    for rid in keys:
        old, new = before.relations.get(rid), after.relations[rid]
        if old is None or _terms(old) != _terms(new):
            _everybody(found, after, new)
        else:
            _databags(found, after, old, new)


def _terms(relation: Relation) -> tuple[object, ...]:
    return relation.endpoints, relation.life, relation.suspended


def _databags(found: Affected, after: Model, old: Relation, new: Relation) -> None:
    sides = {e.application for e in new.endpoints}
    written, left = indexes.changed(old.units, new.units)
    for names, whom in ((written, found.news), (left, found.units)):
        for name in names:
            application = name.rpartition('/')[0]
            found.units.add(name)
            if application in sides:
                _facing(whom, after, name, application, new)
    written, left = indexes.changed(old.applications, new.applications)
    for application in (*written, *left):
        if application in sides:
            other = relations.other_side(new, application).application
            found.news.update(after.indexes.units_by_application.find(after.units, other))


def _machines(found: Affected, before: Model, after: Model) -> None:
    keys, gone = indexes.changed(before.machines, after.machines)
    for machine in (*keys, *gone):
        found.machines.add(machine)
        for unit in after.units_on(machine):
            found.units.add(unit.name)
            found.applications.add(unit.application)


def _storage(found: Affected, before: Model, after: Model) -> None:
    keys, gone = indexes.changed(before.storage, after.storage)
    for sid in (*keys, *gone):
        owners = {m.storage[sid].owner for m in (before, after) if sid in m.storage}
        found.units |= owners
        found.owners |= owners


def _tasks(found: Affected, before: Model, after: Model) -> None:
    keys, gone = indexes.changed(before.tasks, after.tasks)
    for task in (*keys, *gone):
        receiver = (after.tasks.get(task) or before.tasks[task]).receiver
        (found.units if '/' in receiver else found.machines).add(receiver)


def _secrets(found: Affected, before: Model, after: Model) -> None:
    keys, gone = indexes.changed(before.secrets, after.secrets)
    for sid in (*keys, *gone):
        for model in (before, after):
            secret = model.secrets.get(sid)
            if secret is not None:
                found.units.update(secret.consumers)
                found.units.update(secrets.managers(after, secret.owner))
        if sid in gone:  # A hook of it may wait with one who was the leader.
            _of(found, after, before.secrets[sid].owner)
