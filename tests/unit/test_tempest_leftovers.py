"""What an interrupted run of Tempest has left goes, and nothing else does."""

from __future__ import annotations

import pathlib
import sys
import types
from typing import Any

import pytest

sys.path.insert(
    0, str(pathlib.Path(__file__).parents[2] / 'tools')
)  # As `python tools/run_tempest.py` has it.

from tools import servers, tempest_leftovers


def resource(name: str | None, project: str = 'admin') -> Any:
    return types.SimpleNamespace(id=name, name=name, project_id=project, device_owner='')


class Cloud:
    """One with resources of each kind in three projects, of which one is Tempest's."""

    def __init__(self, *, stuck: bool = False):
        self.stuck = stuck
        self.gone: list[str] = []
        self.there = {
            kind: [
                resource(f'{kind}-of-tempest', 'p1'),
                resource(f'tempest-{kind}'),
                resource(f'{kind}-of-mine', 'p2'),
                resource(None, 'p2'),
            ]
            for kind in (
                'server',
                'snapshot',
                'volume',
                'ip',
                'router',
                'network',
                'group',
                'pool',
            )
        }
        projects = [
            types.SimpleNamespace(id='p1', name='tempest-ServersTest-1'),
            types.SimpleNamespace(id='p2', name='tempestuous'),
            types.SimpleNamespace(id='admin', name='admin'),
        ]
        self.client: Any = types.SimpleNamespace(
            identity=types.SimpleNamespace(projects=lambda: iter(projects)),
            has_service=lambda _: True,  # pyright: ignore[reportUnknownLambdaType]
            compute=types.SimpleNamespace(
                servers=self._all('server'), delete_server=self._remove('server')
            ),
            block_storage=types.SimpleNamespace(
                snapshots=self._all('snapshot'), delete_snapshot=self._remove('snapshot'),
                volumes=self._all('volume'), delete_volume=self._remove('volume'),
            ),
            network=types.SimpleNamespace(
                ips=self._all('ip'), delete_ip=self._remove('ip'),
                routers=self._all('router'), delete_router=self._remove('router'),
                networks=self._all('network'), delete_network=self._remove('network'),
                security_groups=self._all('group'), delete_security_group=self._remove('group'),
                subnet_pools=self._all('pool'), delete_subnet_pool=self._remove('pool'),
                ports=lambda **_: iter(()),  # pyright: ignore[reportUnknownLambdaType]
            ),
        )  # fmt: skip

    def _all(self, kind: str) -> Any:
        def every(**query: Any) -> Any:
            wanted = {'all_projects': True} if kind in ('server', 'snapshot', 'volume') else {}
            assert query == wanted
            return iter([*self.there[kind]])

        return every

    def _remove(self, kind: str) -> Any:
        def remove(each: Any) -> None:
            self.gone.append(each.name)
            if not self.stuck:
                self.there[kind].remove(each)

        return remove


def test_what_is_in_tempests_projects_or_has_its_name_goes_in_order_and_nothing_else_does():
    cloud = Cloud()
    said = tempest_leftovers.swept(cloud.client)
    assert said.startswith('2 servers, 2 snapshots, 2 volumes, 2 floating addresses, 2 routers')
    kinds = ('server', 'snapshot', 'volume', 'ip', 'router', 'network', 'group', 'pool')
    assert cloud.gone == [n for k in kinds for n in (f'{k}-of-tempest', f'tempest-{k}')]
    left = {each.name for every in cloud.there.values() for each in every}
    assert left == {None, *(f'{k}-of-mine' for k in kinds)}


def test_a_cloud_that_no_run_was_interrupted_in_is_left_alone():
    cloud = Cloud()
    tempest_leftovers.swept(cloud.client)
    cloud.gone.clear()
    assert tempest_leftovers.swept(cloud.client) == ''
    assert cloud.gone == []


def test_a_server_that_does_not_go_is_told_with_whose_log_says_why(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(tempest_leftovers, 'SETTLE_S', 0.0)
    with pytest.raises(servers.Failed, match=r'a server was left .*nova-compute/0'):
        tempest_leftovers.swept(Cloud(stuck=True).client)
