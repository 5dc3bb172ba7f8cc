"""Debian machines name a release of Ubuntu in one file, where that is asked for, and nowhere else."""

from __future__ import annotations

import dataclasses
import pathlib

import pytest
import simulation
from simulation import World

from jujulet.core import bases, charm, layers, model, requests, status
from jujulet.machines import inside, protocol

A = simulation.a_charm('a')


def asked(world: World, release: str = 'ubuntu@24.04') -> World:
    world.ask(requests.SetModelConfig(options={'lsb-release': release}))
    return world


def messages(world: World) -> list[str]:
    m = world.model
    return [
        status.machine(m, each)['machine-status'].get('message', '')
        for each in m.machines.values()
    ]


def test_it_is_off_by_default_and_for_machines_to_come():
    world = World()
    world.deploy(A)
    asked(world)
    world.ask(requests.AddUnit(application='a'))
    world.settle()
    assert [m.lsb_release for m in world.model.machines.values()] == ['', 'ubuntu@24.04']
    assert messages(world) == ['Running', 'Running; /etc/lsb-release says ubuntu@24.04']


def test_machines_that_are_ubuntu_or_processes_are_left_alone():
    world = asked(World())
    world.ask(requests.AddMachine(base='ubuntu@24.04'))
    world.model = dataclasses.replace(world.model, machines_kind='process')
    world.ask(requests.AddMachine(base='debian@12'))
    assert [m.lsb_release for m in world.model.machines.values()] == ['', '']


@pytest.mark.parametrize('release', ['debian@12', 'ubuntu@1.0', 'nonsense!', 'fedora@40'])
def test_what_is_no_release_of_ubuntu_is_refused(release: str):
    with pytest.raises(model.Refused, match=r'^invalid lsb-release: '):
        asked(World(), release)


def test_a_series_stands_for_its_release_and_nothing_turns_it_off():
    world = asked(asked(World(), 'noble'), '')
    world.ask(requests.AddMachine(base='debian@12'))
    assert world.model.machines['0'].lsb_release == ''


def test_the_file_is_as_ubuntu_has_it(tmp_path: pathlib.Path):
    """Source: ``/etc/lsb-release`` of package base-files 13ubuntu10 (24.04)."""
    said = bases.lsb_release('ubuntu@24.04')
    assert said.splitlines()[:3] == [
        'DISTRIB_ID=Ubuntu',
        'DISTRIB_RELEASE=24.04',
        'DISTRIB_CODENAME=noble',
    ]
    spec = protocol.MachineSpec('uuid', 'm', '0', charm.Base('debian', '12'), 'host')
    (tmp_path / 'etc').mkdir()
    (tmp_path / 'etc/os-release').write_text('ID=debian\n')
    inside.prepare(spec, tmp_path, ())
    assert not (tmp_path / 'etc/lsb-release').exists()
    inside.prepare(dataclasses.replace(spec, id='1', lsb_release=said), tmp_path, ())
    assert (tmp_path / 'etc/lsb-release').read_text() == said
    assert (tmp_path / 'etc/os-release').read_text() == 'ID=debian\n'


@pytest.mark.parametrize(('machine', 'layer'), [('0', ''), ('1', 'key')])
def test_what_a_charm_made_of_the_file_stays(tmp_path: pathlib.Path, machine: str, layer: str):
    """At a machine's next start, and on a machine that stands on what the charm installed."""
    spec = protocol.MachineSpec(
        'uuid', 'm', '0', charm.Base('debian', '12'), 'host', lsb_release='ubuntu'
    )
    inside.prepare(spec, tmp_path, ())
    (tmp_path / 'etc/lsb-release').write_text('of the charm')
    inside.prepare(dataclasses.replace(spec, id=machine, layer=layer), tmp_path, ())
    assert (tmp_path / 'etc/lsb-release').read_text() == 'of the charm'


def test_what_one_left_behind_is_not_what_another_starts_from():
    world = World()
    world.deploy(A)
    asked(world)
    world.ask(requests.AddUnit(application='a', num_units=2))
    families = [layers.family(world.model, f'a/{n}') for n in range(3)]
    assert families[0] != families[1] == families[2]
