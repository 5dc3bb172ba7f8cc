"""Which database migrations to run, on which unit, and who must wait for them. Pure.

A fresh database gets one migration, run by the leader. It is run again for a newer package or
release, and on another server; units that served on the data serve on meanwhile. What was done is
written down where every unit sees it: by the leader in the peer relation's application data, and by
a unit that was told to migrate (a new release's first unit, while the leader is still on the old
one) in its own; the leader keeps what the newest of them has.
A unit serves on the schema of its own release or of a later one, down to the oldest that it was
expanded from: an expanded schema serves both, a contracted one the newer alone. Where a newer
release has migrated, an older one never does again. A migration that the database refuses is no error of a hook: the
unit says why, goes on with the schema that there is if it can, and the next hook tries again.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from . import host, machine, spec_fields, state
from .relations import Databag, wire
from .why import Action, Why, action

KEY = 'schema'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Migration:
    """One command of a migration, run as the service's user."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = dataclasses.field(
        default_factory=dict[str, str], repr=False, hash=False
    )
    """Added to the environment: secrets go here, never into *argv*."""
    accepted: tuple[int, ...] = (0,)
    """Exit statuses that mean that it is done."""
    repeat_on: tuple[int, ...] = ()
    """Exit statuses that mean that there is more of it: ``nova-manage db online_data_migrations`` ends with 1."""
    timeout_s: float = 900


Steps = Sequence[str | Migration]
MakeSteps = Callable[[Any], Steps]
"""Steps that follow from what the service is ready with: a function of :class:`charmkit.spec.Ready`."""


@dataclasses.dataclass(frozen=True)
class Commands:
    """Steps, each a command line, a :class:`Migration`, or all of them a function of what is there."""

    sync: Steps | MakeSteps = ()
    """From nothing, or from any older state in one go; with what a new database is filled with, last."""
    expand: Steps | MakeSteps = ()
    """While units of the older release still serve; without any, *sync* is safe for that."""
    online: Steps | MakeSteps = ()
    """Of the data, while the service goes on, once no unit runs the older release."""
    contract: Steps | MakeSteps = ()
    """Once none does, and all data is moved."""

    def __post_init__(self) -> None:
        steps = ('sync', 'expand', 'online', 'contract')
        spec_fields.refuse('migrations', spec_fields.single(self, *steps))


@dataclasses.dataclass(frozen=True)
class Schema:
    """What the databases were migrated for."""

    release: int
    version: str
    databases: str
    """Stands for the data that it is the schema of."""
    least: int = 0
    """The oldest release that it serves."""
    online: int = 0
    """The release whose online migrations have ended."""
    servers: str = ''
    """Stands for the servers that had the data: on others it is migrated again, for a copy may be older than it says.
    Earlier revisions wrote it as *databases*."""

    def serves(self, wanted: Schema) -> bool:
        """Whether a unit that wants *wanted* can serve on this."""
        return self.databases == wanted.databases and self.least <= wanted.release <= self.release


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decision:
    """What :func:`decide` decides."""

    commands: tuple[host.Command, ...] = ()
    usable: bool = False
    """Whether this unit may serve once *commands* have run."""
    done: bool = False
    """Whether the database is as this unit wants it once *commands* have run, and not as an older package had it."""
    message: str = ''
    """What this unit waits for."""
    kind: state.Kind = 'waiting'
    """Of the status that says so."""
    app_data: Databag = dataclasses.field(default_factory=dict[str, str])
    unit_data: Databag = dataclasses.field(default_factory=dict[str, str])


Kind = Literal['sync', 'expand', 'online', 'contract']


@dataclasses.dataclass(frozen=True, kw_only=True)
class Order:
    """What an operator's action has this unit run, leader or not."""

    steps: Steps
    kind: Kind
    id: str
    """Another one each time: it is run whatever was run before."""


def decide(
    commands: Commands,
    inputs: state.Inputs,
    *,
    user: str,
    wanted: Schema,
    ready: object = None,
    order: Order | None = None,
) -> Decision:
    """What this unit does about the schema that it wants, from what all units have written."""
    mine = read(inputs.my_peer_data.get(KEY, ''))
    app = read(inputs.peers.get(KEY, ''))
    if not commands.sync:
        return Decision(usable=True, done=True)
    if not wanted.version:
        return Decision(message='waiting for the packages', app_data=_write(app))
    newest = found(inputs, wanted)
    if order is not None:
        return Decision(
            commands=run(order.steps, user, order.id),
            usable=True,
            done=True,
            app_data=_write(newest or app),
            unit_data=_write(migrated(newest, wanted, order.kind)),
        )
    if not inputs.site.leader or _is_done(inputs, newest, wanted):
        usable = newest is not None and newest.serves(wanted)
        return Decision(
            usable=usable,
            done=_is_done(inputs, newest, wanted),
            message='' if usable else _lack(newest, wanted),
            app_data=_write(newest or app),
            unit_data=_write(mine),
        )
    steps = commands.expand if newest and commands.expand else commands.sync
    key = f'{wanted.release} {wanted.version} {wanted.databases} {wanted.servers}'
    wants = run(resolve(steps, ready), user, key)
    if any(c.name in inputs.unrun for c in wants):
        why = failure(inputs.unrun, user)
        return Decision(
            usable=newest is not None and newest.serves(wanted),
            message=why.message,
            kind=why.kind,
            app_data=_write(newest or app),
            unit_data=_write(mine),
        )
    return Decision(
        commands=wants,
        usable=True,
        done=True,
        app_data=_write(migrated(newest, wanted, 'expand' if newest else 'sync')),
        unit_data=_write(mine),
    )


def found(inputs: state.Inputs, wanted: Schema) -> Schema | None:
    """What is known of the databases that *wanted* is for: the most that any unit has done to them."""
    done = [s for s in _written(inputs, wanted) if s.databases == wanted.databases]
    return max(done, key=lambda s: (s.release, s.least, s.online), default=None)


def oldest(inputs: state.Inputs) -> int:
    """The oldest release that the newest known schema serves; 0 where no unit has said."""
    newest = max(_written(inputs), key=lambda s: (s.release, s.least, s.online), default=None)
    return (newest.least or newest.release) if newest else 0


def newer(inputs: state.Inputs, wanted: Schema) -> bool:
    """Whether a later release has migrated these databases: an older one is not to touch them any more."""
    newest = found(inputs, wanted)
    return newest is not None and newest.release > wanted.release


def migrated(newest: Schema | None, wanted: Schema, kind: Kind) -> Schema:
    """What the schema is once migrations of *kind* have run for *wanted* on *newest*."""
    before = newest or dataclasses.replace(wanted, least=wanted.release)
    return dataclasses.replace(
        wanted,
        least=wanted.release if kind in ('sync', 'contract') else before.least,
        online=wanted.release if kind in ('sync', 'online') else before.online,
    )


def _is_done(inputs: state.Inputs, newest: Schema | None, wanted: Schema) -> bool:
    """Whether there is nothing to migrate for *wanted*."""
    if newest is None or newest.release < wanted.release:
        return False
    return newest.release > wanted.release or any(
        dataclasses.replace(wanted, least=s.least, online=s.online) == s
        for s in _written(inputs, wanted)
    )


def _written(inputs: state.Inputs, wanted: Schema | None = None) -> list[Schema]:
    """What units have written; of the databases of *wanted* as it spells them."""
    bags = (inputs.peers, inputs.my_peer_data, *inputs.peer_units.values())
    found = [s for bag in bags if (s := read(bag.get(KEY, ''))) is not None]
    return [
        dataclasses.replace(s, databases=wanted.databases, servers=wanted.servers)
        if wanted and not s.servers and s.databases == wanted.servers
        else s
        for s in found
    ]


def _lack(newest: Schema | None, wanted: Schema) -> str:
    """Why *wanted* cannot serve."""
    if newest is None:
        return 'waiting for the leader to migrate the database'
    if newest.release < wanted.release:
        return (
            'the database is of an older release: waiting for the action db-expand on this unit, '
            'or for a leader of this release'
        )
    return 'the database was contracted for a newer release, and serves this one no more'


def asked(commands: Commands, why: Why) -> tuple[Kind, Steps | MakeSteps] | None:
    """The migration that an operator's action asks for, and its steps; None when it asks for none."""
    if action(why, 'db-expand'):
        return 'expand', commands.expand or commands.sync
    if action(why, 'db-online'):
        return 'online', commands.online
    return ('contract', commands.contract) if action(why, 'db-contract') else None


def every_step(
    commands: Commands, ready: object, user: str
) -> tuple[tuple[Kind, host.Command], ...]:
    """All that takes an older release's databases to this one's, in order, each with what it is for."""
    kinds: tuple[tuple[Kind, Steps | MakeSteps], ...] = (
        ('expand', commands.expand or commands.sync),
        ('online', commands.online),
        ('contract', commands.contract),
    )
    return tuple(
        (kind, command)
        for kind, steps in kinds
        for command in run(resolve(steps, ready), user, kind)
    )


def order(commands: Commands, why: Why, ready: object) -> Order | None:
    """What an operator's action has this unit migrate, which is *ready*."""
    found = asked(commands, why)
    if found is None or not isinstance(why, Action):
        return None
    kind, steps = found
    return Order(steps=resolve(steps, ready), kind=kind, id=f'{why.name} {why.id}')


def resolve(steps: Steps | MakeSteps, ready: object) -> Steps:
    """The steps themselves."""
    return steps(ready) if callable(steps) else steps


def run(steps: Iterable[str | Migration], user: str, key: str) -> tuple[host.Command, ...]:
    """*steps* as commands that run once for *key*."""
    every = (
        s if isinstance(s, Migration) else Migration(argv=tuple(shlex.split(s))) for s in steps
    )
    return tuple(
        host.Command(
            name=shlex.join(s.argv),
            argv=s.argv,
            key=key,
            user=user,
            environment=s.environment,
            accepted=s.accepted,
            repeat_on=s.repeat_on,
            timeout_s=s.timeout_s,
            may_fail=True,
        )
        for s in every
    )


_MARIADB = re.compile(r"""\((\d{1,5}), ("[^"\n]{1,500}"|'(?:[^'\\\n]|\\.){1,500}')\)""")
"""An error as pymysql spells it: its number, and the server's words."""
_PASSES = frozenset({'1040', '1047', '1205', '1213', '2002', '2003', '2006', '2013', '3024'})
"""Errors that pass by themselves: too many connections, a cluster that is not ready, locks, a server that is not there.
Source: MariaDB's list of error codes."""
_SHOWN = 300
_TRACEBACK = 'Traceback (most recent call last)'


def failure(
    unrun: Mapping[str, str], user: str, then: str = 'it is tried again by itself'
) -> state.Status:
    """Why a migration has not succeeded, in words for the operator; *user* is the service's, *then* what comes next."""
    name, said = next(iter(unrun.items()))
    # What was met and borne before is not why it ended.
    found = _MARIADB.findall(said, max(said.rfind(_TRACEBACK), 0))
    if found:
        number, words = found[-1]
        why = f'MariaDB says {words[1:-1]} ({number})'
    else:
        number, why = '', _last_line(said)
    where = f'the end of its output is in juju debug-log, more in /var/log/{user}'
    return state.Status(
        'waiting' if number in _PASSES else 'blocked',
        f'{name} has not migrated the database: {why}; {where}; {then}',
    )


def _last_line(said: str) -> str:
    """What a program says last is why it stopped; what SQLAlchemy puts behind that is not."""
    lines = [
        s for line in said.splitlines() if (s := line.strip()) and not s.startswith(('(', '['))
    ]
    text = machine.without_secrets(lines[-1]) if lines else 'it does not say why'
    return text if len(text) <= _SHOWN else f'{text[:_SHOWN]}…'


def read(text: str) -> Schema | None:
    """The schema that :func:`_write` wrote, None when there is none."""
    data = wire.load_object(text)
    if not data:
        return None
    return Schema(
        release=wire.number(data.get('release')),
        version=wire.text(data.get('version')),
        databases=wire.text(data.get('databases')),
        least=wire.number(data.get('least')),
        online=wire.number(data.get('online')),
        servers=wire.text(data.get('servers')),
    )


def _write(schema: Schema | None) -> dict[str, str]:
    return {KEY: wire.dump(dataclasses.asdict(schema))} if schema else {}
