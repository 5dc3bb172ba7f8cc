"""A model in memory: its clock goes on with every call, its units come, drain and go as a charm's and Juju's do.

It counts what must never happen: a unit removed that still got requests, fewer units in rotation than there were, a
database contracted while the former release used it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lifecycle.world import Kept, NotYetError, UnchangedError, WorldError

DECLARED = """
version: 1
provides: [{name}]
after: [{after}]
way: replace
ways: [replace, in-place]
releases: {{debian@12: zed, debian@13: epoxy}}
actions: {{rehearse: rehearse-migrations, expand: db-expand, contract: db-contract, online: db-online, drain: pause,
  admit: resume, upgrade: openstack-upgrade}}
behind: [public-backend]
"""

OWN = """
version: 1
provides: [{name}]
way: own
ways: [own]
releases: {{debian@12: "10.11", debian@13: "11.8"}}
actions: {{switch: switch-over, drain: drain}}
holds: {{switch: 5}}
own-units: 1
{more}
"""
SHRINKS = 'own-shrinks: "its data are on one unit alone"'


class KilledError(BaseException):
    """The run was killed: it can do nothing more, not even say so."""


@dataclasses.dataclass
class Unit:
    """A unit, and how many moments it still needs for what it is at."""

    name: str
    machine: str
    base: str
    leader: bool = False
    state: str = 'installing'
    left: int = 3
    schema_needed: bool = False
    packages: str = 'distro'
    said: str = ''
    """Its status, once it is ready."""
    told_lost: bool = False
    """Somebody has been told that its agent is lost."""


@dataclasses.dataclass
class Application:
    """An application behind the load balancer `lb`."""

    name: str
    base: str
    after: str = ''
    schema: str = 'zed'
    next: int = 0
    units: list[Unit] = dataclasses.field(default_factory=list[Unit])
    origin: str = 'distro'
    declared: str | None = None
    holder: str = ''
    """Of one that is moved by its own way: the unit that has the data that count."""
    rehearsed: bool = False
    undrained: bool = False
    """Its load balancer never lets a unit go."""


RELEASES = {'debian@12': 'zed', 'debian@13': 'epoxy'}


@dataclasses.dataclass
class Model:
    """What a World asks; see there. `kill_at` counts calls from now."""

    apps: dict[str, Application] = dataclasses.field(default_factory=dict[str, Application])
    clock: float = 1_000_000.0
    calls: int = 0
    most_calls: int = 2000
    kill_at: int | None = None
    kill_after: bool = False
    """Killed once the call has been done, rather than before."""
    failures: list[str] = dataclasses.field(default_factory=list[str])
    """Actions that fail the next time, one entry each."""
    unchanged: list[str] = dataclasses.field(default_factory=list[str])
    """Actions that fail the next time, and of which the charm says that nothing was changed, one entry each."""
    refusals: list[str] = dataclasses.field(default_factory=list[str])
    """Actions that the charm refuses the next time since other units are not as far, one entry each."""
    spoilt: set[str] = dataclasses.field(default_factory=set[str])
    """Applications whose units a refresh makes ill."""
    takes_minutes: dict[str, int] = dataclasses.field(default_factory=dict[str, int])
    """Of an action."""
    by_hand: dict[int, tuple[str, int]] = dataclasses.field(
        default_factory=dict[int, tuple[str, int]]
    )
    """What befalls a unit at a call: it is `removed` by somebody, or `lost` with its machine; which one counts on."""
    revisions: list[dict[str, str]] = dataclasses.field(default_factory=list[dict[str, str]])
    wrong: list[str] = dataclasses.field(default_factory=list[str])
    free: int = 50 * 1024**3
    unrehearsed: set[str] = dataclasses.field(default_factory=set[str])
    """Rehearsals that were left out."""
    backed_up: float | None = None
    least: dict[str, int] = dataclasses.field(default_factory=dict[str, int])
    contracted: list[str] = dataclasses.field(default_factory=list[str])
    asked: list[str] = dataclasses.field(default_factory=list[str])
    """What was asked for, in order."""
    who: str = 'ann@here process 1'
    gone: bool = True
    dead: bool = False

    # --- What a test makes.

    def deploy(self, name: str, units: int, after: str = '') -> None:
        """An application that serves."""
        app = Application(name=name, base='debian@12', after=after)
        app.declared = DECLARED.format(name=name, after=after)
        self.apps[name] = app
        for _ in range(units):
            self._new(app)
        for unit in app.units:
            unit.state, unit.left = 'ready', 0
        app.units[0].leader = True
        self.least[name] = units

    def deploy_own(self, name: str, units: int = 1, more: str = SHRINKS) -> None:
        """Units that hold what no other application has: all of it each, where they are of one base."""
        self.deploy(name, units)
        app = self.apps[name]
        app.declared, app.holder = OWN.format(name=name, more=more), app.units[0].name
        self.least[name] = 1

    def begin(self, who: str = 'ann@here process 2') -> None:
        """Another process, with nothing in its memory."""
        self.dead, self.kill_at, self.calls, self.who = False, None, 0, who

    # --- What goes on.

    def _new(self, app: Application) -> Unit:
        unit = Unit(f'{app.name}/{app.next}', f'{app.name}-{app.next}', app.base)
        unit.packages = app.origin
        unit.schema_needed = RELEASES[app.base] == 'epoxy' or app.origin != 'distro'
        app.next += 1
        app.units.append(unit)
        return unit

    def _tick(self) -> None:
        self.clock += 1.0
        for app in self.apps.values():
            for unit in app.units:
                self._advance(app, unit)
            for unit in [u for u in app.units if u.state == 'dying' and u.left <= 0]:
                app.units.remove(unit)
                if unit.leader and app.units:
                    app.units[0].leader = True
            ready = sum(unit.state in ('ready', 'asked') for unit in app.units)
            if ready < self.least[app.name]:
                self.wrong.append(
                    f'{app.name} had {ready} units in rotation, {self.least[app.name]} before'
                )

    def _advance(self, app: Application, unit: Unit) -> None:
        if unit.left > 0:
            unit.left -= 1
            return
        match unit.state:
            case 'installing' if app.holder and self._stays_out(app, unit):
                pass
            case 'installing':
                if not unit.schema_needed or app.schema != 'zed' or app.holder:
                    unit.state, unit.left = 'active', 2
            case 'active':
                unit.state = 'ready'
            case 'asked':
                if not app.undrained:
                    unit.state, unit.left = 'draining', 2
            case 'draining':
                unit.state = 'paused'
            case _:
                pass

    # --- What a World is asked.

    def _call(self) -> None:
        if self.dead:
            raise KilledError
        self.calls += 1
        assert self.calls < self.most_calls, f'this run does not end: {self.asked[-9:]}'
        self._tick()
        self._befalls(*self.by_hand.pop(self.calls, ('', 0)))
        if self.kill_at == self.calls and not self.kill_after:
            self.dead = True
            raise KilledError

    def _befalls(self, what: str, which: int) -> None:
        every = [unit for app in self.apps.values() for unit in app.units]
        if not what or not every:
            return
        unit = every[which % len(every)]
        if what == 'lost':
            unit.state, unit.left = 'lost', 0
        else:
            self.vanish(unit.name)
        self.least = dict.fromkeys(self.apps, 0)  # That is not the engine's doing.

    def vanish(self, name: str) -> None:
        """It is removed by force, without a word to anybody."""
        app = self.apps[name.partition('/')[0]]
        gone = self._unit(name)
        app.units.remove(gone)
        if gone.leader and app.units:
            app.units[0].leader = True

    def _end(self) -> None:
        if self.kill_at == self.calls and self.kill_after:
            self.dead = True
            raise KilledError

    def now(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self._call()
        for _ in range(int(seconds)):
            self._tick()

    @property
    def me(self) -> str:
        return self.who

    def is_gone(self, who: str) -> bool:
        return self.gone and who != self.who

    def status(self) -> Mapping[str, Any]:
        self._call()
        applications = {
            'lb': {'charm-name': 'lb', 'base': _base('debian@12'), 'relations': {}, 'units': {}},
            **{name: self._status_of(app) for name, app in self.apps.items()},
        }
        machines = {
            unit.machine: {'base': _base(unit.base)}
            for app in self.apps.values()
            for unit in app.units
        }
        return {'model': {'name': 'sim'}, 'machines': machines, 'applications': applications}

    def _status_of(self, app: Application) -> dict[str, Any]:
        for unit in app.units:
            unit.told_lost = unit.told_lost or unit.state == 'lost'
        units = {
            unit.name: {
                'machine': unit.machine,
                'leader': unit.leader,
                'workload-status': {
                    'current': _WORKLOAD.get(unit.state, 'active'),
                    'message': unit.said if unit.state == 'ready' else unit.state,
                },
                'juju-status': {
                    'current': 'lost'
                    if unit.state == 'lost'
                    else 'executing'
                    if unit.left and unit.state != 'ready'
                    else 'idle',
                    **({'life': 'dying'} if unit.state == 'dying' else {}),
                },
            }
            for unit in app.units
        }
        related = [{'related-application': 'lb', 'interface': 'openstack-api-endpoints'}]
        return {
            'charm-name': app.name,
            'base': _base(app.base),
            'relations': {'public-backend': related},
            'units': units,
        }

    def show_units(self, names: Sequence[str]) -> Mapping[str, Any]:
        self._call()
        return {
            unit.name: {'relation-info': [relation(unit)]}
            for app in self.apps.values()
            for unit in app.units
            if unit.name in names
        }

    def declarations(self, units: Sequence[str]) -> Mapping[str, str | WorldError | None]:
        self._call()
        return {unit: self.apps[unit.partition('/')[0]].declared for unit in units}

    def disks(self, units: Sequence[str]) -> Mapping[str, int]:
        self._call()
        return {unit: self.free for unit in units}

    def last_run(self, application: str, action: str) -> float | None:
        self._call()
        return self.backed_up

    def kept(self, revision: int | None = None) -> Kept | None:
        self._call()
        if not self.revisions:
            return None
        number = len(self.revisions) if revision is None else revision
        return Kept(number, self.revisions[number - 1])

    def keep(self, content: Mapping[str, str], *, first: bool) -> None:
        self._call()
        if first and self.revisions:
            raise WorldError('secret with name "lifecycle" already exists')
        self.revisions.append(dict(content))
        self._end()

    def set_base(self, application: str, base: str, *, declared: bool) -> None:
        assert declared
        self._call()
        self.asked.append(f'base {application} {base}')
        self.apps[application].base = base
        self._end()

    def options(self, applications: Sequence[str], name: str) -> Mapping[str, str | None]:
        self._call()
        return {name: self.apps[name].origin for name in applications}

    def set_option(self, application: str, name: str, value: str) -> None:
        self._call()
        self.asked.append(f'{name} {application} {value}')
        self.apps[application].origin = value
        self._end()

    def refresh(self, application: str, path: str) -> None:
        self._call()
        self.asked.append(f'refresh {application} {path}')
        for unit in self.apps[application].units:
            if unit.state == 'ready':
                unit.state, unit.left = (
                    ('error', 0) if application in self.spoilt else ('active', 4)
                )
        self._end()

    def add_unit(self, application: str) -> None:
        self._call()
        self.asked.append(f'add {application}')
        self._new(self.apps[application])
        self._end()

    def run_action(
        self, unit: str, action: str, within: float, meanwhile: Callable[[], object]
    ) -> Mapping[str, str]:
        self._call()
        for _ in range(self.takes_minutes.get(action, 0)):
            self.clock += 60.0
            meanwhile()
        if unit.partition('/')[2] != 'leader' and self._unit(unit).told_lost:
            self.wrong.append(f'{action} was run on {unit}, which is lost: it does not end')
        self.asked.append(f'{action} {unit}')
        if action in self.refusals:
            self.refusals.remove(action)
            raise NotYetError(f'{action} on {unit}: not all units run epoxy: x/0 runs zed')
        if action in self.failures:
            self.failures.remove(action)
            raise WorldError(f'{action} on {unit}: it fails this time')
        if action in self.unchanged:
            self.unchanged.remove(action)
            raise UnchangedError(f'{action} on {unit}: Nothing was handed over: it lags')
        app = self.apps[unit.partition('/')[0]]
        results = getattr(self, f'_{action.replace("-", "_")}')(app, unit)
        self._end()
        return results or {}

    def _rehearse_migrations(self, app: Application, unit: str) -> Mapping[str, str]:
        newer = self._unit(unit)
        if newer.base != 'debian@13' and newer.packages == 'distro':
            self.wrong.append(f'{unit} rehearsed migrations of the former release')
        app.rehearsed = True
        return {'rehearsed': f'{app.name} (1.0 MiB) copied in 2.0 s; expand 3.0 s'}

    def _db_expand(self, app: Application, unit: str) -> None:
        newer = self._unit(unit)
        if not app.rehearsed and f'{app.name}.rehearse' not in self.unrehearsed:
            self.wrong.append(f'{app.name} was expanded, and nobody had rehearsed that')
        if (newer.base == 'debian@13' or newer.packages != 'distro') and app.schema == 'zed':
            app.schema = 'both'

    def _db_online(self, app: Application, unit: str) -> None:
        assert unit == f'{app.name}/leader'

    def _db_contract(self, app: Application, unit: str) -> None:
        old = [u.name for u in app.units if u.base == 'debian@12' and u.packages == 'distro']
        if old:
            self.wrong.append(f'{app.name} was contracted while {old[0]} was there')
        app.schema = 'epoxy'
        self.contracted.append(app.name)

    def _pause(self, app: Application, unit: str) -> None:
        one = self._unit(unit)
        if one.state in ('ready', 'active'):
            one.state = 'asked'
        elif one.state == 'installing':
            one.state, one.left = 'draining', 1

    def _members(self, app: Application, base: str) -> list[Unit]:
        """Units of one cluster."""
        return [u for u in app.units if u.base == base and u.state in ('ready', 'active')]

    def _stays_out(self, app: Application, unit: Unit) -> bool:
        """Whether it cannot follow: nobody follows a cluster."""
        there = next((u.base for u in app.units if u.name == app.holder), '')
        return there != unit.base and len(self._members(app, there)) > 1

    def _switch_over(self, app: Application, unit: str) -> None:
        if unit != app.holder:
            if self._unit(unit).state in ('former', 'paused'):
                return  # It has been done.
            raise WorldError(f'switch-over on {unit}: the databases are on {app.holder}')
        if len(self._members(app, self._unit(unit).base)) > 1:
            raise WorldError(f'switch-over on {unit}: it is in a cluster, which nobody follows')
        follows = [u for u in app.units if u.base != self._unit(unit).base and u.state == 'ready']
        if not follows:
            raise WorldError(f'switch-over on {unit}: nobody follows it')
        self._unit(unit).state, app.holder = 'former', follows[0].name

    def _drain(self, app: Application, unit: str) -> None:
        if unit == app.holder:
            raise WorldError(f'drain on {unit}: it is no former server')
        self._unit(unit).state = 'paused'

    def _openstack_upgrade(self, app: Application, unit: str) -> None:
        one = self._unit(unit)
        if one.state != 'paused':
            self.wrong.append(f'{unit} was upgraded while it was {one.state}')
        one.packages = app.origin

    def _resume(self, app: Application, unit: str) -> None:
        one = self._unit(unit)
        if one.state in ('asked', 'draining', 'paused'):
            one.state, one.left = 'installing', 1
            one.schema_needed = one.base == 'debian@13' or one.packages != 'distro'

    def remove_unit(self, unit: str) -> None:
        self._call()
        self.asked.append(f'remove {unit}')
        one, app = self._unit(unit), self.apps[unit.partition('/')[0]]
        holder = app.holder
        going = [u.name for u in app.units if u.state == 'dying' and u is not one]
        if holder and going:
            self.wrong.append(
                f'{unit} was removed while {going[0]} was going: no majority is left'
            )
        if unit == holder:
            others = [u for u in self._members(app, one.base) if u is not one]
            if not others:
                self.wrong.append(f'{unit} was removed, and with it what no other unit has')
            else:
                app.holder = others[0].name
        elif holder:
            if one.state == 'former':
                self.wrong.append(f'{unit} was removed while clients came by it')
        elif one.state in ('ready', 'asked', 'draining'):
            self.wrong.append(
                f'{unit} was removed while it was {one.state}: what it had under way is lost'
            )
        if one.state != 'dying':
            one.state, one.left = 'dying', 3
        self._end()

    def _unit(self, name: str) -> Unit:
        app = self.apps[name.partition('/')[0]]
        for unit in app.units:
            if unit.name == name:
                return unit
        raise WorldError(f'unit "{name}" not found')


_WORKLOAD = {
    'former': 'waiting',
    'installing': 'maintenance',
    'draining': 'maintenance',
    'paused': 'maintenance',
    'error': 'error',
    'lost': 'unknown',
}
_WANTED = {'asked': 'drain', 'draining': 'drain', 'paused': 'maintenance', 'dying': 'maintenance'}
_ACKED = {
    'ready': 'ready',
    'asked': 'ready',
    'draining': 'draining',
    'paused': 'drained',
    'dying': 'drained',
}


def _base(base: str) -> dict[str, str]:
    name, _, channel = base.partition('@')
    return {'name': name, 'channel': channel}


def relation(unit: Unit) -> dict[str, Any]:
    token = f'{unit.name} {_WANTED.get(unit.state, "ready")}'
    ack = _ACKED.get(unit.state)
    heard = f'{unit.name} ready' if unit.state == 'asked' else token
    acks = {unit.name: {'token': heard, 'state': ack}} if ack else {}
    lifecycle = {'state': _WANTED.get(unit.state, 'ready'), 'token': token}
    return {
        'endpoint': 'public-backend',
        'related-endpoint': 'backend',
        'application-data': {'interface-versions': '[1, 2]', 'lb-units': '["lb/0"]'},
        'related-units': {'lb/0': {'in-scope': True, 'data': {'acks': json.dumps(acks)}}},
        'local-unit': {'in-scope': True, 'data': {'lifecycle': json.dumps(lifecycle)}},
    }
