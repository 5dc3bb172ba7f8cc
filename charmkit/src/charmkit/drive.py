"""Carry out one run of a charm: decide, bring about, look again, until nothing is left to do.

Nothing here knows Juju, and all that touches a machine goes through the seam :class:`charmkit.machine.Machine`.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping, Set

from . import host, state
from .machine import Machine, Task
from .why import Why

_log = logging.getLogger(__name__)
RunFunction = Callable[[Why, state.Inputs], state.Desired]

_MOST_ROUNDS = 10_000
"""Tasks that wait for something ask again many times; one that never ends is a bug."""
_CHANGED = ('restart', 'reload', 'recycle')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What :func:`reconcile` did."""

    steps: tuple[host.Step, ...] = ()
    failed: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Services that would not come up, and why."""
    refused: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Files whose check did not accept them, by path, and what it said."""
    unrun: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Commands that may fail and did, and what they said; what was to come after them was not done."""
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Versions of the desired packages, after the steps."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Driven:
    """What :func:`drive` has come to."""

    desired: state.Desired
    """What the last round wanted: all of it is as it should be, but for what is published."""
    inputs: state.Inputs
    """What the last round knew."""
    steps: tuple[host.Step, ...] = ()
    """All that was done to the machine."""


def drive(machine: Machine, run: RunFunction, why: Why, inputs: state.Inputs) -> Driven:
    """Bring *machine* to what ``run(why, inputs)`` wants, and its tasks to their ends.

    What comes to light meanwhile (versions of packages, files that were refused, commands that failed, services that
    do not come up, results of tasks) is given to *run* in a next round, with the same *why* and clock.

    Raises:
        CommandError: when packages would not install or a command would not succeed.
        RuntimeError: when *run* wants something else for ever.
    """
    if not inputs.versions:
        known = machine.observe(run(why, inputs).host).packages
        inputs = dataclasses.replace(inputs, versions=known)
    inputs = dataclasses.replace(inputs, versions_before=inputs.versions)
    applied: host.Host | None = None
    done: dict[str, Task] = {}
    steps: list[host.Step] = []
    for _ in range(_MOST_ROUNDS):
        desired = run(why, inputs)
        if desired.failure:
            return Driven(desired=desired, inputs=inputs, steps=tuple(steps))
        if desired.host != applied and not desired.read_only:
            applied = desired.host
            outcome = reconcile(machine, applied)
            steps += outcome.steps
            known = _known(inputs, outcome)
            if known != inputs:
                inputs = known
                continue
        # One that leaves has lost its relations already: only its machine is left to be put in order.
        tasks = () if why.removing else desired.tasks
        waiting = [task for task in tasks if done.get(task.name) != task]
        if not waiting:
            return Driven(desired=desired, inputs=inputs, steps=tuple(steps))
        for task in waiting:
            done[task.name] = task
            seen = {**inputs.seen, task.name: task.carry_out(machine)}
            inputs = dataclasses.replace(inputs, seen=seen)
    raise RuntimeError(f'after {_MOST_ROUNDS} rounds {why} still wants something else')


def reconcile(machine: Machine, desired: host.Host) -> Outcome:
    """Bring *machine* to *desired*, and say what had to change.

    A file that its check refuses stays as it was, and all else goes on: what uses it is not
    disturbed for it, and is not taken to have it.

    Raises:
        CommandError: when a package would not install or a command would not succeed.
    """
    observed = machine.observe(desired)
    done: list[host.Step] = []
    refused: dict[str, str] = {}
    failed: dict[str, str] = {}
    unrun: dict[str, str] = {}
    effective = desired
    for step in host.plan(desired, observed):
        if _waits(step, desired, refused.keys(), observed.paths.keys(), done):
            continue
        _log.info('%s', step)
        reason = machine.carry_out(step, effective)
        done.append(step)
        if reason and step.verb in ('check', 'write'):
            done.pop()
            refused[step.target] = reason
            kept = tuple(f for f in effective.files if f.path != step.target)
            effective = dataclasses.replace(effective, files=kept)
        elif reason and step.verb == 'run':
            done.pop()
            unrun[step.target] = reason
            break  # Services are started on what a command has made ready.
        elif reason:
            failed[step.target] = reason
    if any(step.verb in ('install', 'upgrade') for step in done):
        observed = machine.observe(desired)
    return Outcome(
        steps=tuple(done), failed=failed, refused=refused, unrun=unrun, versions=observed.packages
    )


def _waits(
    step: host.Step,
    desired: host.Host,
    refused: Set[str],
    there: Set[str],
    done: list[host.Step],
) -> bool:
    """Whether *step* of a service is not for now: files of its own were *refused*, and it would take up nothing new."""
    files = desired.configuration_of(step.target)
    if refused.isdisjoint(files):
        return False
    if step.verb == 'start':
        return not (refused - there).isdisjoint(files)
    written = {each.target for each in done if each.verb in ('write', 'link', 'remove')}
    return step.verb in ('try', *_CHANGED) and written.isdisjoint(files)


def _known(inputs: state.Inputs, outcome: Outcome) -> state.Inputs:
    up = {
        s.target: s.verb
        for s in outcome.steps
        if s.verb in ('start', *_CHANGED) and s.target not in outcome.failed
    }
    return dataclasses.replace(
        inputs,
        versions=dict(outcome.versions),
        refused={**inputs.refused, **outcome.refused},
        unrun={**inputs.unrun, **outcome.unrun},
        failed=dict(outcome.failed),
        started={**inputs.started, **up},
    )
