"""How a unit with VIPs of its own is removed, so that clients lose nothing. Pure.

Juju tells it by the first relation that it departs from, and tells all others at the same time: what it needs to serve
with may go at any moment. So in that hook

1. it fails its health check to others, and each response that it sends from a VIP says that its connection ends;
2. once their haproxy has noticed, and idle connections have ended, it gives its VIPs away (:mod:`.proxy.vip_release`),
   and its Apache stops.

Behind load balancers a unit is drained by them; without a VIP there is nobody else for its clients.
"""

from __future__ import annotations

import dataclasses

from . import limits, renewal, state
from .proxy import vip_admission
from .relations import loadbalancer
from .why import Why

GONE = 'gone'
"""In the unit's memory: whether it has come so far that nobody sends clients to it."""
NOTICE = 'departs'
"""Of the task that lets others notice."""
NOTICE_S = max(loadbalancer.NOTICE_S, limits.KEEP_ALIVE_S + 1.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Departure:
    """How far it has come."""

    closing: bool = False
    gone: bool = False


def decide(why: Why, inputs: state.Inputs, *, balanced: bool) -> Departure:
    """How far this unit has come with being removed; *balanced*: load balancers stand before it."""
    joined = bool(inputs.memory.get(vip_admission.JOINED))
    if not inputs.dying or balanced or not inputs.options.get('vip'):
        return Departure()
    if inputs.memory.get(GONE) or inputs.seen.get(NOTICE):
        return Departure(gone=True)
    # A stop hook waits for nobody, and one that is alone with its VIPs has nobody to give them to. Who the others are
    # is known from the leader: as the unit departs from them, they are seen no more.
    others = {*vip_admission.listed(inputs.peers)} - {inputs.site.unit}
    return Departure(closing=joined and bool(others) and not why.removing)


def tasks(closing: bool) -> tuple[renewal.Notice, ...]:
    """What a unit does that is *closing*."""
    return (renewal.Notice(NOTICE_S, NOTICE),) if closing else ()
