"""Waiting with a person looking on: one line for each change, on standard error."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..core import tabular
from .command import Call

_PAUSE_S = 0.25


def settle(call: Call, *, timeout: float) -> int:
    """Wait until every unit is at rest. 0: all well; 1: some unit is in error or blocked, or time is up."""
    from ..core import model as model_

    deadline = time.monotonic() + timeout
    seen: dict[str, str] = {}
    calm = 0
    while True:
        status: Mapping[str, Any] = call.ask('status')
        units = tabular.all_units(status)
        lines = {f'machine {i}': _machine_line(m) for i, m in status['machines'].items()}
        lines |= {name: _line(unit) for name, unit in sorted(units.items())}
        for name, line in lines.items():
            if seen.get(name) != line:
                call.say(f'{name}: {line}')
                seen[name] = line
        failed = [m for m in status['machines'].values() if m['juju-status']['current'] == 'down']
        if failed:
            raise model_.Refused(failed[0]['machine-status'].get('message', 'a machine failed'))
        calm = calm + 1 if all(_at_rest(u) for u in units.values()) else 0
        if calm > 1:  # Twice, since a hook of one unit may be about to wake another.
            wrong = [n for n, u in sorted(units.items()) if not _well(u)]
            if wrong:
                raise model_.Refused(f'not active: {", ".join(wrong)}')
            return 0
        if time.monotonic() > deadline:
            raise model_.Refused('timeout after waiting for the deployment to settle')
        time.sleep(_PAUSE_S)


def _machine_line(machine: Mapping[str, Any]) -> str:
    state = machine['juju-status']['current']
    return (
        state
        if state == 'started'
        else f'{state} {machine["machine-status"].get("message", "")}'.strip()
    )


def _line(unit: Mapping[str, Any]) -> str:
    workload, agent = unit['workload-status'], unit['juju-status']
    parts = [workload['current'], workload.get('message', '')]
    doing = agent.get('message', '') if agent['current'] == 'executing' else ''
    return ' '.join(p for p in (*parts, f'({doing})' if doing else '') if p)


def _at_rest(unit: Mapping[str, Any]) -> bool:
    return unit['juju-status']['current'] == 'idle'


def _well(unit: Mapping[str, Any]) -> bool:
    return unit['workload-status']['current'] in ('active', 'unknown')
