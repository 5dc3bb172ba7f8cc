"""Migrations run on a copy of the unit's databases, timed, before the databases themselves are touched.

The action runs where the migrations will run: on a unit of the newer release, that does not serve yet. The copy is in
a MariaDB of its own on that unit (:mod:`charmkit.rehearsal_program`): it needs no right on the real server that the
service does not have, and adds no load to it but that of one dump in one transaction, which no writer waits for. What
is run is what ``db-expand``, ``db-online`` and ``db-contract`` run, as the same user, with the configuration that is
there.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from . import host, migration, service, state
from .machine import Finished, Machine, without_secrets
from .relations import mysql
from .why import Why, action

ACTION = 'rehearse-migrations'
PACKAGES = ('mariadb-client', 'mariadb-server-core')
"""What a copy needs. Neither starts anything by itself."""
UNCHANGED = 'Nothing was changed in the database'
"""So begins what a failure says: `juju lifecycle` knows by it that it need not try again at once."""
COPY_S = 4 * 3600.0
_MOST_SAID, _MOST_SHOWN = 6000, 140
_REASON = re.compile(r'[\w.]*(?:Error|Exception): .*')
"""What was wrong, in a line of a traceback or a log; more may follow it (SQLAlchemy adds the statement)."""
_REMOVED = re.compile(r'^Remv (\S+)', re.MULTILINE)
_SAYS = {'OS_DEFAULT__USE_STDERR': 'true'}
"""Where oslo.log has a file, it says there alone why a program ends; oslo.config reads this over its files."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rehearsed:
    """What became of it."""

    refused: str = ''
    """Why there was no copy, in one sentence; '' when there was."""
    passes: bool = False
    """That is no verdict on the migrations, and may pass by itself."""
    steps: tuple[Step, ...] = ()
    """Those that were run; the last one may have failed."""
    size: int = 0
    """Of what was copied; bytes."""
    copied_s: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """One command of a migration, as it went."""

    kind: str
    name: str
    seconds: float
    status: int
    well: bool
    said: str = ''
    """Its last lines, where it failed."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rehearse:
    """Run *steps* on a copy of *databases*, as *user*; the result is :class:`Rehearsed`."""

    databases: tuple[mysql.Database, ...]
    steps: tuple[tuple[str, host.Command], ...]
    """Each with what it is for: ``expand``, ``online`` or ``contract``."""
    user: str
    unit: str
    """The systemd unit that holds the copy."""
    name: str = ACTION

    def carry_out(self, machine: Machine) -> Rehearsed:
        """Do it, and leave neither the copy nor the packages that it needed."""
        machine.program('systemctl', 'stop', self.unit)  # What a killed action has left goes on.
        if going := _displaced(machine):
            return Rehearsed(
                refused=f'{" and ".join(PACKAGES)} would displace {" and ".join(going)}, which this machine has: '
                'rehearse on a unit without, or leave the rehearsal out'
            )
        before, new = _installed(machine), list[str]()
        try:
            try:
                machine.carry_out(host.Step('install', ' '.join(PACKAGES)), host.Host())
            finally:  # What others install later is theirs.
                new = sorted(_installed(machine) - before) if before else []
            within = COPY_S + sum(command.timeout_s for _, command in self.steps)
            done = machine.program(
                *(
                    'systemd-run',
                    '--quiet',
                    '--wait',
                    '--pipe',
                    '--collect',
                    f'--unit={self.unit}',
                ),
                # The copy is in what systemd removes with the unit; where memory ends, it goes first.
                *('--property=PrivateTmp=yes', '--property=OOMScoreAdjust=500'),
                *(f'--property=RuntimeMaxSec={within:.0f}', '/usr/bin/python3', str(_PROGRAM)),
                stdin=json.dumps(self._todo()),
                timeout_s=within,
            )
        finally:
            machine.program('systemctl', 'stop', self.unit)
            if new:
                machine.program('dpkg', '--purge', *new, timeout_s=300)
        return read(done)

    def _todo(self) -> dict[str, Any]:
        fields = ('name', 'user', 'host', 'password')
        return {
            'user': self.user,
            'databases': [
                {**{f: getattr(d, f) for f in fields}, 'ca_path': d.ca_path if d.ca else ''}
                for d in self.databases
            ],
            'steps': [
                {
                    'kind': kind,
                    'argv': command.argv,
                    'environment': {**_SAYS, **command.environment},
                    'accepted': command.accepted,
                    'repeat_on': command.repeat_on,
                    'timeout_s': command.timeout_s,
                }
                for kind, command in self.steps
            ],
        }


_PROGRAM = pathlib.Path(__file__).with_name('rehearsal_program.py')


def _installed(machine: Machine) -> frozenset[str]:
    done = machine.program('dpkg-query', '--show', '--showformat', '${binary:Package}\n')
    return frozenset(done.output.split())


def _displaced(machine: Machine) -> list[str]:
    """The packages that would go for those that a copy needs; they would not come back."""
    argv = ('apt-get', '--quiet', '--simulate', '--no-install-recommends', 'install', *PACKAGES)
    return _REMOVED.findall(machine.program(*argv, timeout_s=300).output)


def read(done: Finished) -> Rehearsed:
    """What the program has said; it may have been ended at any moment."""
    last = done.output.strip().rpartition('\n')[2]
    try:
        said = cast('Mapping[str, Any]', json.loads(last))
        if 'refused' in said:
            passes = said.get('passes') is True
            return Rehearsed(refused=without_secrets(str(said['refused'])), passes=passes)
        return Rehearsed(
            steps=tuple(_masked(Step(**one)) for one in said['steps']),
            size=int(said['bytes']),
            copied_s=float(said['copied']),
        )
    except (ValueError, TypeError, KeyError):
        shown = ' '.join(without_secrets(done.output).split())[-300:] or 'it does not say why'
        return Rehearsed(refused=f'the rehearsal was ended before its outcome: {shown}')


def _masked(step: Step) -> Step:
    return dataclasses.replace(step, said=without_secrets(step.said))


def rehearsed(spec: service.ServiceSpec, why: Why, inputs: state.Inputs) -> state.Desired | None:
    """What the action *why* comes to; None when it is another. Nothing else of the unit is touched. Pure."""
    if not action(why, ACTION):
        return None
    try:
        ready = service.ready(spec, inputs)
    except ValueError as e:
        return state.Desired(failure=str(e))
    if ready is None:
        return state.Desired(failure='there is no database yet')
    spec = spec.on(ready.release)
    every = [ready.found.get(need) for need in spec.every_need]
    databases = tuple(found for found in every if isinstance(found, mysql.Database))
    steps = migration.every_step(spec.migrations, ready, spec.user)
    if not databases or not steps:
        return state.Desired(results={'rehearsed': 'there is nothing to migrate'}, read_only=True)
    app = inputs.site.app
    task = Rehearse(
        databases=databases, steps=steps, user=spec.user, unit=f'{app}-{ACTION}.service'
    )
    outcome = inputs.seen.get(ACTION)
    if not isinstance(outcome, Rehearsed):
        return state.Desired(read_only=True, tasks=(task,))
    return state.Desired(
        read_only=True,
        tasks=(task,),
        results=results(databases, outcome),
        failure=failure(databases, outcome),
    )


def results(databases: Iterable[mysql.Database], outcome: Rehearsed) -> dict[str, str]:
    """What the action answers: ``rehearsed``, one line; ``steps``, a line each; ``output``, of the one that failed."""
    if outcome.refused:
        return {}
    kinds: dict[str, float] = {}
    for step in outcome.steps:
        kinds[step.kind] = kinds.get(step.kind, 0.0) + step.seconds
    each = ', '.join(f'{kind} {seconds:.1f} s' for kind, seconds in kinds.items())
    copied = (
        f'{_names(databases)} ({outcome.size / 2**20:.1f} MiB) copied in {outcome.copied_s:.1f} s'
    )
    output = ''.join(step.said for step in outcome.steps if not step.well)
    return {
        'rehearsed': f'{copied}; {each}',
        'steps': '\n'.join(
            f'{s.kind:8} {s.seconds:8.1f} s  {"done" if s.well else f"ended with {s.status}"}  {s.name}'
            for s in outcome.steps
        ),
        **({'output': output[-_MOST_SAID:]} if output else {}),
    }


def failure(databases: Iterable[mysql.Database], outcome: Rehearsed) -> str:
    """Why the database would not be migrated, in one line; '' when it would."""
    if outcome.passes:
        return f'Not rehearsed yet: {outcome.refused}'
    if outcome.refused:
        return f'{UNCHANGED}: {outcome.refused}'
    wrong = next((step for step in outcome.steps if not step.well), None)
    if wrong is None:
        return ''
    end = f'ended with {wrong.status}' if wrong.status >= 0 else 'was stopped at its time limit'
    said = _reason(wrong.said)
    return (
        f'{UNCHANGED}: on a copy of {_names(databases)}, {wrong.kind} ({wrong.name}) {end} '
        f'after {wrong.seconds:.1f} s{": " if said else ""}{said}'
    )


def _reason(said: str) -> str:
    lines = [line for each in said.splitlines() if (line := ' '.join(each.split()))]
    reasons = [found[0] for line in lines if (found := _REASON.search(line))]
    return (reasons or lines or [''])[-1][:_MOST_SHOWN]


def _names(databases: Iterable[mysql.Database]) -> str:
    return ' and '.join(dict.fromkeys(d.name for d in databases))
