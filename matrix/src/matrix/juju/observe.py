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
        )
        yield from _machines(one.containers)


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
        yield name, journal.Status(name, machine.status)


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
    """What a model must come back to after chaos, of each application; units are counted, not named.

    A unit that was replaced has another number, and is as good.
    """
    found: dict[str, located.Plain] = {}
    for app in one.applications:
        units: list[located.Plain] = [
            *sorted(
                f'{unit.workload_status}: {unit.message} {" ".join(sorted(unit.ports))}'.strip()
                for unit in app.units
            )
        ]
        found[app.name] = {
            'charm': app.charm,
            'status': f'{app.status}: {app.message}',
            'units': units,
            'relations': [f'{endpoint} {other}' for endpoint, other in app.relations],
        }
    return found


def ha(one: snapshot.Model) -> bool:
    """Whether the model promises to stay up without one unit: an application has two or more.

    Faults leave alone what has no second unit.
    """
    return any(len(app.units) > 1 for app in one.applications if not app.subordinate)
