"""When a new unit may hold VIPs: once nobody would hold them beside it, and it serves what the others serve. Pure.

keepalived speaks to the others by unicast. One that they do not speak to yet hears nobody, takes the VIPs within a
second while their owner goes on, and answers for services whose units it has not heard of. So a new unit waits until
each other member has said that its keepalived speaks to this one, and until all that they serve is known here. Once it
has come so far it never waits again: who dies later must not take VIPs from those that are left.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from . import reply

JOINED = 'joined'
"""The name in the unit's memory of whether it has come so far."""


def waits_for(
    unit: str,
    members: Iterable[str],
    known: Mapping[str, reply.Member],
    served: Collection[str],
) -> tuple[str, ...]:
    """The members that *unit* waits for. *known*: what each other unit says; *served*: the units behind *unit*."""
    return tuple(
        name for name in members if name != unit and not _speaks(known.get(name), unit, served)
    )


def _speaks(member: reply.Member | None, unit: str, served: Collection[str]) -> bool:
    return member is not None and unit in member.advertises_to and set(member.acks) <= {*served}
