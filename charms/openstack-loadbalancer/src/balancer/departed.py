"""Relations and units that have departed, and are served for a while yet (the option ``linger``).

When a relation is removed, the service behind must first get its own endpoint back into the
catalogue, and clients must learn of it. Juju tells both sides at once, so the load balancer goes
on serving what it knew for some time. When one unit of several leaves, it is drained instead.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from charmkit.relations import Relation, wire


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gone:
    """A relation or a unit of one that is no longer there, as it last was."""

    relation: Relation
    """With only those units that left."""
    until: float
    """Seconds, by this unit's clock."""


def departed(
    before: Iterable[Relation],
    now_there: Iterable[Relation],
    gone: Iterable[Gone],
    *,
    now: float,
    linger_s: float,
) -> tuple[Gone, ...]:
    """Who is gone: of *gone* those whose time is not over, and whoever left since *before*.

    An entry ends early when its unit is back, or its relation is replaced by a new one with the
    same application over the same endpoint.
    """
    there = {r.id: r for r in now_there}
    renewed = {(r.name, r.app) for r in there.values() if r.units}
    out: dict[tuple[int, float], Gone] = {}
    old = [
        Gone(relation=_only(r, set(r.units) - set(_units(there.get(r.id)))), until=now + linger_s)
        for r in before
    ]
    for g in (*gone, *old):
        left = set(g.relation.units) - set(_units(there.get(g.relation.id)))
        again = g.relation.id not in there and (g.relation.name, g.relation.app) in renewed
        if left and g.until > now and not again:
            out[g.relation.id, g.until] = Gone(relation=_only(g.relation, left), until=g.until)
    return tuple(out.values())


def served(there: Iterable[Relation], gone: Iterable[Gone]) -> tuple[Relation, ...]:
    """The relations to serve: those that are there, and those of which nothing else is left."""
    there = tuple(there)
    empty = {r.id for r in there if not r.units}
    out = {r.id: r for r in there}
    for g in gone:
        current = out.get(g.relation.id)
        if current is None:
            out[g.relation.id] = g.relation
        elif current.id in empty or g.relation.id not in {r.id for r in there}:
            out[g.relation.id] = dataclasses.replace(
                current,
                app_data=current.app_data or g.relation.app_data,
                units={**g.relation.units, **current.units},
            )
    return tuple(out[i] for i in sorted(out))


def _units(relation: Relation | None) -> Iterable[str]:
    return relation.units if relation else ()


def _only(relation: Relation, units: Iterable[str]) -> Relation:
    keep = set(units)
    return dataclasses.replace(
        relation, units={u: bag for u, bag in relation.units.items() if u in keep}
    )


def dump(relations: Iterable[Relation]) -> str:
    """*relations* as text, to be remembered until the next hook."""
    return wire.dump(
        [
            {
                'id': r.id,
                'name': r.name,
                'app': r.app,
                'app_data': dict(r.app_data),
                'units': {u: dict(bag) for u, bag in r.units.items()},
            }
            for r in relations
        ]
    )


def load(text: str) -> tuple[Relation, ...]:
    """What :func:`dump` wrote."""
    return tuple(_relation(data) for data in wire.load_array(text))


def dump_gone(gone: Iterable[Gone]) -> str:
    """*gone* as text."""
    gone = tuple(gone)
    return wire.dump(
        {'relations': dump(g.relation for g in gone), 'until': [g.until for g in gone]}
    )


def load_gone(text: str) -> tuple[Gone, ...]:
    """What :func:`dump_gone` wrote."""
    data = wire.load_object(text)
    relations = load(wire.text(data.get('relations')))
    times = [float(t) for t in data.get('until') or ()]
    return tuple(Gone(relation=r, until=t) for r, t in zip(relations, times, strict=True))


def _relation(data: Mapping[str, Any]) -> Relation:
    return Relation(
        id=data['id'],
        name=data['name'],
        app=data['app'],
        app_data=data['app_data'],
        units=data['units'],
    )
