"""Units of an application that must do something one after the other, as the leader says. Pure.

Each unit that waits says so in its data on the peer relation; the leader names one of them in the application's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .relations import Databag, unit_order, wire
from .why import Hook, Why


def whose(waiting: Iterable[str], recorded: str) -> str:
    """Whose turn it is: that of the unit *recorded* until it waits no more, then the first of those *waiting*."""
    there = sorted(waiting, key=unit_order)
    return recorded if recorded in there or not there else there[0]


def departed(why: Why, remembered: object, there: Iterable[str]) -> list[str]:
    """Units that were removed, as this one was *remembered* before and by *why*; one that is *there* again is not."""
    gone = why.subject if isinstance(why, Hook) and why.name == 'peers-relation-departed' else ''
    return sorted({*wire.texts(remembered), gone} - {*there, ''})


def addresses(peer_units: Mapping[str, Databag]) -> dict[str, str]:
    """Where each other unit is, by name; those of which Juju says it."""
    said = {
        u: bag.get('ingress-address') or bag.get('private-address', '')
        for u, bag in peer_units.items()
    }
    return {u: address for u, address in said.items() if address}
