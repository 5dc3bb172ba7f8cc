"""Whom keepalived advertises to: the units that are there, and for a while those that have departed. Pure.

Juju runs the hooks of a departure on all units at once, while the unit that is removed still serves and its keepalived
still runs. If the others stopped advertising to it at once, it would hear nobody, take the VIPs beside their owner, and
leave clients with its own address in their ARP caches when its machine is gone. So would one that is removed and stops
advertising to those that it has departed from. To an address where nobody is any more, an advertisement does no harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from ..relations import wire

MEMORY = 'vrrp-peers'
"""The name in the unit's memory of the other units and where they are, those that have departed among them."""
LINGER_S = 900
"""For how long it is advertised to a unit that has departed: longer than its last hooks take."""


def remembered(
    before: object, there: Mapping[str, Iterable[str]], *, now: float
) -> dict[str, dict[str, Any]]:
    """What the next run is to know: addresses by unit, and until when (seconds) it counts; 0 while the unit is there.

    *before* is what the run before this one remembered, *there* the addresses of the units that are there.
    """
    out: dict[str, dict[str, Any]] = {
        unit: {'addresses': list(addresses), 'until': 0} for unit, addresses in there.items()
    }
    for unit, entry in _entries(before).items():
        until = wire.number(entry.get('until')) or int(now) + LINGER_S
        if unit not in there and now < until:
            out[unit] = {'addresses': list(wire.texts(entry.get('addresses'))), 'until': until}
    return out


def departed(known: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """The addresses of units that are there no more, of what :func:`remembered` gave."""
    return tuple(a for entry in known.values() if entry['until'] for a in entry['addresses'])


def _entries(before: object) -> dict[str, Mapping[str, Any]]:
    if not isinstance(before, Mapping):
        return {}
    return dict(wire.objects(cast('Mapping[str, Any]', before)))
