"""The names of ``hostnames`` in DNS, where a DNS charm is related (interface ``dns_record``). Pure.

A name has one address of each family: a VIP of its endpoint type, that of a load balancer in front (``external-vips``),
or, without either, that of one unit that serves. It stays with that unit until that goes out of service
(``drain-self``) or does not answer: then another one gets the name, and the former serves on, for clients know it as
long as the records live. Where nobody is left a name stays what it was.

One and no more, for Canonical's DNS charm takes a second record of a name and type for a conflict, and then writes
nothing for anybody (``dns_data.get_conflicts`` and ``bind.py`` of canonical/dns-operators).

Source of the interface: its page among Canonical's charm libraries; the requirer gives each entry a UUID, and the
provider answers by it.
"""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, cast

from charmkit import Status
from charmkit.relations import Databag, Relation, unit_order, wire

from . import decision, layout, reply

RELATION = 'dns-record'
ENTRIES = 'dns_entries'
LIVES_S = 30
"""How long others should remember a record; seconds. The DNS charm has the last word."""
_WAITS = frozenset({'', 'approved', 'pending'})
_NAMESPACE = uuid.UUID('5c1fd4a4-6f0c-4a4e-9d4b-1d3b5d6c9f27')


def wanted(
    known: decision.RunInputs,
    now: decision.Decision,
    members: Mapping[str, reply.Member],
    not_ready: Collection[str],
    before: Databag,
) -> Databag:
    """What is asked of the DNS charm, where *before* was asked.

    *members* are the admitted units; those of *not_ready* were asked and want no clients.
    """
    if not known.effective.complete:  # What the operator wants is not known.
        return before
    kept = _by_name(before)
    entries: list[Mapping[str, Any]] = []
    for name, types in _names(now).items():
        former = {str(e.get('record_type')): e for e in kept.get(name, [])}
        found = [a for t in types for a in _reached(t, now, members, not_ready)]
        for kind in ('A', 'AAAA'):
            there = [a for a in found if _kind(a) == kind]
            old = former.get(kind)
            if old and (not found or old.get('record_data') in there):
                entries.append(old)
            elif there:
                entries.append(_entry(name, there[0]))
    return {ENTRIES: wire.dump(entries) if entries else ''}


def statuses(relations: Iterable[Relation], before: Mapping[int, Databag]) -> Iterator[Status]:
    """What a DNS charm refuses, in its words; *before* is what was asked of each."""
    for relation in relations:
        asked = {wire.text(e.get('uuid')): e for e in _entries(before.get(relation.id, {}))}
        for said in _entries(relation.app_data):
            entry = asked.get(wire.text(said.get('uuid')))
            status = wire.text(said.get('status'))
            if entry is None or status in _WAITS:
                continue
            name = f'{entry["host_label"]}.{entry["domain"]} ({entry["record_data"]})'
            words = wire.text(said.get('description')) or status.replace('_', ' ')
            shown = ''.join(c if c.isprintable() else ' ' for c in words[:200])
            yield Status('blocked', f'{relation.app} refuses {name}: {shown}')


def _names(now: decision.Decision) -> dict[str, list[str]]:
    """The endpoint types of each name; an address is none, and neither is a single word, which is in no domain."""
    found: dict[str, list[str]] = {}
    for t, place in now.opts.exposure.hostnames.items():
        if t in now.opts.exposure.types and _is_name(place.name):
            found.setdefault(place.name, []).append(t)
    return found


def _is_name(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return '.' in text
    return False


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


def _kind(address: str) -> str:
    return 'AAAA' if ipaddress.ip_address(address).version == 6 else 'A'


def _entry(name: str, address: str) -> dict[str, Any]:
    label, _, domain = name.partition('.')
    return {
        'uuid': str(uuid.uuid5(_NAMESPACE, f'{name} {address}')),
        'domain': domain,
        'host_label': label,
        'ttl': LIVES_S,
        'record_class': 'IN',
        'record_type': _kind(address),
        'record_data': address,
    }


def _entries(bag: Databag) -> list[Mapping[str, Any]]:
    found: list[Any] = wire.load_array(bag.get(ENTRIES, ''))
    return [cast('Mapping[str, Any]', each) for each in found if isinstance(each, Mapping)]


def _by_name(bag: Databag) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for entry in _entries(bag):
        found.setdefault(f'{entry.get("host_label")}.{entry.get("domain")}', []).append(entry)
    return found
