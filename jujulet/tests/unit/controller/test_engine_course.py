"""The engine begins all that is due, and no more at once than may be, whatever is asked of it meanwhile."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import pathlib
import sys
import time
from collections.abc import Callable
from typing import Any, cast

import pytest

from jujulet.controller import engine as engine_
from jujulet.controller import fair_queue, store
from jujulet.core import (
    change,
    context,
    indexcheck,
    lifecycle,
    machines,
    operations,
    requests,
)
from jujulet.core import model as model_

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'core'))

import simulation
from simulation import REL


class Course:
    """An engine over a store of its own; what machines would do is done by functions."""

    def __init__(self, folder: pathlib.Path):
        self.store = store.Store(folder / 'jujulet.db')
        self.engine = engine_.Engine(self.store, cast('Any', {'process': self}))
        model = simulation.World().model
        self.uuid = model.uuid
        self.engine.add(dataclasses.replace(model, machines_kind='process'))
        self.running: collections.Counter[str] = collections.Counter()
        self.most_hooks = 0
        self.hooks: list[str] = []
        self.count = 0
        self.engine.carry.update({
            operations.StartMachine: self.start_machine,
            operations.DestroyMachine: self.destroy_machine,
            operations.DeployCharm: self.deploy_charm,
            operations.AttachStorage: self.attach,
            operations.RunHook: self.run_hook,
        })  # fmt: skip

    async def destroy_model(self, _uuid: str) -> None:
        pass

    @property
    def model(self) -> model_.Model:
        return self.engine.models[self.uuid]

    def put(self, change_: Callable[[model_.Model], model_.Model]) -> None:
        self.engine.update(self.uuid, change_)

    async def start_machine(self, _uuid: str, op: operations.StartMachine) -> None:
        await asyncio.sleep(0)
        self.put(lambda m: machines.started(m, op.machine, 1, time.time()))

    async def destroy_machine(self, _uuid: str, op: operations.DestroyMachine) -> None:
        self.put(lambda m: machines.gone(m, op.machine, time.time()))

    async def deploy_charm(self, _uuid: str, op: operations.DeployCharm) -> None:
        self.put(lambda m: lifecycle.deployed(m, op.unit, op.url, time.time()))

    async def attach(self, _uuid: str, op: operations.AttachStorage) -> None:
        self.put(lambda m: lifecycle.storage_attached(m, op.unit, op.storage, time.time()))

    async def run_hook(self, _uuid: str, op: operations.RunHook) -> None:
        begun: list[context.Context] = []
        self.count += 1

        def begin(model: model_.Model) -> model_.Model:
            model, found = lifecycle.begin(model, op, f'c{self.count}', time.time())
            begun.append(found)
            return model

        self.put(begin)
        self.running[op.machine] += 1
        assert self.running[op.machine] == 1, 'two at once on a machine'
        self.most_hooks = max(self.most_hooks, sum(self.running.values()))
        await asyncio.sleep(0.001)
        self.running[op.machine] -= 1
        self.hooks.append(f'{op.unit} {op.hook.kind} {op.hook.remote_unit}'.rstrip())
        self.put(lambda m: lifecycle.finish(m, begun[0], context.Outcome(0), time.time()))

    def ask(self, request: requests.Request) -> dict[str, Any]:
        said: dict[str, Any] = {}

        def apply(model: model_.Model) -> model_.Model:
            model, result = change.apply(model, request, time.time())
            said.update(result)
            return model

        self.put(apply)
        return said

    def deploy(self, name: str, *ends: Any, units: int = 1, **more: Any) -> None:
        url = self.ask(requests.AddCharm(charm=simulation.a_charm(name, *ends, **more)))['url']
        self.ask(requests.Deploy(charm=url, num_units=0 if more.get('subordinate') else units))

    async def rest(self) -> None:
        """Wait until nothing is in hand and nothing is due, by the slow way of asking."""
        async with asyncio.timeout(60):
            while self.engine.occupied(self.uuid) or indexcheck.due(
                self.model, frozenset(), time.time()
            ):
                await self.engine.changed.wait(timeout=0.05)
        assert not indexcheck.problems(self.model, time.time())


def run(folder: pathlib.Path, course: Callable[[Course], Any]) -> Course:
    async def whole() -> Course:
        found = Course(folder)
        found.engine.start()
        try:
            await course(found)
        finally:
            await found.engine.stop()
            found.store.close()
        return found

    return asyncio.run(whole())


async def grow_and_shrink(course: Course) -> None:
    course.deploy('a', REL('peers', 'peer', 'p'), REL('db', 'requirer', 'i'), units=6)
    course.deploy('b', REL('db', 'provider', 'i'), units=2)
    course.deploy('s', REL('up', 'requirer', 'juju-info', scope='container'), subordinate=True)
    await course.rest()
    course.ask(requests.Integrate(a='a', b='b'))
    course.ask(requests.Integrate(a='a:juju-info', b='s'))
    course.ask(requests.Exec(command='true', units=('a/1',), machines=('0',)))
    await course.rest()
    course.ask(requests.AddUnit(application='a', num_units=3))
    course.ask(requests.SetConfig(application='b', options={'level': 9}))
    await course.rest()
    course.ask(requests.RemoveUnit(units=('a/0', 'a/7')))
    course.ask(requests.RemoveRelation(a='a', b='b'))
    await course.rest()


def test_all_that_is_due_is_begun(tmp_path: pathlib.Path):
    course = run(tmp_path, grow_and_shrink)
    model = course.model
    assert [u.name for u in model.units_of('a')] == [
        'a/1',
        'a/2',
        'a/3',
        'a/4',
        'a/5',
        'a/6',
        'a/8',
    ]
    assert len(model.units_of('s')) == 7
    assert all(u.agent_status.current == 'idle' for u in model.units.values())
    assert {t.status for t in model.tasks.values()} == {'completed'}
    for other in ('a/2', 'a/6', 'a/8'):
        assert course.hooks.count(f'a/1 relation-joined {other}') == 1
        assert course.hooks.count(f'a/1 relation-changed {other}') == 1
    assert course.hooks.count('a/1 relation-departed a/7') == 1
    assert course.hooks.count('b/0 relation-broken') == 1


def test_no_more_hooks_run_at_once_than_there_are_turns(tmp_path: pathlib.Path):
    async def many(course: Course) -> None:
        course.deploy('a', REL('peers', 'peer', 'p'), units=12)
        await course.rest()

    assert 1 < run(tmp_path, many).most_hooks <= fair_queue.MOST


def test_a_model_goes_whole(tmp_path: pathlib.Path):
    async def gone(course: Course) -> None:
        course.deploy('a', REL('peers', 'peer', 'p'), units=12)
        await course.rest()
        course.ask(requests.DestroyModel())
        async with asyncio.timeout(60):
            while course.uuid in course.engine.models:
                await course.engine.changed.wait(timeout=0.05)

    course = run(tmp_path, gone)
    assert course.hooks.count('a/11 remove') == 1


def test_whoever_is_not_told_of_a_change_waits_for_ever(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    """The sabotaged twin: an agenda that misses what databags bring."""
    from jujulet.core import affected

    monkeypatch.setattr(affected, '_databags', lambda *_: None)  # pyright: ignore[reportUnknownArgumentType, reportUnknownLambdaType]
    monkeypatch.setattr(asyncio, 'timeout', _at_once)
    with pytest.raises((TimeoutError, AssertionError)):
        run(tmp_path, grow_and_shrink)


_real_timeout = asyncio.timeout


def _at_once(_seconds: float) -> Any:
    return _real_timeout(3)
