"""In which zone each name is asked for. Pure.

A DNS charm serves the zones that it is asked for with authority: of a name below one that it was not asked for, it
says that there is none (RFC 1034, section 4.3.2). And where it serves a zone below another one it answers from the
lower: what the upper has there is hidden. So all names below a zone are asked for in it, and no zone is wider than it
must be.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

APEX = '@'
"""The label of a name that is its zone itself (RFC 1035, section 5.1)."""


def zones(names: Iterable[str], listed: Collection[str]) -> dict[str, str]:
    """The zone of each name, all in lower case: the longest of those *listed* that it is or is in.

    One that is in none of them is in the domain above it, or in a wider one that another such name needs. A domain of
    one word, as ``com``, must be listed: without, the name is a zone of its own.
    """
    found = {
        name: max((z for z in listed if within(name, z)), key=len, default='') for name in names
    }
    above = {name: _above(name) for name, zone in found.items() if not zone}
    wide = [d for d in above.values() if not any(within(d, e) for e in above.values() if e != d)]
    return {
        name: zone or next(d for d in wide if within(above[name], d))
        for name, zone in found.items()
    }


def listed_for(name: str, listed: Collection[str]) -> str:
    """The longest of the zones *listed* that *name* is or is in; '' when there is none."""
    return max((z for z in listed if within(name, z)), key=len, default='')


def label(name: str, zone: str) -> str:
    """What stands for *name* in its *zone*."""
    return APEX if name == zone else name.removesuffix(f'.{zone}')


def name(label: str, zone: str) -> str:
    """The name for which *label* stands in its *zone*."""
    return zone if label == APEX else f'{label}.{zone}'


def within(name: str, zone: str) -> bool:
    """Whether *name* is *zone*, or below it."""
    return name == zone or name.endswith(f'.{zone}')


def _above(name: str) -> str:
    domain = name.partition('.')[2]
    return domain if '.' in domain else name
