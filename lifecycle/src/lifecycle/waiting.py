"""How long a step may take, and what to tell of one that is not done. Pure."""

from __future__ import annotations

from lifecycle.observed import Observed, Unit
from lifecycle.step import Step
from lifecycle.world import UnchangedError, WorldError

LIMITS_S = {
    'base': 120.0,
    'origin': 120.0,
    'add': 120.0,
    'rehearse': 7
    * 3600.0,  # Longer than any charm's own: the copy's 4 hours, and its migrations'.
    'expand': 3600.0,
    'admit': 3600.0,
    'drain': 3600.0,
    'remove': 1800.0,
    'upgrade': 3600.0,
    'resume': 1800.0,
    'online': 7200.0,
    'contract': 3600.0,
    'refresh': 900.0,
    'healthy': 3600.0,
    'switch': 1800.0,
    'settle': 1800.0,
}
"""Seconds after which a step that is not done ends the run, by verb."""


def waiting_for(step: Step, seen: Observed) -> str:
    """What is not there yet, so that *step* is not done."""
    app = seen.applications[step.application]
    for unit in app.units:
        if unit.name == step.unit and step.verb == 'remove':
            return f'{unit.name} is going'
        of_it = unit.name == step.unit if step.unit else _is_late(step, unit)
        if not of_it:
            continue
        if unit.workload != 'active' and step.verb in ('admit', 'healthy', 'settle'):
            return f'{unit.name} is {unit.workload}: {unit.message or "it does not say why"}'
        return unit.admission.why or f'{unit.name} is {unit.workload}: {unit.message}'
    return ''


def _is_late(step: Step, unit: Unit) -> bool:
    return (
        not unit.ready
        if step.verb == 'admit'
        else step.verb in ('healthy', 'settle') and not (unit.healthy or unit.dying)
    )


def overdue(step: Step, refused: str, seen: Observed) -> str:
    """What to tell of a step whose time is over."""
    why = refused or step.note or waiting_for(step, seen) or 'Juju does not say why'
    return (
        f'{step.id} was not done within {LIMITS_S[step.verb] / 60:.0f} minutes: {why}. Look at it with `juju status '
        f'{step.application}`; the same command goes on, or leaves it out after '
        f'`juju lifecycle skip {step.id} --reason WHY`'
    )


def is_final(step: Step, error: WorldError) -> bool:
    """Whether a step that has failed is not tried again: a rehearsal that was not refused, but failed."""
    return step.verb == 'rehearse' and isinstance(error, UnchangedError)


def refused(step: Step, error: WorldError) -> str:
    """What to tell of a step that has failed for good."""
    if is_final(step, error):
        return (
            f'{step.application} would not be migrated: {error}. All that it said: `{step.command}`. The same '
            f'command goes on, or leaves the rehearsal out after `juju lifecycle skip {step.id} --reason WHY`; back: '
            '`juju lifecycle rollback`'
        )
    return (
        f'{step.id} does not work: {error}. By hand: `{step.command}`; the same command goes on, or leaves it out '
        f'after `juju lifecycle skip {step.id} --reason WHY`'
    )
