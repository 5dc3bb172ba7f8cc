"""The planner of the cluster: whatever happens, it comes to one cluster of all units, and to rest."""

from __future__ import annotations

import dataclasses
import json
import random

import membership
import pytest
from hypothesis import given
from hypothesis import strategies as st


def name(number: int) -> str:
    return membership.node(f'rabbitmq-server/{number}')


@dataclasses.dataclass
class World:
    """Units, what they say, and the nodes as they are; *clusters* has the members that each running node sees."""

    units: set[int]
    clusters: dict[int, set[int]]
    said: dict[int, set[int]]
    departed: set[int]
    founder: int = 0

    def want(self, me: int) -> membership.Want:
        return membership.Want(
            me=name(me),
            founder=me == self.founder,
            settled=bool(self.said.get(me)),
            others={
                name(n): frozenset(map(name, s)) for n, s in self.said.items() if n != me and s
            },
            departed=frozenset(map(name, self.departed)),
            leader=me == min(self.units),
            known=frozenset(map(name, self.units)),
        )

    def seen(self, number: int) -> membership.ClusterStatus:
        members = self.clusters.get(number)
        if members is None:
            return membership.ClusterStatus()
        up = {n for n in members if n in self.clusters and number in self.clusters[n]}
        return membership.ClusterStatus(
            members=frozenset(map(name, members)),
            up=frozenset(map(name, up)),
            versions=frozenset('4'),
        )

    def hook(self, me: int) -> list[str]:
        """One hook of a unit, as the edge carries it out."""
        done: list[str] = []
        for _ in range(20):
            want, here = self.want(me), self.seen(me)
            theirs = (
                {n: self.seen(int(n.rpartition('-')[2])) for n in want.seeds}
                if membership.needs_seeds(want, here)
                else {}
            )
            step = membership.plan(want, here, theirs)
            if step is None:
                if membership.member(want, here):
                    self.said[me] = {int(n.rpartition('-')[2]) for n in here.members}
                return done
            done.append(step.verb)
            self._do(me, step)
        raise AssertionError(f'it does not end: {done}')

    def _do(self, me: int, step: membership.Step) -> None:
        other = int(step.target.rpartition('-')[2])
        if step.verb == 'start':
            self.clusters[me] = {*self.clusters[other]}
        elif step.verb == 'reset':
            self.clusters[me] = {me}
        elif step.verb == 'join':
            assert self.clusters[me] == {me}
            assert me not in self.clusters[other]
            everyone = {*self.clusters[other], me}
            for n in everyone & self.clusters.keys():
                self.clusters[n] = {*everyone}
        elif step.verb == 'forget':
            assert other not in self.units, 'a unit that is there was forgotten'
            for n in self.clusters[me] - {other}:
                if n in self.clusters:
                    self.clusters[n].discard(other)


@given(st.integers(1, 6), st.integers(0, 5), st.randoms(use_true_random=False))
def test_units_come_to_one_cluster_in_any_order(count: int, founder: int, chance: random.Random):
    units = set(range(count))
    world = World(units, {n: {n} for n in units}, {}, set(), founder % count)
    for _ in range(2):
        order = sorted(units)
        chance.shuffle(order)
        for n in (*order, *order):
            world.hook(n)
    assert all(members == units for members in world.clusters.values())
    assert all(world.hook(n) == [] for n in units)


@given(
    st.integers(2, 6),
    st.sets(st.integers(0, 5)),
    st.sets(st.integers(0, 5)),
    st.randoms(use_true_random=False),
)
def test_a_cluster_outlives_removals_and_takes_back_who_was_forgotten(
    count: int, removed: set[int], forgotten: set[int], chance: random.Random
):
    units = set(range(count))
    removed &= units
    forgotten = (forgotten & units) - removed
    left = units - removed
    # The majority of those that stay is there, or nobody may decide.
    if not left or 2 * len(left - forgotten) <= count:
        return
    world = World({*left}, {}, {n: {*units} for n in left}, {*removed}, 0)
    for n in left - forgotten:
        world.clusters[n] = units - forgotten
    for _ in range(3):
        order = sorted(left)
        chance.shuffle(order)
        for n in order:
            world.hook(n)
    assert {frozenset(m) for m in world.clusters.values()} == {frozenset(left)}
    assert all(world.hook(n) == [] for n in left)


def test_of_two_that_stand_alone_only_one_joins_the_other():
    world = World({0, 1}, {0: {0}, 1: {1}}, {0: {0}, 1: {1}}, set())
    assert world.hook(0) == []
    assert world.hook(1) == ['join']


def test_a_minority_forgets_nobody():
    units = {0, 1, 2, 3}
    world = World({0, 3}, {0: units}, {0: units, 3: units}, {1, 2})
    assert world.hook(0) == []


def test_who_does_not_answer_and_is_a_member_is_left_alone():
    units = {0, 1, 2}
    world = World(units, {1: units, 2: units}, {n: units for n in units}, set())
    assert world.hook(0) == []


@pytest.mark.parametrize(
    'text', ['', 'nonsense', '[]', '{"disk_nodes": 7, "alarms": [1], "partitions": []}']
)
def test_nonsense_is_no_cluster(text: str):
    assert membership.parse_status(text) == membership.ClusterStatus()


def test_what_a_cluster_says_is_understood():
    told = {
        'disk_nodes': [name(0), name(1)],
        'running_nodes': [name(0)],
        'alarms': [{'node': name(0), 'resource': 'disk', 'type': 'resource_limit'}],
        'partitions': {name(0): [name(1)]},
        'versions': {name(0): {'rabbitmq_version': '3.10.8'}},
        'feature_flags': [
            {'name': 'khepri_db', 'state': 'disabled', 'stability': 'experimental'},
            {'name': 'stream_queue', 'state': 'disabled', 'stability': 'stable'},
            {'name': 'quorum_queue', 'state': 'enabled', 'stability': 'stable'},
        ],
    }
    assert membership.parse_status('a warning\n' + json.dumps(told)) == membership.ClusterStatus(
        members=frozenset({name(0), name(1)}),
        up=frozenset({name(0)}),
        alarms=(membership.Alarm(name(0), 'disk'),),
        partitions={name(0): (name(1),)},
        versions=frozenset({'3.10.8'}),
        disabled=('stream_queue',),
    )


def test_a_node_and_its_unit():
    assert membership.unit(membership.node('rabbit-mq/12')) == 'rabbit-mq/12'
    assert membership.unit('rabbit@somewhere.else') == ''
