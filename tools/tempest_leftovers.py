"""What a run of Tempest that was interrupted has left in a cloud: found by the projects that it made, and removed.

Tempest's own ``tempest cleanup`` removes users, projects, flavors, images and what is the administrator's, each by the
prefix of its name; servers, volumes and networks of the projects that it made it does not see.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from typing import TYPE_CHECKING, Any

import leftovers
from blame import blamed, until

if TYPE_CHECKING:
    import openstack.connection

PREFIX = 'tempest'
"""Of all that Tempest makes: its option ``resource_name_prefix``."""
SETTLE_S = 300.0
"""How long all servers, or all volumes, may take to go."""


def of_tempest(each: Any, projects: Container[str | None]) -> bool:
    """Whether a resource is in one of Tempest's *projects* (identities), or has a name as Tempest gives it."""
    owner = getattr(each, 'project_id', None) or getattr(each, 'owner_id', None)
    return owner in projects or str(each.name or '').startswith(f'{PREFIX}-')


def swept(client: openstack.connection.Connection) -> str:
    """Remove it, kind after kind; what was removed, in words, or ''.

    Raises:
        Failed: it does not go; the text names the service and its log.
    """
    with blamed('keystone', "looking for Tempest's projects"):
        identity: Any = client.identity
        projects = {p.id for p in identity.projects() if p.name.startswith(f'{PREFIX}-')}
    said: list[str] = []
    for service, kind, every, remove in _kinds(client):

        def found(every: Callable[[], Iterator[Any]] = every) -> list[Any]:
            return [each for each in every() if of_tempest(each, projects)]

        with blamed(service, f'removing a {kind} of Tempest'):
            there = found()
            for each in there:
                remove(each)
            if there and kind in ('server', 'snapshot', 'volume'):
                until(lambda found=found: not found(), f'a {kind} was left', SETTLE_S, pause=2)
        if there:
            said.append(leftovers.counted(len(there), kind))
    return ', '.join(said)


Kind = tuple[str, str, Callable[[], Iterator[Any]], Callable[[Any], Any]]
"""Who has it, what it is called, all of it, and how one is removed."""


def _kinds(client: openstack.connection.Connection) -> list[Kind]:
    """In an order in which they can be removed."""
    network: Any = client.network
    compute: Any = client.compute
    kinds: list[Kind] = [
        ('compute', 'server', lambda: compute.servers(all_projects=True), compute.delete_server),
    ]
    if client.has_service('block-storage'):
        store: Any = client.block_storage
        kinds += [
            (
                *('cinder', 'snapshot', lambda: store.snapshots(all_projects=True)),
                store.delete_snapshot,
            ),
            ('cinder', 'volume', lambda: store.volumes(all_projects=True), store.delete_volume),
        ]
    return [
        *kinds,
        ('neutron', 'floating address', network.ips, network.delete_ip),
        ('neutron', 'router', network.routers, lambda r: leftovers.remove_router(client, r)),
        ('neutron', 'network', network.networks, lambda n: leftovers.remove_network(client, n)),
        ('neutron', 'security group', network.security_groups, network.delete_security_group),
        ('neutron', 'subnet pool', network.subnet_pools, network.delete_subnet_pool),
    ]
