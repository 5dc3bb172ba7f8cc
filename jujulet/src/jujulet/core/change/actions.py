"""Actions and commands are asked for and cancelled. Source: cmd/juju/action of Juju 3.6."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import charm as charm_
from .. import edit, tasks
from ..model import Model, Operation, Refused, Task
from ..requests import CancelTask, Exec, Run
from . import found, schema


def run(request: Run, model: Model, now: float) -> tuple[Model, dict[str, Any]]:
    """``juju run``."""
    chosen: dict[str, Mapping[str, Any]] = {}
    errors: dict[str, str] = {}
    for receiver in request.receivers:
        try:
            unit = found.unit(model, receiver)
            action = _action(model, model.charm_of(unit.application), request.action, unit.name)
            strict = model.juju_version.startswith('4')
            chosen[unit.name] = schema.validated(action, request.parameters, strict=strict)
        except Refused as refused:
            errors[receiver] = str(refused)
    model, reply = _enqueue(
        model, f'{request.action} run on {_list(chosen)}', request.action, chosen, errors, now
    )
    return model, reply


def _action(model: Model, charm: charm_.Charm, name: str, unit: str) -> charm_.Action:
    action = charm.actions.get(name)
    if action is not None:
        return action
    if model.juju_version.startswith('4'):
        raise Refused(f'action "{name}" not defined for unit "{unit}". (not found)')
    raise Refused(f'action "{name}" not defined on unit "{unit}"')


def exec_(request: Exec, model: Model, now: float) -> tuple[Model, dict[str, Any]]:
    """``juju exec``."""
    names: list[str] = []
    errors: dict[str, str] = {}
    for unit in request.units:
        try:
            names.append(found.unit(model, unit).name)
        except Refused as refused:
            errors[unit] = str(refused)
    for application in request.applications:
        if application in model.applications:
            names += [u.name for u in model.units_of(application)]
        else:
            errors[application] = f'application "{application}" not found'
    for machine in request.machines:
        if machine in model.machines:
            names.append(machine)
        else:
            errors[machine] = f'machine {machine} not found'
    chosen: dict[str, Mapping[str, Any]] = {name: {} for name in dict.fromkeys(names)}
    summary = f'{tasks.EXEC} run on {_list(chosen)}'
    return _enqueue(
        model,
        summary,
        tasks.EXEC,
        chosen,
        errors,
        now,
        command=request.command,
        timeout=request.timeout,
    )


def _list(chosen: Mapping[str, Any]) -> str:
    return ','.join(n if '/' not in n else f'unit-{n.replace("/", "-")}' for n in chosen)


def _enqueue(
    model: Model,
    summary: str,
    name: str,
    chosen: Mapping[str, Mapping[str, Any]],
    errors: Mapping[str, str],
    now: float,
    *,
    command: str = '',
    timeout: float = 0.0,
) -> tuple[Model, dict[str, Any]]:
    model, number = edit.number(model, 'task', 1)
    oid = str(number)
    if not chosen:
        reasons = '\n'.join(errors.values())
        raise Refused(f'Operation {oid} failed to schedule any tasks:\n{reasons}', code=0)
    ids: dict[str, str] = {}
    for receiver, parameters in chosen.items():
        model, number = edit.number(model, 'task', 1)
        ids[receiver] = str(number)
        task = Task(
            id=str(number),
            operation=oid,
            receiver=receiver,
            name=name,
            parameters=parameters,
            command=command,
            timeout=timeout,
            enqueued=now,
        )
        model = edit.put_task(model, task)
    operation = Operation(oid, summary, tuple(ids.values()), now)
    model = tasks.pruned(edit.put_operation(model, operation))
    return model, {'operation': oid, 'tasks': ids, 'errors': dict(errors)}


def cancel(request: CancelTask, model: Model, now: float) -> tuple[Model, dict[str, Any]]:
    """``juju cancel-task``: one that runs is aborting until its process has ended."""
    for tid in request.ids:
        task = model.tasks.get(tid)
        if task is None:
            raise Refused(f'task "{tid}" not found')
        if task.status == 'pending':
            message = 'task cancelled via the API'
            model = edit.task(model, tid, status='cancelled', message=message, completed=now)
        elif task.status == 'running':
            model = edit.task(model, tid, status='aborting')
    return model, {'tasks': list(request.ids)}


VERBS: Mapping[type, Any] = {Run: run, Exec: exec_, CancelTask: cancel}
