"""A unit's machine waits for what another unit of its charm installs, and looks nothing up while it waits."""

from __future__ import annotations

import dataclasses
import pathlib
import sys
import types

import pytest

from jujulet import codec
from jujulet.controller import installcache
from jujulet.core import layers, model

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'core'))

import simulation

UUID = 'u-u-i-d'


@dataclasses.dataclass
class Disk:
    """The layers that are there, and how often somebody has looked."""

    keys: tuple[str, ...] = ()
    looked: int = 0

    def layers(self) -> list[types.SimpleNamespace]:
        self.looked += 1
        return [types.SimpleNamespace(key=key) for key in self.keys]


@pytest.fixture
def two() -> model.Model:
    """Two new units of one application, each on a machine of its own."""
    world = simulation.World()
    world.deploy(simulation.a_charm('a'), num_units=2)
    return dataclasses.replace(world.model, machines_kind='container')


@dataclasses.dataclass
class Engine:
    """As far as the cache asks it."""

    two: model.Model
    disk: Disk = dataclasses.field(default_factory=Disk)
    written: dict[str, object] = dataclasses.field(default_factory=dict[str, object])

    @property
    def models(self) -> dict[str, model.Model]:
        return {UUID: self.two}

    @property
    def store(self) -> types.SimpleNamespace:
        return types.SimpleNamespace(layers=lambda: self.written)

    def machines_of(self, _uuid: str) -> Disk:
        return self.disk

    def clock(self) -> float:
        return 0.0

    def cache(self) -> installcache.InstallCache:
        return installcache.InstallCache(self)  # type: ignore[arg-type]

    def keep(self) -> None:
        """A layer of the application, whose install hook has asked nothing."""
        family = layers.family(self.two, 'a/0')
        said = {'family': family, 'recording': codec.encode(layers.Recording())}
        self.written = {'k': said}
        self.disk.keys = ('k',)

    def installed(self, unit: str) -> None:
        of = self.two.units[unit]
        done = dataclasses.replace(of, agent=dataclasses.replace(of.agent, installed=True))
        self.two = dataclasses.replace(self.two, units={**self.two.units, unit: done})


def test_one_that_waits_is_asked_often_and_looks_nothing_up(two: model.Model):
    engine = Engine(two)
    cache = engine.cache()
    assert cache.awaited(UUID, '0') == ''
    looked = engine.disk.looked
    assert {cache.awaited(UUID, '1') for _ in range(100)} == {'a/0'}
    assert engine.disk.looked == looked


def test_it_starts_from_what_was_installed(two: model.Model):
    engine = Engine(two)
    cache = engine.cache()
    assert (cache.awaited(UUID, '0'), cache.awaited(UUID, '1')) == ('', 'a/0')
    engine.keep()
    engine.installed('a/0')
    assert cache.awaited(UUID, '1') == ''
    assert cache.layer_for(UUID, '1') == 'k'


def test_it_installs_by_itself_when_nothing_was_kept(two: model.Model):
    engine = Engine(two)
    cache = engine.cache()
    assert (cache.awaited(UUID, '0'), cache.awaited(UUID, '1')) == ('', 'a/0')
    engine.installed('a/0')
    assert (cache.awaited(UUID, '1'), cache.layer_for(UUID, '1')) == ('', '')


def test_one_that_starts_from_a_layer_is_not_waited_for(two: model.Model):
    engine = Engine(two)
    engine.keep()
    cache = engine.cache()
    assert (cache.awaited(UUID, '0'), cache.awaited(UUID, '1')) == ('', '')
