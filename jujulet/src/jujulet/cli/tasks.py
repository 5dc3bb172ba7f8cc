"""Actions that charms have, and the tasks and operations that came of running them."""

from __future__ import annotations

from .. import codec
from ..core import model as model_
from ..core import requests, taskshow
from . import command
from .command import Call, Command, Flag


def _actions(call: Call) -> None:
    from ..core import listings

    model = call.fetch_model()
    listings.found_application(model, call.args[0])
    value = taskshow.actions(model, call.args[0], schema=call['schema'])
    if not value:
        call.say(f'No actions defined for {call.args[0]}.')
        return
    if call['schema'] and call['format'] in ('default', 'tabular'):
        call.show(value)
        return
    call.show(value, lambda colour: taskshow.actions_table(value, colour))


def _show_action(call: Call) -> None:
    from ..core import listings

    application, name = call.args
    model = call.fetch_model()
    listings.found_application(model, application)
    declared = taskshow.actions(model, application, schema=True)
    if name not in declared:
        raise model_.Refused(f'unknown action "{name}"')
    call.show(declared[name])


def _operations(call: Call) -> None:
    rows = taskshow.operations(call.fetch_model())
    wanted_states = command.commas(call['status'])
    wanted_actions = command.commas(call['actions'])
    wanted_units = {*command.commas(call['units']), *command.commas(call['machines'])}
    wanted_apps = command.commas(call['apps'])

    def fits(row: dict[str, object]) -> bool:
        tasks: dict[str, dict[str, str]] = row['tasks']  # type: ignore[assignment]
        hosts = {t['host'] for t in tasks.values()}
        return (
            (not wanted_states or row['status'] in wanted_states)
            and (not wanted_actions or any(a in str(row['summary']) for a in wanted_actions))
            and (not wanted_units or bool(hosts & wanted_units))
            and (not wanted_apps or any(h.rpartition('/')[0] in wanted_apps for h in hosts))
        )

    rows = [row for row in rows if fits(row)][call['offset'] :][: call['limit'] or 50]
    value = {row['id']: {k: v for k, v in row.items() if k != 'id'} for row in rows}
    call.show(
        value,
        lambda colour: (
            taskshow.operations_table(rows, colour) if rows else 'no matching operations\n'
        ),
    )


def _show_operation(call: Call) -> None:
    model = call.fetch_model()
    id_ = call.args[0]
    if id_ not in model.operations:
        raise model_.Refused(f'operation "{id_}" not found')
    if call['wait']:
        call.ask('wait-task', ids=list(model.operations[id_].tasks), timeout=call['wait'])
        model = call.fetch_model()
    row = taskshow.operation(model, model.operations[id_])
    call.show({k: v for k, v in row.items() if k != 'id'})


def _show_task(call: Call) -> None:
    model = call.fetch_model()
    id_ = call.args[0]
    task = model.tasks.get(id_)
    if task is None:
        raise model_.Refused(f'task "{id_}" not found')
    if call['wait'] and not task.completed:
        reply = call.ask('wait-task', ids=[id_], timeout=call['wait'])
        task = codec.decode(model_.Task, reply[id_])
    call.show(taskshow.task(task), lambda _: taskshow.plain([task]))


def _cancel(call: Call) -> None:
    call.change(requests.CancelTask(ids=call.args))
    model = call.fetch_model()
    call.show([taskshow.task(model.tasks[i]) for i in call.args if i in model.tasks])


_WAIT = Flag(('wait',), 'duration', help='How long to wait for it to end')
_UTC = Flag(('utc',), 'bool', help='Times are in UTC (always so)')

COMMANDS = (
    Command(
        'actions',
        _actions,
        'List actions defined for an application.',
        '<application>',
        flags=(Flag(('schema',), 'bool', help='Display the full action schema'),),
        needs=('no application name specified',),
        formats=('default', 'tabular', 'json', 'yaml'),
    ),
    Command(
        'show-action',
        _show_action,
        'Shows detailed information about an action.',
        '<application> <action>',
        needs=('no application specified', 'no action specified'),
        formats=('yaml', 'json', 'plain'),
    ),
    Command(
        'operations',
        _operations,
        'Lists pending, running, or completed operations.',
        flags=(
            Flag(('status',), 'repeatable', help='Only with this status'),
            Flag(('actions',), 'repeatable', help='Only of these actions'),
            Flag(('units',), 'repeatable', help='Only on these units'),
            Flag(('apps', 'applications'), 'repeatable', help='Only on these applications'),
            Flag(('machines',), 'repeatable', help='Only on these machines'),
            Flag(('limit',), 'int', help='How many at most'),
            Flag(('offset',), 'int', help='How many to leave out first'),
            _UTC,
        ),
        formats=('plain', 'json', 'yaml'),
    ),
    Command(
        'show-operation',
        _show_operation,
        'Show results of an operation.',
        '<operation-id>',
        flags=(_WAIT, _UTC, Flag(('watch',), 'bool', help='Accepted')),
        needs=('no operation ID specified',),
        formats=('yaml', 'json'),
    ),
    Command(
        'show-task',
        _show_task,
        'Show results of a task by ID.',
        '<task ID>',
        flags=(_WAIT, _UTC, Flag(('watch',), 'bool', help='Accepted')),
        needs=('no task ID specified',),
        formats=('plain', 'json', 'yaml'),
    ),
    Command(
        'cancel-task',
        _cancel,
        'Cancel pending or running tasks.',
        '<task-id> [...]',
        needs=('no task IDs specified',),
        most=None,
        formats=('yaml', 'json'),
    ),
)
