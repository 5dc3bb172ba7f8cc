"""Juju without machines: operations that are due are carried out by functions, on a clock that is told the time.

A charm is a :data:`Script`: it gets the model and the context of a hook and answers what it writes and how it
exits. Every change is checked for states that cannot be; everything that happens goes into ``World.trace``.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Mapping
from typing import Any

from jujulet.core import (
    change,
    charm,
    consistency,
    context,
    hooks,
    indexcheck,
    lifecycle,
    machines,
    model,
    operations,
    relations,
    requests,
    schedule,
)

DEBIAN = charm.Base('debian', '12')
START = 1_000_000.0


@dataclasses.dataclass(frozen=True)
class Done:
    """How a script ends: its writes and the exit of its process."""

    writes: context.Writes = dataclasses.field(default_factory=context.Writes)
    outcome: context.Outcome = dataclasses.field(default_factory=lambda: context.Outcome(0))
    action: context.ActionResult = dataclasses.field(default_factory=context.ActionResult)


Script = Callable[[model.Model, context.Context], Done]
FAIL = Done(outcome=context.Outcome(1))
KILLED = Done(outcome=context.Outcome(137, killed=True))


def dice(seed: object) -> random.Random:
    """Chance that can be had again: a test's, not a secret's."""
    return random.Random(str(seed))  # noqa: S311


def quiet(_model: model.Model, _context: context.Context) -> Done:
    """A charm that does nothing and succeeds."""
    return Done()


@dataclasses.dataclass(frozen=True)
class Event:
    """One hook, action or command of one unit, from its beginning to its end."""

    unit: str
    name: str
    hook: model.Hook
    machine: str
    began: int
    ended: int
    """Counts of what happened in the world, not seconds: no two are the same."""
    ok: bool
    """It ran, or it failed and was passed over: the agent takes it as done."""
    members: tuple[str, ...] = ()
    """Of the hook's relation, as ``relation-list`` shows them."""
    scope: tuple[str, ...] = ()
    """Units that are in the relation's scope as the hook begins."""
    leader: bool = False
    life: str = 'alive'
    peer: bool = False
    generation: int = 0
    """Counts the units that have had this name: an application may be deployed again."""


def a_charm(
    name: str, *endpoints: charm.RelationMeta, digest: str = '1', **more: Any
) -> charm.Charm:
    """A charm of that name with these endpoints and an option ``level``."""
    options = {'level': charm.Option('level', 'int', 1), 'text': charm.Option('text', 'string')}
    return charm.Charm(
        '', name, 0, f'{name}-{digest}', options=options, bases=(DEBIAN,),
        relations={e.name: e for e in endpoints}, **more,
    )  # fmt: skip


REL = charm.RelationMeta


@dataclasses.dataclass
class World:
    """A model, a clock, and what has happened."""

    seed: int = 0
    now: float = START
    scripts: dict[str, Script] = dataclasses.field(default_factory=dict[str, Script])
    """By application; else ``quiet``."""
    trace: list[Event] = dataclasses.field(default_factory=list[Event])
    running: dict[str, tuple[operations.RunHook, context.Context, Event]] = dataclasses.field(
        default_factory=dict[str, tuple[operations.RunHook, context.Context, Event]]
    )
    """Hooks in hand, by machine."""
    ticks: int = 0
    generations: dict[str, int] = dataclasses.field(default_factory=dict[str, int])
    model: model.Model = dataclasses.field(
        default_factory=lambda: model.Model(
            uuid='663cb8aa-0000-4000-8000-000000663cb8',
            name='t',
            spaces={'alpha': model.Space('alpha', '10.9.0.0/24', 'fd00::/64')},
        )
    )

    def __post_init__(self) -> None:
        self.model = dataclasses.replace(self.model, seed=self.seed)

    def copy(self) -> World:
        """Another world that stands where this one does: a model is never changed, what is around it is."""
        return dataclasses.replace(
            self,
            scripts={**self.scripts},
            trace=[*self.trace],
            running={**self.running},
            generations={**self.generations},
        )

    def set(self, changed: model.Model) -> None:
        """Take the next model, which must be one that can be."""
        for name in self.model.units:
            if name not in changed.units:
                self.generations[name] = self.generations.get(name, 0) + 1
            elif self._passed_over(name, changed):
                last = max(i for i, e in enumerate(self.trace) if e.unit == name and not e.ok)
                self.trace[last] = dataclasses.replace(self.trace[last], ok=True)
        self.model = changed
        self.ticks += 1
        found = consistency.problems(changed) + indexcheck.problems(changed, self.now)
        assert not found, '\n'.join(found)

    def _passed_over(self, name: str, changed: model.Model) -> bool:
        before, after = self.model.units[name].agent, changed.units[name].agent
        return before.step == 'failed' and after.hooks > before.hooks

    def ask(self, request: requests.Request) -> dict[str, Any]:
        """Carry out a request as a user makes it."""
        changed, result = change.apply(self.model, request, self.now)
        self.set(changed)
        return result

    def deploy(self, a: charm.Charm, *, script: Script | None = None, **more: Any) -> str:
        """Register and deploy a charm; the answer is the application's name."""
        url = self.ask(requests.AddCharm(charm=a))['url']
        name = self.ask(requests.Deploy(charm=url, **more))['application']
        if script is not None:
            self.scripts[name] = script
        return name

    def integrate(self, a: str, b: str) -> int:
        """Relate two applications; the answer is the relation's number."""
        return self.ask(requests.Integrate(a=a, b=b))['relation']

    def due(self) -> tuple[operations.Operation, ...]:
        """What may start now."""
        busy = frozenset(self.running)
        found = schedule.due(self.model, busy, self.now)
        assert found == indexcheck.due(self.model, busy, self.now)
        return found

    def start(self, operation: operations.Operation) -> None:
        """Begin a hook; anything else is done at once."""
        self.now += 0.01
        match operation:
            case operations.StartMachine(machine):
                boots = self.model.machines[machine].boots + 1
                self.set(machines.started(self.model, machine, boots, self.now))
            case operations.RebootMachine(machine):
                boots = self.model.machines[machine].boots + 1
                self.set(machines.started(self.model, machine, boots, self.now))
            case operations.DestroyMachine(machine):
                self.set(machines.gone(self.model, machine, self.now))
            case operations.DeployCharm(unit, url):
                self.set(lifecycle.deployed(self.model, unit, url, self.now))
            case operations.AttachStorage(unit, storage):
                self.set(lifecycle.storage_attached(self.model, unit, storage, self.now))
            case operations.RunHook():
                self._begin(operation)

    def _begin(self, op: operations.RunHook) -> None:
        changed, found = lifecycle.begin(self.model, op, str(self.ticks), self.now)
        event = self._event(changed, op)
        self.running[op.machine] = (op, found, event)
        self.set(changed)

    def _event(self, changed: model.Model, op: operations.RunHook) -> Event:
        members: tuple[str, ...] = ()
        scope: tuple[str, ...] = ()
        peer = False
        if op.hook.relation is not None:
            relation = changed.relations[op.hook.relation]
            members = tuple(relations.visible_members(changed, op.unit, relation.id, op.hook))
            scope, peer = tuple(relation.units), relations.is_peer(relation)
        unit = changed.units.get(op.unit)
        return Event(
            op.unit,
            hooks.name(op.hook) or op.hook.kind,
            op.hook,
            op.machine,
            self.ticks,
            self.ticks,
            ok=True,
            members=members,
            scope=scope,
            leader=unit is not None and changed.applications[unit.application].leader == op.unit,
            life=unit.life if unit else 'alive',
            peer=peer,
            generation=self.generations.get(op.unit, 0),
        )

    def finish(self, machine: str, done: Done | None = None) -> None:
        """End the hook that runs on a machine, as its charm's script says or as told."""
        op, found, event = self.running.pop(machine)
        if done is None:
            script = self.scripts.get(op.unit.rpartition('/')[0], quiet)
            done = script(self.model, found) if op.unit in self.model.units else Done()
        found = dataclasses.replace(found, writes=done.writes, action=done.action)
        self.now += 0.01
        before = self.model
        self.set(lifecycle.finish(self.model, found, done.outcome, self.now))
        ok = done.outcome.code == 0 and not done.outcome.killed
        if op.unit in self.model.units and op.hook.kind not in hooks.TASKS:
            ok = self.model.units[op.unit].agent.hooks > before.units[op.unit].agent.hooks
        self.trace.append(dataclasses.replace(event, ended=self.ticks, ok=ok))

    def crash(self) -> None:
        """The controller dies and comes back; hooks that ran are forgotten."""
        for _op, _found, event in self.running.values():
            self.trace.append(dataclasses.replace(event, ended=self.ticks, ok=False))
        self.running.clear()
        self.set(lifecycle.all_interrupted(self.model, self.now))

    def lose(self, machine: str) -> None:
        """A machine's agent is not heard of any more."""
        if machine in self.running:
            event = self.running.pop(machine)[2]
            self.trace.append(dataclasses.replace(event, ended=self.ticks, ok=False))
        self.set(machines.down(self.model, machine, self.now))

    def step(self, chance: random.Random | None = None) -> bool:
        """Begin or end one thing; False if there is nothing to do."""
        ready = list(self.due())
        chance = chance or dice(self.ticks)
        if self.running and (not ready or chance.random() < 0.5):
            self.finish(chance.choice(sorted(self.running)))
            return True
        if not ready:
            return False
        self.start(chance.choice(ready))
        return True

    def settle(self, limit: int = 0, chance: random.Random | None = None) -> None:
        """Go on until nothing is to be done at this time: units that meet one another take a step a pair, and more."""
        for _ in range(limit or max(3000, 20 * len(self.model.units) ** 2)):
            if not self.step(chance):
                return
        raise AssertionError(f'not quiescent: {self.due()} {[str(e) for e in self.trace[-5:]]}')

    def recover(self) -> None:
        """Everything lost comes back, every failed hook is run again, until nothing is left to do."""
        for _ in range(100):
            for machine in list(self.model.machines):
                self.set(machines.restarted(self.model, machine, self.now))
            self.settle()
            if not any(u.agent.step == 'failed' for u in self.model.units.values()):
                return
            self.ask(requests.Resolved(all=True))
        raise AssertionError('hooks go on failing')

    def pass_time(self, seconds: float) -> None:
        """Let time go by, stopping whenever something is due."""
        until = self.now + seconds
        while True:
            self.settle()
            wake = schedule.wake_at(self.model, self.now)
            assert wake == indexcheck.wake_at(self.model, self.now)
            if wake is None or wake > until:
                break
            self.now = max(wake, self.now)
        self.now = max(until, self.now)
        self.settle()

    def names(self, unit: str) -> list[str]:
        """Names of the hooks of a unit in order, those that failed marked with ``!``."""
        return [e.name + ('' if e.ok else '!') for e in self.trace if e.unit == unit]

    def hooks_run(self, unit: str) -> list[str]:
        """Hooks of a unit with their remote units: ``db-relation-joined b/0``."""
        return [f'{e.name} {e.hook.remote_unit}'.rstrip() for e in self.trace if e.unit == unit]


def writes(**settings: Mapping[int, Mapping[str, str]]) -> Done:
    """A success that sets databags: ``writes(unit_settings={1: {'k': 'v'}})``."""
    return Done(context.Writes(**settings))  # pyright: ignore[reportArgumentType]
