"""Whatever moment was missed, a machine gets to know the subnets of its spaces at the next occasion."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from jujulet.core import charm, model
from jujulet.machines import (
    commands,
    inside,
    kernel,
    overlays,
    podman,
    protocol,
    recover,
    routes,
    state_folders,
    tools,
)

MODEL = '5e3a11c0-0000-4000-8000-000000000000'
NARROW = model.Space('db', '10.1.0.0/24')
WIDE = dataclasses.replace(NARROW, more=(model.Subnet('10.2.0.0/24', network='db--2'),))


def spec(machine: str, space: model.Space = WIDE, address: str = '') -> protocol.MachineSpec:
    return protocol.MachineSpec(
        MODEL,
        'm',
        machine,
        charm.Base('debian', '12'),
        f'juju-5e3a11-{machine}',
        addresses=(model.Address('db', address or f'10.1.0.1{machine}'),),
        spaces={'db': space},
    )


class Host:
    """What was done in machines, whose process 1 has the machine's number and two zeros."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        self.folder = folder
        self.laid: list[str] = []
        self.fails = False
        monkeypatch.setattr(routes, 'run', self.run)

    async def run(self, argv: Sequence[str]) -> str:
        words = dict(enumerate(argv))
        self.laid.append(f'{words[1].partition("=")[2]} {words[7]} via {words[9]}')
        if self.fails:
            raise tools.Failed(argv, 2, '', 'Error: Nexthop has invalid gateway.')
        return ''

    def pidfile(self, pid: str) -> Path:
        (self.folder / 'pid').write_text(pid)
        return self.folder / 'pid'


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


def test_what_failed_is_laid_again_and_what_is_known_is_not(host: Host):
    ways = routes.Routes()
    laid = 'via 10.1.0.1'

    async def course() -> None:
        host.fails = True
        await ways.lay(spec('1'), host.pidfile('100'))
        host.fails = False
        for _ in range(2):
            await ways.lay(spec('1'), host.pidfile('100'))
        assert host.laid == [f'100 10.2.0.0/24 {laid}'] * 2
        await ways.lay(spec('1'), host.pidfile('101'))  # It was started anew.
        assert host.laid[2:] == [f'101 10.2.0.0/24 {laid}']
        ways.forget(MODEL, '1')
        await ways.lay(spec('1'), host.pidfile('101'))
        assert len(host.laid) == 4
        await ways.lay(spec('1'), host.pidfile(''))  # It goes at this moment.
        await ways.lay(spec('1'), host.folder / 'nowhere')
        assert len(host.laid) == 4

    asyncio.run(course())


def test_a_subnet_that_goes_to_another_space_and_back_is_reached_by_its_space(host: Host):
    ways = routes.Routes()
    addresses = (model.Address('a', '10.8.0.9'), model.Address('db', '10.1.0.9'))
    more = WIDE.more

    def both(a: tuple[model.Subnet, ...], db: tuple[model.Subnet, ...]) -> protocol.MachineSpec:
        spaces = {
            'a': model.Space('a', '10.8.0.0/24', more=a),
            'db': dataclasses.replace(NARROW, more=db),
        }
        return dataclasses.replace(spec('1'), addresses=addresses, spaces=spaces)

    async def course() -> None:
        for each in (both((), more), both(more, ()), both((), more)):
            await ways.lay(each, host.pidfile('100'))

    asyncio.run(course())
    assert [line.split()[-1] for line in host.laid] == ['10.1.0.1', '10.8.0.1', '10.1.0.1']


def test_who_was_made_while_its_space_grew_learns_of_the_new_subnet():
    now = {'1': spec('1'), '2': spec('2')}

    def current(_model: str, machine: str) -> protocol.MachineSpec | None:
        return now.get(machine)

    def known() -> list[str]:
        return ['1', '2', '3']

    assert routes.learners(spec('1', NARROW), known, current) == [now['1'], now['2']]
    assert routes.learners(spec('4', NARROW), known, current) == []


def bench(host: Host, monkeypatch: pytest.MonkeyPatch) -> podman.PodmanMachines:
    machines = podman.PodmanMachines(host.folder / 'state')

    def runs(_seen: Any) -> bool:
        return True

    async def inspect(_model: str, machine: str) -> dict[str, Any]:
        return {'State': {'Pid': int(f'{machine}00')}}

    def watch(name: str, machine: str, pid: int) -> None:
        machines._watched[name, machine] = pid  # pyright: ignore[reportPrivateUsage]
        pidfile = commands.pidfile(machines.root(name, machine))
        pidfile.parent.mkdir(parents=True, exist_ok=True)
        pidfile.write_text(str(pid))

    def keys(_spec: Any, _root: Path) -> None:
        pass

    monkeypatch.setattr(recover, 'runs', runs)
    monkeypatch.setattr(inside, 'keep_keys', keys)
    monkeypatch.setattr(machines, '_inspect', inspect)
    monkeypatch.setattr(machines, '_watch', watch)
    return machines


def test_a_machine_that_runs_as_the_controller_starts_is_given_what_it_lacks(
    host: Host, monkeypatch: pytest.MonkeyPatch
):
    machines = bench(host, monkeypatch)
    progress: Callable[[str], None] = lambda _: None  # noqa: E731
    asyncio.run(machines.ensure(spec('1'), progress))
    assert host.laid == ['100 10.2.0.0/24 via 10.1.0.1']
    asyncio.run(machines.ensure(spec('2', NARROW), progress))
    assert len(host.laid) == 1


def test_others_learn_what_they_lack_with_every_machine_that_comes(
    host: Host, monkeypatch: pytest.MonkeyPatch
):
    """Not with the first one alone: that may have failed before it came to that."""
    machines = bench(host, monkeypatch)
    wanted = {'1': spec('1'), '2': spec('2', address='10.2.0.12')}

    def current(_model: str, machine: str) -> protocol.MachineSpec | None:
        return wanted.get(machine)

    def known(_folders: object) -> dict[tuple[str, str], dict[str, str]]:
        return {(MODEL, each): {'hostname': each, 'address': ''} for each in wanted}

    def there(_model: str, _machine: str) -> overlays.Stack:
        return overlays.Stack('base')

    machines.current = current
    monkeypatch.setattr(state_folders.StateFolders, 'known', known)
    monkeypatch.setattr(machines.overlays, 'stack', there)
    monkeypatch.setattr(kernel, 'provide', mock.Mock())
    monkeypatch.setattr(inside, 'prepare', mock.Mock())
    machines.networks = mock.AsyncMock()
    machines.runtimes = mock.AsyncMock()
    monkeypatch.setattr(machines.overlays, 'mount', mock.AsyncMock())
    for machine in wanted:
        machines._watch(MODEL, machine, int(f'{machine}00'))  # pyright: ignore[reportPrivateUsage]
    make = machines._make  # pyright: ignore[reportPrivateUsage]
    for _ in range(2):
        asyncio.run(make(wanted['2'], mock.Mock()))
    assert sorted(host.laid) == ['100 10.2.0.0/24 via 10.1.0.1', '200 10.1.0.0/24 via 10.2.0.1']
