"""How single values of a model are written for people and programs: times, ports, sizes, addresses.

Source: what Juju 3.6 prints.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # The table of a status is made without the model.
    from . import model as model_

_MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']


def _utc(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def since(seconds: float) -> str:
    """A moment as ``juju status`` writes it: ``22 Nov 2026 09:00:00Z``. Never depends on a locale."""
    t = _utc(seconds)
    return f'{t.day:02} {_MONTHS[t.month - 1]} {t.year:04} {t:%H:%M:%S}Z'


def iso(seconds: float) -> str:
    """A moment in ISO 8601, whole seconds: ``2026-11-22T09:00:00Z``."""
    return f'{_utc(seconds):%Y-%m-%dT%H:%M:%S}Z'


def clock(seconds: float) -> str:
    """The time of day: ``09:00:00Z``."""
    return f'{_utc(seconds):%H:%M:%S}Z'


def task_time(seconds: float) -> str:
    """A moment as tasks show it: ``2026-11-22 09:00:00 +0000 UTC``."""
    return f'{_utc(seconds):%Y-%m-%d %H:%M:%S} +0000 UTC'


def ago(seconds: float) -> str:
    """A span as ``juju secrets`` writes it: ``3 minutes ago``."""
    for size, word in ((86400, 'day'), (3600, 'hour'), (60, 'minute'), (1, 'second')):
        count = int(seconds // size)
        if count >= 1:
            return f'{count} {word}{"" if count == 1 else "s"} ago'
    return 'just now'


def port(p: model_.Port) -> str:
    """``80/tcp``, ``8000-8999/udp`` or ``icmp``."""
    if p.protocol == 'icmp':
        return 'icmp'
    numbers = str(p.first) if p.first == p.last or not p.last else f'{p.first}-{p.last}'
    return f'{numbers}/{p.protocol}'


def ports(opened: Iterable[model_.Port]) -> list[str]:
    """Open ports, each once, by protocol and number."""
    ordered = sorted(opened, key=lambda p: (p.protocol, p.first, p.last))
    return list(dict.fromkeys(port(p) for p in ordered))


def size(mebibytes: int) -> str:
    """``512 MiB``, ``1.0 GiB``."""
    if mebibytes < 1024:
        return f'{mebibytes} MiB'
    return f'{mebibytes / 1024:.1f} GiB'


def space_of(model: model_.Model, application: str, endpoint: str) -> str:
    """The space to which an endpoint is bound, through the application's default to the model's."""
    app = model.applications[application]
    default = app.bindings.get('') or default_space(model)
    return app.bindings.get(endpoint) or default


def default_space(model: model_.Model) -> str:
    """The model's default space."""
    return str(model.config.get('default-space') or 'alpha')


def address(model: model_.Model, unit: model_.Unit) -> str:
    """IPv4 address of *unit* in its application's default space; empty while there is none."""
    machine = model.machines.get(unit.machine)
    if machine is None or not machine.addresses:
        return ''
    wanted = (
        space_of(model, unit.application, '') if unit.application in model.applications else ''
    )
    for candidate in machine.addresses:
        if candidate.space == wanted:
            return candidate.ipv4
    return machine.addresses[0].ipv4


def hostname(model: model_.Model, machine: model_.Machine) -> str:
    """Host name, which is the instance id too: ``juju-663cb8-0``."""
    return machine.hostname or f'juju-{model.uuid[-6:]}-{machine.id}'


_DIGITS = re.compile(r'([0-9]+)')


def natural(text: str) -> list[tuple[int, int | str]]:
    """Sort key under which ``a/10`` follows ``a/9``."""
    return [(0, int(p)) if p.isascii() and p.isdecimal() else (1, p) for p in _DIGITS.split(text)]
