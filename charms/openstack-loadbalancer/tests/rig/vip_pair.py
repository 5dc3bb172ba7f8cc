"""Two load balancer units that share VIPs of both families, and what is seen when these move.

Runs on the machine that tests: it asks the VIPs as a client, and listens to the kernels of both units.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import http.client
import itertools
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any

import lb_machine

from tools import systems

SUBNETS = ('10.189.7.0/24', 'fd00:189:7::/64')
VIPS = ('10.189.7.250', 'fd00:189:7::250')
ADDRESSES = {'lb/0': ('10.189.7.2', 'fd00:189:7::2'), 'lb/1': ('10.189.7.3', 'fd00:189:7::3')}
SETTLED_S = 5.0
"""After so many seconds a pair has agreed on an owner."""

Pair = Mapping[str, lb_machine.Machine]
Boot = Callable[..., lb_machine.Machine]


@dataclasses.dataclass(frozen=True)
class Seen:
    """One move of the VIPs. All in seconds."""

    gap: float
    """The longest time for which a client of either VIP got no answer."""
    overlap: float
    """For how long two machines held the same VIP."""
    back: bool
    """Both were answered again, within half a minute."""


@contextlib.contextmanager
def pair(base: str, boot: Boot) -> Generator[Pair]:
    """Two units on *base*, in a network of their own, of which one holds the VIPs."""
    network = f'rambla-lb-test-{os.getpid()}'
    subnets = [word for subnet in SUBNETS for word in ('--subnet', subnet)]
    systems.podman('network', 'create', '--ipv6', *subnets, network)
    machines: dict[str, lb_machine.Machine] = {}
    try:
        for unit, (v4, v6) in ADDRESSES.items():
            # As a machine of LXD has it: what the kernel is told of its own networks it takes.
            writable = '--security-opt=unmask=/proc/sys'
            machines[unit] = boot(base, writable, '--network', f'{network}:ip={v4},ip={v6}')
        for unit, m in machines.items():
            apply(unit, m)
        time.sleep(SETTLED_S)
        yield machines
    finally:
        for m in machines.values():
            systems.remove(m.name)
        subprocess.run(
            ('podman', 'network', 'rm', '-f', network), capture_output=True, check=False
        )


def apply(unit: str, machine: lb_machine.Machine, **more: Any) -> dict[str, Any]:
    """Have *machine* do what the charm of *unit* decides; what it says. *more*: as tests/rig/vip.py has it."""
    plan = {
        'unit': unit, 'interface': 'eth0', 'vips': VIPS,
        'addresses': dict(zip(ADDRESSES[unit], SUBNETS, strict=True)),
        'peers': {u: a for u, a in ADDRESSES.items() if u != unit}, **more,
    }  # fmt: skip
    done = machine.run('python3', f'{lb_machine.CHARM}/tests/rig/vip.py', json.dumps(plan))
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def owner(machines: Pair, vip: str = VIPS[0]) -> str:
    """The unit that holds *vip*."""
    held = [unit for unit, m in machines.items() if holds(pid(m), vip)]
    assert len(held) == 1, f'{vip} is held by {held}'
    return held[0]


def holds(process: str, vip: str) -> bool:
    """Whether the network of *process* has *vip* as an address."""
    argv = ('nsenter', '-t', process, '-n', 'ip', '-o', 'address', 'show')
    shown = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    return f' {vip}/' in shown


def pid(machine: lb_machine.Machine) -> str:
    """The first process of *machine*."""
    return systems.podman('inspect', '--format', '{{.State.Pid}}', machine.name)


def stopped_in_order(machines: Pair, times: int) -> list[Seen]:
    """The owner's keepalived is stopped and started again, so many times."""

    def stop(unit: str) -> None:
        assert machines[unit].run('systemctl', 'stop', 'keepalived').returncode == 0

    seen: list[Seen] = []
    for _ in range(times):
        seen.append(moved(machines, stop))
        for m in machines.values():
            assert m.run('systemctl', 'start', 'keepalived').returncode == 0
        time.sleep(3)
    return seen


def killed(machines: Pair, times: int) -> list[Seen]:
    """The owner's whole machine is killed and started again, so many times."""

    def kill(unit: str) -> float:
        began = time.time()
        systems.podman('kill', machines[unit].name)
        return began

    seen: list[Seen] = []
    for _ in range(times):
        first = owner(machines)
        seen.append(moved(machines, kill))
        systems.podman('start', machines[first].name)
        machines[first].run('systemctl', 'is-system-running', '--wait')
        apply(first, machines[first])
        time.sleep(SETTLED_S)
    return seen


def moved(machines: Pair, away: Callable[[str], float | None]) -> Seen:
    """What clients and kernels see when *away* takes the VIPs from their owner.

    *away* gives the time (seconds since the epoch) at which that machine can say nothing more.
    """
    clients = [_Client(vip) for vip in VIPS]
    owners = [_Owners(vip, {n: pid(m) for n, m in machines.items()}) for vip in VIPS]
    for c in clients:
        c.start()
    time.sleep(1)
    first = owner(machines)
    lost = away(first)
    gone = time.monotonic()
    while time.monotonic() < gone + 30 and not all(c.answered_since(gone) for c in clients):
        time.sleep(0.1)
    back = all(c.answered_since(gone) for c in clients)
    time.sleep(2.5)
    for c in clients:
        c.over.set()
    overlaps = [o.end({} if lost is None else {first: lost}) for o in owners]
    for c in clients:
        c.join()
    return Seen(max(c.gap() for c in clients), max(overlaps), back)


class _Client(threading.Thread):
    """Asks a VIP all the time, each time on a new connection, and notes when it was answered."""

    def __init__(self, vip: str) -> None:
        super().__init__(daemon=True)
        self.vip = vip
        self.answered: list[float] = []
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.is_set():
            talk = http.client.HTTPConnection(self.vip, 5000, timeout=0.1)
            with contextlib.suppress(OSError, http.client.HTTPException):
                talk.request('GET', '/')
                got = talk.getresponse()
                if got.status == 200:
                    got.read()
                    self.answered.append(time.monotonic())
            talk.close()
            time.sleep(0.005)

    def answered_since(self, instant: float) -> bool:
        return bool(self.answered) and self.answered[-1] > instant

    def gap(self) -> float:
        """The longest time in seconds without an answer, up to the end."""
        assert self.answered, f'{self.vip} never answered'
        times = [*self.answered, time.monotonic()]
        return max(b - a for a, b in itertools.pairwise(times))


class _Owners:
    """Which machine held a VIP from when to when, as each machine's kernel tells it."""

    def __init__(self, vip: str, pids: Mapping[str, str]) -> None:
        self.vip = vip
        began = time.time()
        self.held = {n: [began] if holds(p, vip) else [] for n, p in pids.items()}
        self.monitors = {
            n: subprocess.Popen(
                ('nsenter', '-t', p, '-n', 'ip', '-ts', '-o', 'monitor', 'address'),
                stdout=subprocess.PIPE, text=True,
            )
            for n, p in pids.items()
        }  # fmt: skip

    def end(self, lost: Mapping[str, float]) -> float:
        """For how many seconds more than one machine held it; *lost* ones held it until then."""
        for name, monitor in self.monitors.items():
            monitor.terminate()
            # A new IPv6 address shows twice: tentative, and then for good.
            had = bool(self.held[name])
            for line in monitor.communicate()[0].splitlines():
                has = 'Deleted' not in line
                if f' {self.vip}/' in line and has != had:
                    stamp = line[1 : line.index(']')]
                    self.held[name].append(datetime.datetime.fromisoformat(stamp).timestamp())
                    had = has
            if had:
                self.held[name].append(lost.get(name, time.time()))
        return overlap(self.held.values())


def overlap(held: Iterable[Sequence[float]]) -> float:
    """For how many seconds more than one held it; each is times of taking and giving in turn."""
    changes = sorted((t, 1 if i % 2 == 0 else -1) for each in held for i, t in enumerate(each))
    count, total, since = 0, 0.0, 0.0
    for t, change in changes:
        if count > 1:
            total += t - since
        count, since = count + change, t
    return total
