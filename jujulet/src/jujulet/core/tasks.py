"""Actions and commands: which is next, and how one ends. Source: worker/uniter/actions of Juju 3.6."""

from __future__ import annotations

import base64
from typing import Any

from . import edit
from .context import Context, Outcome
from .model import Hook, Model, Task

EXEC = 'juju-exec'
ENDED = frozenset(('completed', 'failed', 'cancelled', 'aborted', 'error'))


def next_hook(model: Model, receiver: str) -> Hook | None:
    """The oldest pending task of a unit or machine as what to run."""
    pending = model.indexes.pending_tasks.find(model.tasks, receiver)
    if not pending:
        return None
    first = model.tasks[pending[0]]
    return Hook('exec' if first.name == EXEC else 'action', task=first.id)


KEPT = 1000
"""How many operations are remembered."""


def pruned(model: Model) -> Model:
    """*model* without its oldest operations that have ended, once there are too many."""
    excess = len(model.operations) - KEPT
    if excess <= 0:
        return model
    oldest = sorted(model.operations.values(), key=lambda o: int(o.id))[:excess]
    gone = [o for o in oldest if all(model.tasks[t].status in ENDED for t in o.tasks)]
    model = edit.without(model, 'operations', *(o.id for o in gone))
    return edit.without(model, 'tasks', *(t for o in gone for t in o.tasks))


def started(model: Model, task_id: str, now: float) -> Model:
    """*model* in which a task runs."""
    return edit.task(model, task_id, status='running', started=now)


def finished(
    model: Model, context: Context, outcome: Outcome, now: float, *, flushed: bool
) -> Model:
    """*model* in which the task of *context* has ended as *outcome* says. Results are kept whatever the exit code."""
    task = model.tasks.get(context.hook.task)
    if task is None or task.status in ENDED:
        return model
    status, message, code = _verdict(task, context, outcome, flushed=flushed)
    results: dict[str, Any] = dict(context.action.results)
    results['return-code'] = code
    results |= _output('stdout', outcome.stdout) | _output('stderr', outcome.stderr)
    return edit.task(
        model, task.id, status=status, message=message, results=results, completed=now
    )


def _verdict(
    task: Task, context: Context, outcome: Outcome, *, flushed: bool
) -> tuple[str, str, int]:
    """Status, message and return code."""
    if task.status == 'aborting':
        return 'aborted', context.action.message, outcome.code
    if outcome.timed_out:
        return 'failed', f'command timed out after {task.timeout:g}s', outcome.code or 1
    if outcome.killed:
        return 'failed', 'action terminated', outcome.code or 1
    if outcome.missing:
        return 'failed', f'action not implemented on unit "{task.receiver}"', 1
    if not flushed:
        return 'failed', 'committing requested changes failed', 1
    if task.name == EXEC:
        return 'completed', context.action.message, outcome.code
    if outcome.code != 0:
        return 'failed', context.action.message or f'exit status {outcome.code}', outcome.code
    return ('failed' if context.action.failed else 'completed'), context.action.message, 0


def _output(name: str, data: bytes) -> dict[str, str]:
    if not data:
        return {}
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {name: base64.b64encode(data).decode(), f'{name}-encoding': 'base64'}


def abandoned(model: Model, task_id: str, now: float) -> Model:
    """*model* in which a running task has failed, as its agent is gone."""
    task = model.tasks.get(task_id)
    if task is None or task.status not in ('running', 'aborting'):
        return model
    status = 'aborted' if task.status == 'aborting' else 'failed'
    return edit.task(model, task_id, status=status, message='action terminated', completed=now)


def cancelled_for(model: Model, receiver: str, now: float) -> Model:
    """*model* in which no task of a receiver that is gone is left unfinished."""
    for task in list(model.tasks.values()):
        if task.receiver != receiver or task.status in ENDED:
            continue
        status = 'cancelled' if task.status == 'pending' else 'aborted'
        message = f'{"unit" if "/" in receiver else "machine"} removed'
        model = edit.task(model, task.id, status=status, message=message, completed=now)
    return model
