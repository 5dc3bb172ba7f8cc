"""What Tempest needs is made, and taken away again; what was there before stays."""

from __future__ import annotations

import pathlib
import sys
import types
from typing import Any

import pytest

sys.path.insert(
    0, str(pathlib.Path(__file__).parents[2] / 'tools')
)  # As `python tools/run_tempest.py` has it.

from tools import servers, tempest_needs, tempest_servers


@pytest.fixture(autouse=True)
def an_image(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    guest = tmp_path / 'guest.raw'
    guest.write_bytes(b'a guest')

    def ensure(_: object) -> pathlib.Path:
        return guest

    monkeypatch.setattr(tempest_needs.build, 'ensure', ensure)


class Cloud:
    """One that remembers what is made in it."""

    def __init__(self, *roles: str, pools: tuple[str, ...] = ()):
        self.said: list[str] = []
        self.roles = [types.SimpleNamespace(id=f'id-of-{r}', name=r) for r in roles]
        self.pools = list(pools)
        self.client = types.SimpleNamespace(
            image=types.SimpleNamespace(
                update_image=self._told('image'), create_image=self._uploaded
            ),
            network=types.SimpleNamespace(
                update_network=self._told('network'),
                create_subnet_pool=self._pooled,
                delete_subnet_pool=self.pools.remove,
                subnet_pools=self._found,
            ),
            identity=types.SimpleNamespace(
                roles=lambda: iter(self.roles),
                create_role=self._create,
                delete_role=self._delete,
                put=self.said.append,
            ),
        )

    def _told(self, what: str) -> Any:
        def told(uuid: str, **said: Any) -> None:
            self.said.append(f'{what} {uuid} {said}')

        return told

    def _uploaded(self, name: str, **said: Any) -> Any:
        self.said.append(f'{name} {said["visibility"]} {said["data"]}')
        return types.SimpleNamespace(id='other')

    def _pooled(self, name: str, **_: Any) -> None:
        self.pools.append(name)

    def _found(self, name: str) -> list[str]:
        return [p for p in self.pools if p == name]

    def _create(self, name: str) -> Any:
        self.roles.append(types.SimpleNamespace(id=f'id-of-{name}', name=name))
        return self.roles[-1]

    def _delete(self, uuid: str) -> None:
        self.roles = [r for r in self.roles if r.id != uuid]

    def proof(self) -> servers.Proof:
        made = {'image': 'i', 'external': 'e'}
        return servers.Proof(types.SimpleNamespace(), self.client, made)  # type: ignore[arg-type]

    def names(self) -> list[str]:
        return [r.name for r in self.roles]


def test_the_image_is_for_all_and_a_project_without_a_network_can_have_one():
    cloud = Cloud('member', 'admin')
    with tempest_needs.made(cloud.proof()):
        assert cloud.pools == ['rambla-proof']
        assert cloud.names() == ['member', 'admin', 'manager']
    assert cloud.said == [
        "image i {'visibility': 'public'}",
        "rambla-proof-other public b'a guest'",
        "network e {'is_default': True}",
        '/roles/id-of-manager/implies/id-of-member',
    ]
    assert cloud.names() == ['member', 'admin']
    assert cloud.pools == []


def test_a_role_that_keystone_has_made_stays():
    cloud = Cloud('member', 'manager')
    with tempest_needs.made(cloud.proof()):
        pass
    assert cloud.names() == ['member', 'manager']


def test_it_is_taken_away_when_the_run_is_stopped_and_what_another_has_left_before():
    cloud = Cloud('member', pools=('rambla-proof', 'mine'))
    with pytest.raises(KeyboardInterrupt), tempest_needs.made(cloud.proof()):
        assert cloud.pools == ['mine', 'rambla-proof']
        raise KeyboardInterrupt
    assert cloud.pools == ['mine']
    assert cloud.names() == ['member']


def test_a_host_without_ping_is_told_of_it_before_anything_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
):
    monkeypatch.setenv('PATH', str(tmp_path))
    nobody: Any = object()
    with (
        pytest.raises(RuntimeError, match='install iputils-ping'),
        tempest_servers.made(nobody, nobody),
    ):
        pass


def test_what_tempest_left_goes_before_the_network_that_it_hangs_on_at_the_end_too(
    monkeypatch: pytest.MonkeyPatch,
):
    gone: list[str] = []

    def noted(what: str) -> Any:
        return lambda *_: gone.append(what) or ''  # type: ignore[func-returns-value]

    def stops(*_: object) -> None:
        gone.append('the run')
        raise RuntimeError('no host is up')

    monkeypatch.setattr(tempest_servers.cloud_, 'connect', noted('nothing'))
    monkeypatch.setattr(tempest_servers.tempest_leftovers, 'swept', noted("Tempest's"))
    monkeypatch.setattr(tempest_servers, 'sweep', noted('ours'))
    monkeypatch.setattr(tempest_servers.servers, 'host', stops)
    monkeypatch.setattr(tempest_servers.shutil, 'which', noted('nothing'))
    nobody: Any = object()
    with pytest.raises(RuntimeError, match='no host'), tempest_servers.made(nobody, nobody):
        pass
    assert [what for what in gone if what != 'nothing'] == [
        *("Tempest's", 'ours', 'the run', "Tempest's", 'ours')
    ]
