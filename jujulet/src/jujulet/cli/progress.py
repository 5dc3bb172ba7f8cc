"""Waiting with a person looking on: a line for each change that lasts, on standard error."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ..core import tabular
from .command import Call

_PAUSE_S = 0.4
LASTS_S = 1.5
"""A status that is replaced sooner is not shown: one hook follows another, and each says something."""
SILENCE_S = 15.0
"""After so long without a line it is said what is waited for."""
PATIENCE_S = 60.0
"""How long units at rest may go on waiting: a load balancer looks at its backends in its own time."""
_WIDTH = 110


@dataclasses.dataclass
class Teller:
    """Decides what of a changing picture is worth a line. Pure but for its memory: it is given the time."""

    printed: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    seen: dict[str, tuple[str, float]] = dataclasses.field(
        default_factory=dict[str, tuple[str, float]]
    )
    """By name: what it is, and since when."""
    spoke: float | None = None

    def lines(self, now_is: Mapping[str, str], now: float) -> Iterator[str]:
        """What to say at *now* of what *now_is*: names and what they are, finished ones included."""
        if self.spoke is None:
            self.spoke = now
        for name, text in now_is.items():
            if self.seen.get(name, ('', 0.0))[0] != text:
                self.seen[name] = (text, now)
            if self.printed.get(name) != text and now - self.seen[name][1] >= LASTS_S:
                self.printed[name] = text
                self.spoke = now
                yield f'{name}: {text}'
        if now - self.spoke >= SILENCE_S:
            self.spoke = now
            yield from self._still(now_is, now)

    def _still(self, now_is: Mapping[str, str], now: float) -> Iterator[str]:
        """One line: what is being done, and how many wait for it."""
        left = {n: t for n, t in now_is.items() if not t.startswith(('active', 'started'))}
        if left:
            busy = [n for n, t in left.items() if not t.startswith(('waiting', 'pending'))]
            shown_ = (busy or list(left))[:3]
            parts = [f'{n}: {left[n]} ({now - self.seen[n][1]:.0f} s)' for n in shown_]
            more = len(left) - len(shown_)
            yield '… ' + '; '.join([*parts, *([f'{more} more wait'] if more else [])])


def settle(call: Call, *, timeout: float) -> int:
    """Wait until every unit is at rest and well. Raises ``model.Refused`` when one is not, or time is up."""
    from ..core import model as model_

    began = at_work = time.monotonic()
    teller = Teller()
    calm = 0
    while True:
        status: Mapping[str, Any] = call.ask('status')
        now = time.monotonic()
        units = dict(sorted(tabular.all_units(status).items()))
        for line in teller.lines(picture(status, units), now):
            call.say(line)
        failed = [m for m in status['machines'].values() if m['juju-status']['current'] == 'down']
        if failed:
            raise model_.Refused(failed[0]['machine-status'].get('message', 'a machine failed'))
        wrong = {name: shown(unit) for name, unit in units.items() if not _well(unit)}
        if all(_at_rest(u) for u in units.values()):
            calm += 1
        else:
            calm, at_work = 0, now
        # Twice, since a hook of one unit may be about to wake another.
        if calm > 1 and not wrong:
            return 0
        if calm > 1 and (_stuck(units) or now - at_work > PATIENCE_S):
            raise model_.Refused(
                'not active: ' + '; '.join(f'{name} ({text})' for name, text in wrong.items())
            )
        if now - began > timeout:
            raise model_.Refused('timeout after waiting for the deployment to settle')
        time.sleep(_PAUSE_S)


def picture(status: Mapping[str, Any], units: Mapping[str, Any]) -> dict[str, str]:
    """Machines and units with what they are."""
    machines = {f'machine {i}': _machine_line(m) for i, m in status['machines'].items()}
    return machines | {name: shown(unit) for name, unit in units.items()}


def _machine_line(machine: Mapping[str, Any]) -> str:
    state = machine['juju-status']['current']
    message = machine['machine-status'].get('message', '')
    return state if state == 'started' or not message else message


def shown(unit: Mapping[str, Any]) -> str:
    """Workload status and message, as one short text."""
    workload = unit['workload-status']
    current, message = workload['current'], workload.get('message', '')
    text = message if message.startswith(current) else f'{current} {message}'.strip()
    return text if len(text) <= _WIDTH else f'{text[: _WIDTH - 1]}…'


def _at_rest(unit: Mapping[str, Any]) -> bool:
    return unit['juju-status']['current'] == 'idle'


def _well(unit: Mapping[str, Any]) -> bool:
    return unit['workload-status']['current'] in ('active', 'unknown')


def _stuck(units: Mapping[str, Any]) -> bool:
    """Whether one waits for its operator, and not for another unit."""
    return any(u['workload-status']['current'] in ('blocked', 'error') for u in units.values())
