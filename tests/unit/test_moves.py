"""The proof that a server moves: it fails where the server did not, was started anew, or has lost what it had."""

from __future__ import annotations

import dataclasses
import pathlib
import sys
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

sys.path.insert(
    0, str(pathlib.Path(__file__).parents[2] / 'tools')
)  # Its modules import each other so.

from tools import moves, servers

pytestmark = pytest.mark.timeout(60)

TEXT = 'abc'


@dataclasses.dataclass
class Nova:
    """One with a server on node-0 whose guest answers; what goes wrong is said beforehand."""

    to: str = 'node-1'
    """Where a move takes it."""
    ends: str = ''
    """The status of the migration, where it is none of success."""
    fault: str = ''
    """Makes it end in ERROR."""
    reboots: bool = False
    mute: bool = False
    """It does not answer any more once it has moved."""
    loses: bool = False
    """What was written on its volume is gone."""
    stays_bound: bool = False
    detaches: bool = False
    busy: str = ''
    """What nova goes on doing to it."""
    host: str = 'node-0'
    status: str = 'ACTIVE'
    asked: list[str] = dataclasses.field(default_factory=list[str])
    on_disk: str = TEXT

    # The calls of openstacksdk.

    def get_server(self, _: str) -> Any:
        fault = {'message': self.fault} if self.fault else None
        return types.SimpleNamespace(
            status=self.status, compute_host=self.host, task_state=self.busy or None, fault=fault
        )

    def live_migrate_server(self, _: str) -> None:
        self.asked.append('live')
        self._move('ACTIVE')

    def create_flavor(self, **said: Any) -> Any:
        self.asked.append(f'flavor {said["name"]} {said["ram"]}')
        return types.SimpleNamespace(id='larger')

    def resize_server(self, _: str, flavor: str) -> None:
        self.asked.append(f'resize {flavor}')
        self._move('VERIFY_RESIZE')

    def confirm_server_resize(self, _: str) -> None:
        self.asked.append('confirm')
        self.status = 'ACTIVE'

    def migrations(self, server_id: str) -> Iterator[Any]:
        statuses = ['completed', *([self.ends] if self.ends else [])]
        return iter([types.SimpleNamespace(status=s) for s in statuses])

    def _move(self, status: str) -> None:
        if self.fault:
            self.status = 'ERROR'
        elif not self.ends:
            self.host, self.status = self.to, status
            if self.loses:
                self.on_disk = ''

    # What the guest answers, and the other services.

    def page(self, _: int, path: str) -> str:
        moved = self.host != 'node-0'
        if self.mute and moved:
            return ''
        query = path.partition('?')[2]
        match query.split('/'):
            case ['boot']:
                return 'second' if self.reboots and moved else 'first'
            case ['read', 'vdb']:
                return self.on_disk
            case ['write', 'vdb', text]:
                self.on_disk = text
                return ''
            case _:
                return 'hello'

    def get_port(self, _: str) -> Any:
        return types.SimpleNamespace(binding_host_id='node-0' if self.stays_bound else self.host)

    def get_volume(self, _: str) -> Any:
        return types.SimpleNamespace(status='available' if self.detaches else 'in-use')


def proof(nova: Nova, *, volume: bool = True) -> servers.Proof:
    status = types.SimpleNamespace(apps={}, get_units=units('nova-compute/0', 'nova-compute/1'))
    juju: Any = types.SimpleNamespace(status=lambda: status)
    client: Any = types.SimpleNamespace(compute=nova, network=nova, block_storage=nova)
    made = {'server': 'uuid', 'port': 'port', 'volume': 'volume'}
    return servers.Proof(
        juju, client, {**made, **({'disk': 'vdb', 'text': TEXT} if volume else {})}
    )


def giving(value: Any) -> Callable[..., Any]:
    def give(*_: Any, **__: Any) -> Any:
        return value

    return give


def units(*names: str) -> Callable[[str], dict[str, Any]]:
    def get(app: str) -> dict[str, Any]:
        return {n: None for n in names if n.startswith(f'{app}/')}

    return get


@dataclasses.dataclass
class Clock:
    """Goes on only when somebody waits, and leaves others a moment to do something meanwhile."""

    now: float = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        time.sleep(0.003)
        self.now += seconds


@pytest.fixture(autouse=True)
def waits_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules['blame'], 'time', Clock())
    monkeypatch.setattr(moves, 'MOVE_S', 0)
    monkeypatch.setattr(moves, 'WATCH_S', 0.001)


def test_a_server_that_moved_as_it_ran_is_believed():
    nova = Nova()
    said = moves.live(proof(nova), nova.page)
    assert said.startswith('node-0 → node-1 in ')
    assert said.endswith(' s at most, its volume read and written')
    assert nova.asked == ['live']
    assert nova.on_disk == TEXT[::-1]


def test_one_without_a_volume_is_not_asked_for_it():
    nova = Nova()
    assert moves.live(proof(nova, volume=False), nova.page).endswith(' s at most')
    assert nova.on_disk == TEXT


@pytest.mark.parametrize(
    ('wrong', 'words'),
    [
        ({'to': 'node-0'}, 'the server did not move within'),
        ({'busy': 'migrating'}, 'the server did not move within'),
        (
            {'ends': 'error'},
            r'given up \(its migration is error\); the server is ACTIVE on node-0',
        ),
        ({'ends': 'failed'}, r'given up \(its migration is failed\)'),
        ({'fault': 'no route'}, 'the server is ERROR: no route'),
        ({'reboots': True}, "started anew: its boot was 'first', and is 'second'"),
        ({'mute': True}, 'the server did not answer afterwards'),
        ({'loses': True}, "vdb gave back '', and abc was on it"),
        ({'detaches': True}, 'its volume is available'),
    ],
)
def test_whatever_else_came_of_it_fails_and_names_the_logs_of_both_nodes(
    wrong: dict[str, Any], words: str
):
    nova = Nova(**wrong)
    log = '/var/log/nova/nova-compute.log'
    logs = rf'nova-compute/0 sudo tail -n 50 {log}; juju ssh nova-compute/1 .*{log}'
    with pytest.raises(servers.Failed, match=f'{words}.*{logs}'):
        moves.live(proof(nova), nova.page)


def test_a_port_that_stayed_behind_is_neutrons_fault():
    nova = Nova(stays_bound=True)
    with pytest.raises(servers.Failed, match=r'not bound on node-1.*neutron-api/0'):
        moves.live(proof(nova), nova.page)


def test_a_server_is_resized_on_another_node():
    nova = Nova()
    said = moves.resized(proof(nova), nova.page)
    assert said.startswith('node-0 → node-1, 160 MiB, ')
    assert said.endswith('its volume read and written')
    assert nova.asked == [f'flavor {servers.NAME}-larger 160', 'resize larger', 'confirm']


def test_what_the_first_move_wrote_is_looked_for_after_the_second():
    nova = Nova()
    one = proof(nova)
    moves.live(one, nova.page)
    nova.to = 'node-0'
    assert moves.resized(one, nova.page).endswith('its volume read and written')


@pytest.mark.parametrize(
    ('wrong', 'words'),
    [
        ({'to': 'node-0'}, 'it was resized on node-0, and was to go to another node'),
        ({'ends': 'error'}, 'nova has given up'),
        ({'fault': 'ssh: Host key verification failed'}, 'Host key verification failed'),
        ({'mute': True}, 'the server did not answer afterwards'),
        ({'loses': True}, 'abc was on it'),
    ],
)
def test_a_resize_that_went_wrong_fails(wrong: dict[str, Any], words: str):
    nova = Nova(**wrong)
    with pytest.raises(servers.Failed, match=words):
        moves.resized(proof(nova), nova.page)


def cloud_of(computes: int, **config: Any) -> list[Any]:
    names = [f'nova-compute/{n}' for n in range(computes)]
    status = types.SimpleNamespace(apps={'cinder': None}, get_units=units(*names))
    given = {name.replace('_', '-'): value for name, value in config.items()}
    juju: Any = types.SimpleNamespace(status=giving(status), config=giving(given))
    url = {'keystone': {'public': 'http://10.0.0.1:5000'}}
    return [*servers.steps(juju, servers.cloud_.Cloud(url, 'pw'))]


def left_out(steps: list[Any]) -> dict[str, str]:
    return {step.what: step.prove() for step in steps if step.left_out}


def test_with_one_node_nothing_is_moved_and_that_is_said():
    alone = 'left out: there is one compute node'
    assert left_out(cloud_of(1)) == {moves.LIVE: alone, moves.RESIZED: alone}


def test_with_two_nodes_a_server_is_moved_and_resized():
    assert left_out(cloud_of(2)) == {}
    assert {moves.LIVE, moves.RESIZED, servers.CONSOLE} <= {step.what for step in cloud_of(2)}


def test_where_a_server_may_stay_on_its_host_a_resize_proves_nothing():
    found = left_out(cloud_of(2, allow_resize_to_same_host=True))
    assert found == {moves.RESIZED: 'left out: a server may stay on its host'}


def test_without_consoles_none_is_opened():
    found = left_out(cloud_of(2, console_access_protocol='none'))
    assert found == {servers.CONSOLE: 'left out: console-access-protocol is none'}


@pytest.mark.parametrize(
    ('url', 'served', 'words'),
    [
        ('http://10.7.0.2:6080/vnc_lite.html', 'http://10.0.0.9:6080', 'the load balancer serves'),
        (
            'http://10.0.0.9:60801/vnc_lite.html',
            'http://10.0.0.9:6080',
            'the load balancer serves',
        ),
        ('http://10.0.0.9:6080/vnc_lite.html', '', 'serves no console'),
    ],
)
def test_a_console_that_goes_past_the_load_balancer_fails(url: str, served: str, words: str):
    made = types.SimpleNamespace(url=url)
    nova: Any = types.SimpleNamespace(create_server_remote_console=giving(made))
    one = proof(nova)
    one.client.compute = nova  # type: ignore[misc]
    with pytest.raises(servers.Failed, match=words):
        servers.opened(one, servers.cloud_.Cloud({'novnc': {'public': served}}, 'pw'))


def test_a_console_that_does_not_open_names_the_proxys_log(monkeypatch: pytest.MonkeyPatch):
    made = types.SimpleNamespace(url='http://10.0.0.9:6080/vnc_lite.html?path=%3Ftoken%3Dabc')
    nova: Any = types.SimpleNamespace(create_server_remote_console=giving(made))
    one, cloud = (
        proof(nova),
        servers.cloud_.Cloud({'novnc': {'public': 'http://10.0.0.9:6080'}}, ''),
    )

    def said(url: str, _: float, ca: str) -> str:
        if url != made.url or ca:
            raise AssertionError(url)
        raise RuntimeError('the console proxy closes: gone')

    monkeypatch.setattr(servers.console, 'banner', said)
    with pytest.raises(servers.Failed, match=r'closes: gone.*nova-novncproxy.log') as caught:
        servers.opened(one, cloud)
    assert 'abc' not in str(caught.value)
    monkeypatch.setattr(servers.console, 'banner', giving('RFB 003.008'))
    assert servers.opened(one, cloud) == 'http://10.0.0.9:6080: RFB 003.008'


@pytest.mark.parametrize('up', [0, 1, 2])
def test_all_nodes_are_waited_for(monkeypatch: pytest.MonkeyPatch, up: int):
    found = [
        types.SimpleNamespace(service_details={'host': f'node-{n}'}, state=state)
        for n, state in [*((n, 'up') for n in range(up)), (7, 'down')]
    ]
    agents = [types.SimpleNamespace(agent_type='Open vSwitch agent', is_alive=True)] * 3 + [
        types.SimpleNamespace(agent_type=f'{kind} agent', is_alive=True)
        for kind in ('DHCP', 'L3', 'Metadata')
    ]
    one = proof(Nova())

    def hypervisors(*, details: bool) -> list[Any]:
        return [*found] if details else []

    client: Any = types.SimpleNamespace(
        compute=types.SimpleNamespace(hypervisors=hypervisors),
        placement=types.SimpleNamespace(resource_providers=lambda: found[:2]),
        network=types.SimpleNamespace(agents=lambda: agents),
    )
    monkeypatch.setattr(servers, 'SETTLE_S', 0)
    asked = dataclasses.replace(one, client=client)
    if up < 2:
        with pytest.raises(
            servers.Failed, match='2 nova-compute have not all been mapped to a cell and up'
        ):
            servers.host(asked)
    else:
        assert servers.host(asked).startswith('node-0, node-1; 2 in placement; ')
