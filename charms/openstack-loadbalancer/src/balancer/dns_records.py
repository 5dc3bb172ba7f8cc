"""The names of ``hostnames`` in DNS, where a DNS charm is related (interface ``dns_record``). Pure.

Each leads to one address of each family (:mod:`balancer.dns_names`), and no more, for Canonical's DNS charm takes a
second record of a name and type for a conflict, and then writes nothing for anybody (``dns_data.get_conflicts`` and
``bind.py`` of canonical/dns-operators).

Source of the interface: its page among Canonical's charm libraries; the requirer gives each entry a UUID, and the
provider answers by it.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, cast

from charmkit import Status
from charmkit.relations import Databag, Relation, wire

from . import decision, dns_names, dns_zones, reply

RELATION = 'dns-record'
ENTRIES = 'dns_entries'
_WAITS = frozenset({'', 'approved', 'pending', 'unknown'})
"""What refuses nothing; the last one: it has not seen the entry yet."""
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
    found = dns_names.records(known, now, members, not_ready, _records(before))
    dns = known.effective.options.dns
    zones = dns_zones.zones((name for name, _ in found), dns.zones)
    entries = [
        _entry(name, zones[name], kind, address, dns.ttl_s)
        for (name, kind), address in found.items()
    ]
    return {ENTRIES: wire.dump(entries) if entries else ''}


def statuses(relations: Iterable[Relation], before: Mapping[int, Databag]) -> Iterator[Status]:
    """What a DNS charm refuses, in its words; *before* is what was asked of each."""
    for relation in relations:
        asked = {wire.text(e.get('uuid')): e for e in _entries(before.get(relation.id, {}))}
        for said in _entries(relation.app_data):
            entry = asked.pop(wire.text(said.get('uuid')), None)
            status = wire.text(said.get('status'))
            if entry is None or status in _WAITS:
                continue
            name = f'{_name(entry)} ({wire.text(entry.get("record_data"))})'
            words = wire.text(said.get('description')) or status.replace('_', ' ')
            shown = ''.join(c if c.isprintable() else ' ' for c in words[:200])
            yield Status('blocked', f'{relation.app} refuses {name}: {shown}')


def _entry(name: str, zone: str, kind: dns_names.Kind, address: str, ttl_s: int) -> dict[str, Any]:
    return {
        'uuid': str(uuid.uuid5(_NAMESPACE, f'{name} {address}')),
        'domain': zone,
        'host_label': dns_zones.label(name, zone),
        'ttl': ttl_s,
        'record_class': 'IN',
        'record_type': kind,
        'record_data': address,
    }


def _name(entry: Mapping[str, Any]) -> str:
    label, zone = wire.text(entry.get('host_label')), wire.text(entry.get('domain'))
    return dns_zones.name(label, zone).lower()


def _entries(bag: Databag) -> list[Mapping[str, Any]]:
    found: list[Any] = wire.load_array(bag.get(ENTRIES, ''))
    return [cast('Mapping[str, Any]', each) for each in found if isinstance(each, Mapping)]


def _records(bag: Databag) -> dns_names.Records:
    """What was asked for: all else of an entry is as this revision has it."""
    found: dict[tuple[str, dns_names.Kind], str] = {}
    for entry in _entries(bag):
        address = wire.text(entry.get('record_data'))
        if reply.is_address(address):
            found[_name(entry), dns_names.kind_of(address)] = address
    return found
