"""What is left of deleted things in a cloud, from what its services list. Pure.

Two kinds: what is there by its own name and cannot be deleted (`stuck`), and what belongs to something that is gone
(`orphan`): its allocations in placement, its ports in neutron, its attachments in cinder.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from matrix.grammar import located

Listed = Mapping[str, Any]
"""One thing as a service lists it."""

ORDER = ('server', 'volume', 'port', 'network')
"""In this order they can be deleted."""


@dataclasses.dataclass(frozen=True)
class Seen:
    """What services list. None: that one could not be asked, or has no such thing.

    `servers` are those of all projects; `allocations` are the consumers that placement knows of any provider.
    """

    servers: tuple[Listed, ...] | None = None
    allocations: frozenset[str] | None = None
    ports: tuple[Listed, ...] | None = None
    networks: tuple[Listed, ...] | None = None
    volumes: tuple[Listed, ...] | None = None
    attachments: tuple[Listed, ...] | None = None


@dataclasses.dataclass(frozen=True)
class Left:
    """One thing that should not be there; `name` is that of what it is, or was, part of."""

    service: str
    what: str
    name: str
    id: str
    how: Literal['stuck', 'orphan']
    state: str = ''

    def plain(self, because: Iterable[str] = ()) -> located.Plain:
        """As the journal has it; `because` names what of unknown outcome explains it."""
        found: dict[str, located.Plain] = {**dataclasses.asdict(self)}
        return {**found, 'because': [*because]}


def named(seen: Seen, prefix: str) -> tuple[Left, ...]:
    """Everything there that has a name of this run, in the order in which it can be deleted."""
    kinds: tuple[tuple[str, str, tuple[Listed, ...] | None], ...] = (
        ('compute', 'server', seen.servers),
        ('block-storage', 'volume', seen.volumes),
        ('network', 'port', seen.ports),
        ('network', 'network', seen.networks),
    )
    return tuple(
        Left(service, what, text(one, 'name'), text(one, 'id'), 'stuck', text(one, 'status'))
        for service, what, some in kinds
        for one in some or ()
        if text(one, 'name').startswith(prefix)
    )


def orphans(seen: Seen, ours: Mapping[str, str], before: frozenset[str]) -> tuple[Left, ...]:
    """What belongs to nothing that is there.

    Args:
        seen: what services list.
        ours: names of what this run ever had, by the service's id.
        before: consumers of allocations that no server was known for before the run.
    """
    servers = {text(one, 'id') for one in seen.servers or ()}
    volumes = {text(one, 'id') for one in seen.volumes or ()}
    networks = {text(one, 'id') for one in seen.networks or ()}
    found: list[Left] = []
    for consumer in sorted((seen.allocations or frozenset()) - servers - before):
        name = ours.get(consumer, 'a server that nova does not know')
        found.append(Left('placement', 'allocation', name, consumer, 'orphan'))
    for one in seen.ports or ():
        device, network = text(one, 'device_id'), text(one, 'network_id')
        whose = ours.get(device, '') if device not in servers else ''
        # Those of agents (DHCP) go with the network, a moment after it.
        whose = whose or (ours.get(network, '') if network not in networks else '')
        if whose:
            owner = text(one, 'device_owner')
            found.append(Left('network', 'port', whose, text(one, 'id'), 'orphan', owner))
    for one in seen.attachments or ():
        server, volume = text(one, 'instance'), text(one, 'volume_id')
        gone = (server in ours and server not in servers) or (
            volume in ours and volume not in volumes
        )
        if gone:
            name = ours.get(volume) or ours.get(server, '')
            state = text(one, 'status')
            found.append(
                Left('block-storage', 'attachment', name, text(one, 'id'), 'orphan', state)
            )
    return tuple(found)


def unseen(seen: Seen, asked: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Services of which something could not be listed; `asked` are the fields of `Seen` that each has to fill."""
    return tuple(
        service
        for service, fields in asked.items()
        if any(getattr(seen, field) is None for field in fields)
    )


def text(one: Listed, key: str) -> str:
    """A word of something listed; '' where there is none."""
    return str(one.get(key) or '')
