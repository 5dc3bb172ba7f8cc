"""When a unit may hold VIPs: once nobody would hold them beside it, and it serves what the others serve. Pure.

keepalived speaks to the others by unicast. One that they do not speak to yet hears nobody, takes the VIPs within a
second while their owner goes on, and answers for services whose units it has not heard of. So a new unit waits until
each other member has said that its keepalived speaks to this one, and until all that they serve is known here.

Once it has come so far it does not wait again: who dies later must not take VIPs from those that are left. It steps
back for one reason only: a member that takes part and comes before it in the order of units has said that it speaks to
it no more. Both would hold the VIPs. The first of them never steps back, so that one is always there to hold them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ..relations import Databag, unit_order, wire

JOINED = 'joined'
"""The name in the unit's memory of whether it has come so far."""
SEEN = 'peers-seen'
"""Of the other units that it has ever seen, until it has come so far."""
MEMBERS = 'members'
"""In the application's data on the peer relation: the units that the leader has admitted."""
ADVERTISES_TO = 'advertises-to'
"""In a unit's: those that its keepalived speaks to, or would. :mod:`charmkit.idle` hears of itself alone there."""
TAKES_PART = 'takes-part'
"""In a unit's: whether its keepalived is wanted. Nobody needs to hear when that changes."""
UNHEEDED = frozenset({TAKES_PART})
NOT_ADMITTED = 'waiting for the leader to admit this unit'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Said:
    """What a unit says to the others of who holds VIPs."""

    advertises_to: frozenset[str] = frozenset()
    takes_part: bool = False


def write(said: Said) -> Databag:
    """*said*, for the unit's databag on the peer relation."""
    return {
        ADVERTISES_TO: wire.dump(sorted(said.advertises_to, key=unit_order)),
        TAKES_PART: 'yes' if said.takes_part else '',
    }


def read(bag: Databag) -> Said:
    """What :func:`write` wrote."""
    return Said(
        advertises_to=frozenset(wire.texts(wire.load_array(bag.get(ADVERTISES_TO, '')))),
        takes_part=bag.get(TAKES_PART) == 'yes',
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """A unit's part in who holds the VIPs."""

    members: tuple[str, ...]
    """The units that are admitted."""
    admitted: bool
    awaited: tuple[str, ...]
    """Members that it waits for until it may hold VIPs."""
    joined: bool
    """It may hold VIPs."""
    seen: tuple[str, ...] = ()
    """Of the others, those that it has ever seen."""

    @property
    def memory(self) -> dict[str, Any]:
        """What the next run is to know."""
        return {JOINED: self.joined, SEEN: [] if self.joined else list(self.seen)}

    @property
    def waiting(self) -> str:
        """Why it holds none, in words for the operator; '' when it may."""
        if self.joined:
            return ''
        if not self.admitted:
            return NOT_ADMITTED
        shown = ', '.join(self.awaited[:5])
        more = f' and {len(self.awaited) - 5} more' if len(self.awaited) > 5 else ''
        return f'no VIPs here until they know of this unit: {shown}{more}'


def members(
    unit: str,
    peers: Databag,
    others: Iterable[str],
    *,
    leader: bool,
    excluded: Collection[str] = frozenset(),
) -> tuple[str, ...]:
    """The admitted units: on the leader those that it sees and the operator has not *excluded*, else those it has told.

    *peers* is the application's data on the peer relation.
    """
    if not leader:
        return listed(peers)
    return tuple(sorted({unit, *others} - {*excluded}, key=unit_order))


def listed(peers: Databag) -> tuple[str, ...]:
    """The units that the leader has admitted, as it says in *peers*."""
    return wire.texts(wire.load_array(peers.get(MEMBERS, '')))


def decide(
    unit: str,
    members: tuple[str, ...],
    others: Mapping[str, Said],
    *,
    peers: Databag,
    before: bool,
    seen: Iterable[str] = (),
    ahead: Collection[str] = frozenset(),
    time_passes: bool = False,
) -> Part:
    """The part of *unit*.

    Args:
        unit: this unit.
        members: the units that are admitted.
        others: what each other unit says, of those that are seen.
        peers: the application's data on the peer relation.
        before: it had joined when the run before this one ended.
        seen: the others that earlier runs have seen.
        ahead: those of the others that serve what this unit does not serve yet.
        time_passes: no event brought this run about: all units that are there have been seen by now.
    """
    admitted = unit in members
    ever = tuple(sorted({*seen, *others}, key=unit_order))
    if before:
        there = members if admitted else ()
        awaited = tuple(name for name in there if _comes_before(name, others.get(name), unit))
    else:
        # One that leads from its first moment on has not seen those yet whom the leader before it has admitted.
        unseen = () if time_passes else (n for n in listed(peers) if n not in ever)
        names = dict.fromkeys((*members, *(unseen if admitted else ())))
        awaited = tuple(
            name
            for name in sorted(names, key=unit_order)
            if name != unit and (name in ahead or not _speaks(others.get(name), unit))
        )
    return Part(
        members=members,
        admitted=admitted,
        awaited=awaited,
        joined=not awaited and (before or admitted),
        seen=ever,
    )


def _speaks(said: Said | None, unit: str) -> bool:
    return said is not None and unit in said.advertises_to


def _comes_before(name: str, said: Said | None, unit: str) -> bool:
    """Whether *name* would hold VIPs beside *unit*, and is the one to keep them."""
    if said is None or not said.takes_part or unit in said.advertises_to:
        return False
    return unit_order(name) < unit_order(unit)
