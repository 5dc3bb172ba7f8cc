"""What a struck machine's own eyes see: services, where they listen, whose the data is, which addresses move."""

from __future__ import annotations

import pathlib
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator

import pytest

from matrix.faults.scripts import probe


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    listening = [
        ('apache2.service', '127.0.0.1:80'),
        ('apache2.service', '127.0.0.1:443'),
        ('ssh.service', '127.0.0.1:22'),
        ('systemd-resolved.service', '127.0.0.53:53'),
        ('jujud-machine-0.service', '127.0.0.1:17070'),
        ('memcached.service', '::1:11211'),
    ]
    running = [name for name, _ in listening] + ['keepalived.service', 'cron.service']
    monkeypatch.setattr(probe, 'listening', lambda: listening)
    monkeypatch.setattr(probe, 'running', lambda: running)


@pytest.mark.usefixtures('machine')
def test_services_that_listen_are_found_but_for_those_that_nobody_tests() -> None:
    found = 'apache2.service 127.0.0.1:80\nmemcached.service ::1:11211'
    assert probe.services('') == found


@pytest.mark.usefixtures('machine')
def test_services_of_a_trade_are_found_whether_they_listen_or_not() -> None:
    assert probe.services('keepalived|corosync') == 'keepalived.service -'
    assert probe.services('memcached(@.*)?') == 'memcached.service ::1:11211'
    assert probe.services('mysql') == ''


def test_workers_have_a_user_of_their_own_and_serve_no_other_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    users = {
        'nova-compute.service': 64060,
        'neutron-openvswitch-agent.service': 64054,
        'rabbitmq-server.service': 110,
        'memcached.service': 111,
        'libvirtd.service': 0,
        'cron.service': 0,
        'systemd-timesyncd.service': 997,
        'nobodys.service': 65534,
    }
    heard = [
        ('neutron-openvswitch-agent.service', '127.0.0.1:6633'),
        ('rabbitmq-server.service', '*:5672'),
        ('rabbitmq-server.service', '[::ffff:127.0.0.1]:15672'),
        ('memcached.service', '[::1]:11211'),
    ]
    asked: list[list[str]] = []

    def users_of(names: list[str]) -> dict[str, int]:
        asked.append(names)
        return {name: users[name] for name in names if name != 'gone.service'}

    monkeypatch.setattr(probe, 'running', lambda: [*users, 'gone.service'])
    monkeypatch.setattr(probe, 'heard_at', lambda: heard)
    monkeypatch.setattr(probe, 'users_of', users_of)
    assert probe.workers('').splitlines() == [
        'memcached.service ::1:11211',
        'neutron-openvswitch-agent.service 127.0.0.1:6633',
        'nova-compute.service -',
    ]
    assert probe.workers('nova-.*') == 'nova-compute.service -'
    assert not any('systemd-timesyncd.service' in names for names in asked)


def test_the_user_of_a_service_is_that_of_its_main_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    said = 'MainPID=7\nId=a.service\n\nMainPID=0\nId=b.service\n'

    def run(argv: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        assert argv[:2] == ['systemctl', 'show']
        assert argv[-2:] == ['a.service', 'b.service']
        return subprocess.CompletedProcess(argv, 0, said, '')

    def below(path: str) -> pathlib.Path:
        return tmp_path / path.lstrip('/')

    (tmp_path / 'proc/7').mkdir(parents=True)
    monkeypatch.setattr(subprocess, 'run', run)
    monkeypatch.setattr(probe, 'Path', below)
    assert probe.users_of(['a.service', 'b.service']) == {
        'a.service': (tmp_path / 'proc/7').stat().st_uid
    }
    assert probe.users_of([]) == {}


@pytest.mark.parametrize(
    ('at', 'own'),
    [
        ('0.0.0.0:80', '127.0.0.1:80'),
        ('*:80', '127.0.0.1:80'),
        ('[::]:80', '::1:80'),
        ('127.0.0.53%lo:53', '127.0.0.53:53'),
        ('[fe80::1]%eth0:80', 'fe80::1:80'),
        ('10.0.0.7:80', '10.0.0.7:80'),
    ],
)
def test_a_machine_reaches_itself_at_an_address_that_is_its_own(at: str, own: str) -> None:
    assert probe.own(at) == own


def test_addresses_that_move_are_those_that_keepalived_and_pacemaker_say(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    (tmp_path / 'etc/keepalived').mkdir(parents=True)
    (tmp_path / 'var/lib/pacemaker/cib').mkdir(parents=True)
    (tmp_path / 'etc/keepalived/keepalived.conf').write_text(
        'unicast_src_ip 10.0.0.7\nvirtual_ipaddress {\n  10.0.0.240/24 dev eth0\n  10.0.0.241\n}\n'
    )
    (tmp_path / 'var/lib/pacemaker/cib/cib.xml').write_text(
        '<nvpair name="ip" value="10.0.0.250"/><nvpair name="cidr_netmask" value="24"/>'
    )

    def below(path: str) -> pathlib.Path:
        return tmp_path / path.lstrip('/')

    monkeypatch.setattr(probe, 'Path', below)
    monkeypatch.setattr(
        probe, 'addresses', lambda: ['10.0.0.7', '10.0.0.240', '10.0.0.250', '::1']
    )
    assert probe.virtual() == '10.0.0.240 10.0.0.250'


Serve = Callable[[Callable[[socket.socket], None]], tuple[str, str]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    sockets: list[socket.socket] = []

    def start(act: Callable[[socket.socket], None]) -> tuple[str, str]:
        server = socket.create_server(('127.0.0.1', 0))
        sockets.append(server)

        def one() -> None:
            caller, _ = server.accept()
            sockets.append(caller)
            act(caller)

        threading.Thread(target=one, daemon=True).start()
        return '127.0.0.1', str(server.getsockname()[1])

    yield start
    for each in sockets:
        each.close()


def test_who_answers_is_told_from_who_is_silent_and_who_is_not_there(serve: Serve) -> None:
    def answers(caller: socket.socket) -> None:
        caller.recv(100)
        caller.send(b'well?')

    def hangs_up(caller: socket.socket) -> None:
        caller.recv(100)
        caller.shutdown(socket.SHUT_RDWR)

    assert probe.answer(*serve(answers), '2') == 'answered'
    assert probe.answer(*serve(hangs_up), '2') == 'answered'
    assert probe.answer(*serve(lambda _: None), '0.2') == 'silent'
    assert probe.answer('127.0.0.1', _unused(), '1') == 'refused'


def test_who_refuses_is_there(serve: Serve) -> None:
    assert probe.reach('1', _unused(), '127.0.0.1') == '127.0.0.1'
    assert probe.lost('1', _unused(), '3', '127.0.0.1') == '0'


def _unused() -> str:
    with socket.create_server(('127.0.0.1', 0)) as server:
        return str(server.getsockname()[1])


def test_a_clock_that_is_wrong_is_seen_by_the_date_that_a_server_says(serve: Serve) -> None:
    def answers(caller: socket.socket) -> None:
        caller.recv(100)
        caller.send(b'HTTP/1.0 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n')

    assert int(probe.skew(*serve(answers))) < -1_000_000_000


def test_it_runs_by_itself() -> None:
    text = pathlib.Path(probe.__file__).read_text()
    said = subprocess.run(
        ['python3', '-c', text, 'reach', '1', _unused(), '127.0.0.1'],
        capture_output=True,
        text=True,
    )
    assert said.stdout == '127.0.0.1\n'
