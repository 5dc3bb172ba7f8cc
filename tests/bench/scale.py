"""What a change costs in a model of many units, without machines: the controller's engine and its store alone.

Everything that a machine would do is done at once by a function here, so what is measured is what jujulet itself needs.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import pathlib
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any, cast

from jujulet.controller import engine as engine_
from jujulet.controller import store
from jujulet.core import (
    change,
    charm,
    context,
    lifecycle,
    machines,
    operations,
    requests,
    status,
)
from jujulet.core import model as model_

from .figure import Figure, spread

UNITS = 1000
IDLE = 300
HOOKS_S = 20.0
CHANGES = 40


class _NoMachines:
    """In place of what makes machines: the engine asks it for nothing here."""

    kind = 'process'

    async def destroy_model(self, _model: str) -> None:
        pass


def _charm(name: str, *, peers: bool) -> charm.Charm:
    ends = {'peers': charm.RelationMeta('peers', 'peer', 'peers')} if peers else {}
    options = {'level': charm.Option('level', 'int', 1)}
    return charm.Charm(
        '', name, 0, f'{name}-1', options=options, bases=(charm.Base('debian', '12'),),
        relations=ends,
    )  # fmt: skip


@contextlib.asynccontextmanager
async def _engine(folder: pathlib.Path) -> AsyncGenerator[tuple[engine_.Engine, str, list[int]]]:
    """An engine with one empty model, and a count of the hooks that have ended."""
    opened = store.Store(folder / 'jujulet.db')
    kind = cast('Any', _NoMachines())
    engine = engine_.Engine(opened, {'process': kind, 'container': kind})
    spaces = {'alpha': model_.Space('alpha', '10.0.0.0/16', 'fd00::/64')}
    model = model_.Model('u', 'scale', machines_kind='process', spaces=spaces, created=time.time())
    engine.add(model)
    ended = [0]
    _carry(engine, ended)
    engine.start()
    try:
        yield engine, model.uuid, ended
    finally:
        await engine.stop()
        opened.close()


def _carry(engine: engine_.Engine, ended: list[int]) -> None:
    """Do at once what machines would do."""

    async def start(uuid: str, op: operations.StartMachine) -> None:
        engine.update(uuid, lambda m: machines.started(m, op.machine, 1, engine.clock()))

    async def destroy(uuid: str, op: operations.DestroyMachine) -> None:
        engine.update(uuid, lambda m: machines.gone(m, op.machine, engine.clock()))

    async def deploy(uuid: str, op: operations.DeployCharm) -> None:
        engine.update(uuid, lambda m: lifecycle.deployed(m, op.unit, op.url, engine.clock()))

    async def run(uuid: str, op: operations.RunHook) -> None:
        begun: list[context.Context] = []

        def begin(model: model_.Model) -> model_.Model:
            model, found = lifecycle.begin(model, op, f'c{ended[0]}-{op.unit}', engine.clock())
            begun.append(found)
            return model

        engine.update(uuid, begin)
        await asyncio.sleep(0)
        done = context.Outcome(0)
        engine.update(uuid, lambda m: lifecycle.finish(m, begun[0], done, engine.clock()))
        ended[0] += 1

    engine.carry.update({
        operations.StartMachine: start,
        operations.DestroyMachine: destroy,
        operations.DeployCharm: deploy,
        operations.RunHook: run,
    })  # fmt: skip


def _ask(engine: engine_.Engine, uuid: str, request: requests.Request) -> dict[str, Any]:
    said: dict[str, Any] = {}

    def apply(model: model_.Model) -> model_.Model:
        model, result = change.apply(model, request, engine.clock())
        said.update(result)
        return model

    engine.update(uuid, apply)
    return said


def _deploy(engine: engine_.Engine, uuid: str, name: str, count: int, *, peers: bool) -> None:
    url = _ask(engine, uuid, requests.AddCharm(charm=_charm(name, peers=peers)))['url']
    _ask(engine, uuid, requests.Deploy(charm=url, num_units=count))


async def _until(engine: engine_.Engine, holds: Callable[[], bool]) -> None:
    while not holds():
        await engine.changed.wait(timeout=1.0)


def _idle(engine: engine_.Engine, uuid: str) -> bool:
    units = engine.models[uuid].units.values()
    return all(u.agent.started and u.agent_status.current == 'idle' for u in units)


async def _rate(units: int, *, peers: bool) -> tuple[float, float, int]:
    """Hooks a second of processor time once every unit has its charm, what a status takes then in ms, its bytes."""
    with tempfile.TemporaryDirectory() as folder:
        async with _engine(pathlib.Path(folder)) as (engine, uuid, ended):
            _deploy(engine, uuid, 'many', units, peers=peers)
            model = engine.models
            await _until(engine, lambda: all(u.agent.deployed for u in model[uuid].units.values()))
            before, began = ended[0], time.process_time()
            while time.process_time() - began < HOOKS_S and not _idle(engine, uuid):
                await engine.changed.wait(timeout=1.0)
            rate = (ended[0] - before) / (time.process_time() - began)
            began = time.process_time()
            text = json.dumps(status.status(model[uuid], engine.clock(), model.get))
            return rate, (time.process_time() - began) * 1000, len(text)


async def _one_change(beside: int) -> list[float]:
    """Milliseconds of processor time from a change of one unit's option to its agent at rest, beside others at rest."""
    with tempfile.TemporaryDirectory() as folder:
        async with _engine(pathlib.Path(folder)) as (engine, uuid, _):
            if beside:
                _deploy(engine, uuid, 'many', beside, peers=False)
            _deploy(engine, uuid, 'one', 1, peers=False)
            await _until(engine, lambda: _idle(engine, uuid))
            taken: list[float] = []
            for level in range(2, CHANGES + 2):
                began = time.process_time()
                _ask(engine, uuid, requests.SetConfig(application='one', options={'level': level}))
                await _until(engine, lambda: _idle_one(engine, uuid))
                taken.append((time.process_time() - began) * 1000)
            return taken


def _idle_one(engine: engine_.Engine, uuid: str) -> bool:
    return engine.models[uuid].units['one/0'].agent_status.current == 'idle'


def scale() -> Iterator[Figure]:
    """1,000 units with and without peers, a status of them, and a change of one unit alone and beside 300 at rest."""
    for peers in (False, True):
        said = 'with one peer relation' if peers else 'without peers'
        rate, shown, size = asyncio.run(_rate(UNITS, peers=peers))
        how = f'processor time of engine and store, no machines; {HOOKS_S:.0f} s of it'
        yield Figure(f'hooks of {UNITS} units {said}', rate, '/s', 15, True, how)
        how = f'{size / 1e6:.1f} MB of JSON, once'
        yield Figure(f'status of {UNITS} units {said}', shown, 'ms', 400, how=how)
    alone, beside = asyncio.run(_one_change(0)), asyncio.run(_one_change(IDLE))
    ratio = statistics.median(beside) / statistics.median(alone)
    how = f'alone {spread(alone)} ms; beside them {spread(beside)} ms'
    yield Figure(f'a change of one unit beside {IDLE} at rest, of alone', ratio, '', 1.5, how=how)
