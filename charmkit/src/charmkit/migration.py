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
from collections.abc import Iterable

from . import host, state
from .relations import Databag, wire

KEY = 'schema'


@dataclasses.dataclass(frozen=True)
class Commands:
    """Command lines, each run as the service's user."""

    sync: tuple[str, ...] = ()
    """From nothing, or from any older state in one go."""
    expand: tuple[str, ...] = ()
    """While units of the older release still serve; without any, *sync* is safe for that."""
    contract: tuple[str, ...] = ()
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


def decide(commands: Commands, inputs: state.Inputs, *, user: str, wanted: Schema) -> Decision:
    """What this unit does about the schema that it wants, from what all units have written."""
    mine = read(inputs.my_peer_data.get(KEY, ''))
    app = read(inputs.peers.get(KEY, ''))
    kept_unit = _write(mine)
    if not commands.sync:
        return Decision(usable=True)
    others = [read(bag.get(KEY, '')) for bag in inputs.peer_units.values()]
    done = [s for s in (mine, app, *others) if s is not None]
    if not wanted.version:
        return Decision(message='waiting for the packages', app_data=_write(app))
    if any(s.spares(wanted) for s in done) or not inputs.site.leader:
        usable = any(s.serves(wanted) for s in done)
        return Decision(
            usable=usable,
            message='' if usable else 'waiting for the leader to migrate the database',
            app_data=_write(app),
            unit_data=kept_unit,
        )
    upgrade = any(s.databases == wanted.databases for s in done)
    lines = commands.expand if upgrade and commands.expand else commands.sync
    return Decision(
        commands=run(lines, user, wanted),
        usable=True,
        app_data=_write(wanted),
        unit_data=kept_unit,
    )


def run(lines: Iterable[str], user: str, wanted: Schema) -> tuple[host.Command, ...]:
    """*lines* as commands that run once for *wanted*."""
    key = f'{wanted.release} {wanted.version} {wanted.databases}'
    return tuple(
        host.Command(name=line, argv=tuple(shlex.split(line)), key=key, user=user)
        for line in lines
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
