"""A bridge that goes while it is looked at is none: others' networks come and go beside ours."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import json
import pathlib
from typing import Any

import pytest

from jujulet.machines import bridges


@pytest.fixture
def net(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """What the kernel shows of interfaces: one bridge, with a port."""
    port = tmp_path / 'podman1/brif/veth0'
    port.mkdir(parents=True)
    (port / 'hairpin_mode').write_text('1\n')
    (tmp_path / 'podman1/addr_assign_type').write_text('0\n')
    (tmp_path / 'podman1/address').write_text('00:16:3e:00:00:01\n')
    monkeypatch.setattr(bridges, '_NET', tmp_path)
    return tmp_path


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the kernel was told."""
    found: list[bytes] = []

    def ioctl(_: object, __: int, what: bytes) -> None:
        found.append(what)

    monkeypatch.setattr(fcntl, 'ioctl', ioctl)
    return found


def fails(monkeypatch: pytest.MonkeyPatch, name: str, code: int) -> None:
    """Reading files of that name fails."""
    read = pathlib.Path.read_text

    def read_text(self: pathlib.Path, *args: Any, **more: Any) -> str:
        if self.name == name:
            raise OSError(code, 'no')
        return read(self, *args, **more)

    monkeypatch.setattr(pathlib.Path, 'read_text', read_text)


def test_its_address_is_set_once(net: pathlib.Path, told: list[bytes]):
    bridges.hold(['podman1', 'podman2'])
    (one,) = told
    assert one.startswith(b'podman1\0')
    assert one.endswith(bytes.fromhex('00163e000001') + bytes(8))
    (net / 'podman1/addr_assign_type').write_text('3\n')
    bridges.hold(['podman1'])
    assert len(told) == 1


@pytest.mark.parametrize('code', [errno.EINVAL, errno.ENOENT, errno.ENODEV])
@pytest.mark.parametrize('name', ['address', 'addr_assign_type'])
def test_one_that_goes_is_left_alone(
    net: pathlib.Path, told: list[bytes], monkeypatch: pytest.MonkeyPatch, name: str, code: int
):
    fails(monkeypatch, name, code)
    bridges.hold(['podman1'])
    assert told == []


def test_what_is_wrong_otherwise_is_heard_of(net: pathlib.Path, monkeypatch: pytest.MonkeyPatch):
    def ioctl(*_: object) -> None:
        raise OSError(errno.EPERM, 'no')

    monkeypatch.setattr(fcntl, 'ioctl', ioctl)
    with pytest.raises(PermissionError):
        bridges.hold(['podman1'])
    fails(monkeypatch, 'address', errno.EACCES)
    with pytest.raises(PermissionError):
        bridges.hold(['podman1'])


def test_a_port_sends_nothing_back_and_may_go(net: pathlib.Path, monkeypatch: pytest.MonkeyPatch):
    mode = net / 'podman1/brif/veth0/hairpin_mode'
    bridges.send_nothing_back(['podman1', 'podman2'])
    assert mode.read_text() == '0'
    mode.write_text('1\n')
    fails(monkeypatch, 'hairpin_mode', errno.EINVAL)
    bridges.send_nothing_back(['podman1'])


def test_networks_are_of_the_space_that_they_say_or_are_called_after(
    monkeypatch: pytest.MonkeyPatch,
):
    def network(bridge: str, name: str, state: str, space: str = '') -> dict[str, Any]:
        labels = {'jujulet.state': state, 'jujulet.model': 'u'}
        labels |= {bridges.SPACE: space} if space else {}
        return {'name': name, 'network_interface': bridge, 'labels': labels}

    listed = [
        network('p1', 'jujulet-abc-my-space', 'one'),
        network('p2', 'jujulet-abc-my-space--2', 'one', 'my-space'),
        network('p3', 'jujulet-abc-other', 'one', 'other'),
        network('p4', 'jujulet-abc-my-space', 'two', 'my-space'),
    ]

    async def run(_argv: object) -> str:
        return json.dumps(listed)

    monkeypatch.setattr(bridges, 'run', run)
    assert asyncio.run(bridges.spaces()) == [['p1', 'p2'], ['p3'], ['p4']]
    assert asyncio.run(bridges.names()) == ['p1', 'p2', 'p3', 'p4']
