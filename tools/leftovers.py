"""What a proof has made in a cloud carries its name, and goes by it: servers, volumes, networks, images and flavors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from blame import blamed, until

if TYPE_CHECKING:
    import openstack.connection

NAME = 'rambla-proof'
SETTLE_S = 120.0
"""How long a server or a volume may take to go."""


def nothing_left(client: openstack.connection.Connection) -> str:
    """Empty while something is left."""
    left = [kind for kind, every in _kinds(client) if any(True for _ in every())]
    used = _usages(client)
    return '' if left or any(used.values()) else 'no allocation in placement'


def _usages(client: openstack.connection.Connection) -> dict[str, int]:
    """What placement says is used of all compute hosts."""
    total: dict[str, int] = {}
    for provider in client.placement.resource_providers():  # type: ignore[attr-defined]
        response = client.placement.get(f'/resource_providers/{provider.id}/usages')
        for name, number in response.json()['usages'].items():
            total[name] = total.get(name, 0) + int(number)
    return total


def _kinds(
    client: openstack.connection.Connection,
) -> list[tuple[str, Callable[[], Iterator[Any]]]]:
    """Everything of the proof's name, kind after kind, in an order in which it can be removed."""
    network, compute = client.network, client.compute

    def named(every: Callable[..., Any], **query: Any) -> Callable[[], Iterator[Any]]:
        return lambda: (each for each in every(**query) if str(each.name).startswith(NAME))

    kinds: list[tuple[str, Callable[[], Iterator[Any]]]] = [
        ('server', named(compute.servers)),
        ('floating address', lambda: (f for f in network.ips() if f.description == NAME)),
        ('router', named(network.routers)),
        ('network', named(network.networks)),
        ('security group', named(network.security_groups)),
        ('image', named(client.image.images)),
        ('flavor', named(compute.flavors)),
    ]
    if client.has_service('block-storage'):
        kinds.insert(1, ('volume', named(client.block_storage.volumes)))
    return kinds


def sweep(client: openstack.connection.Connection) -> str:
    """Remove all that carries the proof's name; what was removed, in words. Raises Failed."""
    said: list[str] = []
    for kind, every in _kinds(client):
        with blamed(_OWNER[kind], f'removing a {kind}'):
            found = list(every())
            for each in found:
                _remove(client, kind, each)
            if found and kind in ('server', 'volume'):
                until(lambda every=every: not list(every()), f'a {kind} was left', SETTLE_S)
        if found:
            said.append(counted(len(found), kind))
    return f'{", ".join(said)} removed' if said else ''


def counted(number: int, kind: str) -> str:
    """So many of a *kind*, in words."""
    many = f'{kind}es' if kind.endswith('s') else f'{kind}s'
    return f'{number} {many if number > 1 else kind}'


_OWNER = {
    **{'server': 'compute', 'volume': 'cinder', 'floating address': 'neutron', 'flavor': 'nova'},
    **{'router': 'neutron', 'network': 'neutron', 'security group': 'neutron', 'image': 'glance'},
}


def _is_free(client: openstack.connection.Connection, volume: str) -> bool:
    """Whether a volume can be deleted: a server that goes lets go of it."""
    status = client.block_storage.get_volume(volume).status
    return status == 'available' or status.startswith('error')


def _remove(client: openstack.connection.Connection, kind: str, each: Any) -> None:
    network = client.network
    match kind:
        case 'server':
            client.compute.delete_server(each)
        case 'volume':
            until(lambda: _is_free(client, each.id), 'the volume was not free', SETTLE_S)
            client.block_storage.delete_volume(each)
        case 'floating address':
            network.delete_ip(each)
        case 'router':
            remove_router(client, each)
        case 'network':
            remove_network(client, each)
        case 'security group':
            network.delete_security_group(each)
        case 'image':
            client.image.delete_image(each)
        case _:
            client.compute.delete_flavor(each)


def remove_router(client: openstack.connection.Connection, router: Any) -> None:
    """With the ports that it has in networks."""
    network: Any = client.network
    for port in network.ports(device_id=router.id, device_owner='network:router_interface'):
        network.remove_interface_from_router(router, port_id=port.id)
    network.delete_router(router)


def remove_network(client: openstack.connection.Connection, each: Any) -> None:
    """With the ports of servers; those of the DHCP agents go by themselves."""
    for port in client.network.ports(network_id=each.id):
        if not str(port.device_owner).startswith('network:'):
            client.network.delete_port(port)
    client.network.delete_network(each)
