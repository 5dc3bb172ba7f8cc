"""What Tempest's own tests need of a cloud beside servers' image, flavor and external network: made, and taken away.

Source: what DevStack, which Tempest is tested against, makes of it: a second image, the role ``manager``, and a default
pool of subnets and a default external network, out of which neutron makes a network for a project that has none.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Any

from blame import blamed
from guest import build
from leftovers import NAME
from steps import Proof

MANAGER = 'manager'
"""A role that keystone makes itself from 2023.2 on."""
POOL = '192.168.64.0/20'


@contextlib.contextmanager
def made(proof: Proof) -> Generator[None]:
    """Make it; what was there before stays. Raises Failed, which names the service and its log."""
    swept(proof)
    image, network = proof.client.image, proof.client.network
    guest = build.ensure(lambda _: None)
    with blamed('glance', 'showing the image to all, and a second one'):
        # Tempest's tests are users of projects of their own.
        image.update_image(proof.made['image'], visibility='public')
        other = image.create_image(
            f'{NAME}-other',
            data=guest.read_bytes(),
            disk_format='raw',
            container_format='bare',
            allow_duplicates=True,
            visibility='public',
            hw_disk_bus='virtio',
            hw_vif_model='virtio',
        )
        proof.made['other image'] = other.id
    with blamed('neutron', 'making a default pool of subnets'):
        network.update_network(proof.made['external'], is_default=True)
        network.create_subnet_pool(
            name=NAME, prefixes=[POOL], default_prefix_length=26, is_default=True, is_shared=True
        )
    with blamed('keystone', f'making the role {MANAGER}'):
        role = _manager(proof.client.identity)
    try:
        yield
    finally:
        with blamed('keystone', f'removing the role {MANAGER}'):
            if role is not None:
                proof.client.identity.delete_role(role.id)
        swept(proof)


def swept(proof: Proof) -> None:
    """Remove the pool, an earlier run's too."""
    network = proof.client.network
    with blamed('neutron', 'removing the pool of subnets'):
        for pool in network.subnet_pools(name=NAME):
            network.delete_subnet_pool(pool)


def _manager(identity: Any) -> Any:
    """The role, with all that a member may, if it was made here; None where there was one."""
    roles = {role.name: role for role in identity.roles()}
    if MANAGER in roles:
        return None
    role = identity.create_role(name=MANAGER)
    identity.put(f'/roles/{role.id}/implies/{roles["member"].id}')
    return role
