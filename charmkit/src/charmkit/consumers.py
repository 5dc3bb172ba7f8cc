"""Whether the daemons of a unit have reached the message queue. The task is pure data until a machine carries it out.

A daemon that waits for messages has a connection to the broker open as long as it works (oslo.messaging's driver for
RabbitMQ: a consumer has one of its own). systemd only knows that it runs: without this check one that a firewall or a
wrong password keeps from the queue would be taken for well. A password that the broker refuses ends a connection
within moments: so several looks in a row must find none.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import cast

from . import host, state
from .machine import Machine
from .relations import rabbitmq
from .spec import Ready, ServiceSpec

NAME = 'queue'
COMES_UP_S = 180.0
"""How long a daemon may take to reach the queue after its start, in seconds. Nobody waits: a later run looks."""
_LOOKS = 5
_PAUSE_S = 2.0
_TO_BROKERS = f'( dport = :{rabbitmq.PORT} or dport = :{rabbitmq.TLS_PORT} )'
_PID = re.compile(r'\bpid=([0-9]{1,10})\b')


@dataclasses.dataclass(frozen=True)
class ProbeConsumers:
    """Find those of *daemons* that have been up for a while and have no connection to a broker. The result: a tuple."""

    daemons: tuple[str, ...]
    name: str = NAME

    def carry_out(self, machine: Machine) -> tuple[str, ...]:
        """Look, by *machine*; again while some have none."""
        left = _without(machine, self.daemons)
        for _ in range(_LOOKS - 1):
            if not left:
                break
            machine.sleep(_PAUSE_S)
            left = tuple(d for d in _without(machine, self.daemons) if d in left)
        return left


def _without(machine: Machine, daemons: tuple[str, ...]) -> tuple[str, ...]:
    open_ = machine.program('ss', '-Htnp', 'state', 'established', _TO_BROKERS, timeout_s=20)
    properties = 'Id,ActiveState,ActiveEnterTimestamp'
    units = machine.program(
        'systemctl', 'show', '--timestamp=unix', f'--property={properties}', *daemons, timeout_s=20
    )
    if open_.status or units.status:
        return ()  # What cannot be seen is not judged.
    groups = {pid: machine.read(f'/proc/{pid}/cgroup') or '' for pid in pids(open_.output)}
    return unreached(daemons, up_since(units.output), groups.values(), machine.now())


def pids(said: str) -> tuple[str, ...]:
    """The processes in what ``ss -p`` says."""
    return tuple(dict.fromkeys(_PID.findall(said)))


def up_since(said: str) -> dict[str, float]:
    """By service, since when it is active (seconds since the epoch), in what ``systemctl show`` says of several."""
    found: dict[str, float] = {}
    for block in said.split('\n\n'):
        values = dict(line.split('=', 1) for line in block.splitlines() if '=' in line)
        at = values.get('ActiveEnterTimestamp', '').removeprefix('@')
        if values.get('ActiveState') == 'active' and at.isascii() and at.isdecimal():
            found[values.get('Id', '').removesuffix('.service')] = float(at)
    return found


def unreached(
    daemons: Iterable[str], since: Mapping[str, float], connected: Iterable[str], now: float
) -> tuple[str, ...]:
    """Those of *daemons* that should have a connection by *now*, and have none.

    *connected* are the control groups of the processes that have one, as ``/proc/PID/cgroup`` has them.
    """
    parts = {part for text in connected for part in re.split(r'[/\n]', text)}
    return tuple(
        d
        for d in daemons
        if d in since and now - since[d] >= COMES_UP_S and f'{d}.service' not in parts
    )


def tasks(
    spec: ServiceSpec, ready: Ready, services: Iterable[host.SystemdService]
) -> tuple[ProbeConsumers, ...]:
    """The look at those daemons of *spec* that wait for messages, and are to run."""
    running = {s.name for s in services if s.state == 'running'} - ready.inputs.failed.keys()
    daemons = tuple(d.name for d in spec.daemons if d.consumes and d.name in running)
    return (ProbeConsumers(daemons),) if daemons else ()


def notes(spec: ServiceSpec, ready: Ready) -> list[state.Status]:
    """Which of them have not reached it."""
    found = ready.inputs.seen.get(NAME)
    brokers = [b for b in ready.found.values() if isinstance(b, rabbitmq.Broker)]
    where = ' '.join(sorted({h for b in brokers for h in b.hosts}))
    return [
        state.Status(
            'blocked',
            f'{name} has no connection to the message queue ({where}): see /var/log/{spec.name}',
        )
        for name in (cast('tuple[str, ...]', found) if isinstance(found, tuple) else ())
    ]
