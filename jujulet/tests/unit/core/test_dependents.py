"""What others wait for starts first, and has more of busy processors."""

from __future__ import annotations

import pytest
import simulation
from simulation import REL, World

from jujulet.core import dependents, operations

DB = simulation.a_charm('db', REL('serve', 'provider', 'sql'), REL('p', 'peer', 'peers'))
API = simulation.a_charm('api', REL('db', 'requirer', 'sql'), REL('serve', 'provider', 'http'))
FRONT = simulation.a_charm('front', REL('api', 'requirer', 'http'))


@pytest.fixture
def chain(world: World) -> World:
    """A front before an API on a database, deployed in the order of the alphabet; and one that stands alone."""
    world.deploy(API)
    world.deploy(DB, num_units=2)
    world.deploy(FRONT)
    world.deploy(simulation.a_charm('alone'))
    world.integrate('api:db', 'db:serve')
    world.integrate('front:api', 'api:serve')
    return world


def test_those_count_that_require_it_through_others(chain: World):
    assert dependents.dependents(chain.model) == {
        'db': {'api', 'front'}, 'api': {'front'}, 'front': frozenset(), 'alone': frozenset(),
    }  # fmt: skip


def test_machines_start_in_the_order_in_which_they_are_needed(chain: World):
    started = [o.machine for o in chain.due() if isinstance(o, operations.StartMachine)]
    units = {u.machine: name for name, u in chain.model.units.items()}
    assert [units[machine] for machine in started] == [
        'db/0',
        'db/1',
        'api/0',
        'front/0',
        'alone/0',
    ]


def test_shares_follow_how_many_wait(chain: World):
    shares = {
        n: dependents.cpu_shares(chain.model, u.machine) for n, u in chain.model.units.items()
    }
    assert shares['alone/0'] == shares['front/0'] == 1024
    assert shares['api/0'] == 1024 + 7 * 1024 // 3
    assert shares['db/0'] == shares['db/1'] == 1024 + 2 * 7 * 1024 // 3


def test_one_that_all_others_wait_for_has_eight_times_the_share_of_one_alone(world: World):
    world.deploy(DB)
    assert dependents.cpu_shares(world.model, '0') == 1024
    world.deploy(API)
    world.integrate('api:db', 'db:serve')
    assert dependents.cpu_shares(world.model, '0') == 8 * 1024


def test_two_that_need_each_other_are_equal(world: World):
    left = simulation.a_charm('left', REL('a', 'provider', 'x'), REL('b', 'requirer', 'x'))
    right = simulation.a_charm('right', REL('a', 'provider', 'x'), REL('b', 'requirer', 'x'))
    world.deploy(left)
    world.deploy(right)
    world.integrate('left:a', 'right:b')
    world.integrate('right:a', 'left:b')
    assert dependents.dependents(world.model) == {'left': {'right'}, 'right': {'left'}}
