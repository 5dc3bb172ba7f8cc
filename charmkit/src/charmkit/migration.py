"""Which database migrations to run, on which unit, and who must wait for them. Pure.

A fresh database gets one migration, run by the leader. It is run again for a newer package or
release. What was done is written down where every unit sees it: by the leader in the peer
relation's application data, and by a unit that was told to migrate (a new release's first unit,
while the leader is still on the old one) in its own. A unit serves on the schema of its own release or
of a later one: an expanded schema serves both.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from . import host, state
from .relations import Databag, wire

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
    contract: Steps | MakeSteps = ()
    """Once none does."""


@dataclasses.dataclass(frozen=True)
class Schema:
    """What the databases were migrated for."""

    release: int
    version: str
    databases: str
    """Stands for the servers and databases that hold it."""

    def serves(self, wanted: Schema) -> bool:
        """Whether a unit that wants *wanted* can serve on this."""
        return self.databases == wanted.databases and self.release >= wanted.release

    def spares(self, wanted: Schema) -> bool:
        """Whether nothing is left to migrate for *wanted*."""
        return self.serves(wanted) and (
            self.release > wanted.release or self.version == wanted.version
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decision:
    """What :func:`decide` decides."""

    commands: tuple[host.Command, ...] = ()
    usable: bool = False
    """Whether this unit may serve once *commands* have run."""
    message: str = ''
    """What this unit waits for."""
    app_data: Databag = dataclasses.field(default_factory=dict[str, str])
    unit_data: Databag = dataclasses.field(default_factory=dict[str, str])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Order:
    """What an operator's action has this unit run, leader or not."""

    steps: Steps
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
        return Decision(usable=True)
    if not wanted.version:
        return Decision(message='waiting for the packages', app_data=_write(app))
    if order is not None:
        return Decision(
            commands=run(order.steps, user, order.id),
            usable=True,
            app_data=_write(app),
            unit_data=_write(wanted),
        )
    others = [read(bag.get(KEY, '')) for bag in inputs.peer_units.values()]
    done = [s for s in (mine, app, *others) if s is not None]
    if any(s.spares(wanted) for s in done) or not inputs.site.leader:
        usable = any(s.serves(wanted) for s in done)
        return Decision(
            usable=usable,
            message='' if usable else 'waiting for the leader to migrate the database',
            app_data=_write(app),
            unit_data=_write(mine),
        )
    upgrade = any(s.databases == wanted.databases for s in done)
    steps = commands.expand if upgrade and commands.expand else commands.sync
    key = f'{wanted.release} {wanted.version} {wanted.databases}'
    return Decision(
        commands=run(resolve(steps, ready), user, key),
        usable=True,
        app_data=_write(wanted),
        unit_data=_write(mine),
    )


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
        )
        for s in every
    )


def read(text: str) -> Schema | None:
    """The schema that :func:`_write` wrote, None when there is none."""
    data = wire.load_object(text)
    if not data:
        return None
    return Schema(
        release=wire.number(data.get('release')),
        version=wire.text(data.get('version')),
        databases=wire.text(data.get('databases')),
    )


def _write(schema: Schema | None) -> dict[str, str]:
    return {KEY: wire.dump(dataclasses.asdict(schema))} if schema else {}
