"""Whether a unit may go out of service (``drain-self``): only beside another one that is in service. Pure.

Else no unit would have the VIPs, and an outside load balancer would have nobody to send clients to. What others have
written says who means to serve; who does not answer is not counted on. Two that go at once, each counting on the
other, both find out by what they wrote: the first of them, in the order of units, comes back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from charmkit.relations import unit_order, wire

from . import reply

FORCED, COUNTS_ON = 'out-of-service-forced', 'counts-on'
"""Names in the unit's memory: the operator wants it out even if nobody is left; those that it went out beside."""
LOOK_S = 30.0
"""How often to look whether another unit is in service again; seconds."""
NOBODY = 'no other unit of this load balancer is in service and answers'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wish:
    """What the operator wants of this unit."""

    out: bool = False
    forced: bool = False
    """Even if no other unit is left to serve."""
    counts_on: frozenset[str] = frozenset()
    """Those that it went out beside, if it has gone."""

    @property
    def memory(self) -> dict[str, Any]:
        """What the next run is to know, beside :attr:`out`."""
        return {FORCED: self.forced, COUNTS_ON: sorted(self.counts_on, key=unit_order)}


def wish(memory: Mapping[str, Any], *, out: bool, forced: bool | None) -> Wish:
    """What holds now. *forced*: what the action says that this run is for; None when it is for another reason."""
    if not out:
        return Wish()
    before = bool(memory.get(FORCED)) if forced is None else forced
    return Wish(
        out=True, forced=before, counts_on=frozenset(wire.texts(memory.get(COUNTS_ON) or ()))
    )


def in_service(
    others: Mapping[str, reply.Member], silent: Collection[str] = frozenset()
) -> frozenset[str]:
    """Those that serve, as they say; who is *silent* was asked and is not ready."""
    return frozenset(u for u, m in others.items() if m.in_service and u not in silent)


def may_go(
    unit: str,
    wish: Wish,
    others: Mapping[str, reply.Member],
    there: Collection[str],
    *,
    under_way: bool = False,
) -> bool:
    """Whether *unit* may be out of service.

    *there*: :func:`in_service` of the *others*. *under_way*: it still keeps connections of clients, and until that is
    over it comes back if those that it went out beside are lost.
    """
    if not wish.out:
        return False
    if wish.forced or there:
        return True
    if under_way:
        return False
    # Gone already: it stays out, whatever has become of the others since. Unless they counted on it as it did on them.
    both = [u for u in wish.counts_on if u in others and unit in others[u].counts_on]
    first = min((unit, *both), key=unit_order) == unit
    return bool(wish.counts_on) and not (both and first)
