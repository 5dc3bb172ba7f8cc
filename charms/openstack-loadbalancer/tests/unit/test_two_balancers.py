"""Two load balancer applications in front of one service: who asks both for leave to drain, gets it in the end."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from balancer import handshake, reply
from charmkit.relations import Databag, Relation, drains, loadbalancer

UNITS = ('nova/0', 'nova/1', 'nova/2')
BALANCERS = ('lb-internal', 'lb-public')


@dataclasses.dataclass
class Balancer:
    """A load balancer of one unit, which drains what it has granted at once."""

    name: str
    locks: dict[str, handshake.Lock] = dataclasses.field(default_factory=dict[str, handshake.Lock])
    acks: dict[str, loadbalancer.Ack] = dataclasses.field(
        default_factory=dict[str, loadbalancer.Ack]
    )

    def runs(self, told: dict[str, loadbalancer.Lifecycle], now: float) -> None:
        units = [
            handshake.Candidate(unit=u, services=frozenset({'nova'}), lifecycle=x)
            for u, x in told.items()
        ]
        me = f'{self.name}/0'
        for _ in range(2):  # Acknowledged, and then decided anew.
            self.locks = handshake.decide(
                units, self.locks, {me: self.acks}, [me], handshake.Policy(), now
            )
            for u, x in told.items():
                lock = self.locks.get(u)
                granted = lock is not None and lock.state == 'granted'
                state = 'drained' if x.state == 'drain' and granted else 'ready'
                self.acks[u] = loadbalancer.Ack(token=x.token, state=state)

    def said(self) -> tuple[Databag, dict[str, Databag]]:
        app = {
            'interface-versions': '[2]',
            **reply.grants('nova', [f'{self.name}/0'], self.locks, {}),
        }
        return app, {f'{self.name}/0': {'acks': reply.write_acks(self.acks)}}


class Cloud:
    """The units behind and both load balancers, each run when the test says so."""

    def __init__(self) -> None:
        self.balancers = {name: Balancer(name) for name in BALANCERS}
        ready = {u: loadbalancer.Lifecycle(state='ready', token=f't-{u}') for u in UNITS}
        self.told = {name: dict(ready) for name in BALANCERS}
        self.paused: set[str] = set()
        self.tokens = itertools.count()
        self.now = itertools.count()
        for name in BALANCERS:
            self.balancer_runs(name)

    def balancer_runs(self, name: str) -> None:
        self.balancers[name].runs(self.told[name], next(self.now))

    def unit_runs(self, unit: str) -> None:
        relations: list[Relation] = []
        for i, name in enumerate(reversed(BALANCERS)):
            app, units = self.balancers[name].said()
            mine = {'lifecycle': loadbalancer.write_lifecycle(self.told[name][unit])}
            relations.append(
                Relation(id=i, name='x', app=name, app_data=app, units=units, my_data=mine)
            )
        now = drains.next_lifecycle(
            drains.last_lifecycle(relations), relations, unit=unit, paused=unit in self.paused,
            healthy=True, fresh_token=str(next(self.tokens)),
        )  # fmt: skip
        said = {r.app: drains.lifecycle_for(r, relations, unit, now) for r in relations}
        for name, lifecycle in said.items():
            self.told[name][unit] = lifecycle

    def state(self, unit: str) -> str:
        return self.told[BALANCERS[0]][unit].state


def pause_two_in_opposite_orders() -> Cloud:
    """Each load balancer hears first of another unit."""
    cloud = Cloud()
    cloud.paused = {'nova/0', 'nova/1'}
    before = cloud.told['lb-public']['nova/0']
    cloud.unit_runs('nova/0')
    cloud.balancer_runs('lb-internal')
    cloud.unit_runs('nova/1')
    # lb-public is slow to see what nova/0 wrote.
    cloud.told['lb-public']['nova/0'] = before
    cloud.balancer_runs('lb-public')
    for _ in range(6):
        for unit in UNITS:
            cloud.unit_runs(unit)
        for name in BALANCERS:
            cloud.balancer_runs(name)
    return cloud


def test_one_of_two_that_ask_at_once_may_go_and_then_the_other() -> None:
    cloud = pause_two_in_opposite_orders()
    assert [cloud.state(u) for u in UNITS] == ['maintenance', 'drain', 'ready']
    cloud.paused.remove('nova/0')
    for _ in range(6):
        for unit in UNITS:
            cloud.unit_runs(unit)
        for name in BALANCERS:
            cloud.balancer_runs(name)
    assert [cloud.state(u) for u in UNITS] == ['ready', 'maintenance', 'ready']


def test_told_all_at_once_they_would_wait_for_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    def at_once(
        _r: Relation, _all: object, _unit: str, lifecycle: loadbalancer.Lifecycle
    ) -> loadbalancer.Lifecycle:
        return lifecycle

    monkeypatch.setattr(drains, 'lifecycle_for', at_once)
    cloud = pause_two_in_opposite_orders()
    assert [cloud.state(u) for u in UNITS] == ['drain', 'drain', 'ready']
