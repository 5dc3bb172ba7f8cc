"""Who sees whom in a relation, and what of it: scope, members, settings.

Hook tools and the resolver both ask here. Source: worker/uniter/relation and apiserver/facades/agent/uniter of Juju 3.6
(who may read and write which settings).
"""

from __future__ import annotations

from collections.abc import Mapping

from . import edit
from .model import Endpoint, Hook, KnownRelation, Model, Relation, Unit, put
from .parts import unit_key as unit_key

IMPLICIT = 'juju-info'
"""The endpoint that every application has without declaring it. Its side gets no hooks."""


def is_peer(relation: Relation) -> bool:
    """Whether an application relates its own units."""
    return len(relation.endpoints) == 1


def own_side(relation: Relation, application: str) -> Endpoint:
    """The endpoint of *application*. KeyError if it is on no side."""
    for endpoint in relation.endpoints:
        if endpoint.application == application:
            return endpoint
    raise KeyError(application)


def other_side(relation: Relation, application: str) -> Endpoint:
    """The endpoint that *application* faces: its own for peers."""
    own_side(relation, application)
    for endpoint in relation.endpoints:
        if endpoint.application != application:
            return endpoint
    return relation.endpoints[0]


def is_implicit(model: Model, endpoint: Endpoint) -> bool:
    """Whether an endpoint is ``juju-info`` without the charm declaring it."""
    if endpoint.name != IMPLICIT or endpoint.application not in model.applications:
        return False
    return IMPLICIT not in model.charm_of(endpoint.application).relations


def is_container(relation: Relation) -> bool:
    """Whether units see only those that share their principal."""
    return any(e.scope == 'container' for e in relation.endpoints)


def principal(unit: Unit) -> str:
    """The principal that a unit shares its machine with: itself for a principal."""
    return unit.principal or unit.name


def concerns(model: Model, unit: Unit, relation: Relation) -> bool:
    """Whether a relation of a unit's application is one for this very unit.

    A subordinate faces its own principal's application only, or another subordinate.
    """
    if not any(e.application == unit.application for e in relation.endpoints):
        return False
    if not unit.principal or not is_container(relation) or is_peer(relation):
        return True
    other = other_side(relation, unit.application).application
    if other not in model.applications:
        return False
    return model.charm_of(other).subordinate or (
        model.units[unit.principal].application == other
        if unit.principal in model.units
        else False
    )


def relations_of(model: Model, unit: Unit) -> list[Relation]:
    """Relations that concern a unit, by id, whether or not it has entered their scope."""
    return [r for r in model.relations_of(unit.application) if concerns(model, unit, r)]


def entered(model: Model, unit: str) -> list[Relation]:
    """Relations whose scope a unit is in, by id: those that its charm may see (``relation-ids``)."""
    return [r for r in relations_of(model, model.units[unit]) if unit in r.units]


def faces(model: Model, unit: Unit, other: str, relation: Relation) -> bool:
    """Whether a unit may ever see *other* in a relation, going by sides and containers."""
    if other == unit.name:
        return False
    application = other.partition('/')[0]
    if application != other_side(relation, unit.application).application:
        return False
    if not is_container(relation):
        return True
    found = model.units.get(other)
    return found is not None and principal(found) == principal(unit)


def present(model: Model, unit: Unit, relation: Relation) -> dict[str, int]:
    """Remote units that are there for *unit* now, in order: in scope, and neither they nor it is going.

    With the versions of their databags.
    """
    if relation.life != 'alive' or relation.suspended or unit.life != 'alive':
        return {}
    other = other_side(relation, unit.application).application
    found = dict(model.indexes.scope(relation).versions.get(other, {}))
    found.pop(unit.name, None)
    for name in model.indexes.going.find(model.units, other):
        found.pop(name, None)
    if is_container(relation):
        return {n: v for n, v in found.items() if faces(model, unit, n, relation)}
    return found


def known(unit: Unit, relation_id: int) -> KnownRelation:
    """What a unit's agent knows of a relation."""
    return unit.agent.relations.get(relation_id, KnownRelation())


def visible_members(model: Model, unit: str, relation_id: int, hook: Hook) -> list[str]:
    """What ``relation-list`` shows: units that have joined, with the joining, without the departing one."""
    members = set(known(model.units[unit], relation_id).members)
    if hook.relation == relation_id and hook.remote_unit:
        if hook.kind == 'relation-departed':
            members.discard(hook.remote_unit)
        elif hook.kind in ('relation-joined', 'relation-changed'):
            members.add(hook.remote_unit)
    return sorted(members, key=unit_key)


def own_settings(
    model: Model, unit: str, relation_id: int, pending: Mapping[str, str] | None = None
) -> dict[str, str] | None:
    """A unit's own databag with what the hook has set and not committed; None if not in scope."""
    bag = model.relations[relation_id].units.get(unit)
    return None if bag is None else merged(bag.data, pending or {})


def remote_settings(
    model: Model, unit: str, relation_id: int, remote: str
) -> tuple[Model, dict[str, str] | None]:
    """A remote unit's settings as *unit* sees them, and the model in which it has read them.

    What was first read is what it goes on seeing until the next ``joined`` or ``changed`` for that remote unit.
    Settings of a unit that has left stay readable. None: never in scope, or of no concern to *unit*.
    """
    mine = model.units[unit]
    relation = model.relations[relation_id]
    cached = known(mine, relation_id).read
    if remote in cached:
        return model, dict(cached[remote])
    if not faces(model, mine, remote, relation) and remote not in relation.departed:
        return model, None
    bag = relation.units.get(remote) or relation.departed.get(remote)
    if bag is None:
        return model, None
    if remote in known(mine, relation_id).members:
        model = edit.known(model, unit, relation_id, read=put(cached, remote, bag.data))
    return model, dict(bag.data)


def application_settings(
    model: Model, relation_id: int, application: str, pending: Mapping[str, str] | None = None
) -> dict[str, str]:
    """An application's databag as it is now; *pending* are the reader's own uncommitted writes to it."""
    bag = model.relations[relation_id].applications.get(application)
    return merged(bag.data if bag else {}, pending or {})


def merged(data: Mapping[str, str], writes: Mapping[str, str]) -> dict[str, str]:
    """Settings after writes; an empty value deletes."""
    out = dict(data)
    for key, value in writes.items():
        if value == '':
            out.pop(key, None)
        else:
            out[key] = value
    return out
