"""Tasks, operations and actions as ``juju run``, ``exec``, ``show-task`` and ``actions`` print them.

Source: cmd/juju/action of Juju 3.6: ``return-code`` is a JSON integer, all other results are text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from . import display, table
from . import model as model_


def task(t: model_.Task) -> dict[str, Any]:
    """One task, as the value under its unit's name."""
    out: dict[str, Any] = {'id': t.id, _receiver_kind(t): t.receiver, 'status': t.status}
    if t.message:
        out['message'] = t.message
    if t.log:
        out['log'] = [f'{display.task_time(at)} {text}' for at, text in t.log]
    results = dict(t.results)
    if 'return-code' in results:
        results['return-code'] = int(results['return-code'])
    elif t.status in ('completed', 'failed'):
        results = {'return-code': 0, **results}
    if results:
        out['results'] = results
    times = (('enqueued', t.enqueued), ('started', t.started), ('completed', t.completed))
    out['timing'] = {name: display.task_time(at) for name, at in times if at}
    return out


def _receiver_kind(t: model_.Task) -> str:
    return 'unit' if '/' in t.receiver else 'machine'


def return_code(t: model_.Task) -> int:
    """Exit code that the task's process had; 0 if it had none."""
    return int(t.results.get('return-code', 0))


def failures(tasks: Iterable[model_.Task]) -> str:
    """What ``juju run`` says when processes have failed; empty when none has."""
    codes = [(t.id, return_code(t)) for t in tasks if return_code(t) > 0]
    if not codes:
        return ''
    lines = [f' - id "{id_}" with return code {code}' for id_, code in codes]
    what = 'task' if len(codes) == 1 else 'tasks'
    return (
        f'the following {what} failed:\n'
        + '\n'.join(lines)
        + "\n\nuse 'juju show-task' to inspect the failure"
        + ('' if len(codes) == 1 else 's')
    )


def plain(tasks: Iterable[model_.Task]) -> str:
    """What people see: outputs as they are, or under their unit's name when there are several."""
    listed = list(tasks)
    if len(listed) == 1:
        return _plain(listed[0])
    parts: list[str] = []
    for t in listed:
        body = ''.join(f'  {line}\n' for line in _plain(t).splitlines())
        parts.append(f'{t.receiver}:\n{body}')
    return '\n'.join(parts)


def _plain(t: model_.Task) -> str:
    results = {k: v for k, v in t.results.items() if k not in ('return-code', 'stdout', 'stderr')}
    text = _ended(str(t.results.get('stdout', '')))
    stderr = str(t.results.get('stderr', ''))
    text += ''.join(_nested(results, ''))
    if stderr:
        text += _ended(stderr)
    if t.message and t.status != 'completed':
        text += _ended(t.message)
    return text


def _ended(text: str) -> str:
    return text if not text or text.endswith('\n') else text + '\n'


def _nested(values: Mapping[str, Any], indent: str) -> Iterable[str]:
    for key, value in sorted(values.items()):
        if isinstance(value, Mapping):
            yield f'{indent}{key}:\n'
            yield from _nested(value, indent + '  ')  # pyright: ignore[reportUnknownArgumentType]
        elif '\n' in str(value):
            yield f'{indent}{key}: |\n'
            yield from (f'{indent}  {line}\n' for line in str(value).splitlines())
        else:
            yield f'{indent}{key}: {value}\n'


def operations(m: model_.Model) -> list[dict[str, Any]]:
    """``juju operations``, newest first."""
    ordered = sorted(m.operations.values(), key=lambda o: display.natural(o.id), reverse=True)
    return [operation(m, o) for o in ordered]


def operation(m: model_.Model, o: model_.Operation) -> dict[str, Any]:
    """``juju show-operation ID``."""
    tasks = [m.tasks[i] for i in o.tasks if i in m.tasks]
    ends = [t.completed for t in tasks]
    starts = [t.started for t in tasks if t.started]
    timing = {'enqueued': display.task_time(o.enqueued)} if o.enqueued else {}
    if starts:
        timing['started'] = display.task_time(min(starts))
    if ends and all(ends):
        timing['completed'] = display.task_time(max(ends))
    return {
        'id': o.id,
        'summary': o.summary,
        'status': _overall([t.status for t in tasks]),
        'timing': timing,
        'tasks': {t.id: {'host': t.receiver, **task(t)} for t in tasks},
    }


def _overall(states: list[str]) -> str:
    for state in ('running', 'aborting', 'pending', 'error', 'failed', 'aborted', 'cancelled'):
        if state in states:
            return state
    return 'completed' if states else 'pending'


def operations_table(rows: Iterable[Mapping[str, Any]], colour: bool) -> str:
    """``juju operations`` for people."""
    lines = [
        (
            o['id'],
            table.status(o['status']),
            o['timing'].get('started', ''),
            o['timing'].get('completed', ''),
            ','.join(o['tasks']),
            o['summary'],
        )
        for o in rows
    ]
    header = ('ID', 'Status', 'Started', 'Finished', 'Task IDs', 'Summary')
    return table.render(header, lines, colour=colour)


def actions(m: model_.Model, application: str, *, schema: bool) -> dict[str, Any]:
    """``juju actions APP``: descriptions by name or, with *schema*, all that the charm declares."""
    declared = m.charm_of(application).actions
    if not schema:
        return {name: a.description for name, a in sorted(declared.items())}
    return {
        name: {
            'additionalProperties': a.additional_properties,
            'description': a.description,
            'properties': dict(a.parameters),
            'required': list(a.required),
            'title': name,
            'type': 'object',
        }
        for name, a in sorted(declared.items())
    }


def actions_table(values: Mapping[str, str], colour: bool) -> str:
    """``juju actions APP`` for people."""
    rows = [(name, text.partition('\n')[0]) for name, text in values.items()]
    return table.render(('Action', 'Description'), rows, colour=colour)
