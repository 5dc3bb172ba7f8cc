"""Whose word on a client's address counts, taken up by one unit after the other. Pure.

Apache takes up another list only by a reload, which renews every process of the service: for some seconds requests
wait. A load balancer unit that comes or goes changes the list of all units at once. So each unit waits until those
before it, in the order of units, have taken it up and serve again; meanwhile the others serve, and an unknown load
balancer's own address stands in the log in place of its clients'.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from . import host, state
from .relations import Databag, unit_order, wire

TRUSTED = 'trusted'
"""In the unit's memory: the list that is in force."""
TRUSTS = 'trusts'
"""In a unit's data on the peer relation: stands for the list that is in force there."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trust:
    """What this unit believes whom, and what follows from it."""

    networks: tuple[str, ...] = ()
    """In CIDR notation."""
    waits: bool = False
    """Another list is to come, once the units before this one have it."""

    @property
    def memory(self) -> dict[str, Any]:
        """What the next run is to know."""
        return {TRUSTED: list(self.networks)}

    @property
    def unit_data(self) -> Databag:
        """What the unit says to its peers."""
        return {TRUSTS: stands_for(self.networks)}

    @property
    def unheeded(self) -> frozenset[str]:
        """What it need not hear of them."""
        return frozenset() if self.waits else frozenset({TRUSTS})


def stands_for(networks: tuple[str, ...]) -> str:
    """A short text that tells lists from one another."""
    return host.digest('\n'.join(networks))


def decide(wanted: tuple[str, ...], inputs: state.Inputs, *, now: bool) -> Trust:
    """Whether *wanted* comes into force in this run. *now*: without waiting, since no client would.

    A unit that has never had a list has no clients yet. One that says nothing of its own is of an earlier revision.
    """
    kept = inputs.memory.get(TRUSTED)
    before = None if kept is None else wire.texts(kept)
    here, target = unit_order(inputs.site.unit), stands_for(wanted)
    behind = any(
        unit_order(unit) < here and bag.get(TRUSTS, target) != target
        for unit, bag in inputs.peer_units.items()
    )
    if before is None or now or not behind:
        return Trust(networks=wanted)
    return Trust(networks=before, waits=before != wanted)
