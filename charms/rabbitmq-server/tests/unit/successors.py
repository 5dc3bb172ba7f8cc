"""Units of two series in memory, whose hooks run in any order, and may be killed: what they say, and who serves."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, cast

import charmkit
import membership
import node
import rabbit_run
import succession
from charmkit import drive, host
from charmkit import testing as machines
from charmkit.relations import Relation, Site

from . import cluster

TIME = charmkit.Hook('update-status')
KEYS = 'secret:keys'
OLD, NEW = '3.10.8-1', '4.0.5-1'
SOCKETS = frozenset(f'{name}.socket' for name in succession.RELAYS.values())


class KilledError(BaseException):
    """The hook was killed."""


@dataclasses.dataclass
class Machine(machines.FakeMachine):
    """One on which server and relay exclude each other, as systemd has it; any call may be the last of its hook."""

    rabbits: cluster.Cluster = dataclasses.field(default_factory=cluster.Cluster)
    node: str = ''
    calls: int = 0
    kill_at: int = -1

    def _call(self) -> None:
        self.calls += 1
        if self.calls == self.kill_at:
            raise KilledError

    def carry_out(self, step: host.Step, desired: host.Host) -> str:
        self._call()
        said = super().carry_out(step, desired)
        rabbit = self.rabbits.nodes.setdefault(self.node, cluster.Node({self.node}))
        if step.verb in ('start', 'restart'):
            others = {node.SERVICE} if step.target in SOCKETS else SOCKETS
            self.seen = dataclasses.replace(self.seen, active=self.seen.active - others)
        rabbit.running = node.SERVICE in self.seen.active
        return said

    def program(self, *argv: str, **more: Any) -> Any:
        self._call()
        if argv[:2] == ('systemctl', 'disable'):
            self.seen = dataclasses.replace(self.seen, active=self.seen.active - {argv[-1]})
        return super().program(*argv, **more)

    def read(self, path: str) -> str | None:
        self._call()
        return 'a file' if path in self.seen.paths else super().read(path)

    @property
    def serves(self) -> str:
        """Who is behind its port: ``server``, ``relay``, or nobody."""
        if node.SERVICE in self.seen.active:
            return 'server'
        return 'relay' if SOCKETS & self.seen.active else ''


@dataclasses.dataclass
class Application:
    """Its units, and what they have said."""

    rabbits: cluster.Cluster = dataclasses.field(default_factory=cluster.Cluster)
    machines: dict[str, Machine] = dataclasses.field(default_factory=dict[str, Machine])
    leader: str = 'rabbitmq-server/0'
    bags: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict[str, dict[str, str]])
    app: dict[str, str] = dataclasses.field(default_factory=lambda: {node.KEYS: KEYS})
    answers: dict[str, dict[str, str]] = dataclasses.field(
        default_factory=dict[str, dict[str, str]]
    )
    memory: dict[str, dict[str, Any]] = dataclasses.field(
        default_factory=dict[str, dict[str, Any]]
    )
    status: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    ever: int = 0

    def add(self, version: str) -> str:
        """A unit whose packages are of *version*."""
        unit = f'rabbitmq-server/{self.ever}'
        self.ever += 1
        name = membership.node(unit)
        self.machines[unit] = Machine(
            rabbits=self.rabbits, node=name, shell=self.rabbits.of(name), version=version
        )
        self.rabbits.nodes[name].running = False
        return unit

    def remove(self, unit: str) -> None:
        """It goes, and the others hear of it."""
        self.hook(unit, charmkit.Hook('peers-relation-departed', unit))
        for all_of in (self.machines, self.bags, self.answers):
            all_of.pop(unit, None)
        self.rabbits.nodes.pop(membership.node(unit))
        if self.leader == unit and self.machines:
            self.leader = min(self.machines)
        for other in sorted(self.machines):
            self.hook(other, charmkit.Hook('peers-relation-departed', unit))

    def inputs(self, unit: str) -> charmkit.Inputs:
        number = int(unit.rpartition('/')[2])
        asks = {'username': 'nova', 'vhost': 'openstack', 'takes-username': 'true'}
        where = {'peers': f'10.2.0.{number}', 'amqp': f'10.1.0.{number}'}
        return charmkit.Inputs(
            site=Site(
                unit=unit, leader=unit == self.leader, address=where['amqp'], addresses=where
            ),
            facts=charmkit.Facts(base='debian@12', memory_mib=4096),
            relations={'amqp': (Relation(id=1, name='amqp', app='nova', units={'nova/0': asks}),)},
            peers=self.app,
            my_peer_data=self.bags.get(unit, {}),
            peer_units={
                u: {**self.bags.get(u, {}), 'ingress-address': '10.2.0.9'}
                for u in self.machines
                if u != unit
            },
            secrets={KEYS: {'seed': 's' * 64, 'cookie': 'c' * 64}},
            memory=self.memory.get(unit, {}),
            versions={'rabbitmq-server': self.machines[unit].version},
            now=1_000.0,
            fresh='f' * 64,
        )

    def hook(
        self, unit: str, why: charmkit.Why = TIME, kill_at: int = -1
    ) -> charmkit.Desired | None:
        """Run one; None when it was killed: then nothing that it said counts."""
        machine = self.machines[unit]
        machine.calls, machine.kill_at = 0, kill_at
        try:
            driven = drive.drive(
                cast('charmkit.Machine', machine), rabbit_run.run, why, self.inputs(unit)
            )
        except KilledError:
            return None
        desired = driven.desired
        if desired.failure or desired.read_only:
            return desired
        self.status[unit] = ' '.join(f'{one.kind}: {one.message}' for one in desired.status)
        self.memory[unit] = {**self.memory.get(unit, {}), **desired.memory}
        if 'peers' in desired.unit_data:
            self.bags[unit] = dict(desired.unit_data['peers'])
        if 1 in desired.unit_data:
            self.answers[unit] = dict(desired.unit_data[1])
        if unit == self.leader and 'peers' in desired.app_data:
            said = desired.app_data['peers'].items()
            self.app = {k: re.sub(r'\{secret:(.*)\}', r'secret:\1', v) for k, v in said}
        return desired

    def hooks(self, rounds: int = 4) -> None:
        """Time passes on all units."""
        for _ in range(rounds):
            for unit in sorted(self.machines):
                self.hook(unit)

    def told(self) -> set[str]:
        """The units that clients are told of."""
        return {u for u, bag in self.answers.items() if bag.get('hostname')}

    def wrong(self) -> list[str]:
        """What must never be: clients of two brokers, or of one that is nobody's."""
        servers = {
            frozenset(self.rabbits.nodes[membership.node(u)].members)
            for u in self.told()
            if self.machines[u].serves == 'server'
        }
        return [f'clients are with {len(servers)} brokers: {servers}'] if len(servers) > 1 else []


def moving(*, followers: int = 1) -> Application:
    """One that serves, and those that follow it."""
    app = Application()
    app.add(OLD)
    app.hooks()
    for _ in range(followers):
        app.add(NEW)
    return app
