"""Which addresses each name of ``hostnames`` leads to. Pure.

A name leads to the VIPs of its endpoint type, to a load balancer in front (``external-vips``), or, without either, to
the units that serve: to all of them, or to one (:func:`records`). That one keeps the name until it goes out of service
(``drain-self``) or does not answer: then another one gets it, and the former serves on, for clients know it as long as
the records live. Where nobody is left a name stays what it was.

A name that several endpoint types share is that of the first of them that is served.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Literal

from charmkit.relations import ENDPOINT_TYPES, unit_order

from . import decision, layout, reply

Kind = Literal['A', 'AAAA']
KINDS: tuple[Kind, ...] = ('A', 'AAAA')
Addresses = Mapping[str, tuple[str, ...]]
"""By name, all addresses that clients may come to, the best first."""
Records = Mapping[tuple[str, Kind], str]
"""One address of each name and type of record."""


def addresses(
    known: decision.RunInputs,
    now: decision.Decision,
    members: Mapping[str, reply.Member],
    not_ready: Collection[str],
    before: Addresses,
) -> Addresses:
    """What the names may lead to; what they led to *before* where that is to stay.

    *members* are the admitted units; those of *not_ready* were asked and want no clients.
    """
    if not known.effective.complete:  # What the operator wants is not known.
        return before
    own = {a for m in (*members.values(), *known.others.values()) for a in _all(m)}
    found: dict[str, tuple[str, ...]] = {}
    for name, types in names(now).items():
        reached = {t: tuple(_reached(t, now, members, not_ready)) for t in types}
        t = next((t for t in types if reached[t]), types[0])
        old = before.get(name, ())
        stays = not reached[t] or any(_is_vip(a, t, now, own) for a in old)
        if there := old if stays else reached[t]:
            found[name] = there
    return found


def records(
    known: decision.RunInputs,
    now: decision.Decision,
    members: Mapping[str, reply.Member],
    not_ready: Collection[str],
    before: Records,
) -> Records:
    """Of what :func:`addresses` finds one of each family: that which a name led to *before*, as long as it may."""
    led: dict[str, tuple[str, ...]] = {}
    for (name, _), address in before.items():
        led[name] = (*led.get(name, ()), address)
    found: dict[tuple[str, Kind], str] = {}
    for name, there in addresses(known, now, members, not_ready, led).items():
        for kind in KINDS:
            old = before.get((name, kind), '')
            if fits := of_kind(there, kind):
                found[name, kind] = old if old in fits else fits[0]
    return found


def of_kind(there: Iterable[str], kind: Kind) -> tuple[str, ...]:
    """Those of the addresses that are of that type of record, each once."""
    return tuple(dict.fromkeys(a for a in there if kind_of(a) == kind))


def names(now: decision.Decision) -> dict[str, list[str]]:
    """The endpoint types of each name; an address is none, and neither is a single word, which is in no domain.

    Names differ by more than their case (RFC 4343).
    """
    found: dict[str, list[str]] = {}
    hostnames = now.opts.exposure.hostnames
    for t in ENDPOINT_TYPES:
        if t in hostnames and t in now.opts.exposure.types and _is_name(hostnames[t].name):
            found.setdefault(hostnames[t].name.lower(), []).append(t)
    return found


def by_units(t: str, now: decision.Decision) -> bool:
    """Whether clients of endpoint type *t* come to units by their own addresses."""
    return not (now.opts.exposure.external_vips.get(t) or now.around.bindings[t].vips)


def kind_of(address: str) -> Kind:
    """The type of an address's record.

    Raises:
        ValueError: it is no address.
    """
    return 'AAAA' if ipaddress.ip_address(address).version == 6 else 'A'


def _is_name(text: str) -> bool:
    return '.' in text and not reply.is_address(text)


def _all(member: reply.Member) -> Iterator[str]:
    return (address for found in member.addresses.values() for address in found)


def _is_vip(old: str, t: str, now: decision.Decision, own: Collection[str]) -> bool:
    """Whether a name's *old* address may be a VIP of *t*, while one of them is in no network of this unit's.

    This unit cannot tell whose it is: it may have a network that the others lack, or the option is wrong.
    """
    if not now.homeless_vips or old in own or now.opts.exposure.external_vips.get(t):
        return False
    return old in now.homeless_vips or by_units(t, now)


def _reached(
    t: str,
    now: decision.Decision,
    members: Mapping[str, reply.Member],
    not_ready: Collection[str],
) -> Iterator[str]:
    """Addresses that clients of endpoint type *t* may come to, the best first; none while nothing of it is served."""
    serving = {
        unit: len(there)
        for unit, member in members.items()
        if (there := [f for f in member.served if t in f.rpartition('.')[2].split('-')])
        and member.in_service
        and unit not in not_ready
    }
    if not serving:
        return
    exposure = now.opts.exposure
    if outside := exposure.external_vips.get(t):
        yield from (place.name for place in outside)
    elif vips := now.around.bindings[t].vips:
        usable = layout.usable(now.around.bindings[t], exposure.families)
        yield from (address for address in usable if address in vips)
    else:
        for unit in sorted(serving, key=lambda u: (-serving[u], unit_order(u))):
            yield from members[unit].addresses.get(t, ())
