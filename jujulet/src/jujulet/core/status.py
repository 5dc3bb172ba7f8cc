"""A model as ``juju status --format json`` shows it, as plain data.

Nothing is ever null: what is not there is left out, since clients (jubilant among them) fail on null. Source of
shape and derivations: ``cmd/juju/status`` and the status code of Juju 3.6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from . import constraints, derived, display, lxdprofile, topology
from . import model as model_

CONTROLLER = 'local'
REGION = 'localhost'

Others = Callable[[str], model_.Model | None]
"""Another model, by UUID: what is consumed here is offered there."""


def status(model: model_.Model, now: float, others: Others) -> dict[str, Any]:
    """The whole status of *model* at *now* (seconds since the epoch).

    One key is not Juju's: ``relations``, rows for the table (Juju keeps them from JSON and YAML, and so does the
    command line).
    """
    applications = {
        name: _application(model, model.applications[name], now)
        for name in sorted(model.applications)
    }
    out: dict[str, Any] = {
        'model': _model(model),
        'machines': {
            m.id: machine(model, m)
            for m in sorted(model.machines.values(), key=lambda m: display.natural(m.id))
        },
        'applications': applications,
    }
    saas = {n: _saas(model, r, now, others) for n, r in sorted(model.remotes.items()) if r.url}
    offers = {n: offer(model, o) for n, o in sorted(model.offers.items())}
    _put(out, 'application-endpoints', saas)
    _put(out, 'offers', offers)
    _put(out, 'storage', storage(model))
    out['controller'] = {'timestamp': display.clock(now)}
    out['relations'] = relations(model)
    return out


def _put(out: dict[str, Any], key: str, value: Any) -> None:
    """Only what is there is shown."""
    if value:
        out[key] = value


def cloud(model: model_.Model) -> str:
    """Which of this machine's two clouds the model is in."""
    return 'localhost' if model.machines_kind == 'container' else 'processes'


def _model(model: model_.Model) -> dict[str, Any]:
    current = 'available' if model.life == 'alive' else 'destroying'
    return {
        'name': model.name,
        'type': 'iaas',
        'controller': CONTROLLER,
        'cloud': cloud(model),
        'region': REGION,
        'version': model.juju_version,
        'model-status': {'current': current, 'since': display.since(model.created)},
        'sla': 'unsupported',
    }


def _shown(status: model_.Status, *, life: str = 'alive', version: str = '') -> dict[str, Any]:
    out: dict[str, Any] = {'current': status.current}
    _put(out, 'message', status.message)
    if status.since:
        out['since'] = display.since(status.since)
    _put(out, 'version', version)
    if life != 'alive':
        out['life'] = life
    return out


# Machines


_MACHINE = {
    'pending': ('pending', 'pending'),
    'started': ('started', 'running'),
    'down': ('down', 'running'),
    'failed': ('down', 'provisioning error'),
}


def machine(model: model_.Model, m: model_.Machine) -> dict[str, Any]:
    """One machine."""
    juju, instance = _MACHINE[m.phase]
    message = m.message or {'started': 'Running'}.get(m.phase, '')
    if without := lxdprofile.lacking(model, m):
        message = f'{message}; {without}'
    if m.lsb_release:
        message = '; '.join(filter(None, (message, f'/etc/lsb-release says {m.lsb_release}')))
    lost = 'agent is not communicating with the server' if m.phase == 'down' else ''
    version = model.juju_version if m.phase in ('started', 'down') else ''
    out: dict[str, Any] = {
        'juju-status': _shown(
            model_.Status(juju, lost, m.since or model.created), life=m.life, version=version
        )
    }
    if m.addresses:
        out['hostname'] = display.hostname(model, m)
        out['dns-name'] = m.addresses[0].ipv4
        out['ip-addresses'] = [ip for a in m.addresses for ip in (a.ipv4, a.ipv6) if ip]
    out['instance-id'] = 'pending' if m.phase == 'pending' else display.hostname(model, m)
    out['machine-status'] = _shown(model_.Status(instance, message, m.since or model.created))
    out['modification-status'] = {'current': 'idle', 'since': display.since(m.since)}
    out['base'] = {'name': m.base.name, 'channel': m.base.channel}
    _put(out, 'network-interfaces', _interfaces(model, m))
    _put(out, 'constraints', constraints.render({**model.constraints, **m.constraints}))
    out['hardware'] = 'arch=amd64 cores=0 mem=0M virt-type=container'
    _put(out, 'lxd-profiles', lxdprofile.shown(model, m.id))
    return out


def _interfaces(model: model_.Model, m: model_.Machine) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for number, address in enumerate(m.addresses):
        space = model.spaces.get(address.space)
        interface: dict[str, Any] = {
            'ip-addresses': [ip for ip in (address.ipv4, address.ipv6) if ip],
            'mac-address': address.mac,
        }
        if space is not None and (subnet := topology.subnet_of(space, address)).ipv4:
            interface['gateway'] = _gateway(subnet.ipv4)
        interface['space'] = address.space
        interface['is-up'] = m.phase == 'started'
        out[model_.interface(number)] = interface
    return out


def _gateway(subnet: str) -> str:
    """The first host of *subnet*."""
    octets = [int(o) for o in subnet.partition('/')[0].split('.')]
    octets[3] += 1
    return '.'.join(str(o) for o in octets)


# Applications and units


def _application(model: model_.Model, app: model_.Application, now: float) -> dict[str, Any]:
    charm = model.charms[app.charm]
    out: dict[str, Any] = {
        'charm': app.charm,
        'base': {'name': app.base.name, 'channel': app.base.channel},
        'charm-origin': 'local',
        'charm-name': charm.name,
        'charm-rev': charm.revision,
    }
    _put(out, 'charm-version', charm.version)
    _put(out, 'charm-profile', lxdprofile.shown_name(model, app.name))
    out['exposed'] = app.exposed
    if app.life != 'alive':
        out['life'] = app.life
    out['application-status'] = _shown(derived.of_application(model, app.name, now))
    _put(out, 'relations', _related(model, app.name))
    if charm.subordinate:
        _put(out, 'subordinate-to', _principals(model, app.name))
    else:
        units = {u.name: unit(model, u, now) for u in model.units_of(app.name)}
        _put(out, 'units', units)
    _put(out, 'version', _version(model, app.name))
    out['endpoint-bindings'] = bindings(model, app.name)
    return out


def bindings(model: model_.Model, application: str) -> dict[str, str]:
    """The space of every endpoint of *application*; the key ``''`` is the default."""
    charm = model.charm_of(application)
    names = ('', *sorted((*charm.relations, *charm.extra_bindings)))
    return {name: display.space_of(model, application, name) for name in names}


def unit(model: model_.Model, u: model_.Unit, now: float) -> dict[str, Any]:
    """One unit, with its subordinates nested."""
    workload, agent = derived.of_unit(model, u, now)
    app = model.applications.get(u.application)
    version = '' if agent.current == 'allocating' else model.juju_version
    out: dict[str, Any] = {
        'workload-status': _shown(workload),
        'juju-status': _shown(agent, life=u.life, version=version),
    }
    if app is not None and app.leader == u.name:
        out['leader'] = True
    if app is not None and u.agent.deployed and u.agent.deployed != app.charm:
        out['upgrading-from'] = u.agent.deployed
    if not u.principal:
        _put(out, 'machine', u.machine)
    _put(out, 'open-ports', display.ports(u.ports))
    _put(out, 'public-address', display.address(model, u))
    below = sorted(model.subordinates_of(u.name), key=lambda s: display.natural(s.name))
    _put(out, 'subordinates', {s.name: unit(model, s, now) for s in below})
    return out


def _version(model: model_.Model, application: str) -> str:
    """Of the unit that said it last in order of numbers, as Juju shows one for the application."""
    said = [u.workload_version for u in model.units_of(application) if u.workload_version]
    return said[-1] if said else ''


def _principals(model: model_.Model, application: str) -> list[str]:
    found = {
        e.application
        for r in model.relations_of(application)
        for e in r.endpoints
        if e.scope == 'container' and e.application != application
    }
    # Only those that are shown too: a reader follows these names.
    return sorted(found & set(model.applications))


def _related(model: model_.Model, application: str) -> dict[str, Any]:
    out: dict[str, list[dict[str, str]]] = {}
    for relation in model.relations_of(application):
        for mine, other in _seen_from(relation, application):
            scope = 'container' if 'container' in (mine.scope, other.scope) else 'global'
            row = {
                'related-application': other.application,
                'interface': mine.interface,
                'scope': scope,
            }
            out.setdefault(mine.name, []).append(row)
    return {name: out[name] for name in sorted(out)}


def _seen_from(
    relation: model_.Relation, application: str
) -> Iterable[tuple[model_.Endpoint, model_.Endpoint]]:
    """(own side, other side); a peer relation has itself on the other side."""
    ends = relation.endpoints
    if len(ends) == 1:
        return [(ends[0], ends[0])]
    pairs = ((ends[0], ends[1]), (ends[1], ends[0]))
    return [(mine, other) for mine, other in pairs if mine.application == application]


# Relations, other models, storage


def relations(model: model_.Model) -> list[dict[str, str]]:
    """Rows of the table of relations, by provider, then requirer."""
    rows: list[dict[str, str]] = []
    for relation in model.relations.values():
        first, last = relation.endpoints[0], relation.endpoints[-1]
        kind = 'peer' if len(relation.endpoints) == 1 else 'regular'
        if 'container' in (first.scope, last.scope):
            kind = 'subordinate'
        provider, requirer = (last, first) if last.role == 'provider' else (first, last)
        state = 'suspended' if relation.suspended else ''
        rows.append(
            {
                'provider': f'{provider.application}:{provider.name}',
                'requirer': f'{requirer.application}:{requirer.name}',
                'interface': first.interface,
                'type': kind,
                'status': 'removing' if relation.life != 'alive' else state,
            }
        )
    return sorted(rows, key=lambda r: (r['provider'], r['requirer']))


def _saas(
    model: model_.Model, remote: model_.RemoteApplication, now: float, others: Others
) -> dict[str, Any]:
    out: dict[str, Any] = {
        'url': remote.url,
        'endpoints': {
            e.name: {'interface': e.interface, 'role': e.role} for e in remote.endpoints
        },
    }
    if remote.life != 'alive':
        out['life'] = remote.life
    there = others(remote.model)
    if there is not None and remote.application in there.applications:
        out['application-status'] = _shown(derived.of_application(there, remote.application, now))
    else:
        out['application-status'] = {
            'current': 'terminated',
            'message': 'offer has been removed',
        }
    related = {
        name: [row['related-application'] for row in rows]
        for name, rows in _related(model, remote.name).items()
    }
    _put(out, 'relations', related)
    return out


def offer(model: model_.Model, o: model_.Offer) -> dict[str, Any]:
    """One offer of this model, with how many consume it."""
    ends = model.charm_of(o.application).relations
    consumers = {name for name, remote in model.remotes.items() if not remote.url}
    connected = [
        relation
        for relation in model.relations_of(o.application)
        for mine, other in _seen_from(relation, o.application)
        if mine.name in o.endpoints and other.application in consumers
    ]
    found: dict[str, Any] = {
        'charm': model.applications[o.application].charm,
        'application': o.application,
        'endpoints': {
            name: {'interface': ends[name].interface, 'role': ends[name].role}
            for name in sorted(o.endpoints)
            if name in ends
        },
    }
    _put(
        found, 'total-connected-count', len(connected)
    )  # As Juju does, which leaves out what is 0.
    _put(found, 'active-connected-count', sum(not r.suspended for r in connected))
    return found


def storage(model: model_.Model) -> dict[str, Any]:
    """Storage instances, and the filesystems and volumes under them; empty when there are none."""
    if not model.storage:
        return {}
    instances: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {'filesystems': {}, 'volumes': {}}
    for name, s in sorted(model.storage.items(), key=lambda item: display.natural(item[0])):
        instances[name] = _instance(model, s)
        where = 'filesystems' if s.kind == 'filesystem' else 'volumes'
        owner = model.units.get(s.owner)
        number = name.rpartition('/')[2]  # One sequence for all storage of a model.
        identity = f'{owner.machine if owner else s.machine}/{number}'
        parts[where][identity] = _backing(model, s, identity)
    return {'storage': instances, **{k: v for k, v in parts.items() if v}}


def _storage_status(s: model_.Storage) -> dict[str, Any]:
    current = 'attached' if s.attached else 'pending' if s.owner else 'detached'
    return _shown(model_.Status(current, '', s.since))


def _attachment_life(s: model_.Storage) -> str:
    return 'dying' if s.detaching else s.life


def _attached_units(model: model_.Model, s: model_.Storage) -> dict[str, Any]:
    if s.owner not in model.units:
        return {}
    place: dict[str, Any] = {'machine': model.units[s.owner].machine}
    if s.attached:
        place['location'] = s.location
    place['life'] = _attachment_life(s)
    return {s.owner: place}


def _instance(model: model_.Model, s: model_.Storage) -> dict[str, Any]:
    out: dict[str, Any] = {
        'kind': s.kind,
        'life': s.life,
        'status': _storage_status(s),
        'persistent': False,
    }
    units = _attached_units(model, s)
    if units:
        out['attachments'] = {'units': units}
    return out


def _backing(model: model_.Model, s: model_.Storage, identity: str) -> dict[str, Any]:
    out: dict[str, Any] = {'provider-id': identity, 'storage': s.id}
    units = _attached_units(model, s)
    if units:
        attachment: dict[str, Any] = {'read-only': False, 'life': _attachment_life(s)}
        if s.kind == 'filesystem':
            attachment['mount-point'] = s.location
        out['attachments'] = {
            'machines': {model.units[s.owner].machine: attachment},
            'units': units,
        }
    out['pool'] = s.pool
    out['size'] = s.size
    if s.kind == 'block':
        out['persistent'] = False
    out['life'] = s.life
    out['status'] = _storage_status(s)
    return out
