"""What Juju says of a model, as plain data: a snapshot, what changed between two, and a fingerprint. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import jubilant
from jubilant import statustypes

from matrix.grammar import located
from matrix.history import journal
from matrix.plans import snapshot


def model(status: jubilant.Status) -> snapshot.Model:
    """A status as jubilant gives it, as a snapshot; subordinates stand under their own application."""
    units: dict[str, list[snapshot.Unit]] = {name: [] for name in status.apps}
    for app in status.apps.values():
        for name, one in app.units.items():
            units.setdefault(_application(name), []).append(
                _unit(name, one, one.machine, subordinate=False)
            )
            for below, other in one.subordinates.items():
                units.setdefault(_application(below), []).append(
                    _unit(below, other, one.machine, subordinate=True)
                )
    applications = tuple(
        _application_of(name, app, tuple(sorted(units[name], key=_number)))
        for name, app in status.apps.items()
    )
    return snapshot.Model(applications, tuple(_machines(status.machines)))


def _application(unit: str) -> str:
    return unit.partition('/')[0]


def _number(unit: snapshot.Unit) -> int:
    return int(unit.name.partition('/')[2] or 0)


def _unit(
    name: str, one: statustypes.UnitStatus, machine: str, *, subordinate: bool
) -> snapshot.Unit:
    return snapshot.Unit(
        name=name,
        machine=machine,
        leader=one.leader,
        agent_status=one.juju_status.current,
        workload_status=one.workload_status.current,
        subordinate=subordinate,
        message=one.workload_status.message,
        agent_message=one.juju_status.message,
        address=one.public_address or one.address,
        ports=tuple(one.open_ports),
    )


def _application_of(
    name: str, app: statustypes.AppStatus, units: tuple[snapshot.Unit, ...]
) -> snapshot.Application:
    relations = sorted(
        (endpoint, other.related_app)
        for endpoint, others in app.relations.items()
        for other in others
    )
    return snapshot.Application(
        name=name,
        units=units,
        subordinate=bool(app.subordinate_to),
        charm=app.charm_name,
        revision=app.charm_rev,
        status=app.app_status.current,
        message=app.app_status.message,
        relations=tuple(relations),
    )


def _machines(found: Mapping[str, statustypes.MachineStatus]) -> Iterator[snapshot.Machine]:
    for name, one in found.items():
        yield snapshot.Machine(
            id=name,
            status=one.juju_status.current,
            addresses=tuple(one.ip_addresses),
            hostname=one.hostname or one.instance_id,
            # Why a machine could not be had stands in the one, what ails its agent in the other.
            message=_reason(one),
        )
        yield from _machines(one.containers)


def _reason(one: statustypes.MachineStatus) -> str:
    if one.juju_status.current == 'started':
        return ''
    said = (one.machine_status.message, one.juju_status.message)
    return '; '.join(text for text in dict.fromkeys(said) if text)


def changed(before: snapshot.Model, after: snapshot.Model) -> tuple[journal.Status, ...]:
    """What a journal says of the change from one snapshot to the next: units, applications, machines."""
    old = dict(_said(before))
    found = [said for name, said in _said(after) if old.get(name) != said]
    gone = [journal.Status(name, 'gone') for name in old if name not in dict(_said(after))]
    return (*found, *gone)


def _said(one: snapshot.Model) -> Iterator[tuple[str, journal.Status]]:
    for app in one.applications:
        yield app.name, journal.Status(app.name, app.status, app.message)
        for unit in app.units:
            yield unit.name, _of_unit(unit)
    for machine in one.machines:
        name = f'machine {machine.id}'
        yield name, journal.Status(name, machine.status, machine.message)


def _of_unit(unit: snapshot.Unit) -> journal.Status:
    agent = unit.agent_status
    # Which hook an agent runs is what tells hooks apart where there is no log to read.
    doing = (
        f'{agent}: {unit.agent_message}' if agent == 'executing' and unit.agent_message else agent
    )
    return journal.Status(unit.name, unit.workload_status, unit.message, doing)


def leaders(before: snapshot.Model, after: snapshot.Model) -> tuple[journal.Effect, ...]:
    """Changes of leadership: the first leader of an application is none."""
    old = _leaders(before)
    return tuple(
        journal.Effect('leader', {'application': name, 'from': old[name], 'to': unit})
        for name, unit in _leaders(after).items()
        if name in old and old[name] != unit
    )


def _leaders(one: snapshot.Model) -> dict[str, str]:
    return {app.name: unit.name for app in one.applications for unit in app.units if unit.leader}


def fingerprint(one: snapshot.Model) -> dict[str, located.Plain]:
    """What a model must come back to after chaos, of each application."""
    return {app.name: _print_of(app) for app in one.applications}


def _print_of(app: snapshot.Application) -> located.Plain:
    units: dict[str, located.Plain] = {
        unit.name: {
            'machine': unit.machine,
            'workload': unit.workload_status,
            'message': unit.message,
            'agent': unit.agent_status,
            'ports': ' '.join(sorted(unit.ports)),
        }
        for unit in app.units
    }
    return {
        'units': units,
        'charm': app.charm,
        'status': f'{app.status}: {app.message}',
        'relations': [f'{endpoint} {other}' for endpoint, other in app.relations],
    }


def differences(
    before: Mapping[str, located.Plain], after: Mapping[str, located.Plain]
) -> tuple[str, ...]:
    """What is not as it was, one sentence each. Units are counted, not named: one that was replaced is as good."""
    found: list[str] = []
    for name in sorted({*before, *after}):
        was, now = _alike(before.get(name)), _alike(after.get(name))
        found += [
            f'{name}: {key} was {was.get(key)}, is {now.get(key)}'
            for key in sorted({*was, *now})
            if was.get(key) != now.get(key)
        ]
    return tuple(found)


def _alike(value: located.Plain) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    units = value.get('units')
    named = units if isinstance(units, dict) else {}
    every = sorted(
        ', '.join(str(one[key]) for key in ('workload', 'message', 'ports') if one.get(key))
        for one in named.values()
        if isinstance(one, dict)
    )
    rest = {key: str(one) for key, one in value.items() if key != 'units'}
    return {**rest, 'units': str(every)}


def ha(one: snapshot.Model) -> bool:
    """Whether the model promises to stay up without one unit: an application has two or more.

    Faults leave alone what has no second unit.
    """
    return any(len(app.units) > 1 for app in one.applications if not app.subordinate)
