"""Applications are related and parted. Source: Juju 3.6's state.InferEndpoints and AddRelation, and its texts."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from .. import bases, edit, settle
from .. import relations as relations_
from ..model import Endpoint, Model, Refused, Relation
from ..requests import Integrate, RemoveRelation, SuspendRelation

Pair = tuple[Endpoint, Endpoint]


def endpoints_of(model: Model, text: str) -> list[Endpoint]:
    """What ``app`` or ``app:endpoint`` may mean: peers never. Raises Refused."""
    application, colon, name = text.partition(':')
    if application in model.remotes:
        every = list(model.remotes[application].endpoints)
    elif application in model.applications:
        every = _declared(model, application)
    else:
        raise Refused(f'application "{application}" not found')
    if not colon:
        return every
    exact = [e for e in every if e.name == name]
    if not exact:
        raise Refused(f'application "{application}" has no "{name}" relation')
    return exact


def _declared(model: Model, application: str) -> list[Endpoint]:
    declared = model.charm_of(application).relations
    out = [
        Endpoint(application, m.name, m.role, m.interface, m.scope)
        for m in declared.values()
        if m.role != 'peer'
    ]
    if relations_.IMPLICIT not in declared:
        out.append(Endpoint(application, relations_.IMPLICIT, 'provider', relations_.IMPLICIT))
    return out


def infer(model: Model, a: str, b: str) -> Pair:
    """The one pair of endpoints that two descriptions can mean, requirer first. Raises Refused."""
    pairs = [
        pair
        for one, other in itertools.product(endpoints_of(model, a), endpoints_of(model, b))
        if (pair := _match(one, other))
    ]
    if len(pairs) > 1:
        # An endpoint that every application has never makes a choice ambiguous.
        explicit = [
            p for p in pairs if relations_.IMPLICIT not in (p[0].interface, p[1].interface)
        ]
        pairs = explicit or pairs
    if not pairs:
        raise Refused('no relations found')
    if len(pairs) > 1:
        options = '; '.join(sorted(f'"{key(p)}"' for p in pairs))
        raise Refused(f'ambiguous relation: "{a} {b}" could refer to {options}')
    return pairs[0]


def _match(one: Endpoint, other: Endpoint) -> Pair | None:
    if one.application == other.application or one.interface != other.interface:
        return None
    if one.role == 'requirer' and other.role == 'provider':
        return one, other
    if one.role == 'provider' and other.role == 'requirer':
        return other, one
    return None


def key(pair: tuple[Endpoint, ...]) -> str:
    """How Juju writes a relation: ``wordpress:db mysql:server``, requirer first."""
    ordered = sorted(pair, key=lambda e: e.role != 'requirer')
    return ' '.join(f'{e.application}:{e.name}' for e in ordered)


def find(model: Model, pair: tuple[Endpoint, ...]) -> Relation | None:
    """The relation between two endpoints, if there is one."""
    sides = {(e.application, e.name) for e in pair}
    for relation in model.relations.values():
        if {(e.application, e.name) for e in relation.endpoints} == sides:
            return relation
    return None


def integrate(request: Integrate, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """``juju integrate``."""
    requirer, provider = infer(model, request.a, request.b)
    name = key((requirer, provider))
    why = f'cannot add relation "{name}": '
    if find(model, (requirer, provider)) is not None:
        raise Refused(f'{why}relation {name} already exists')
    for end in (requirer, provider):
        _check_end(model, end, name, why)
    scope = 'container' if 'container' in (requirer.scope, provider.scope) else 'global'
    if scope == 'container':
        _check_container(model, requirer, provider, why)
    model, rid = edit.number(model, 'relation')
    ends = tuple(
        Endpoint(e.application, e.name, e.role, e.interface, scope) for e in (provider, requirer)
    )
    model = edit.put_relation(model, Relation(rid, ends))
    return model, {'relation': rid}


def _check_end(model: Model, end: Endpoint, name: str, why: str) -> None:
    application = model.applications.get(end.application)
    if application is None:
        return
    if application.life != 'alive':
        raise Refused(f'{why}application "{end.application}" is not alive')
    meta = model.charm_of(end.application).relations.get(end.name)
    limit = meta.limit if meta else 0
    have = sum(
        1
        for r in model.relations_of(end.application)
        if any((e.application, e.name) == (end.application, end.name) for e in r.endpoints)
    )
    if limit and have >= limit:
        raise Refused(
            f'{why}establishing a new relation for {end.application}:{end.name} '
            f'would exceed its maximum relation limit of {limit}'
        )


def _check_container(model: Model, requirer: Endpoint, provider: Endpoint, why: str) -> None:
    names = (requirer.application, provider.application)
    if any(n in model.remotes for n in names):
        raise Refused(f'{why}container scoped relations cannot cross models')
    subordinate = [model.charm_of(n).subordinate for n in names]
    if not any(subordinate):
        raise Refused(
            f'{why}container scoped relation requires at least one subordinate application'
        )
    if not _share_a_base(model, *names):
        raise Refused(f"{why}principal and subordinate applications' bases must match")


def _share_a_base(model: Model, one: str, other: str) -> bool:
    """Whether there is a base that both charms support: that of a subordinate's machine is its principal's."""
    charms = (model.charm_of(one), model.charm_of(other))
    if not all(charm.bases for charm in charms):
        return True
    known = {
        *charms[0].bases,
        *charms[1].bases,
        model.applications[one].base,
        model.applications[other].base,
    }
    return any(all(bases.supported(charm, base) for charm in charms) for base in known)


def remove(request: RemoveRelation, model: Model, now: float) -> tuple[Model, dict[str, Any]]:
    """``juju remove-relation``."""
    if request.id is not None:
        relation = model.relations.get(request.id)
        if relation is None:
            raise Refused(f'relation {request.id} not found')
    else:
        relation = _find_any(model, request.a, request.b)
    if relations_.is_peer(relation):
        name = key(relation.endpoints)
        raise Refused(f'cannot destroy relation "{name}": is a peer relation')
    if relation.life == 'alive':
        model = edit.relation(model, relation.id, life='dying')
    if request.force:
        model = _forget(model, relation.id, now)
    return model, {'relation': relation.id}


def _find_any(model: Model, a: str, b: str) -> Relation:
    """The relation that two descriptions mean, among those that there are."""
    one = {(e.application, e.name) for e in endpoints_of(model, a)}
    other = {(e.application, e.name) for e in endpoints_of(model, b)}
    hits = [
        r
        for r in model.relations.values()
        if len(r.endpoints) == 2
        and any(
            (x.application, x.name) in one and (y.application, y.name) in other
            for x, y in (r.endpoints, r.endpoints[::-1])
        )
    ]
    if len(hits) == 1:
        return hits[0]
    if len(hits) > 1:
        options = '; '.join(sorted(f'"{key(r.endpoints)}"' for r in hits))
        raise Refused(f'ambiguous relation: "{a} {b}" could refer to {options}')
    pair = infer(model, a, b)
    raise Refused(f'relation "{key(pair)}" not found')


def _forget(model: Model, rid: int, now: float) -> Model:
    """With ``--force``, units that have failed on a hook of the relation go on without it."""
    for unit in list(model.units.values()):
        hook = unit.agent.hook
        if unit.agent.step == 'failed' and hook is not None and hook.relation == rid:
            model = settle.skipped(model, unit.name, now)
    return model


def suspend(request: SuspendRelation, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """``juju suspend-relation`` and ``juju resume-relation``: of cross-model relations only."""
    for rid in request.ids:
        if rid not in model.relations:
            raise Refused(f'relation {rid} not found')
        relation = model.relations[rid]
        crosses = any(e.application in model.remotes for e in relation.endpoints)
        if not crosses:
            raise Refused(
                f'cannot set suspend status for "{key(relation.endpoints)}" which is not associated with an offer'
            )
        model = edit.relation(model, rid, suspended=not request.resume)
    return model, {}


VERBS: Mapping[type, Any] = {
    Integrate: integrate,
    RemoveRelation: remove,
    SuspendRelation: suspend,
}
