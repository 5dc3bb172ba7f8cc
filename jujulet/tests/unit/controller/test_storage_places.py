"""What becomes of a storage instance while its place on the machine is made."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
import sys
import types
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from jujulet.controller import hookrun
from jujulet.core import charm, consistency, model, operations, requests
from jujulet.machines import protocol

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'core'))

import simulation

MANY = charm.StorageMeta('data', 'filesystem', minimum=0, maximum=3)
THERE = charm.StorageMeta('data', 'filesystem', location='/srv/data')


class Bench:
    """Makes the place of a unit's first instance, while something else may happen to the model."""

    def __init__(self, world: simulation.World, folder: pathlib.Path):
        self.models = {'u': world.model}
        self.made: list[str] = []
        self.meanwhile: Callable[[], object] = lambda: None
        engine = mock.Mock(models=self.models, update=self.update)
        engine.clock.return_value = world.now
        machines = engine.machines_of.return_value
        machines.root.return_value, machines.prefix.return_value = folder, ''
        provision = mock.Mock()
        provision.link.return_value = self
        self.hooks = hookrun.HookRun(engine, provision, mock.Mock(), mock.Mock(), folder)

    def update(self, uuid: str, change: Callable[[model.Model], model.Model]) -> None:
        self.models[uuid] = change(self.models[uuid])

    async def capture(self, argv: tuple[str, ...], **_: Any) -> tuple[Any, bytes, bytes]:
        self.made.append(argv[-1])
        self.meanwhile()
        return types.SimpleNamespace(returncode=0), b'', b''

    def attach(self, unit: str, sid: str) -> model.Storage:
        asyncio.run(self.hooks.attach_storage('u', operations.AttachStorage(unit, sid)))
        return self.models['u'].storage[sid]


def test_a_subordinate_waits_until_the_folder_is_free(tmp_path: pathlib.Path):
    """Nobody asked for it, so nobody could be refused."""
    world = simulation.World()
    world.deploy(simulation.a_charm('a', storage={'data': THERE}))
    first = world.model.storage['data/0']
    second = dataclasses.replace(first, id='data/1')
    left = dataclasses.replace(first, owner='', machine='0')
    storage = {'data/0': left, 'data/1': second}
    world.model = dataclasses.replace(world.model, storage=storage)
    bench = Bench(world, tmp_path)
    with pytest.raises(protocol.MachineError, match='juju remove-storage data/0 makes room'):
        bench.attach('a/0', 'data/1')
    assert bench.made == []
    elsewhere = dataclasses.replace(left, machine='1')
    world.model = dataclasses.replace(world.model, storage={**storage, 'data/0': elsewhere})
    assert Bench(world, tmp_path).attach('a/0', 'data/1').attached


@pytest.mark.parametrize('owner', ['', 'b/0'])
def test_what_was_released_meanwhile_is_not_in_place(tmp_path: pathlib.Path, owner: str):
    world = simulation.World()
    world.deploy(simulation.a_charm('b', storage={'data': MANY}))
    world.deploy(simulation.a_charm('a', storage={'data': MANY}), to=('0',), storage={'data': '1'})
    bench = Bench(world, tmp_path)

    def released() -> None:
        world.ask(requests.RemoveStorage(ids=('data/0',), detach=True))
        if owner:
            world.ask(requests.AttachStorage(unit=owner, ids=('data/0',)))
        bench.models['u'] = world.model

    bench.meanwhile = released
    found = bench.attach('a/0', 'data/0')
    assert bench.made == ['/var/lib/juju/storage/data/0']
    assert (found.owner, found.attached) == (owner, False)
    assert not list(consistency.storage(bench.models['u']))
