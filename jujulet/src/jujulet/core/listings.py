"""Models, applications and units as the ``show-…`` and listing commands print them: dicts for JSON, and tables.

Source: cmd/juju/model and cmd/juju/application of Juju 3.6, and what jubilant parses of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import derived, display, status, table
from . import model as model_

CONTROLLER_UUID = '6a756a75-6c65-4074-8000-6c6f63616c00'
"""There is one controller a user, and nothing ever asks it for this."""


def models(listed: Iterable[Mapping[str, Any]], current: str) -> dict[str, Any]:
    """``juju models``: *listed* as the controller answers ``models``; *current* as ``owner/name``."""
    rows = [_model_row(m) for m in sorted(listed, key=lambda m: (m['owner'], m['name']))]
    out: dict[str, Any] = {'models': rows}
    for row in rows:
        if row['name'] == current:
            out['current-model'] = row['short-name']
    return out


def _model_row(m: Mapping[str, Any]) -> dict[str, Any]:
    life = m.get('life', 'alive')
    return {
        'name': f'{m["owner"]}/{m["name"]}',
        'short-name': m['name'],
        'model-uuid': m['uuid'],
        'model-type': 'iaas',
        'controller-uuid': CONTROLLER_UUID,
        'controller-name': status.CONTROLLER,
        'is-controller': False,
        'owner': m['owner'],
        'cloud': m.get('cloud', 'localhost'),
        'region': status.REGION,
        'type': 'local',
        'life': life,
        'status': {'current': 'available' if life == 'alive' else 'destroying'},
    }


def models_table(value: Mapping[str, Any], colour: bool) -> str:
    """``juju models`` for people."""
    current = value.get('current-model')
    rows = [
        (
            m['short-name'] + ('*' if m['short-name'] == current else ''),
            f'{m["cloud"]}/{m["region"]}',
            m['type'],
            table.status(m['status']['current']),
        )
        for m in value['models']
    ]
    if not rows:
        return 'There are no models. Add one with "juju add-model".\n'
    header = ('Model', 'Cloud/Region', 'Type', 'Status')
    return f'Controller: {status.CONTROLLER}\n\n' + table.render(header, rows, colour=colour)


def model(m: model_.Model, now: float) -> dict[str, Any]:
    """``juju show-model``."""
    current = 'available' if m.life == 'alive' else 'destroying'
    value: dict[str, Any] = {
        'name': f'{m.owner}/{m.name}',
        'short-name': m.name,
        'model-uuid': m.uuid,
        'model-type': 'iaas',
        'controller-uuid': CONTROLLER_UUID,
        'controller-name': status.CONTROLLER,
        'is-controller': False,
        'owner': m.owner,
        'cloud': status.cloud(m),
        'region': status.REGION,
        'type': 'local',
        'life': m.life,
        'status': {'current': current, 'since': display.since(m.created)},
        'users': {
            m.owner: {
                'display-name': m.owner,
                'access': 'admin',
                'last-connection': display.iso(now)[:10],
            }
        },
    }
    if m.machines:
        value['machines'] = {name: {'cores': 0} for name in sorted(m.machines)}
    value['sla'] = 'unsupported'
    value['agent-version'] = m.juju_version
    value['supported-features'] = [
        {'name': 'juju', 'description': 'the version of Juju', 'version': m.juju_version}
    ]
    return {m.name: value}


def config(m: model_.Model, application: str) -> dict[str, Any]:
    """``juju config APP``. Raises ``model.Refused``."""
    app = found_application(m, application)
    charm = m.charms[app.charm]
    settings = {
        name: _option(option.type, option.default, option.description, app.options, name)
        for name, option in sorted(charm.options.items())
    }
    trust: dict[str, Any] = {
        'default': False,
        'description': 'Does this application have access to trusted credentials',
        'source': 'user' if app.trust else 'default',
        'type': 'bool',
        'value': app.trust,
    }
    return {
        'application': application,
        'application-config': {'trust': trust},
        'charm': charm.name,
        'settings': settings,
    }


def _option(
    kind: str, default: Any, description: str, chosen: Mapping[str, Any], name: str
) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if default is not None:
        out['default'] = default
    out['description'] = description
    out['source'] = 'unset' if default is None else 'default'
    out['type'] = kind
    if default is not None:
        out['value'] = default
    if chosen.get(name) is not None:
        out['source'] = 'user'
        out['value'] = chosen[name]
    return out


def found_application(m: model_.Model, application: str) -> model_.Application:
    """The application, or ``model.Refused`` in Juju's words."""
    if application not in m.applications:
        raise model_.Refused(f'application "{application}" not found')
    return m.applications[application]


def unit(
    m: model_.Model, name: str, *, endpoint: str = '', related: str = '', app_only: bool = False
) -> dict[str, Any]:
    """``juju show-unit UNIT``. Raises ``model.Refused``."""
    u = m.units.get(name)
    if u is None:
        raise model_.Refused(f'unit "{name}" not found')
    app = m.applications[u.application]
    out: dict[str, Any] = {}
    if u.workload_version:
        out['workload-version'] = u.workload_version
    out['machine'] = u.machine
    out['opened-ports'] = display.ports(u.ports)
    out['public-address'] = display.address(m, u)
    out['charm'] = app.charm
    out['leader'] = app.leader == name
    out['life'] = u.life
    rows = [
        _relation(m, relation, u, related, app_only)
        for relation in m.relations_of(u.application)
        if not endpoint
        or any(e.name == endpoint and e.application == u.application for e in relation.endpoints)
    ]
    if rows:
        out['relation-info'] = rows
    return {name: out}


def _relation(
    m: model_.Model, relation: model_.Relation, u: model_.Unit, only: str, app_only: bool
) -> dict[str, Any]:
    ends = relation.endpoints
    mine = next(e for e in ends if e.application == u.application)
    other = next((e for e in ends if e.application != u.application), mine)
    # Juju 3.6 shows the other application's data here, Juju 4 the unit's own.
    whose = mine.application if m.juju_version.startswith('4.') else other.application
    out: dict[str, Any] = {
        'relation-id': relation.id,
        'endpoint': mine.name,
        'related-endpoint': other.name,
        'application-data': dict(_data(relation.applications.get(whose))),
    }
    if other.application in m.remotes:
        out['cross-model'] = True
    if app_only:
        return out
    here = {'in-scope': u.name in relation.units}
    out['local-unit'] = {**here, 'data': dict(_data(relation.units.get(u.name)))}
    related = {
        name: {'in-scope': True, 'data': dict(_data(bag))}
        for name, bag in sorted(relation.units.items(), key=lambda i: display.natural(i[0]))
        if name != u.name
        and only in ('', name)
        and name.rpartition('/')[0] == other.application
        and _visible(m, relation, u, name)
    }
    if related:
        out['related-units'] = related
    return out


def _visible(m: model_.Model, relation: model_.Relation, u: model_.Unit, other: str) -> bool:
    """In a relation of container scope a unit sees its own principal or subordinate only."""
    if all(e.scope != 'container' for e in relation.endpoints):
        return True
    them = m.units.get(other)
    return u.principal == other or (them is not None and them.principal == u.name)


def _data(bag: model_.Databag | None) -> Mapping[str, str]:
    return bag.data if bag is not None else {}


def application(m: model_.Model, name: str) -> dict[str, Any]:
    """``juju show-application APP``. Raises ``model.Refused``."""
    app = found_application(m, name)
    charm = m.charms[app.charm]
    out: dict[str, Any] = {'charm': charm.name, 'base': str(app.base)}
    if app.constraints:
        out['constraints'] = dict(app.constraints)
    out |= {'principal': not charm.subordinate, 'exposed': app.exposed}
    if app.exposed:
        out['exposed-endpoints'] = _exposed(app)
    out |= {
        'remote': False,
        'life': app.life,
        'endpoint-bindings': status.bindings(m, name),
    }
    return {name: out}


_EVERYWHERE = ('0.0.0.0/0', '::/0')


def _exposed(app: model_.Application) -> dict[str, Any]:
    """To whom each endpoint is exposed: to all, where nobody is named; the endpoint '' is all others."""
    out: dict[str, Any] = {}
    for endpoint, to in sorted((app.exposed_endpoints or {'': {}}).items()):
        named = {key: list(values) for key, values in to.items() if values}
        out[endpoint] = named or {'expose-to-cidrs': list(_EVERYWHERE)}
    return out


def status_log(
    m: model_.Model, name: str, *, kind: str = 'unit', limit: int = 20
) -> list[dict[str, Any]]:
    """``juju show-status-log ENTITY``, oldest first. Raises ``model.Refused``."""
    wanted: Sequence[str] = {
        'unit': ('juju-unit', 'workload'),
        'juju-unit': ('juju-unit',),
        'workload': ('workload',),
    }.get(kind, ())
    u = m.units.get(name)
    if u is None:
        if name in m.applications:
            return [_logged('application', derived.of_application(m, name, 0.0))]
        raise model_.Refused(f'unit "{name}" not found')
    history = [_logged(what, s) for what, s in u.history if what in wanted]
    return history[-limit:]


def _logged(what: str, s: model_.Status) -> dict[str, Any]:
    return {
        'status': s.current,
        'message': s.message,
        'since': display.since(s.since),
        'type': 'juju-unit' if what == 'juju-unit' else what,
    }


def status_log_table(rows: Iterable[Mapping[str, Any]], colour: bool) -> str:
    """``juju show-status-log`` for people."""
    lines = [(r['since'], r['type'], table.status(r['status']), r['message']) for r in rows]
    return table.render(('Time', 'Type', 'Status', 'Message'), lines, colour=colour)


def machines(m: model_.Model, ids: Sequence[str] = ()) -> dict[str, Any]:
    """``juju machines`` and, with *ids*, ``juju show-machine``. Raises ``model.Refused``."""
    for wanted in ids:
        if wanted not in m.machines:
            raise model_.Refused(f'machine {wanted} not found')
    chosen = [m.machines[i] for i in sorted(ids or m.machines, key=display.natural)]
    return {'model': m.name, 'machines': {one.id: status.machine(m, one) for one in chosen}}


def spaces(m: model_.Model) -> dict[str, Any]:
    """``juju spaces``."""
    rows: list[dict[str, Any]] = []
    for number, name in enumerate(sorted(m.spaces)):
        space = m.spaces[name]
        subnets = {
            cidr: {'type': kind, 'status': 'in-use', 'zones': ['default']}
            for subnet in space.subnets
            for kind, cidr in (('ipv4', subnet.ipv4), ('ipv6', subnet.ipv6))
            if cidr
        }
        rows.append({'id': str(number), 'name': name, 'subnets': subnets})
    return {'spaces': rows}


def spaces_table(value: Mapping[str, Any], colour: bool) -> str:
    """``juju spaces`` for people."""
    rows: list[tuple[str, ...]] = []
    for space in value['spaces']:
        name, number = space['name'], space['id']
        for subnet in space['subnets'] or [('')]:
            rows.append((number, name, subnet))
            number = name = ''
    return table.render(('Space', 'Name', 'Subnets'), rows, colour=colour)


def offers(m: model_.Model) -> dict[str, Any]:
    """``juju offers``."""
    out: dict[str, Any] = {}
    for name, offered in sorted(m.offers.items()):
        value = status.offer(m, offered)
        url = f'{m.owner}/{m.name}.{name}'
        out[name] = {
            'application': offered.application,
            'charm': value['charm'],
            'store': status.CONTROLLER,
            'offer-url': url,
            'endpoints': value['endpoints'],
            'users': {m.owner: {'display-name': m.owner, 'access': 'admin'}},
        }
    return out


def offers_table(value: Mapping[str, Any], colour: bool) -> str:
    """``juju offers`` and ``juju find-offers`` for people."""
    rows = [
        (
            offer['store'],
            offer['offer-url'],
            'admin',
            ', '.join(f'{e["interface"]}:{n}' for n, e in offer['endpoints'].items()),
        )
        for _, offer in sorted(value.items())
    ]
    return table.render(('Store', 'URL', 'Access', 'Interfaces'), rows, colour=colour)


def resources(m: model_.Model, application_: str) -> dict[str, Any]:
    """``juju resources APP``. Raises ``model.Refused``."""
    app = found_application(m, application_)
    declared = m.charms[app.charm].resources
    rows = [
        {
            'resourceid': f'{application_}/{name}',
            'name': name,
            'type': declared[name].kind if name in declared else 'file',
            'path': resource.filename,
            'used': 'yes',
            'fingerprint': resource.digest,
            'revision': str(resource.revision),
            'size': resource.size,
            'origin': 'upload',
        }
        for name, resource in sorted(app.resources.items())
    ]
    return {'resources': rows}
