"""What is wrong with the directories of domains, which only a unit that asks them can find out. Pure.

It is named, and nothing waits for it: a domain whose directory is away keeps its file, and all others are served.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, cast

import charmkit
import domains
import keys
import settings
from charmkit import conf, host, state
from charmkit.machine import Machine
from charmkit.relations import wire

PROGRAM = '/etc/keystone/directory_probe.py'
MEMORY = 'directories'
"""Under which a unit remembers what it has found: another look is had when time passes, or something was wrong."""
_TIMEOUT_S = 120.0


@dataclasses.dataclass(frozen=True)
class Problem:
    """What is wrong with one directory."""

    option: str
    """Of the section ldap."""
    reason: str
    away: bool = False
    """It does not answer, which may pass."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Probe:
    """Ask the directories of these domains."""

    names: tuple[str, ...]
    key: str
    """Stands for what is in their files."""
    name: str = 'directories'

    def carry_out(self, machine: Machine) -> Mapping[str, Problem]:
        """Run the program as keystone's user, which can read the files of domains; what it finds, by domain."""
        argv = ('python3', PROGRAM, *self.names)
        ended = machine.program(*argv, user=keys.USER, timeout_s=_TIMEOUT_S)
        lines = [line for line in ended.output.splitlines() if line.strip()] or ['']
        if ended.status:
            problem = Problem('its file', f'it cannot be tried: {lines[-1][:200]}')
            return dict.fromkeys(self.names, problem)
        return _problems(wire.load_object(lines[-1]))


def desired(
    why: charmkit.Why, inputs: charmkit.Inputs, wanted: charmkit.Desired
) -> charmkit.Desired:
    """*wanted*, with a look at the directories when one is due, and what the last one found."""
    files = settings.directories(inputs)
    names = tuple(sorted(files.keys() & settings.made_domains(inputs)))
    if not names or inputs.failed:
        return wanted
    content = [conf.render(files[name]) for name in names]
    probe = Probe(names=names, key=host.digest(repr((names, content))))
    kept = cast('Mapping[str, Any]', inputs.memory.get(MEMORY) or {})
    known = _problems(kept.get('found') or {}) if kept.get('key') == probe.key else {}
    due = why.time_passes or kept.get('key') != probe.key or bool(known)
    due = due and not isinstance(why, charmkit.Action)
    outcome = inputs.seen.get(probe.name)
    found, memory = known, wanted.memory
    if outcome is not None:
        found = cast('Mapping[str, Problem]', outcome)
        said = {domain: dataclasses.asdict(problem) for domain, problem in found.items()}
        memory = {**memory, MEMORY: {'key': probe.key, 'found': said}}
    return dataclasses.replace(
        wanted,
        tasks=(*wanted.tasks, probe) if due else wanted.tasks,
        status=(*wanted.status, *statuses(found)),
        memory=memory,
    )


def statuses(found: Mapping[str, Problem]) -> Iterator[state.Status]:
    """What the operator should know of it."""
    for name, problem in sorted(found.items()):
        words = f'option {domains.OPTION}: {name}: {problem.option}: {problem.reason}'
        yield state.Status('waiting' if problem.away else 'blocked', words)


def _problems(found: Mapping[str, Any]) -> dict[str, Problem]:
    return {
        str(name): Problem(
            wire.text(fields.get('option')),
            wire.text(fields.get('reason')),
            away=bool(fields.get('away')),
        )
        for name, fields in wire.objects(found)
    }
