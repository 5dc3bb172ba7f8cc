"""The tables of ``juju status``, from its JSON. Source: ``cmd/juju/status`` of Juju 3.6."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from . import display, table

Json = Mapping[str, Any]

_VERSION_WIDTH = 15


def status_table(
    status: Json, color: bool, *, relations: bool = False, storage: bool = False
) -> str:
    """All sections that there is something to say in: model, SAAS, apps, units, machines, offers and so on."""
    sections = [
        _model(status, color),
        _saas(status, color),
        _applications(status, color),
        _units(status, color),
        machines_table(status['machines'], color) if status['machines'] else '',
        _offers(status, color),
        _relations(status, color) if relations else '',
        storage_table(status.get('storage', {}), color) if storage else '',
    ]
    return '\n'.join(s for s in sections if s)


def _sorted(mapping: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key in sorted(mapping, key=display.natural):
        yield key, mapping[key]


def _model(status: Json, color: bool) -> str:
    model = status['model']
    header = ['Model', 'Controller', 'Cloud/Region', 'Version', 'SLA', 'Timestamp']
    where = model['cloud'] + (f'/{model["region"]}' if model.get('region') else '')
    row = [
        model['name'],
        model['controller'],
        where,
        model['version'],
        model.get('sla', ''),
        status.get('controller', {}).get('timestamp', ''),
    ]
    state = model.get('model-status', {})
    note = state.get('message', '')
    if state.get('current', 'available') != 'available':
        note = note or state['current']
    if note:
        header.append('Notes')
        row.append(note)
    return table.render(header, [row], colour=color)


def _saas(status: Json, color: bool) -> str:
    rows = [
        (
            name,
            table.status(app.get('application-status', {}).get('current', '')),
            app['url'].partition(':')[0] if ':' in app['url'] else 'local',
            app['url'].rpartition(':')[2],
        )
        for name, app in _sorted(status.get('application-endpoints', {}))
    ]
    return table.render(('SAAS', 'Status', 'Store', 'URL'), rows, colour=color) if rows else ''


def all_units(status: Json) -> dict[str, Json]:
    """Every unit by name, subordinates too."""
    found: dict[str, Json] = {}
    for app in status['applications'].values():
        for name, unit in app.get('units', {}).items():
            found[name] = unit
            found.update(unit.get('subordinates', {}))
    return found


def _applications(status: Json, color: bool) -> str:
    if not status['applications']:
        return ''
    units = all_units(status)
    header = (
        'App', 'Version', 'Status', 'Scale', 'Charm', 'Channel', 'Rev', 'Exposed', 'Message',
    )  # fmt: skip
    rows = [_application(name, app, units) for name, app in _sorted(status['applications'])]
    return table.render(header, rows, right=frozenset({3, 6}), colour=color)


def _application(name: str, app: Json, units: Mapping[str, Json]) -> list[str | table.Cell]:
    mine = [u for n, u in units.items() if n.rpartition('/')[0] == name]
    up = sum(u['juju-status']['current'] in ('idle', 'executing') for u in mine)
    scale = table.Cell(str(up)) if up == len(mine) else table.Cell(f'{up}/{len(mine)}', 'warning')
    version = app.get('version', '').partition('\n')[0]
    if len(version) > _VERSION_WIDTH:
        version = version[: _VERSION_WIDTH - 3] + '...'
    state = app.get('application-status', {})
    return [
        name,
        version,
        table.status(state.get('current', '')),
        scale,
        app['charm-name'],
        app.get('charm-channel', ''),
        str(app['charm-rev']),
        'yes' if app['exposed'] else 'no',
        state.get('message', ''),
    ]


def _units(status: Json, color: bool) -> str:
    principals = {
        name: unit
        for app in status['applications'].values()
        for name, unit in app.get('units', {}).items()
    }
    if not principals:
        return ''
    header = ('Unit', 'Workload', 'Agent', 'Machine', 'Public address', 'Ports', 'Message')
    rows: list[list[str | table.Cell]] = []
    for name, unit in _sorted(principals):
        rows.append(_unit(name, unit, ''))
        rows += [_unit(n, u, '  ') for n, u in _sorted(unit.get('subordinates', {}))]
    return table.render(header, rows, colour=color)


_HOOK = re.compile(r'running (?:action )?(\S+?)(?: hook)?$')


def _unit(name: str, unit: Json, indent: str) -> list[str | table.Cell]:
    workload, agent = unit['workload-status'], unit['juju-status']
    message = workload.get('message', '')
    if agent['current'] == 'allocating' and not message:
        message = agent.get('message', '')
    if agent['current'] == 'executing':
        doing = _HOOK.match(agent.get('message', ''))
        message = f'({doing[1]}) {message}' if doing else message
    return [
        indent + name + ('*' if unit.get('leader') else ''),
        table.status(workload['current']),
        table.status(agent['current']),
        unit.get('machine', ''),
        table.Cell(unit.get('public-address', ''), 'info'),
        table.Cell(','.join(unit.get('open-ports', [])), 'emphasis'),
        message.rstrip(),
    ]


def machines_table(machines: Mapping[str, Json], color: bool) -> str:
    """``juju machines``, and the section of ``juju status``."""
    header = ('Machine', 'State', 'Address', 'Inst id', 'Base', 'AZ', 'Message')
    rows = [
        (
            name,
            table.status(m['juju-status']['current']),
            m.get('dns-name', ''),
            m.get('instance-id', ''),
            f'{m["base"]["name"]}@{m["base"]["channel"]}',
            '',
            m.get('machine-status', {}).get('message', ''),
        )
        for name, m in _sorted(machines)
    ]
    return table.render(header, rows, colour=color)


def _offers(status: Json, color: bool) -> str:
    header = (
        'Offer', 'Application', 'Charm', 'Rev', 'Connected', 'Endpoint', 'Interface', 'Role',
    )  # fmt: skip
    rows: list[tuple[str, ...]] = []
    for name, offer in _sorted(status.get('offers', {})):
        charm, _, revision = offer['charm'].rpartition(':')[2].rpartition('-')
        counts = (offer.get(f'{which}-connected-count', 0) for which in ('active', 'total'))
        connected = '/'.join(map(str, counts))
        lead: tuple[str, ...] = (name, offer['application'], charm, revision, connected)
        for endpoint, end in _sorted(offer['endpoints']):
            rows.append((*lead, endpoint, end['interface'], end['role']))
            lead = ('',) * 5
    return table.render(header, rows, colour=color) if rows else ''


def _relations(status: Json, color: bool) -> str:
    header = ('Integration provider', 'Requirer', 'Interface', 'Type', 'Message')
    rows = [
        (
            r['provider'],
            r['requirer'],
            r['interface'],
            r['type'],
            table.Cell(r['status'], 'warning'),
        )
        for r in status.get('relations', [])
    ]
    return table.render(header, rows, colour=color) if rows else ''


_NOWHERE: Mapping[str, Any] = {'': {}}


def storage_table(storage: Json, color: bool) -> str:
    """``juju storage``, and the section of ``juju status``."""
    backing: dict[str, Json] = {
        b['storage']: b
        for kind in ('filesystems', 'volumes')
        for b in storage.get(kind, {}).values()
    }
    header = (
        'Storage Unit', 'Storage ID', 'Type', 'Pool', 'Mountpoint', 'Size', 'Status', 'Message',
    )  # fmt: skip
    rows: list[tuple[str | table.Cell, ...]] = [
        (
            unit,
            name,
            instance['kind'],
            backing.get(name, {}).get('pool', ''),
            place.get('location', ''),
            display.size(backing[name]['size']) if name in backing else '',
            table.status(instance['status']['current']),
            instance['status'].get('message', ''),
        )
        for name, instance in _sorted(storage.get('storage', {}))
        for unit, place in (instance.get('attachments', {}).get('units') or _NOWHERE).items()
    ]
    rows.sort(key=lambda row: (not row[0], display.natural(str(row[0]))))
    return table.render(header, rows, colour=color) if rows else ''


def oneline(status: Json) -> str:
    """``--format oneline``, ``short`` and ``line``: a line for each unit."""
    lines: list[str] = []
    principals = {
        name: unit
        for app in status['applications'].values()
        for name, unit in app.get('units', {}).items()
    }
    for name, unit in _sorted(principals):
        lines.append(_oneline(name, unit, ''))
        lines += [_oneline(n, u, '  ') for n, u in _sorted(unit.get('subordinates', {}))]
    return ''.join(f'{line}\n' for line in lines)


def _oneline(name: str, unit: Json, indent: str) -> str:
    ports = ' ' + ', '.join(unit['open-ports']) if unit.get('open-ports') else ''
    agent, workload = unit['juju-status']['current'], unit['workload-status']['current']
    address = unit.get('public-address', '')
    return f'{indent}- {name}: {address} (agent:{agent}, workload:{workload}){ports}'


def summary(status: Json) -> str:
    """``--format summary``: how many of what."""
    units = all_units(status)
    lines = [f'Machines: ({len(status["machines"])})']
    lines += _count(m['juju-status']['current'] for m in status['machines'].values())
    lines.append(f'Units: ({len(units)})')
    lines += _count(u['workload-status']['current'] for u in units.values())
    lines.append(f'Applications: ({len(status["applications"])})')
    for name, app in _sorted(status['applications']):
        count = sum(n.rpartition('/')[0] == name for n in units)
        exposed = '  exposed' if app['exposed'] else ''
        lines.append(f'  {name}  {count}/{count}{exposed}')
    return '\n'.join(lines) + '\n'


def _count(words: Iterator[str]) -> list[str]:
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return [f'  {word}: {n}' for word, n in sorted(counts.items())]
