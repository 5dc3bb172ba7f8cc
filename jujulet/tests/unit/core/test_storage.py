"""What is asked of storage is what Juju takes it for.

Source: ``ParseConstraints`` of storage/constraints.go, ``storageConstraintsWithDefaults`` of state/storage.go.
"""

from __future__ import annotations

import dataclasses

import pytest
import simulation

from jujulet.core import charm, requests, storage
from jujulet.core.model import Refused

OPTIONAL = charm.StorageMeta('data', 'filesystem', minimum=0, maximum=-1)
NEEDED = charm.StorageMeta('data', 'filesystem', minimum=2, maximum=3, minimum_size=300)


@pytest.mark.parametrize(
    ('meta', 'text', 'pool', 'size', 'count'),
    [
        (OPTIONAL, None, 'rootfs', 1024, 0),
        (OPTIONAL, 'tmpfs', 'tmpfs', 1024, 1),
        (OPTIONAL, 'tmpfs,', 'tmpfs', 1024, 1),
        (OPTIONAL, 'rootfs,2G', 'rootfs', 2048, 1),
        (OPTIONAL, '100M', 'rootfs', 100, 1),
        (OPTIONAL, '2', 'rootfs', 1024, 2),
        (OPTIONAL, '3,1G,tmpfs', 'tmpfs', 1024, 3),
        (NEEDED, None, 'rootfs', 300, 2),
        (NEEDED, '3', 'rootfs', 300, 3),
    ],
)
def test_a_directive_has_three_parts_in_any_order(
    meta: charm.StorageMeta, text: str | None, pool: str, size: int, count: int
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
        (OPTIONAL, '1001', 'cannot parse count: count must be at most 1000, got "1001"'),
        (
            OPTIONAL,
            '9' * 5000,
            'cannot parse count: count must be at most 1000, got "999999999999"',
        ),
        (
            OPTIONAL,
            '9' * 400 + 'P',
            f'unrecognized storage constraint "{"9" * 200}" not valid',
        ),
        (OPTIONAL, '1x', 'unrecognized storage constraint "1x" not valid'),
        (OPTIONAL, '1 , 3G', 'unrecognized storage constraint "1 " not valid'),
        (
            OPTIONAL,
            'rootfs,1G,tmpfs',
            'pool name is already set to "rootfs", new value "tmpfs" not valid',
        ),
        (
            OPTIONAL,
            ',',
            'cannot parse constraints for storage "data": '
            'storage constraints require at least one field to be specified',
        ),
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


AT = charm.StorageMeta('data', location='/srv')
MANY = charm.StorageMeta('data', minimum=0, maximum=3)


@pytest.mark.parametrize(
    ('before', 'after', 'said'),
    [
        (AT, dataclasses.replace(AT, kind='block'), 'type changed from "filesystem" to "block"'),
        (AT, dataclasses.replace(AT, shared=True), 'shared changed from false to true'),
        (AT, dataclasses.replace(AT, read_only=True), 'read-only changed from false to true'),
        (AT, dataclasses.replace(AT, location='/x'), 'location changed from "/srv" to "/x"'),
        (AT, dataclasses.replace(AT, maximum=-1), 'with location changed from single to multiple'),
        (
            MANY,
            dataclasses.replace(MANY, maximum=2),
            'range contracted: max decreased from 3 to 2',
        ),
        (
            dataclasses.replace(MANY, maximum=-1),
            MANY,
            'range contracted: max decreased from <unbounded> to 3',
        ),
    ],
)
def test_a_refresh_may_not_make_other_storage_of_what_units_have(
    world: simulation.World, before: charm.StorageMeta, after: charm.StorageMeta, said: str
):
    """Source: ``checkStorageUpgrade`` of state/application.go of Juju 3.6."""
    assert refused(world, before, after) == f'existing storage "data" {said}'


@pytest.mark.parametrize(
    ('before', 'asked', 'said'),
    [
        (AT, '', 'required storage "data" removed'),
        (MANY, '1', 'in-use storage "data" removed'),
        (MANY, '', ''),
    ],
)
def test_storage_goes_with_a_refresh_only_where_no_unit_has_it(
    world: simulation.World, before: charm.StorageMeta, asked: str, said: str
):
    assert refused(world, before, None, asked) == said


@pytest.mark.parametrize('after', [MANY, dataclasses.replace(MANY, maximum=-1, minimum_size=9)])
def test_storage_may_become_more(world: simulation.World, after: charm.StorageMeta):
    assert refused(world, MANY, after) == ''


def refused(
    world: simulation.World,
    before: charm.StorageMeta,
    after: charm.StorageMeta | None,
    asked: str = '',
) -> str:
    """Why a refresh of a unit's charm from one store to another is refused; empty if it is not."""
    world.deploy(
        simulation.a_charm('a', storage={'data': before}), storage={'data': asked} if asked else {}
    )
    world.settle()
    newer = simulation.a_charm('a', digest='2', storage={'data': after} if after else {})
    url = world.ask(requests.AddCharm(charm=newer))['url']
    try:
        world.ask(requests.Refresh(application='a', charm=url))
    except Refused as refusal:
        why = f'cannot upgrade application "a" to charm "{url}": '
        assert str(refusal).startswith(why)
        return str(refusal).removeprefix(why)
    world.settle()
    return ''
