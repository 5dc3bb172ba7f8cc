"""Who still comes the old way while both are open: haproxy counts, and it is closed when nobody has for a while.

While clients change over, each frontend that ends TLS has two ways inside of haproxy, each a backend of its own
(:mod:`charmkit.proxy.tls`): how many have come by it is in its statistics, and how long ago the last one began.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

from charmkit import Inputs
from charmkit.machine import Machine, UnreachableError
from charmkit.proxy import tls

from . import schemes, stats, tasks

TASK = 'old-scheme'
MEMORY = 'scheme-used'
"""The name in the unit's memory of when somebody last came by each way; seconds since the epoch."""
_LONGEST_QUIET_S = 600
Used = Mapping[str, float]
"""By endpoint type and scheme (``public http``), seconds since the epoch; of peers too, as they say it."""


@dataclasses.dataclass(frozen=True)
class LastUse:
    """How long ago somebody came by each way. Result: seconds by endpoint type and scheme; never: absent."""

    name: str = TASK

    def carry_out(self, machine: Machine) -> dict[str, float]:
        """Ask every worker, by *machine*: a kept connection may be that of an old one."""
        try:
            found = stats.processes(machine.ask(tasks.MASTER, 'show proc\n'))
            texts = [machine.ask(tasks.MASTER, f'@!{p.pid} show stat\n') for p in found]
        except UnreachableError:
            return {}
        out: dict[str, float] = {}
        for text in texts:
            for key, seconds in ago(text).items():
                out[key] = min(seconds, out.get(key, seconds))
        return out


def ago(stat: str) -> dict[str, float]:
    """Of one worker's ``show stat``: under way is 0 seconds ago."""
    out: dict[str, float] = {}
    ways: tuple[tuple[str, schemes.Scheme], ...] = (
        (tls.way(tls.PLAIN), 'http'),
        (tls.way(tls.SECURE), 'https'),
    )
    for row in stats.rows(stat):
        for end, scheme in ways:
            if row['svname'] != 'BACKEND' or not row['pxname'].endswith(end):
                continue
            last = 0.0 if int(row.get('scur') or 0) else float(row.get('lastsess') or -1)
            if last < 0:
                continue
            for t in row['pxname'].removesuffix(end).rpartition('.')[2].split('-'):
                key = f'{t} {scheme}'
                out[key] = min(last, out.get(key, last))
    return out


def used(inputs: Inputs) -> dict[str, float]:
    """When somebody last came by each way to this unit, as far as it knows."""
    kept = cast('Mapping[str, Any]', inputs.memory.get(MEMORY) or {})
    seen = cast('Mapping[str, float]', inputs.seen.get(TASK) or {})
    out = {k: float(v) for k, v in kept.items()}
    for key, seconds in seen.items():
        out[key] = max(out.get(key, 0.0), float(int(inputs.now - seconds)))
    return out


def quiet_s(transition_s: float) -> float:
    """For so long nobody has to have come by the old way before it is closed."""
    return min(transition_s / 2, _LONGEST_QUIET_S)


def publish(own: Used, before: Used, transition_s: float) -> dict[str, float]:
    """What is published to other units, to which *before* was: each word costs them a hook, so it is not the newest."""
    step = quiet_s(transition_s) / 2
    return {
        key: at if at - before.get(key, 0.0) >= step else before[key] for key, at in own.items()
    }


def asked(inputs: Inputs) -> tuple[LastUse, ...]:
    """Clients change over, or have: before anything is decided this is looked at."""
    found = schemes.load(inputs.peers.get(schemes.PUBLISHED, ''))
    return (LastUse(),) if any(p.since for p in found.values()) else ()
