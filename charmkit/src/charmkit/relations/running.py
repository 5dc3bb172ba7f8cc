"""Which release each unit runs: what it tells its load balancers and its peers, and what load balancers know of all.

Beside its ``lifecycle`` a unit writes ``release`` (OpenStack's name of it, such as ``epoxy``) and ``base``
(``debian@13``), as text. The leader of a load balancer answers ``releases``, in JSON: for each service of the relation,
by release, the units that are in rotation: all that it sends clients to or may send them to again, whether they answer
or not, from their first word to the moment when they have been drained everywhere. A unit that does not say what
it runs is under the name ``?``. Without the key a load balancer does not know.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping

from . import Databag, Relation, unit_order, wire

UNKNOWN = '?'
KEY = 'releases'
_WORD = re.compile(r'[a-z0-9][a-z0-9.@-]{0,40}')

Rotation = Mapping[str, Mapping[str, tuple[str, ...]]]
"""By service, then by release: units."""


@dataclasses.dataclass(frozen=True)
class Running:
    """What one unit runs."""

    release: str = UNKNOWN
    base: str = UNKNOWN


def write(running: Running) -> Databag:
    """What the unit says of it."""
    return {'release': running.release, 'base': running.base}


def read(bag: Databag) -> Running:
    """What a unit said of it."""
    return Running(_word(bag.get('release', '')), _word(bag.get('base', '')))


def _word(text: str) -> str:
    return text if _WORD.fullmatch(text) else UNKNOWN


def response(units: Iterable[tuple[str, str, Running]]) -> Databag:
    """What a load balancer says: *units* are those in rotation, each with a service that it is behind."""
    found: dict[str, dict[str, set[str]]] = {}
    for unit, service, runs in units:
        found.setdefault(service, {}).setdefault(runs.release, set()).add(unit)
    return {
        KEY: wire.dump(
            {
                service: {r: sorted(names, key=unit_order) for r, names in by_release.items()}
                for service, by_release in found.items()
            }
        )
    }


def in_rotation(relations: Iterable[Relation], services: Iterable[str]) -> Mapping[str, Rotation]:
    """What the load balancers of *relations* say of *services*, by their application's name; of those that know."""
    wanted = frozenset(services)
    out: dict[str, dict[str, dict[str, tuple[str, ...]]]] = {}
    for relation in relations:
        if KEY not in relation.app_data:
            continue
        here = out.setdefault(relation.app, {})
        for service, by_release in wire.objects(wire.load_object(relation.app_data[KEY])):
            if service in wanted:
                there = here.setdefault(service, {})
                for release, units in by_release.items():
                    said = (*there.get(release, ()), *wire.texts(units))
                    there[release] = tuple(sorted({*said}, key=unit_order))
    return out
