"""A host without podman: no container can be made, none is there to be removed, and processes need none."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jujulet.core import charm
from jujulet.machines import directory_snapshot, podman, protocol

MODEL = '5e3a11c0-0000-4000-8000-000000000000'


@pytest.fixture
def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> podman.PodmanMachines:
    monkeypatch.setenv('PATH', str(tmp_path / 'nowhere'))
    return podman.PodmanMachines(tmp_path / 'state')


def test_a_machine_cannot_be_made_and_the_error_says_what_to_do(
    machines: podman.PodmanMachines,
) -> None:
    spec = protocol.MachineSpec(MODEL, 'm', '0', charm.Base('debian', '12'), 'juju-5e3a11-0')
    with pytest.raises(protocol.MachineError, match=r'podman is missing .*jujulet doctor'):
        asyncio.run(machines.ensure(spec, lambda _: None))


def test_a_machine_that_could_not_be_made_goes(machines: podman.PodmanMachines) -> None:
    asyncio.run(machines.destroy(MODEL, '0'))
    asyncio.run(machines.destroy_model(MODEL))


def test_there_is_nothing_to_put_right(machines: podman.PodmanMachines) -> None:
    """A controller of processes alone says of no model that not all is as it was."""
    asyncio.run(machines.recover({(MODEL, '0')}))


def test_machines_need_not_wait_until_what_others_have_left_is_deleted(
    machines: podman.PodmanMachines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten machines' files take a disk a minute; a `make up` right after `make down` began with that."""
    monkeypatch.setenv('PATH', '/usr/bin:/bin')

    def missing(_program: str) -> bool:
        return False

    monkeypatch.setattr('jujulet.machines.recover.there', missing)
    state = tmp_path / 'state'
    half_made, rubbish = state / 'layers' / '.new-1', state / 'rubbish' / 'of-a-machine'
    for folder in (half_made, rubbish):
        (folder / 'usr').mkdir(parents=True)
    remove = directory_snapshot.remove

    async def course() -> None:
        may_delete = asyncio.Event()

        async def slowly(*paths: Path) -> None:
            await may_delete.wait()
            await remove(*paths)

        monkeypatch.setattr(directory_snapshot, 'remove', slowly)
        await machines.recover(set())
        assert rubbish.exists(), 'nothing was deleted yet, and the controller goes on'
        assert not half_made.exists(), 'but nobody takes it for a layer'
        may_delete.set()
        await machines.settle()
        assert not list((state / 'rubbish').iterdir())

    asyncio.run(asyncio.wait_for(course(), 30))


def test_who_waits_for_a_machines_agent_still_does_when_it_is_tried_again(
    machines: podman.PodmanMachines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sockets went with the files of the first attempt: the agent of the second one found nobody."""
    spec = protocol.MachineSpec(MODEL, 'm', '0', charm.Base('debian', '12'), 'juju-5e3a11-0')
    socket = machines.run_dir(MODEL, '0') / protocol.AGENT_SOCKET
    socket.touch()

    async def absent(_model: str, _machine: str) -> None:
        return None

    async def made(_spec: protocol.MachineSpec, _progress: object) -> None:
        machines.folders.keep_spec(spec)
        raise protocol.MachineError('the container does not start: the host is busy')

    monkeypatch.setattr(machines, '_inspect', absent)
    monkeypatch.setattr(machines, '_make', made)
    with pytest.raises(protocol.MachineError, match='the host is busy'):
        asyncio.run(machines.ensure(spec, lambda _: None))
    assert socket.exists()
    assert not machines.folders.folder(MODEL, '0').exists()
