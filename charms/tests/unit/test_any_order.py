"""Whatever happens in whatever order to a unit: no hook fails, and once all is there again it serves as before.

Relations come and go, their other side falls silent, the leader is another one, secrets cannot be read, actions run too
early, options are wrong and are mended.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

import pytest
from charmkit import testing as machines
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ops import testing

from charms.tests.unit import sound
from tests.examples import examples

pytestmark = pytest.mark.timeout(60)

NAMES = (
    'neutron-gateway',
    'neutron-openvswitch',
    'ovn-chassis',
    'nova-compute',
    'cinder',
    'nova-cloud-controller',
)
WRONG = {'debug': True, 'config-flags': 'nonsense'}
happenings = st.sampled_from(
    [
        'update-status',
        'config-changed',
        'pause',
        'resume',
        'openstack-upgrade',
        'wrong option',
        'right option',
        'leader',
        'follower',
        'secrets away',
        'secrets back',
    ]
) | st.tuples(st.sampled_from(['away', 'silent', 'back']), st.integers(0, 9))


@dataclasses.dataclass
class Course:
    """A unit and what happens to it."""

    name: str
    ctx: testing.Context[Any]
    out: testing.State
    every: dict[str, testing.RelationBase]
    secrets: frozenset[testing.Secret] = frozenset()

    def happens(self, what: str | tuple[str, int]) -> None:
        match what:
            case 'pause' | 'resume' | 'openstack-upgrade':
                try:
                    self.out = self.ctx.run(self.ctx.on.action(what), self.out)
                except testing.ActionFailed as e:
                    assert e.state is not None
                    self.out = e.state  # type: ignore[assignment]
                return
            case 'wrong option' | 'right option':
                config = WRONG if what == 'wrong option' else {}
                self.out = dataclasses.replace(self.out, config=config)
            case 'leader' | 'follower':
                self.out = dataclasses.replace(self.out, leader=what == 'leader')
            case 'secrets away':
                self.secrets |= frozenset(self.out.secrets)
                self.out = dataclasses.replace(self.out, secrets=frozenset())
            case 'secrets back':
                self._secrets()
            case ('away' | 'silent' | 'back', int(number)):
                self._relation(str(what[0]), number)
                return
            case _:
                pass
        self.out = self.ctx.run(self.ctx.on.update_status(), self.out)

    def _secrets(self) -> None:
        known = {s.id for s in self.out.secrets}
        more = [s for s in self.secrets if s.id not in known]
        self.out = dataclasses.replace(self.out, secrets={*self.out.secrets, *more})

    def _relation(self, what: str, number: int) -> None:
        endpoint = sorted(self.every)[number % len(self.every)]
        sound_one = self.every[endpoint]
        there = next((r for r in self.out.relations if r.id == sound_one.id), None)
        others = {r for r in self.out.relations if r.id != sound_one.id}
        if what == 'away':
            if there is not None:
                self.out = self.ctx.run(self.ctx.on.relation_broken(there), self.out)  # type: ignore[arg-type]
                self.out = dataclasses.replace(
                    self.out, relations={r for r in self.out.relations if r.id != sound_one.id}
                )
            return
        mine: Any = {'local_unit_data': dict(there.local_unit_data)} if there else {}
        if what == 'silent':
            silent: Any = (
                {'remote_unit_data': {}}
                if isinstance(sound_one, testing.SubordinateRelation)
                else {'remote_units_data': {0: {}}}
            )
            mine |= silent
        now = dataclasses.replace(sound_one, **mine)
        self.out = dataclasses.replace(self.out, relations={*others, now})
        self.out = self.ctx.run(self.ctx.on.relation_changed(now), self.out)  # type: ignore[arg-type]

    def mended(self) -> None:
        self._secrets()
        self.out = dataclasses.replace(self.out, leader=True, config={})
        for number in range(len(self.every)):
            self._relation('back', number)
        self.happens('resume')
        self.happens('update-status')


@pytest.fixture(autouse=True)
def machines_are_gone() -> Iterator[None]:
    """What a course gives a class would be the machine of all later tests of that charm."""
    yield
    for name in NAMES:
        if 'machine' in vars(sound.charm(name)):
            del sound.charm(name).machine


def course(name: str) -> tuple[Course, machines.FakeMachine]:
    machine = sound.machine()
    sound.charm(name).machine = machine
    start = testing.State(
        leader=True, relations={testing.PeerRelation('peers')}, networks=sound.networks(name)
    )
    return Course(
        name, testing.Context(sound.charm(name), app_name=name), start, sound.related(name)
    ), machine


def runs(name: str, machine: machines.FakeMachine) -> set[str]:
    """The daemons that are to run, and do."""
    wanted = {s.name for s in machine.desired.services if s.state == 'running'}
    return {d.name for d in sound.charm(name).spec.daemons} & wanted & machine.seen.active


@functools.cache
def undisturbed(name: str) -> tuple[frozenset[str], frozenset[str]]:
    """The files and running daemons of a unit to which nothing happened. Made once: it is the same for all examples."""
    quiet, machine = course(name)
    quiet.mended()
    assert quiet.out.unit_status.name == 'active', quiet.out.unit_status
    return frozenset(f.path for f in machine.desired.files), frozenset(runs(name, machine))


@pytest.mark.parametrize('name', NAMES)
@settings(deadline=None, max_examples=examples(10), suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(happenings, max_size=8))
def test_whatever_happens_a_unit_comes_back(name: str, happened: list[str | tuple[str, int]]):
    paths, running = undisturbed(name)
    assert running
    troubled, machine = course(name)
    for what in happened:
        troubled.happens(what)
    troubled.mended()
    assert troubled.out.unit_status.name == 'active', troubled.out.unit_status
    assert {f.path for f in machine.desired.files} == paths
    assert runs(name, machine) == running


@pytest.mark.parametrize(
    ('what', 'status', 'serves'),
    [
        ('pause', 'maintenance', False),
        (('away', 0), 'blocked', False),
        (('silent', 0), 'waiting', True),
        ('secrets away', 'waiting', True),
        ('wrong option', 'blocked', True),
    ],
)
def test_what_happens_is_felt(what: str | tuple[str, int], status: str, serves: bool):
    """The twin: nothing of it would be found above if nothing came of it."""
    unit, machine = course('nova-cloud-controller')
    unit.mended()
    assert sorted(unit.every)[0] == 'amqp'
    unit.happens(what)
    assert unit.out.unit_status.name == status
    assert ('nova-conductor' in machine.seen.active) is serves
