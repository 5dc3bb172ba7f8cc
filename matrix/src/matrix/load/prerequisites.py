"""What servers and volumes stand on in a cloud: whether there is anybody to run them, an image, a flavor."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Collection

from matrix.load import client, lasting, load, stock

CONTENT = b'matrix'.ljust(1024, b'.')
"""Nothing that boots: a server of it costs the host next to nothing."""

_RAM_MIB = 64


def volumes(services: Collection[str]) -> str:
    """What cinder is called in this catalogue; '' where there is none."""
    return next((one for one in lasting.VOLUMES if one in services), '')


async def sorts(ask: lasting.Ask, services: Collection[str]) -> tuple[stock.Sort, ...]:
    """The sorts of thing that can be made in a cloud with these services.

    Servers need a compute node that is up, volumes a cinder-volume: a control plane without them is asked for neither.
    """
    if 'network' not in services:
        return ()
    found = [lasting.NETWORK, lasting.PORT]
    if {'compute', 'image', 'placement'} <= {*services} and await _up(
        ask, 'compute', 'nova-compute'
    ):
        found.append(lasting.SERVER)
    cinder = volumes(services)
    if cinder and await _up(ask, cinder, 'cinder-volume'):
        found.append(lasting.VOLUME)
        if lasting.SERVER in found:
            found.append(lasting.ATTACHMENT)
    return tuple(found)


async def create(at: lasting.Lasting) -> None:
    """Make the image and the flavor of servers, where there are to be any.

    Raises:
        load.Refused: they are refused.
    """
    if lasting.SERVER not in at.stock.sorts:
        return
    name = f'matrix-{at.stock.run}-ground'
    at.image, at.flavor = (str(uuid.uuid5(uuid.NAMESPACE_URL, f'{name} {n}')) for n in 'if')
    image = {
        'id': at.image,
        'name': name,
        'disk_format': 'raw',
        'container_format': 'bare',
        # Nobody in it lets go of a disk on PCI when he is asked to; one on SCSI is taken away.
        'hw_disk_bus': 'scsi',
        'hw_scsi_model': 'virtio-scsi',
        'hw_vif_model': 'virtio',
        'os_shutdown_timeout': '5',  # Nobody in it hears of being asked.
    }
    client.check('POST', (await at.ask('image', 'POST', '/images', image)).status, (201,))
    octets = {'Content-Type': 'application/octet-stream'}
    response = await at.ask('image', 'PUT', f'/images/{at.image}/file', CONTENT, octets)
    client.check('PUT', response.status, (204,))
    flavor = {'id': at.flavor, 'name': name, 'ram': _RAM_MIB, 'vcpus': 1, 'disk': 1}
    response = await at.ask('compute', 'POST', '/flavors', {'flavor': flavor})
    client.check('POST', response.status, (200,))


async def delete(at: lasting.Lasting) -> None:
    """Remove image and flavor."""
    for service, path in (('image', '/images/'), ('compute', '/flavors/')):
        made = at.image if service == 'image' else at.flavor
        if made:
            with contextlib.suppress(*lasting.TRANSIENT_STATUSES):
                await at.ask(service, 'DELETE', path + made)


async def _up(ask: lasting.Ask, service: str, binary: str) -> bool:
    """Whether one of a service's daemons is up, as it says itself."""
    try:
        async with asyncio.timeout(lasting.TIMEOUT_S):
            response = await ask(service, 'GET', f'/os-services?binary={binary}')
        client.check('GET', response.status, (200,))
        return any(one['state'] == 'up' for one in response.json()['services'])
    except (*lasting.TRANSIENT_STATUSES, load.Refused, KeyError, TypeError):
        return False
