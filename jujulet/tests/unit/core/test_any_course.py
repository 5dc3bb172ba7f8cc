"""Whatever users ask, whatever fails, crashes or goes down: no impossible state, and in the end peace.

A Hypothesis state machine over the simulation. ``World.set`` checks every model on the way.
"""

from __future__ import annotations

from typing import Any

import order
import simulation
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from simulation import REL, World

from jujulet.core import charm, context, model, requests
from tests.examples import examples

STORE = charm.StorageMeta('data', location='/srv', maximum=3)
ACTION = charm.Action('do')
CHARMS = {
    'a': [
        simulation.a_charm(
            'a', REL('p', 'peer', 'peers'), REL('db', 'requirer', 'sql'), digest=digest,
            storage={'data': STORE}, actions={'do': ACTION},
        )
        for digest in ('1', '2')
    ],
    'b': [
        simulation.a_charm('b', REL('db', 'provider', 'sql'), digest=digest, actions={'do': ACTION})
        for digest in ('1', '2')
    ],
    's': [
        simulation.a_charm(
            's', REL('host', 'requirer', 'juju-info', 'container'), REL('db', 'requirer', 'sql'),
            digest=digest, subordinate=True,
        )
        for digest in ('1', '2')
    ],
}  # fmt: skip
APPS = st.sampled_from(sorted(CHARMS))
RELATIONS = [('a', 'b'), ('s:host', 'a'), ('s:host', 'b'), ('s:db', 'b')]
SEEDS = st.integers(0, 10**6)


def chatty(world: World) -> simulation.Script:
    """A charm that writes whatever it may, and secrets."""

    def script(now: model.Model, found: context.Context) -> simulation.Done:
        chance = simulation.dice(f'{found.unit}{world.ticks}')
        unit = now.units[found.unit]
        mine = [r for r in now.relations.values() if found.unit in r.units]
        leads = now.applications[unit.application].leader == found.unit
        own = [s for s in now.secrets.values() if s.owner == unit.application]
        secrets: tuple[context.SecretWrite, ...] = ()
        if leads and chance.random() < 0.2:
            name = f'{world.ticks:020}'
            secrets = (
                context.SecretWrite('add', name, owner=unit.application, content={'k': '1'}, rotate='hourly'),
                *(context.SecretWrite('grant', name, relation=r.id, target=e.application)
                  for r in mine for e in r.endpoints if e.application != unit.application),
            )  # fmt: skip
        elif leads and own:
            verb: Any = chance.choice(['set', 'remove'])
            secrets = (context.SecretWrite(verb, own[0].id, content={'k': str(world.ticks)}),)
        elif now.secrets:
            first = min(now.secrets)
            secrets = (context.SecretWrite('track', first),)
        return simulation.Done(
            context.Writes(
                unit_settings={r.id: {'n': str(chance.randrange(3))} for r in mine},
                application_settings={r.id: {'n': str(chance.randrange(3))} for r in mine} if leads else {},
                state={'k': None if chance.random() < 0.5 else 'v'},
                reboot='after' if chance.random() < 0.03 else '',
                secrets=secrets,
            )
        )  # fmt: skip

    return script


class Course(RuleBasedStateMachine):
    """Anything in any order."""

    @initialize(
        seed=st.integers(0, 3), steps=st.sampled_from([0, 10, 40, 400]), related=st.booleans()
    )
    def begin(self, seed: int, steps: int, related: bool):
        self.world = World(seed=seed)
        self.talk = 200
        for name, (first, _) in CHARMS.items():
            self.world.deploy(first, script=self._script)
            assert name in self.world.model.applications
        if related:
            for pair in RELATIONS:
                self.world.integrate(*pair)
        self.go_on(seed, steps)

    def _script(self, now: model.Model, found: context.Context) -> simulation.Done:
        if self.talk <= 0 or found.unit not in now.units:
            return simulation.Done()
        self.talk -= 1
        return chatty(self.world)(now, found)

    def ask(self, request: requests.Request) -> None:
        """Ask; a refusal is an answer."""
        try:
            self.world.ask(request)
        except model.Refused as refused:
            assert str(refused)

    @precondition(lambda self: len(self.world.model.applications) < len(CHARMS))
    @rule(name=APPS)
    def deploy(self, name: str):
        self.ask(requests.Deploy(charm=f'local:{name}-0', num_units=1))

    @rule(name=APPS, to=st.sampled_from(['', '0', '1', 'b/0']))
    def add_unit(self, name: str, to: str):
        self.ask(requests.AddUnit(application=name, to=(to,) if to else ()))

    @rule(seed=SEEDS, force=st.booleans())
    def remove_unit(self, seed: int, force: bool):
        if self.world.model.units:
            unit = simulation.dice(seed).choice(sorted(self.world.model.units))
            self.ask(requests.RemoveUnit(units=(unit,), force=force))

    @rule(name=APPS, force=st.booleans())
    def remove_application(self, name: str, force: bool):
        self.ask(requests.RemoveApplication(applications=(name,), force=force))

    @rule(pair=st.sampled_from(RELATIONS))
    def integrate(self, pair: tuple[str, str]):
        self.ask(requests.Integrate(a=pair[0], b=pair[1]))

    @rule(pair=st.sampled_from(RELATIONS), force=st.booleans())
    def part(self, pair: tuple[str, str], force: bool):
        self.ask(requests.RemoveRelation(a=pair[0], b=pair[1], force=force))

    @rule(name=APPS, level=st.integers(0, 5))
    def configure(self, name: str, level: int):
        self.ask(requests.SetConfig(application=name, options={'level': level}))

    @rule(name=APPS, base=st.sampled_from(['debian@12', 'debian@13', 'ubuntu@24.04']))
    def set_base(self, name: str, base: str):
        before = self.world.model.machines
        self.ask(requests.SetApplicationBase(application=name, base=base))
        assert self.world.model.machines == before

    @rule(name=APPS, version=st.integers(0, 1), force=st.booleans())
    def refresh(self, name: str, version: int, force: bool):
        url = self.world.ask(requests.AddCharm(charm=CHARMS[name][version]))['url']
        self.ask(requests.Refresh(application=name, charm=url, force_units=force))

    @rule(seed=SEEDS, kind=st.sampled_from(['run', 'exec', 'machine', 'storage']))
    def on_a_unit(self, seed: int, kind: str):
        if not self.world.model.units:
            return
        unit = simulation.dice(seed).choice(sorted(self.world.model.units))
        machine = self.world.model.units[unit].machine
        wishes: dict[str, requests.Request] = {
            'run': requests.Run(receivers=(unit,), action='do'),
            'exec': requests.Exec(command='true', units=(unit,)),
            'machine': requests.Exec(command='true', machines=(machine,)),
            'storage': requests.AddStorage(unit=unit, name='data'),
        }
        self.ask(wishes[kind])

    @rule(seed=SEEDS)
    def cancel(self, seed: int):
        if self.world.model.tasks:
            task = simulation.dice(seed).choice(sorted(self.world.model.tasks))
            self.ask(requests.CancelTask(ids=(task,)))

    @rule(seed=SEEDS, force=st.booleans())
    def remove_storage(self, seed: int, force: bool):
        if self.world.model.storage:
            sid = simulation.dice(seed).choice(sorted(self.world.model.storage))
            self.ask(requests.RemoveStorage(ids=(sid,), force=force))

    @rule(retry=st.booleans())
    def resolve(self, retry: bool):
        self.ask(requests.Resolved(all=True, retry=retry))

    @rule(seed=SEEDS, force=st.booleans())
    def remove_machine(self, seed: int, force: bool):
        if self.world.model.machines:
            machine = simulation.dice(seed).choice(sorted(self.world.model.machines))
            self.ask(requests.RemoveMachine(machines=(machine,), force=force))

    @rule(seed=SEEDS, count=st.sampled_from([1, 2, 4, 8, 20, 60, 200]))
    def go_on(self, seed: int, count: int):
        chance = simulation.dice(seed)
        for _ in range(count):
            self.world.step(chance)

    @precondition(lambda self: bool(self.world.running))
    @rule(seed=SEEDS, how=st.sampled_from([simulation.FAIL, simulation.KILLED]))
    def a_hook_ends_badly(self, seed: int, how: simulation.Done):
        machine = simulation.dice(seed).choice(sorted(self.world.running))
        self.world.finish(machine, how)

    @rule()
    def crash(self):
        self.world.crash()

    @rule(seed=SEEDS)
    def lose(self, seed: int):
        up = [m.id for m in self.world.model.machines.values() if m.phase == 'started']
        if up:
            self.world.lose(simulation.dice(seed).choice(sorted(up)))

    @rule(seconds=st.sampled_from([1.0, 30.0, 90.0, 4000.0]))
    def time_goes_by(self, seconds: float):
        self.world.now += seconds

    def check_order(self):
        broken = order.broken_rules(self.world.trace)
        assert not broken, '\n'.join(broken)

    def teardown(self):
        if not hasattr(self, 'world'):
            return
        self.talk = 0
        self.world.recover()
        self.check_order()
        self.ask(requests.DestroyModel())
        self.world.recover()
        assert self.world.model.life == 'dead'
        assert not self.world.model.relations
        assert not self.world.model.storage
        self.check_order()


TestAnyCourse = Course.TestCase
TestAnyCourse.settings = settings(
    max_examples=examples(30),
    stateful_step_count=40,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # Shrinking takes minutes; a seed tells enough.
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ],
)
