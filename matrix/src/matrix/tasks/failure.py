"""A task that fails on purpose."""

from __future__ import annotations

from typing import Never

from matrix import model


async def fail(
    context: model.Context, rule: model.Rule, task: model.Task, event: object = None
) -> Never:
    """Fail on purpose: a test of whatever reads the outcome.

    With the argument `generic_exception` it breaks the run as an error in a task does, with
    `break_connection` as a lost controller does.

    Raises:
        model.TestFailure: without either argument.
        model.InfraFailure: with `break_connection`.
        RuntimeError: with `generic_exception`.
    """
    if task.args.get('generic_exception'):
        raise RuntimeError('failed on purpose, as an error in a task')
    if task.args.get('break_connection'):
        raise model.InfraFailure('failed on purpose, as a lost controller')
    raise model.TestFailure(task, 'failed on purpose')
