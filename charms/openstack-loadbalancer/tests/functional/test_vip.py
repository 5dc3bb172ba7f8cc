"""VIPs that move between two machines: how long clients see nobody, and that there is one owner."""

from __future__ import annotations

import contextlib
import datetime
import http.client
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.functional

SUBNET = '10.189.7'
VIP = f'{SUBNET}.250'


class Client(threading.Thread):
    """Asks the VIP all the time, each time on a new connection, and notes when it was answered."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.answered: list[float] = []
        self.by: list[str] = []
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.is_set():
            talk = http.client.HTTPConnection(VIP, 5000, timeout=0.1)
            with contextlib.suppress(OSError, http.client.HTTPException):
                talk.request('GET', '/')
                got = talk.getresponse()
                if got.status == 200:
                    got.read()
                    self.answered.append(time.monotonic())
            talk.close()
            time.sleep(0.005)

    def gap(self) -> float:
        """The longest time in seconds between two answers."""
        pairs = zip(self.answered, self.answered[1:], strict=False)
        return max(b - a for a, b in pairs)


class Owners:
    """Who held the VIP from when to when, as each machine's kernel tells it."""

    def __init__(self, pids: dict[str, str]) -> None:
        self.began = time.time()
        self.held = {n: [self.began] if holds(pid) else [] for n, pid in pids.items()}
        self.monitors = {
            n: subprocess.Popen(
                ('nsenter', '-t', pid, '-n', 'ip', '-ts', '-o', 'monitor', 'address'),
                stdout=subprocess.PIPE, text=True,
            )
            for n, pid in pids.items()
        }  # fmt: skip
        self.lost: dict[str, float] = {}

    def end(self) -> None:
        for name, monitor in self.monitors.items():
            monitor.terminate()
            for line in monitor.communicate()[0].splitlines():
                if f' {VIP}/' in line:
                    stamp = line[1 : line.index(']')]
                    self.held[name].append(datetime.datetime.fromisoformat(stamp).timestamp())
            if len(self.held[name]) % 2:
                self.held[name].append(self.lost.get(name, time.time()))

    def overlap(self) -> float:
        """For how many seconds more than one machine held it."""
        times = [
            (t, 1 if i % 2 == 0 else -1) for held in self.held.values() for i, t in enumerate(held)
        ]
        count, total, since = 0, 0.0, 0.0
        for t, change in sorted(times):
            if count > 1:
                total += t - since
            count, since = count + change, t
        return total


def holds(pid: str) -> bool:
    argv = ('nsenter', '-t', pid, '-n', 'ip', '-o', '-4', 'address', 'show')
    shown = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    return f' {VIP}/' in shown


def out(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


@contextlib.contextmanager
def watched(pair: dict[str, Any]) -> Iterator[tuple[Client, Owners]]:
    pids = {
        n: out('podman', 'inspect', '--format', '{{.State.Pid}}', m.name) for n, m in pair.items()
    }
    client, owners = Client(), Owners(pids)
    client.start()
    time.sleep(1)
    yield client, owners
    time.sleep(2.5)
    client.over.set()
    client.join()
    owners.end()


@pytest.fixture(params=['debian-12', 'debian-13'])
def pair(request: pytest.FixtureRequest, boot: Any) -> Iterator[dict[str, Any]]:
    network = f'rambla-lb-test-{os.getpid()}'
    out('podman', 'network', 'create', '--subnet', f'{SUBNET}.0/24', network)
    machines: dict[str, Any] = {}
    try:
        addresses = {'lb/0': f'{SUBNET}.2', 'lb/1': f'{SUBNET}.3'}
        for unit, address in addresses.items():
            machines[unit] = boot(request.param, '--network', f'{network}:ip={address}')
        for unit, address in addresses.items():
            plan = {
                'unit': unit, 'address': address, 'interface': 'eth0',
                'network': f'{SUBNET}.0/24', 'vip': VIP,
                'peers': {u: a for u, a in addresses.items() if u != unit},
            }  # fmt: skip
            script = '/rambla/charms/openstack-loadbalancer/tests/rig/vip.py'
            done = machines[unit].run('python3', script, json.dumps(plan))
            assert done.returncode == 0, done.stderr[-3000:]
        time.sleep(5)
        yield machines
    finally:
        for m in machines.values():
            subprocess.run(('podman', 'rm', '-f', m.name), capture_output=True, check=False)
        subprocess.run(
            ('podman', 'network', 'rm', '-f', network), capture_output=True, check=False
        )


def owner(pair: dict[str, Any]) -> str:
    for unit, m in pair.items():
        if holds(out('podman', 'inspect', '--format', '{{.State.Pid}}', m.name)):
            return unit
    raise AssertionError('nobody holds the VIP')


def test_the_vip_is_back_within_200_ms_when_its_unit_is_stopped_in_order(pair: Any) -> None:
    with watched(pair) as (client, owners):
        assert pair[owner(pair)].run('systemctl', 'stop', 'keepalived').returncode == 0
    assert owners.overlap() == 0, owners.held
    assert client.gap() <= 0.2


def test_the_vip_is_back_within_800_ms_when_its_unit_is_killed(pair: Any) -> None:
    with watched(pair) as (client, owners):
        first = owner(pair)
        owners.lost[first] = time.time()
        out('podman', 'kill', pair[first].name)
    assert owners.overlap() == 0, owners.held
    assert client.gap() <= 0.8


def test_the_vip_leaves_a_unit_whose_haproxy_is_not_ready_and_does_not_come_back(
    pair: Any,
) -> None:
    first = owner(pair)
    with watched(pair) as (_, owners):
        assert pair[first].run('systemctl', 'stop', 'haproxy').returncode == 0
        time.sleep(5)
        second = owner(pair)
        assert second != first
        assert pair[first].run('systemctl', 'start', 'haproxy').returncode == 0
        time.sleep(4)
    assert owner(pair) == second
    assert owners.overlap() == 0, owners.held
