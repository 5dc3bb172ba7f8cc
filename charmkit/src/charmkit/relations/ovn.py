"""The interfaces ``ovsdb`` (chassis) and ``ovsdb-cms`` (neutron): where OVN's databases are. Both sides, as databags.

Source: the interfaces of these names that Charmed OpenStack's charms speak. The provider's units each say
``bound-address``, as JSON. Theirs speak TLS alone and say nothing of it; ours say ``db-protocol``, which is ``tcp``.
"""

from __future__ import annotations

import dataclasses
import json

from .. import validators
from . import Databag, Need, Relation, Site, host_in_url, unit_order

NORTHBOUND_PORT, SOUTHBOUND_PORT = 6641, 6642
ADDRESS, PROTOCOL = 'bound-address', 'db-protocol'
TCP = 'tcp'


@dataclasses.dataclass(frozen=True)
class Databases:
    """Where OVN's databases are served."""

    addresses: tuple[str, ...]
    """Of the members, in the order of their units."""

    @property
    def northbound(self) -> str:
        """What is wanted of networks, as ``ovn_nb_connection`` and ``ovn-nbctl --db`` have it."""
        return self._at(NORTHBOUND_PORT)

    @property
    def southbound(self) -> str:
        """What chassis do, as ``ovn-remote`` and ``ovn_sb_connection`` have it."""
        return self._at(SOUTHBOUND_PORT)

    def _at(self, port: int) -> str:
        return ','.join(f'{TCP}:{host_in_url(a)}:{port}' for a in self.addresses)


def need(relation: str) -> Need[Databases]:
    """OVN's databases, by an endpoint of either interface."""

    def read(relations: tuple[Relation, ...], _: Site) -> Databases | None:
        found = dict.fromkeys(
            address
            for bag in _bags(relations)
            if bag.get(PROTOCOL) == TCP and (address := _address(bag.get(ADDRESS, '')))
        )
        return Databases(tuple(found)) if found else None

    def refusal(relations: tuple[Relation, ...], site: Site) -> str:
        silent = any(ADDRESS in bag and PROTOCOL not in bag for bag in _bags(relations))
        if not silent or read(relations, site):
            return ''
        return "its databases want TLS, which this charm has none of: relate Rambla's ovn-central"

    return Need(relation, lambda _: {}, read, "OVN's databases", refusal=refusal)


def databag(address: str) -> dict[str, str]:
    """What a unit of ovn-central says whose databases listen on *address*."""
    return {ADDRESS: json.dumps(address), PROTOCOL: TCP}


def _bags(relations: tuple[Relation, ...]) -> list[Databag]:
    units = [item for relation in relations for item in relation.units.items()]
    return [bag for _, bag in sorted(units, key=lambda item: unit_order(item[0]))]


def _address(text: str) -> str:
    """The IP address that *text* is, which JSON has in quotation marks; '' when it is none."""
    bare = text.strip('"')
    return bare if validators.is_unicast(bare) else ''
