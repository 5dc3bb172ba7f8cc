"""What a model is like now, as plain data: from `juju status`, `juju show-unit`, declarations and the record. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, cast

from lifecycle import admission, bypass, declared
from lifecycle import record as record_
from lifecycle.problem import UNIT, ProblemError, clean


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unit:
    """One unit."""

    name: str
    base: str = ''
    """Of its machine; empty while it has none."""
    leader: bool = False
    workload: str = 'unknown'
    message: str = ''
    agent: str = 'unknown'
    dying: bool = False
    """It was asked to go."""
    subordinates: tuple[str, ...] = ()
    """Names of the units that live on it."""
    admission: admission.Admission = admission.UNBALANCED
    doing: str = ''
    """What its agent is at."""
    upgrading: bool = False
    """Its charm is not yet that of its application."""
    addresses: tuple[str, ...] = ()
    """By which it can be reached."""
    mentions: tuple[bypass.Mention, ...] = ()
    """Addresses that it publishes, and gets."""

    @property
    def number(self) -> int:
        """What follows the slash."""
        return int(self.name.rpartition('/')[2])

    @property
    def failed(self) -> bool:
        """Whether a hook failed or its agent was lost."""
        return self.workload == 'error' or self.agent in ('error', 'lost', 'failed')

    @property
    def ready(self) -> bool:
        """Whether it serves, and its load balancers send it requests where it has some."""
        return (
            not self.dying
            and self.workload == 'active'
            and self.admission.state in ('admitted', 'unbalanced')
        )

    @property
    def healthy(self) -> bool:
        """Whether it serves, with its application's charm, and its agent is at rest."""
        return self.ready and not self.upgrading and self.agent == 'idle'

    @property
    def drained(self) -> bool:
        """Whether nobody sends it requests, and none is under way."""
        if self.dying:
            return True  # Too late to ask for anything else.
        if self.admission.state == 'unbalanced':
            return self.workload == 'maintenance' and self.agent == 'idle'
        return self.admission.state == 'drained'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Application:
    """One application."""

    name: str
    charm: str = ''
    base: str = ''
    """That its next unit would have."""
    subordinate: bool = False
    units: tuple[Unit, ...] = ()
    """By number."""
    related: Mapping[str, tuple[str, ...]] = dataclasses.field(
        default_factory=dict[str, tuple[str, ...]]
    )
    """Applications by endpoint."""
    origin: str | None = None
    """The archive that its option names; None when it has no such option, or was not asked."""
    stored: bool = False
    """Whether it has storage."""
    declaration: declared.Declaration = declared.UNDECLARED
    unread: str = ''
    """Why its declaration could not be read."""

    @property
    def balancers(self) -> tuple[str, ...]:
        """The load balancers that its charm says admit and drain its units."""
        return tuple(
            sorted({app for one in self.declaration.behind for app in self.related.get(one, ())})
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Observed:
    """One look at a model."""

    model: str
    applications: Mapping[str, Application]
    record: record_.Record = record_.EMPTY

    def has_unit(self, name: str) -> bool:
        """Whether there is such a unit."""
        app = self.applications.get(name.partition('/')[0])
        return app is not None and any(unit.name == name for unit in app.units)


def read(
    status: Mapping[str, Any],
    *,
    shown: Mapping[str, Any] | None = None,
    declarations: Mapping[str, declared.Declaration | ProblemError] | None = None,
    origins: Mapping[str, str | None] | None = None,
    record: record_.Record = record_.EMPTY,
) -> Observed:
    """What `juju status --format json` says, and `juju show-unit --format json` of those units that are *shown*.

    Raises:
        ProblemError: it is no such status.
    """
    document = _mapping(status)
    apps, model = document.get('applications'), document.get('model')
    if not isinstance(apps, dict) or not isinstance(model, dict):
        raise ProblemError('juju status: no status of a model: applications or model are missing')
    bases = dict(_bases(_mapping(document.get('machines'))))
    stored = _stored(_mapping(document.get('storage')))
    subordinates = _subordinates(cast('dict[str, Any]', apps))
    found: dict[str, Application] = {}
    for name, one in sorted(cast('dict[str, object]', apps).items()):
        said = _mapping(one)
        declaration = (declarations or {}).get(name, declared.UNDECLARED)
        unread = str(declaration) if isinstance(declaration, ProblemError) else ''
        known = declared.UNDECLARED if isinstance(declaration, ProblemError) else declaration
        members = (
            subordinates.get(name, {})
            if said.get('subordinate-to')
            else _mapping(said.get('units'))
        )
        related = _related(_mapping(said.get('relations')))
        seen = _Seen(bases, _machines(document.get('machines')), _mapping(shown), known.behind)
        balancers = {e: len(related[e]) for e in known.behind if e in related}
        units = [_unit(u, _mapping(m), seen, balancers) for u, m in members.items()]
        found[name] = Application(
            name=clean(name, 100),
            charm=clean(said.get('charm-name') or said.get('charm', ''), 100),
            base=base_of(said.get('base')),
            subordinate=bool(said.get('subordinate-to')),
            units=tuple(sorted(units, key=lambda one: one.number)),
            related=related,
            origin=(origins or {}).get(name),
            stored=name in stored,
            declaration=known,
            unread=unread,
        )
    return Observed(model=clean(model.get('name', ''), 100), applications=found, record=record)  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]


def base_of(said: object) -> str:
    """`debian@13` of what status says of a base; without the channel's risk."""
    base = _mapping(said)
    name, channel = str(base.get('name', '')), str(base.get('channel', '')).partition('/')[0]
    return clean(f'{name}@{channel}', 60) if name and channel else ''


def _mapping(value: object) -> dict[str, Any]:
    return cast('dict[str, Any]', value) if isinstance(value, dict) else {}


def _bases(machines: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, one in machines.items():
        yield name, base_of(_mapping(one).get('base'))
        yield from _bases(_mapping(_mapping(one).get('containers')))


def _stored(storage: Mapping[str, Any]) -> set[str]:
    return {
        str(unit).partition('/')[0]
        for one in _mapping(storage.get('storage')).values()
        for unit in _mapping(_mapping(_mapping(one).get('attachments')).get('units'))
    }


def _subordinates(apps: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Units of subordinates by their application; status has them below their principals."""
    found: dict[str, dict[str, Any]] = {}
    for app in apps.values():
        for said in _mapping(_mapping(app).get('units')).values():
            unit = _mapping(said)
            for name, one in _mapping(unit.get('subordinates')).items():
                machine = {'machine': unit.get('machine', '')}
                found.setdefault(name.partition('/')[0], {})[name] = {**machine, **_mapping(one)}
    return found


def _related(relations: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {
        endpoint: tuple(
            sorted(
                clean(_mapping(other).get('related-application', ''), 100)
                for other in cast('list[object]', others)
            )
        )
        for endpoint, others in relations.items()
        if isinstance(others, list)
    }


@dataclasses.dataclass(frozen=True)
class _Seen:
    """What is shown of units elsewhere than below them."""

    bases: Mapping[str, str]
    machines: Mapping[str, Mapping[str, Any]]
    shown: Mapping[str, Any]
    behind: tuple[str, ...]


def _machines(said: object) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for name, one in _mapping(said).items():
        machine = _mapping(one)
        found[name] = machine
        found.update(_machines(machine.get('containers')))
    return found


def _unit(name: str, said: Mapping[str, Any], seen: _Seen, balancers: Mapping[str, int]) -> Unit:
    if not UNIT.fullmatch(name):
        raise ProblemError(f'juju status: {clean(name, 60)}: is no name of a unit')
    workload, agent = _mapping(said.get('workload-status')), _mapping(said.get('juju-status'))
    relations = _mapping(seen.shown.get(name)).get('relation-info')
    listed = cast('list[object]', relations) if isinstance(relations, list) else []
    info = [_mapping(one) for one in listed]
    machine = str(said.get('machine', ''))
    addresses = _mapping(seen.machines.get(machine)).get('ip-addresses')
    every = cast('list[object]', addresses) if isinstance(addresses, list) else []
    return Unit(
        name=name,
        base=seen.bases.get(machine, ''),
        leader=said.get('leader') is True,
        workload=clean(workload.get('current', 'unknown'), 40),
        message=clean(workload.get('message', '')),
        agent=clean(agent.get('current', 'unknown'), 40),
        dying='dying' in [said.get('life'), agent.get('life'), workload.get('life')],
        subordinates=tuple(sorted(one for one in _mapping(said.get('subordinates')))),
        admission=admission.read(name, info, balancers),
        upgrading=bool(said.get('upgrading-from')),
        doing=clean(agent.get('message', ''), 100),
        addresses=tuple(
            sorted({clean(one, 60) for one in (said.get('public-address'), *every) if one})
        ),
        mentions=bypass.mentions(name, info, seen.behind),
    )
