"""Which relation hook a unit runs next, and what its agent knows once it has run.

Source: worker/uniter/relation/resolver.go of Juju 3.6. The order: pending changed, departed, broken, application
changed, joined, changed.
"""

from __future__ import annotations

import random

from . import edit, relations
from .model import Databag, Hook, KnownRelation, Model, Relation, Unit, drop, put


def chosen(model: Model, unit: Unit, hooks: list[Hook]) -> Hook | None:
    """One of the hooks of several relations: Juju leaves that to chance, here a seed decides."""
    if len(hooks) < 2:
        return hooks[0] if hooks else None
    return random.Random(f'{model.seed}:{unit.name}:{unit.agent.hooks}').choice(hooks)  # noqa: S311


def _make(
    model: Model, unit: Unit, relation: Relation, kind: str, remote: str = '', version: int = 0
) -> Hook:
    own = relations.own_side(relation, unit.application)
    other = relations.other_side(relation, unit.application)
    departing = ''
    if kind == 'relation-departed':
        departing = unit.name if unit.life != 'alive' else remote
    return Hook(
        kind,
        relation=relation.id,
        endpoint=own.name,
        remote_app=other.application,
        remote_unit=remote,
        departing_unit=departing,
        version=version,
    )


def has_hooks(model: Model, unit: Unit, relation: Relation) -> bool:
    """Whether this side of a relation runs hooks at all: an implicit ``juju-info`` does not."""
    return not relations.is_implicit(model, relations.own_side(relation, unit.application))


def next_created(model: Model, unit: Unit) -> Hook | None:
    """``relation-created`` for a relation that the unit has entered and its charm not heard of."""
    if unit.life != 'alive' or not unit.agent.installed:
        return None
    known = unit.agent.relations
    new = [
        _make(model, unit, r, 'relation-created')
        for r in relations.entered(model, unit.name)
        if r.life == 'alive'
        and not r.suspended
        and not (r.id in known and known[r.id].created)
        and has_hooks(model, unit, r)
    ]
    return chosen(model, unit, new)


def next_hook(model: Model, unit: Unit) -> Hook | None:
    """The relation hook that is due, of any relation of which the charm knows."""
    mine = {
        rid: model.relations[rid]
        for rid, known in unit.agent.relations.items()
        if known.created and rid in model.relations
    }
    for rid in sorted(mine):
        pending = unit.agent.relations[rid].changed_pending
        if pending:
            return _changed(model, unit, mine[rid], pending)
    hooks = [hook for _, r in sorted(mine.items()) if (hook := _of(model, unit, r))]
    return chosen(model, unit, hooks)


def _of(model: Model, unit: Unit, relation: Relation) -> Hook | None:
    known = unit.agent.relations[relation.id]
    there = relations.present(model, unit, relation)
    gone = known.members.keys() - there.keys()
    if gone:
        first = min(gone, key=relations.unit_key)
        return _make(model, unit, relation, 'relation-departed', first)
    if relation.life != 'alive' or relation.suspended or unit.life != 'alive':
        broken = unit.name in relation.units and not relations.is_peer(relation)
        return _make(model, unit, relation, 'relation-broken') if broken else None
    return _news(model, unit, relation, there)


def _news(model: Model, unit: Unit, relation: Relation, there: dict[str, int]) -> Hook | None:
    known = unit.agent.relations[relation.id]
    other = relations.other_side(relation, unit.application).application
    bag = relation.applications.get(other)
    if bag is not None and bag.version > known.applications.get(other, 0):
        return _make(model, unit, relation, 'relation-changed', version=bag.version)
    members = known.members
    for name, version in there.items():
        if name not in members:
            return _make(model, unit, relation, 'relation-joined', name, version)
    for name, version in there.items():
        if version != members[name]:
            return _changed(model, unit, relation, name)
    return None


def _changed(model: Model, unit: Unit, relation: Relation, remote: str) -> Hook:
    bag = relation.units.get(remote) or relation.departed.get(remote) or Databag()
    return _make(model, unit, relation, 'relation-changed', remote, bag.version)


def after_hook(model: Model, name: str, hook: Hook) -> Model:
    """*model* once a relation hook has run (or was skipped by ``resolved --no-retry``)."""
    rid = hook.relation
    if rid is None or rid not in model.relations:
        return model
    if hook.kind == 'relation-broken':
        return left(model, name, rid)
    known = relations.known(model.units[name], rid)
    if hook.kind == 'relation-created':
        return edit.known(model, name, rid, created=True)
    remote = hook.remote_unit
    if not remote:
        heard = put(known.applications, hook.remote_app, hook.version)
        return edit.known(model, name, rid, applications=heard)
    pending = '' if known.changed_pending == remote else known.changed_pending
    if hook.kind == 'relation-departed':
        members, read = drop(known.members, remote), drop(known.read, remote)
        return edit.known(model, name, rid, members=members, read=read, changed_pending=pending)
    members = put(known.members, remote, hook.version)
    if hook.kind == 'relation-joined':
        pending = remote
    return edit.known(model, name, rid, members=members, changed_pending=pending)


def fresh(model: Model, name: str, hook: Hook) -> Model:
    """*model* in which a unit reads a remote unit's settings anew: a joined or changed for it begins."""
    if hook.kind not in ('relation-joined', 'relation-changed') or not hook.remote_unit:
        return model
    if hook.relation is None or hook.relation not in model.relations:
        return model
    read = relations.known(model.units[name], hook.relation).read
    if hook.remote_unit not in read:
        return model
    return edit.known(model, name, hook.relation, read=drop(read, hook.remote_unit))


def left(model: Model, name: str, rid: int) -> Model:
    """*model* in which a unit is out of a relation's scope; what it said stays readable while that lives."""
    relation = model.relations[rid]
    bag = relation.units.get(name)
    if bag is not None:
        model = edit.relation(
            model,
            rid,
            units=drop(relation.units, name),
            departed=put(relation.departed, name, bag),
        )
    unit = model.units.get(name)
    if unit is None or rid not in unit.agent.relations:
        return model
    if relation.suspended and relation.life == 'alive' and unit.life == 'alive':
        return edit.known(model, name, rid, members={}, read={}, changed_pending='')
    return edit.agent(model, name, relations=drop(unit.agent.relations, rid))


def can_skip_departure(model: Model, unit: Unit, relation: Relation) -> bool:
    """Whether a unit can leave a scope without a hook: the relation ends and its charm never heard of it."""
    if unit.name not in relation.units:
        return False
    ending = relation.life != 'alive' or relation.suspended or unit.life != 'alive'
    if not ending:
        return False
    if relations.is_peer(relation):
        return False
    known = unit.agent.relations.get(relation.id, KnownRelation())
    return not known.created
