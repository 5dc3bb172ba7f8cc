"""How a unit that holds the VIPs gives them away in order (``drain-self``), so that no connection breaks. Pure.

1. *Asked*: it says to the others that it hands over. Each gets ready to pass on to it what it will not know, and says
   that it heeds. Clients still come here.
2. *Moved*: all heed, or some have not for the time that it may take (option ``handover-timeout``). The unit keeps the
   VIPs for the connections that it has (:mod:`charmkit.proxy.vip_handover`) and stops being ready; keepalived gives the
   VIPs to another. Each response says that its connection ends.
3. Over: no connection is left, the same time has passed again, or the unit is in service again and has the VIPs back.

A unit that answers but says nothing has other hooks to run first: one that was added a moment ago has two for each
unit of each application behind the load balancer. It can have the VIPs meanwhile, so it is waited for; one that is
down is not.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, cast

from charmkit.proxy import vip_handover
from charmkit.relations import unit_order

from . import reply, vrrp

HANDOVER, PASSES_ON = 'handover', 'passes-on'
"""Names in the unit's memory: how far it has come with giving VIPs away, and whose connections it passes on."""
LEAST_ASK_S = 20.0
"""The others have so long to get ready, however short the time for connections is; seconds."""
ASKED_LOOK_S = 30.0
"""How often to look whether those that are waited for still answer; seconds."""
LOOK_S = 5.0
"""How often to look whether connections have ended; seconds."""
SETTLE_S = 3.0
"""After so many seconds the VIPs have moved, and what was on its way has come; seconds."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Handover:
    """How far a unit has come. Seconds since the epoch."""

    since: float
    """When it asked."""
    moved: float = 0.0
    """When it let the VIPs go; 0: not yet."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class VipState:
    """What matters to a handover of where a unit is."""

    holds: bool
    """The VIPs are on this unit's networks."""
    others: tuple[str, ...]
    """Units that could hold the VIPs in its place."""
    heed: frozenset[str]
    """Units that have said that they pass on to this one."""
    connections: int
    """How many clients have with this unit's VIPs."""


def load(kept: object) -> Handover | None:
    """What the unit remembers; None: nothing is under way."""
    if not isinstance(kept, Mapping):
        return None
    found = cast('Mapping[str, Any]', kept)
    if not found.get('since'):
        return None
    return Handover(since=float(found['since']), moved=float(found.get('moved', 0)))


def dump(handover: Handover | None) -> dict[str, float]:
    """What to remember."""
    return dataclasses.asdict(handover) if handover else {}


def next_state(
    before: Handover | None, vip_state: VipState, *, away: bool, now: float, timeout_s: float
) -> Handover | None:
    """How far it has come *now*. *away*: the operator wants the unit out of service."""
    if before is None:
        return Handover(since=now) if away and vip_state.holds and vip_state.others else None
    if not before.moved:
        if not away or not vip_state.holds:
            return None
        late = now - before.since >= ask_s(timeout_s)
        return dataclasses.replace(before, moved=now) if late or _all_heed(vip_state) else before
    settled = now - before.moved >= SETTLE_S
    # Where the VIPs are, connections need nobody to keep them. The next time that it goes it asks anew.
    back = vip_state.holds and not away
    if (settled and (back or not vip_state.connections)) or now - before.moved >= timeout_s:
        return None
    return before


def ask_s(timeout_s: float) -> float:
    """How long to wait for units that do not say that they heed; seconds."""
    return max(timeout_s, LEAST_ASK_S)


def _all_heed(vip_state: VipState) -> bool:
    return set(vip_state.others) <= vip_state.heed


def due(handover: Handover | None, now: float, timeout_s: float) -> tuple[float, ...]:
    """When to look again; seconds since the epoch."""
    if handover is None:
        return ()
    if not handover.moved:
        return (min(now + ASKED_LOOK_S, handover.since + ask_s(timeout_s)),)
    return (min(now + LOOK_S, handover.moved + timeout_s),)


def holds(vips: Iterable[str], interfaces: Mapping[str, str]) -> bool:
    """Whether one of *vips* is on a network of this unit; *interfaces* by address."""
    found = {vrrp.spelt(a): name for a, name in interfaces.items()}
    return any(found.get(vrrp.spelt(v), 'lo') != 'lo' for v in vips)


def kept(handover: Handover | None, vips: Iterable[vrrp.Vip]) -> tuple[vip_handover.Kept, ...]:
    """The VIPs that this unit keeps for the connections that it has."""
    if handover is None or not handover.moved:
        return ()
    by_address = {v.address: v for v in vips}
    return tuple(
        vip_handover.Kept(address=v.address, interface=v.interface) for v in by_address.values()
    )


def former(before: str, members: Mapping[str, reply.Member], *, holds: bool) -> str:
    """The unit whose connections this one passes on; '' when none hands over.

    *before*: the one until now. Who *holds* the VIPs begins with none: what it has not seen begin may be its own.
    """
    asking = [unit for unit, member in members.items() if member.hands_over]
    if before in asking:
        return before
    return '' if holds else min(asking, key=unit_order, default='')


def passed_on(
    member: reply.Member | None,
    vips: Iterable[vrrp.Vip],
    networks: Mapping[str, Iterable[vrrp.Interface]],
) -> tuple[vip_handover.PassedOn, ...]:
    """What to pass on to *member*: each VIP in whose network it has an address."""
    if member is None:
        return ()
    theirs = [a for found in member.addresses.values() for a in found]
    subnets = [
        ipaddress.ip_network(i.network, strict=False) for found in networks.values() for i in found
    ]
    out: dict[str, vip_handover.PassedOn] = {}
    for vip in vips:
        address = ipaddress.ip_address(vip.address)
        network = next((n for n in subnets if address in n), None)
        to = next(
            (
                a
                for a in theirs
                if network and reply.is_address(a) and ipaddress.ip_address(a) in network
            ),
            '',
        )
        if to:
            out[vip.address] = vip_handover.PassedOn(
                address=vip.address, interface=vip.interface, to=to
            )
    return tuple(out.values())
