"""LXCFS ends between the look for it and the start of a machine's container: the machine starts without it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jujulet.core import charm
from jujulet.machines import (
    commands,
    devices,
    inside,
    kernel,
    overlays,
    podman,
    procfiles,
    protocol,
    tools,
)

SPEC = protocol.MachineSpec('uuid', 'cloud', '0', charm.Base('debian', '12'), 'h')
HOST = commands.Host('runc', (), 1024, 1024, cgroupfs=True)


def says(value: object) -> Callable[..., object]:
    def said(*_args: object) -> object:
        return value

    return said


class Bench:
    """A host whose podman gives up on files of LXCFS once that has ended."""

    def __init__(self, machines: podman.PodmanMachines, monkeypatch: pytest.MonkeyPatch):
        self.machines, self.runs, self.lxcfs = machines, False, ('uptime',)
        self.argvs: list[tuple[str, ...]] = []

        async def nothing(*_args: object, **_named: object) -> None:
            pass

        def plain(*_args: object) -> None:
            pass

        async def mount(*_args: object) -> Path:
            return machines.root(SPEC.model, SPEC.id)

        async def run(argv: Any, _clean: Any) -> None:
            self.argvs.append(argv(HOST))
            self.lxcfs = ()
            if any('lxcfs' in word for word in self.argvs[-1]):
                raise protocol.MachineError('runc: transport endpoint is not connected')

        async def start(argv: list[str]) -> str:
            self.lxcfs = ()
            raise tools.Failed(argv, 126, '', 'transport endpoint is not connected')

        for name in ('_networks', '_lay_routes', '_remove_container', '_inspect'):
            monkeypatch.setattr(machines, name, nothing)
        for name in ('_watch_started', '_update_hosts'):
            monkeypatch.setattr(machines, name, plain)
        monkeypatch.setattr(machines.overlays, 'mount', mount)
        monkeypatch.setattr(machines.overlays, 'stack', says(overlays.Stack('base')))
        monkeypatch.setattr(machines.networks, 'steady', nothing)
        monkeypatch.setattr(machines.runtimes, 'run', run)
        monkeypatch.setattr(machines, 'current', says(SPEC))
        monkeypatch.setattr(kernel, 'provide', plain)
        monkeypatch.setattr(inside, 'prepare', plain)
        monkeypatch.setattr(inside, 'place_agent', plain)
        monkeypatch.setattr(devices, 'nodes', says(dict[str, Path]()))
        monkeypatch.setattr(podman, 'run', start)
        monkeypatch.setattr(procfiles, 'there', lambda: self.lxcfs)
        machines.folders.keep_spec(SPEC)

    @property
    def asked(self) -> str:
        return self.machines.folders.given(SPEC.model, SPEC.id).asked


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(podman.PodmanMachines(tmp_path / 'state'), monkeypatch)


def test_a_new_machine_is_made_without_it(bench: Bench) -> None:
    asyncio.run(bench.machines.ensure(SPEC, lambda _: None))
    assert ['lxcfs' in ' '.join(argv) for argv in bench.argvs] == [True, False]
    assert bench.asked == '', 'it gets the files at its next start, once LXCFS is back'


def test_another_failure_is_said_and_not_tried_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(procfiles, 'there', lambda: ('uptime',))
    with pytest.raises(protocol.MachineError, match='not connected'):
        asyncio.run(bench.machines.ensure(SPEC, lambda _: None))
    assert len(bench.argvs) == 1


def test_a_machine_that_was_stopped_is_made_anew_without_it(bench: Bench) -> None:
    given = asyncio.run(devices.given(SPEC, bench.lxcfs))
    bench.machines.folders.keep_given(SPEC.model, SPEC.id, given)
    asyncio.run(bench.machines.start(SPEC.model, SPEC.id))
    assert ['lxcfs' in ' '.join(argv) for argv in bench.argvs] == [False]
    assert bench.asked == ''
