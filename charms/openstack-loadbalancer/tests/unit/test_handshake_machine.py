"""Any course of events over the drain handshake: what must never be, and that it always ends.

Hooks are modelled as Juju has them: what a unit reads is as of the hook's begin, what it writes is
seen at its end, and others run meanwhile. haproxy is modelled as workers that route, also after a
reload has made them old.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import hypothesis.strategies as st
import pytest
from balancer import handshake, reply, rotation
from charmkit.relations import Databag, Relation, drains, loadbalancer
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from tests.examples import examples

SERVICE = 'nova'
BACKEND = 'nova.public'
LEASE_S = 600.0


def key(unit: str) -> rotation.ServerKey:
    return (BACKEND, unit.replace('/', '-'))


@dataclasses.dataclass
class Process:
    """A haproxy worker: what it does with each server, and what is under way there."""

    admin: dict[str, int]
    busy: dict[str, int]
    current: bool = True


@dataclasses.dataclass
class Behind:
    """A unit behind the load balancer."""

    unit: str
    lifecycle: loadbalancer.Lifecycle
    paused: bool = False
    stopped: bool = False
    healthy: bool = True
    dead: bool = False
    """Its machine is gone: it says nothing any more, and Juju still lists it."""


@dataclasses.dataclass
class View:
    """What a hook of a load balancer unit read at its begin."""

    leader: bool
    peers: dict[str, str]
    peer_units: tuple[str, ...]
    acks: dict[str, dict[str, loadbalancer.Ack]]
    lifecycles: dict[str, loadbalancer.Lifecycle]


@dataclasses.dataclass
class Balancer:
    """A load balancer unit."""

    unit: str
    workers: list[Process]
    acks: dict[str, loadbalancer.Ack] = dataclasses.field(
        default_factory=dict[str, loadbalancer.Ack]
    )
    wants: dict[str, rotation.Want] = dataclasses.field(default_factory=dict[str, rotation.Want])
    admitted: bool = False
    frozen: bool = False
    """Its hooks do not run, and it goes on routing."""
    view: View | None = None


class Handshake(RuleBasedStateMachine):
    """The load balancer's units, and the units of one service behind."""

    trusting: ClassVar[bool] = False
    """Sabotage: a backend stops as soon as it is granted, without waiting for the drain."""
    forgetful: ClassVar[bool] = False
    """Sabotage: only the current worker is told and asked."""
    generous: ClassVar[bool] = False
    """Sabotage: every wish is granted."""
    unadmitted: ClassVar[bool] = False
    """Sabotage: a unit serves before it is a member."""

    @initialize(
        balancers=st.integers(1, 3),
        behind=st.integers(1, 4),
        least=st.integers(0, 2),
        most=st.integers(1, 2),
    )
    def start(self, balancers: int, behind: int, least: int, most: int) -> None:
        self.now = 0.0
        self.tokens = 0
        self.policy = handshake.Policy(
            min_ready={SERVICE: least}, max_concurrent=most, lease_s=LEASE_S
        )
        self.peers: dict[str, str] = {}
        self.behind = {
            f'nova/{i}': Behind(f'nova/{i}', self.lifecycle('ready')) for i in range(behind)
        }
        self.balancers: dict[str, Balancer] = {}
        self.next_balancer = 0
        for _ in range(balancers):
            self.balancer_joins()
        self.leader = 'lb/0'
        for _ in range(3):
            self.everyone_runs()

    def lifecycle(self, state: loadbalancer.State) -> loadbalancer.Lifecycle:
        self.tokens += 1
        return loadbalancer.Lifecycle(state=state, token=f't{self.tokens}', deadline_s=300)

    # -- the load balancer

    @rule()
    def balancer_joins(self) -> None:
        if len(self.balancers) >= 3:
            return
        unit = f'lb/{self.next_balancer}'
        self.next_balancer += 1
        fresh = Process({u: 0 for u in self.behind}, {u: 0 for u in self.behind})
        self.balancers[unit] = Balancer(unit, [fresh], admitted=self.unadmitted)

    @precondition(lambda self: len(self.balancers) > 1)
    @rule(data=st.data())
    def balancer_leaves(self, data: st.DataObject) -> None:
        unit = data.draw(st.sampled_from(sorted(self.balancers)))
        del self.balancers[unit]
        if self.leader == unit:
            self.leader = sorted(self.balancers)[0]

    @rule(data=st.data())
    def leader_changes(self, data: st.DataObject) -> None:
        self.leader = data.draw(st.sampled_from(sorted(self.balancers)))

    @rule(data=st.data(), frozen=st.booleans())
    def hooks_stop_or_go_on(self, data: st.DataObject, frozen: bool) -> None:
        self.balancers[data.draw(st.sampled_from(sorted(self.balancers)))].frozen = frozen

    @rule(data=st.data())
    def hook_begins(self, data: st.DataObject) -> None:
        self.begin(self.balancers[data.draw(st.sampled_from(sorted(self.balancers)))])

    @rule(data=st.data())
    def hook_ends(self, data: st.DataObject) -> None:
        self.end(self.balancers[data.draw(st.sampled_from(sorted(self.balancers)))])

    @rule(data=st.data())
    def reload(self, data: st.DataObject) -> None:
        b = self.balancers[data.draw(st.sampled_from(sorted(self.balancers)))]
        old = b.workers[0]
        # The state file gives the new worker what the old one had.
        b.workers.insert(0, Process(dict(old.admin), {u: 0 for u in self.behind}))
        old.current = False

    @rule(data=st.data())
    def restart_from_nothing(self, data: st.DataObject) -> None:
        b = self.balancers[data.draw(st.sampled_from(sorted(self.balancers)))]
        marks = {'ready': 0, 'drain': rotation.FORCED_DRAIN, 'maint': rotation.FORCED_MAINT}
        # The configuration on the disk says what was last wanted.
        admin = {u: marks[b.wants.get(u, 'ready')] for u in self.behind}
        b.workers = [Process(admin, {u: 0 for u in self.behind})]

    def begin(self, b: Balancer) -> None:
        if b.frozen or b.view:
            return
        others = [o for o in self.balancers.values() if o is not b]
        b.view = View(
            leader=self.leader == b.unit,
            peers=dict(self.peers),
            peer_units=tuple(o.unit for o in others),
            acks={o.unit: dict(o.acks) for o in others},
            lifecycles={u: x.lifecycle for u, x in self.behind.items()},
        )

    def end(self, b: Balancer) -> None:
        view, b.view = b.view, None
        if view is None:
            return
        locks = handshake.load(view.peers.get('locks', ''))
        members = tuple(view.peers.get('members', '').split())
        if view.leader:
            members = tuple(sorted({b.unit, *view.peer_units}))
        acks = self.bring(b, view, locks)
        acks = self.bring(b, view, locks)
        if view.leader:
            locks = self.decide(b, view, locks, acks, members)
            acks = self.bring(b, view, locks)
        if view.leader and self.leader != b.unit:
            return  # Juju takes nothing from a hook that lost its leadership: it fails.
        if view.leader:
            self.peers = {'locks': handshake.dump(locks), 'members': ' '.join(members)}
        b.admitted = b.unit in members or self.unadmitted
        b.acks = acks

    def decide(
        self,
        b: Balancer,
        view: View,
        locks: dict[str, handshake.Lock],
        acks: dict[str, loadbalancer.Ack],
        members: tuple[str, ...],
    ) -> dict[str, handshake.Lock]:
        candidates = [
            handshake.Candidate(
                unit=u,
                services=frozenset({SERVICE}),
                lifecycle=dataclasses.replace(x, force=True) if self.generous else x,
                up=self.behind[u].healthy and not self.behind[u].stopped,
            )
            for u, x in view.lifecycles.items()
            if u in self.behind
        ]
        return handshake.decide(
            candidates, locks, {**view.acks, b.unit: acks}, members, self.policy, self.now
        )

    def bring(
        self, b: Balancer, view: View, locks: dict[str, handshake.Lock]
    ) -> dict[str, loadbalancer.Ack]:
        """Tell the workers, look again, and acknowledge: as the charm's edge does."""
        units = [u for u in view.lifecycles if u in self.behind]
        b.wants = {u: rotation.want(view.lifecycles[u], locks.get(u)) for u in units}
        told = b.workers[:1] if self.forgetful else b.workers
        for process in told:
            for command in rotation.commands(
                {key(u): b.wants[u] for u in units}, self.seen(process)
            ):
                _, _, where, _, state = command.split()
                unit = where.partition('/')[2].replace('-', '/')
                process.admin[unit] = {
                    'ready': 0,
                    'drain': rotation.FORCED_DRAIN,
                    'maint': rotation.FORCED_MAINT,
                }[state]
        seen = [self.seen(p) for p in told]
        return {
            u: rotation.ack(view.lifecycles[u], locks.get(u), [key(u)], seen, 0.0) for u in units
        }

    def seen(self, process: Process) -> rotation.Worker:
        return rotation.Worker(
            pid=1,
            current=process.current,
            servers={
                key(u): rotation.ServerState(
                    admin=process.admin.get(u, 0),
                    up=self.behind[u].healthy and not self.behind[u].stopped,
                    sessions=process.busy.get(u, 0),
                )
                for u in self.behind
            },
        )

    # -- requests

    @rule(data=st.data(), old=st.booleans())
    def request_begins(self, data: st.DataObject, old: bool) -> None:
        """On a worker that serves; an old one too has clients with open connections."""
        b = self.balancers[data.draw(st.sampled_from(sorted(self.balancers)))]
        if not b.admitted:
            return
        process = b.workers[-1] if old else b.workers[0]
        able = [u for u in self.behind if not process.admin.get(u, 0)]
        if able:
            u = data.draw(st.sampled_from(sorted(able)))
            if self.behind[u].healthy:
                process.busy[u] = process.busy.get(u, 0) + 1

    @rule(data=st.data())
    def requests_end(self, data: st.DataObject) -> None:
        b = self.balancers[data.draw(st.sampled_from(sorted(self.balancers)))]
        process = data.draw(st.sampled_from(b.workers))
        process.busy = {u: 0 for u in self.behind}
        b.workers = [p for p in b.workers if p.current or any(p.busy.values())]

    # -- the units behind

    def pick(self, data: st.DataObject) -> Behind:
        return self.behind[data.draw(st.sampled_from(sorted(self.behind)))]

    @rule(data=st.data())
    def pause(self, data: st.DataObject) -> None:
        self.pick(data).paused = True

    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        self.pick(data).paused = False

    @rule(data=st.data(), healthy=st.booleans())
    def health_changes(self, data: st.DataObject, healthy: bool) -> None:
        self.pick(data).healthy = healthy

    @rule(data=st.data())
    def machine_dies(self, data: st.DataObject) -> None:
        x = self.pick(data)
        if x.stopped:
            x.dead = True

    @rule(data=st.data())
    def backend_runs(self, data: st.DataObject) -> None:
        self.run(self.pick(data))

    @rule()
    def time_passes(self) -> None:
        self.now += LEASE_S + 301

    def run(self, x: Behind) -> None:
        if x.dead:
            return
        if x.stopped and not x.paused:
            x.stopped = False
        self.tokens += 1
        relations = [self.relation()]
        if self.trusting and x.lifecycle.state == 'drain':
            relations = [] if x.unit in self.granted() else relations
        x.lifecycle = drains.next_lifecycle(
            x.lifecycle,
            relations,
            unit=x.unit,
            paused=x.paused,
            healthy=not x.stopped and x.healthy,
            fresh_token=f't{self.tokens}',
        )
        x.stopped = x.lifecycle.state == 'maintenance' and x.paused

    def relation(self) -> Relation:
        members = self.peers.get('members', '').split()
        locks = handshake.load(self.peers.get('locks', ''))
        app_data: Databag = {
            'interface-versions': '[1, 2]',
            **reply.grants('nova', members, locks, {}),
        }
        return Relation(
            id=1,
            name='public-backend',
            app='lb',
            app_data=app_data,
            units={b.unit: {'acks': reply.write_acks(b.acks)} for b in self.balancers.values()},
        )

    def granted(self) -> list[str]:
        locks = handshake.load(self.peers.get('locks', ''))
        return [u for u, lock in locks.items() if lock.state == 'granted' and not lock.expired]

    # -- what must never be

    @invariant()
    def nothing_is_sent_to_a_unit_that_has_stopped(self) -> None:
        for x in self.behind.values():
            if not x.stopped:
                continue
            for b in self.balancers.values():
                if not b.admitted:
                    continue
                for process in b.workers:
                    assert process.admin.get(x.unit), f'{b.unit} still routes to {x.unit}'
                    assert not process.busy.get(x.unit), f'{b.unit} is not done with {x.unit}'

    @invariant()
    def enough_units_stay_in_rotation(self) -> None:
        least = self.policy.min_ready[SERVICE]
        if len(self.behind) < least:
            return
        for b in self.balancers.values():
            if b.admitted:
                able = [u for u in self.behind if not b.workers[0].admin.get(u)]
                assert len(able) >= least, f'{b.unit} has {able} left'

    @invariant()
    def no_more_grants_than_allowed(self) -> None:
        assert len(self.granted()) <= self.policy.max_concurrent

    # -- and that it always ends

    def everyone_runs(self) -> None:
        for x in self.behind.values():
            self.run(x)
        for b in self.balancers.values():
            self.begin(b)
            self.end(b)

    def teardown(self) -> None:
        """All is well again: who wants to drain gets to, and who comes back is served."""
        if not hasattr(self, 'behind'):
            return
        for b in self.balancers.values():
            b.frozen = False
            b.workers = b.workers[:1]
            b.workers[0].busy = {}
        for x in self.behind.values():
            x.healthy, x.dead = True, False
        for _ in range(6):
            self.everyone_runs()
        waiting = [x for x in self.behind.values() if x.paused]
        if waiting and len(self.behind) - 1 >= self.policy.min_ready[SERVICE]:
            assert any(x.stopped for x in waiting), [x.lifecycle for x in waiting]
        for x in self.behind.values():
            x.paused = False
        for _ in range(8):
            self.everyone_runs()
        for x in self.behind.values():
            assert drains.in_rotation([self.relation()], x.unit, x.lifecycle), x
        assert not self.granted()


Handshake.TestCase.settings = settings(
    max_examples=examples(60),
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestHandshake = Handshake.TestCase


class Chosen:
    """Stands for drawn data: these values, in order."""

    def __init__(self, *values: str):
        self.values = list(values)

    def draw(self, _: object) -> str:
        return self.values.pop(0)


def a_drain_with_a_request_under_way(m: Any) -> None:
    m.request_begins(Chosen('lb/0', 'nova/0'), False)
    m.behind['nova/0'].paused = True
    m.everyone_runs()


def a_drain_with_a_request_on_an_old_worker(m: Any) -> None:
    m.request_begins(Chosen('lb/0', 'nova/0'), False)
    m.reload(Chosen('lb/0'))
    m.behind['nova/0'].paused = True
    m.everyone_runs()


def two_drains_at_once(m: Any) -> None:
    for x in m.behind.values():
        x.paused = True
    m.everyone_runs()


def a_balancer_that_joins_after_a_drain(m: Any) -> None:
    m.behind['nova/0'].paused = True
    for _ in range(3):
        m.everyone_runs()
    assert m.behind['nova/0'].stopped
    m.balancer_joins()


CASES = {
    'trusting': a_drain_with_a_request_under_way,
    'forgetful': a_drain_with_a_request_on_an_old_worker,
    'generous': two_drains_at_once,
    'unadmitted': a_balancer_that_joins_after_a_drain,
}


def play(fault: str, case: Callable[[Any], None]) -> None:
    m: Any = type('Broken', (Handshake,), {fault: True} if fault else {})()
    m.start(1, 2, 1, 1)
    case(m)
    for _ in range(3):
        for check in (
            m.nothing_is_sent_to_a_unit_that_has_stopped,
            m.enough_units_stay_in_rotation,
            m.no_more_grants_than_allowed,
        ):
            check()
        for x in m.behind.values():
            m.run(x)


@pytest.mark.parametrize('fault', CASES)
def test_the_machine_notices_a_broken_handshake(fault: str) -> None:
    play('', CASES[fault])
    with pytest.raises(AssertionError):
        play(fault, CASES[fault])
