"""Servers that many applications share: what the units of a relation ask for, under one prefix or several."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable
from typing import Protocol, TypeVar

from . import Databag, Relation, unit_order


class Asked(Protocol):
    """One request of a unit."""

    @property
    def unit(self) -> str:
        """Who asks."""
        ...

    @property
    def prefix(self) -> str:
        """Of its keys in the unit's databag; '' where there is none."""
        ...


Request = TypeVar('Request', bound=Asked)


@dataclasses.dataclass(frozen=True)
class Refusal:
    """Why a request cannot be met, in words for the operator."""

    unit: str
    reason: str


def requests(
    relation: Relation,
    kept: Iterable[Request],
    *,
    prefixes: Callable[[Databag], Collection[str]],
    read: Callable[[str, str, Databag, bool], Request | None],
    most: tuple[int, str],
) -> tuple[tuple[Request, ...], tuple[Refusal, ...]]:
    """What the units of *relation* ask for, and what of that is refused; *most* that one may ask for, and of what.

    *read* gets a unit, a prefix, its databag, and whether there was once a whole request: it gives None when nothing
    is said, or not everything yet, and raises ValueError for nonsense, and for half of what was once a whole request.

    *kept* are requests of this relation that were met before. Where a unit that is still there now asks for
    nonsense, or no longer says all, what it asked for last stays in force, and a refusal says so. An incomplete
    request of which nothing was ever met is neither: the unit has not said everything yet.
    """
    last = {(r.unit, r.prefix): r for r in kept}
    met: list[Request] = []
    refused: list[Refusal] = []
    for unit, bag in sorted(relation.units.items(), key=lambda item: unit_order(item[0])):
        asked = set(prefixes(bag))
        if len(asked) > most[0]:
            refused.append(Refusal(unit, f'asks for more than {most[0]} {most[1]}'))
            asked = set[str]()
        for prefix in sorted(asked | {p for u, p in last if u == unit}):
            request = before = last.get((unit, prefix))
            try:
                request = read(unit, prefix, bag, before is not None) or before
            except ValueError as e:
                stays = '; what it asked for before stays in force' if before else ''
                refused.append(Refusal(unit, f'{e}{stays}'))
            if request:
                met.append(request)
    return tuple(met), tuple(refused)
