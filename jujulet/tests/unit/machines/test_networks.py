"""Which of a model's networks on the host are in the way of those that it is to have."""

from __future__ import annotations

from typing import Any

from jujulet.core import model
from jujulet.machines import networks

MODEL, OTHER = 'e3f09a00-0000-4000-8000-000000000000', 'aaaaaa00-0000-4000-8000-000000000000'
ALPHA = model.Space('alpha', '10.99.41.0/24', 'fd99:41::/64')
DMZ = model.Space(
    'dmz', '10.99.42.0/24', more=(model.Subnet('10.99.43.0/24', 'fd99:43::/64', 'dmz--2'),)
)
EVERY = networks.wanted(MODEL, [ALPHA, DMZ])


def seen(name: str, *cidrs: str, space: str = '', uuid: str = MODEL) -> dict[str, Any]:
    labels = {'jujulet.model': uuid, **({'jujulet.space': space} if space else {})}
    return {
        'name': f'jujulet-e3f09a-{name}',
        'labels': labels,
        'subnets': [{'subnet': cidr} for cidr in cidrs],
    }


def stale(*found: dict[str, Any]) -> list[str]:
    return [name.removeprefix('jujulet-e3f09a-') for name in networks.stale(found, MODEL, EVERY)]


def test_what_is_as_wanted_stays():
    assert not stale(
        seen('alpha', 'fd99:41:0::/64', '10.99.41.0/24'),
        seen('dmz', '10.99.42.0/24', space='dmz'),
        seen('dmz--2', '10.99.43.0/24', 'fd99:43::/64', space='dmz'),
    )


def test_what_a_removed_space_left_is_in_the_way():
    assert stale(seen('edge', '10.99.44.0/24')) == ['edge']


def test_so_is_one_of_the_same_name_that_has_other_subnets():
    assert stale(seen('dmz', '10.99.44.0/24'), seen('alpha', '10.99.41.0/24')) == ['dmz', 'alpha']


def test_and_one_that_was_moved_to_another_space():
    assert stale(seen('dmz--2', '10.99.43.0/24', 'fd99:43::/64', space='edge')) == ['dmz--2']


def test_what_is_of_another_model_or_of_none_is_left_alone():
    assert not stale(seen('edge', '10.99.44.0/24', uuid=OTHER), seen('edge', uuid=''))
    assert not networks.stale([{'name': 'podman', 'labels': None, 'subnets': None}], MODEL, EVERY)
