"""What is asked of storage is what Juju takes it for.

Source: ``ParseConstraints`` of storage/constraints.go, ``storageConstraintsWithDefaults`` of state/storage.go.
"""

from __future__ import annotations

import pytest
import simulation

from jujulet.core import charm, storage
from jujulet.core.model import Refused

OPTIONAL = charm.StorageMeta('data', 'filesystem', minimum=0, maximum=-1)
NEEDED = charm.StorageMeta('data', 'filesystem', minimum=2, maximum=3, minimum_size=300)


@pytest.mark.parametrize(
    ('meta', 'text', 'pool', 'size', 'count'),
    [
        (OPTIONAL, '', 'rootfs', 1024, 0),
        (OPTIONAL, 'tmpfs', 'tmpfs', 1024, 0),
        (OPTIONAL, 'rootfs,2G', 'rootfs', 2048, 1),
        (OPTIONAL, '100M', 'rootfs', 100, 1),
        (OPTIONAL, '2', 'rootfs', 1024, 2),
        (OPTIONAL, '3,1G,tmpfs', 'tmpfs', 1024, 3),
        (NEEDED, '', 'rootfs', 300, 2),
        (NEEDED, '3', 'rootfs', 300, 3),
    ],
)
def test_a_directive_has_three_parts_in_any_order(
    meta: charm.StorageMeta, text: str, pool: str, size: int, count: int
):
    assert storage.directive(meta, text) == {'pool': pool, 'size': size, 'count': count}


@pytest.mark.parametrize(
    ('meta', 'text', 'said'),
    [
        (OPTIONAL, '0', 'cannot parse count: count must be greater than zero, got "0"'),
        (OPTIONAL, '-1', 'cannot parse count: count must be greater than zero, got "-1"'),
        (NEEDED, '1G', 'charm storage "data": minimum instances 2, 1 specified'),
        (NEEDED, '4', 'charm storage "data": at most 3 instances supported, 4 specified'),
        (NEEDED, '2,100M', 'charm storage "data": minimum storage size is 300M, 100M specified'),
        (OPTIONAL, 'ebs', 'pool "ebs" not found'),
    ],
)
def test_what_cannot_be_is_refused(meta: charm.StorageMeta, text: str, said: str):
    with pytest.raises(Refused) as refused:
        storage.directive(meta, text)
    assert str(refused.value) == said


def test_an_optional_store_that_is_asked_for_by_its_size_is_made(world: simulation.World):
    world.deploy(
        simulation.a_charm('a', storage={'data': OPTIONAL}), storage={'data': 'rootfs,2G'}
    )
    assert [s.size for s in world.model.storage.values()] == [2048]
