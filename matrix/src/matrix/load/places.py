"""Whom a load asks: addresses of units, by what stands in braces: an application, a unit, its leader. Pure."""

from __future__ import annotations

import dataclasses
import ipaddress
import re

from matrix.grammar import surroundings
from matrix.plans import snapshot

_HOST = re.compile(r'(\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::(\d{1,5}))?')


@dataclasses.dataclass(frozen=True, order=True)
class Address:
    """A host, by name or address, and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f'{literal(self.host)}:{self.port}'


def units(place: str, model: snapshot.Model) -> list[snapshot.Unit]:
    """The units of an application, the one of that name, or the one that leads now; those that have an address."""
    return [
        unit
        for application in model.applications
        for unit in application.units
        if unit.address
        and (
            place in {unit.name, application.name}
            or (unit.leader and place == f'{application.name}/leader')
        )
    ]


def literal(address: str) -> str:
    """An address as it stands in a URL."""
    try:
        return f'[{address}]' if ipaddress.ip_address(address).version == 6 else address
    except ValueError:
        return address


def readable(text: str) -> bool:
    """Whether a text is a host, or a place of units, with or without a port: `{mysql}:3306`, `10.0.0.5`."""
    found = _HOST.fullmatch(surroundings.PLACE.sub('unit', text))
    return found is not None and 0 < int(found[2] or 1) < 1 << 16


def addresses(text: str, model: snapshot.Model, port: int) -> tuple[Address, ...]:
    """The addresses that a text names; none where it names units that are not there.

    Args:
        text: what is `readable`.
        model: whose units it may name.
        port: the port where it says none.
    """
    named = surroundings.PLACE.search(text)
    hosts = [literal(one.address) for one in units(named[1], model)] if named else ['']
    filled = [surroundings.PLACE.sub(host, text) for host in hosts]
    found = [_HOST.fullmatch(one) for one in filled]
    return tuple(
        Address(one[1].strip('[]'), int(one[2] or port)) for one in found if one is not None
    )
