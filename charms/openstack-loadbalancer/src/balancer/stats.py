"""What haproxy says of itself, read; and the statistics of all units, merged."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable, Mapping, Sequence

from charmkit.proxy import haproxy

from . import rotation


@dataclasses.dataclass(frozen=True, kw_only=True)
class Process:
    """One line of the master's ``show proc``."""

    pid: int
    current: bool


def processes(text: str) -> tuple[Process, ...]:
    """The workers in the output of ``show proc``; the master is not one of them."""
    out: list[Process] = []
    current = True
    for line in text.splitlines():
        if line.startswith('#'):
            if 'old workers' in line:
                current = False
            elif 'workers' in line:
                current = True
            elif 'programs' in line:
                current = False
            continue
        fields = line.split()
        if len(fields) >= 3 and fields[0].isdigit() and fields[1] == 'worker':
            out.append(Process(pid=int(fields[0]), current=current))
    return tuple(out)


def rows(text: str) -> tuple[dict[str, str], ...]:
    """The rows of ``show stat``."""
    found = csv.DictReader(io.StringIO(text.lstrip('# ').strip() + '\n'))
    return tuple({k: v for k, v in row.items() if k} for row in found)


def admin_states(text: str) -> dict[rotation.ServerKey, int]:
    """Administrative state by server, from ``show servers state``."""
    out: dict[rotation.ServerKey, int] = {}
    header: list[str] = []
    for line in text.splitlines():
        if line.startswith('# '):
            header = line[2:].split()
        fields = line.split()
        if header and len(fields) == len(header) and not line.startswith('#'):
            row = dict(zip(header, fields, strict=True))
            out[row['be_name'], row['srv_name']] = int(row['srv_admin_state'])
    return out


def worker(process: Process, stat: str, state: str) -> rotation.Worker:
    """One worker's servers, from its ``show stat`` and ``show servers state``."""
    admin = admin_states(state)
    servers: dict[rotation.ServerKey, rotation.ServerState] = {}
    for row in rows(stat):
        key = (row['pxname'], row['svname'])
        if row['svname'] in ('FRONTEND', 'BACKEND') or key not in admin:
            continue
        servers[key] = rotation.ServerState(
            admin=admin[key],
            # Drained or not, it passes its check; `no check` counts as passing.
            up=row['status'].partition(' ')[0] in ('UP', 'DRAIN', 'no'),
            check_done=not row.get('check_status', '').endswith('INI'),
            sessions=int(row['scur'] or 0) + int(row['qcur'] or 0),
            handshake=_handshake(row),
        )
    return rotation.Worker(pid=process.pid, current=process.current, servers=servers)


def _handshake(row: Mapping[str, str]) -> str:
    if row.get('check_status', '').removeprefix('* ') not in ('L6RSP', 'L6TOUT'):
        return ''
    return ' '.join(row.get('last_chk', '').split())[:100] or 'no handshake'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Line:
    """One server, over all load balancer units."""

    service: str
    server: str
    status: str
    """The same on all units, or what each of them says."""
    requests: int
    current: int
    errors: int
    responses_5xx: int
    units: int
    """How many load balancer units say so."""


def merged(by_unit: Mapping[str, str]) -> tuple[Line, ...]:
    """One table of the ``show stat`` of several units: counts added up, statuses compared."""
    each: dict[rotation.ServerKey, dict[str, dict[str, str]]] = {}
    for unit, text in by_unit.items():
        for row in rows(text):
            key = (row['pxname'], row['svname'])
            if row['svname'] != 'FRONTEND' and key[0] not in (haproxy.SELF, 'metrics'):
                each.setdefault(key, {})[unit] = row
    return tuple(_line(key, found) for key, found in sorted(each.items(), key=_order))


def _order(item: tuple[rotation.ServerKey, object]) -> tuple[str, bool, str]:
    (backend, server), _ = item
    return backend, server == 'BACKEND', server


def _line(key: rotation.ServerKey, found: Mapping[str, Mapping[str, str]]) -> Line:
    statuses = {unit: row.get('status', '') for unit, row in found.items()}
    alike = set(statuses.values())
    shown = ', '.join(f'{u} {s}' for u, s in sorted(statuses.items()))
    return Line(
        service=key[0],
        server=key[1],
        status=alike.pop() if len(alike) == 1 else shown,
        requests=_sum(found, 'stot'),
        current=_sum(found, 'scur'),
        errors=_sum(found, 'econ') + _sum(found, 'eresp'),
        responses_5xx=_sum(found, 'hrsp_5xx'),
        units=len(found),
    )


def _sum(found: Mapping[str, Mapping[str, str]], field: str) -> int:
    return sum(int(row.get(field) or 0) for row in found.values())


def table(lines: Iterable[Line]) -> str:
    """*lines* for people: columns, with a heading."""
    head = ('SERVICE', 'SERVER', 'STATUS', 'TOTAL', 'NOW', 'ERRORS', '5XX', 'UNITS')
    body = [
        (
            x.service,
            x.server,
            x.status,
            str(x.requests),
            str(x.current),
            str(x.errors),
            str(x.responses_5xx),
            str(x.units),
        )
        for x in lines
    ]
    return columns(head, body)


def columns(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Text in columns under a heading."""
    every = (head, *body)
    widths = [max(len(row[i]) for row in every) for i in range(len(head))]
    lines = ('  '.join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in every)
    return ''.join(f'{line.rstrip()}\n' for line in lines)
