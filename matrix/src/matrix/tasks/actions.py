"""Runs an action of a unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from matrix import model
from matrix.juju import link
from matrix.plans import streams
from matrix.run import execution
from matrix.tasks import arguments


async def run_action(
    context: model.Context, rule: model.Rule, task: model.Task, event: object = None
) -> bool:
    """Run `action` of `application` on `unit` (a number, `leader`, or `random`) with `params`.

    Sets `run_action.<action>` to Juju's status of it.

    Raises:
        model.TestFailure: the action fails.
        model.InfraFailure: the rule says something that cannot be run.
    """
    here = execution.of(context)
    application, action = task.args.get('application'), task.args.get('action')
    if not isinstance(application, str) or not isinstance(action, str):
        raise model.InfraFailure(f'{task.name} needs the names of an application and an action')
    params = task.args.get('params') or {}
    if not isinstance(params, Mapping):
        raise model.InfraFailure(f"{task.name}: 'params' is a mapping, this is {params!r}")
    unit = _unit(here, task, application)
    within = arguments.seconds(task, 'timeout', 600)
    context.set_state(f'run_action.{action}', 'running')
    here.waits(rule.name, f'runs {action} on {unit}', within)
    try:
        results = await here.link.run_action(
            unit, action, cast('Mapping[str, object]', params), within=within
        )
    except link.LinkError as error:
        context.set_state(f'run_action.{action}', 'failed')
        raise model.TestFailure(task, str(error)) from error
    finally:
        here.waits(rule.name, '')
    rule.log.info('%s on %s: %s', action, unit, ', '.join(sorted(results)) or 'no results')
    context.set_state(f'run_action.{action}', 'completed')
    return True


def _unit(here: execution.Execution, task: model.Task, application: str) -> str:
    said = str(task.args.get('unit', 'leader'))
    if said == 'leader':
        return f'{application}/leader'
    if said.isdecimal():
        return f'{application}/{said}'
    if said != 'random':
        raise model.InfraFailure(
            f"{task.name}: 'unit' is a number, leader or random, this is {said!r}"
        )
    found = next(
        (one.units for one in here.link.now().applications if one.name == application), ()
    )
    if not found:
        raise model.InfraFailure(f'{task.name}: {application} has no units')
    names = sorted(one.name for one in found)
    return streams.stream(
        here.seed, 'run_action', application, str(task.args.get('action'))
    ).choice(names)
