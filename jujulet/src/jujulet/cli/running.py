"""``juju run`` and ``juju exec``: start tasks, wait for them, show what came out."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping
from typing import Any

from .. import codec
from ..core import display, requests, taskshow
from ..core import model as model_
from . import command, out
from .command import Call, Command, Flag

RUN_WAIT_S = 60.0
EXEC_WAIT_S = 300.0

_KEY = re.compile(r'[a-z0-9](?:[a-z0-9-]*[a-z0-9])?')
_RECEIVER = re.compile(r'[a-z][a-z0-9-]*/([0-9]+|leader)')


def _run(call: Call) -> int | None:
    receivers, action, words = _receivers(call.args)
    parameters: dict[str, Any] = {}
    if call['params']:
        from . import models

        parameters = models.read_mapping(call['params'])
    for word in words:
        _insert(parameters, word, as_text=call['string-args'])
    reply = call.change(requests.Run(receivers=receivers, action=action, parameters=parameters))
    return _finish(call, reply, call['wait'] or call['max-wait'] or RUN_WAIT_S)


def _receivers(words: tuple[str, ...]) -> tuple[tuple[str, ...], str, list[str]]:
    """Units first, then the action, then its arguments. Raises ``model.Refused``."""
    rest = list(words)
    units: list[str] = []
    while rest and _RECEIVER.fullmatch(rest[0]):
        units.append(rest.pop(0))
    if not units:
        if not rest:
            raise command.usage_error('no unit specified')
        raise command.usage_error(f'invalid unit or action name "{rest[0]}"')
    if not rest:
        raise command.usage_error('no action specified')
    action = rest.pop(0)
    if not _KEY.fullmatch(action):
        raise command.usage_error(f'invalid action name "{action}"')
    return tuple(units), action, rest


def _insert(parameters: dict[str, Any], word: str, *, as_text: bool) -> None:
    """``a.b=c`` into nested parameters; the value is YAML unless *as_text*."""
    path, equals, value = word.partition('=')
    if not equals:
        raise command.usage_error(f'argument "{word}" must be of the form key.key.key...=value')
    *outer, last = path.split('.')
    for key in (*outer, last):
        if not _KEY.fullmatch(key):
            raise command.usage_error(
                f'key "{key}" must start and end with lowercase alphanumeric, '
                'and contain only lowercase alphanumeric and hyphens'
            )
    place: dict[str, Any] = parameters
    for key in outer:
        if not isinstance(place.get(key), dict):
            place[key] = {}
        place = place[key]
    try:
        place[last] = value if as_text else out.load_yaml(value)
    except ValueError:
        raise command.usage_error(f'cannot parse value of "{path}" as YAML') from None


def _exec(call: Call) -> int | None:
    words = call.args
    if not words:
        raise command.usage_error('no commands specified')
    units = command.commas(call['unit'])
    applications = command.commas(call['application'])
    machines = command.commas(call['machine'])
    if call['all'] and (units or applications or machines):
        raise command.usage_error('You cannot specify --all and individual machines')
    if not (call['all'] or units or applications or machines):
        raise command.usage_error(
            'You must specify a target, either through --all, --machine, --application or --unit'
        )
    if call['all']:
        machines = tuple(sorted(call.fetch_model().machines))
    text = words[0] if len(words) == 1 else shlex.join(words)
    wait = call['wait'] or EXEC_WAIT_S
    reply = call.change(
        requests.Exec(
            command=text,
            units=units,
            applications=applications,
            machines=machines,
            timeout=max(wait, EXEC_WAIT_S),
        )
    )
    return _finish(call, reply, wait)


def _finish(call: Call, reply: Mapping[str, Any], wait: float) -> int | None:
    """Tell of the operation; unless ``--background``, wait for its tasks and show them."""
    ids: Mapping[str, str] = reply['tasks']
    listed = ', '.join(ids.values())
    plural = '' if len(ids) == 1 else 's'
    if call['background']:
        call.say(f'Scheduled operation {reply["operation"]} with task{plural} {listed}')
        call.say(
            f"Check operation status with 'juju show-operation {reply['operation']}'\n"
            f"Check task status with 'juju show-task <id>'"
        )
        return None
    call.say(f'Running operation {reply["operation"]} with {len(ids)} task{plural}')
    for unit, id_ in ids.items():
        call.say(f'  - task {id_} on {"unit-" + unit.replace("/", "-") if "/" in unit else "machine-" + unit}')  # fmt: skip  # noqa: E501
    call.say('')
    tasks = _wait(call, ids, wait)
    for task in tasks:
        for at, text in task.log:
            call.say(f'{display.clock(at)[:-1]} {text}')
    for name, text in reply.get('errors', {}).items():
        print(f'{name}: {text}', file=sys.stderr)
    value = {t.receiver: taskshow.task(t) for t in tasks}
    call.show(value, lambda _: taskshow.plain(tasks))
    failed = taskshow.failures(tasks)
    if failed:
        raise model_.Refused(failed)
    return None


def _wait(call: Call, ids: Mapping[str, str], wait: float) -> list[model_.Task]:
    """The tasks once all are done. Raises ``model.Refused`` when time is up first."""
    call.say(f'Waiting for task{"" if len(ids) == 1 else "s"} {", ".join(ids.values())}...')
    reply = call.ask('wait-task', ids=list(ids.values()), timeout=wait)
    tasks = [codec.decode(model_.Task, reply[id_]) for id_ in ids.values()]
    late = [t.receiver for t in tasks if not t.completed]
    if late:
        kind = 'unit' if '/' in late[0] else 'machine'
        plural = '' if len(late) == 1 else 's'
        raise model_.Refused(
            f'timed out waiting for results from: {kind}{plural} {", ".join(late)}'
        )
    call.say('')
    return tasks


_FLAGS = (
    Flag(('background',), 'bool', help='Run the tasks in the background'),
    Flag(('wait',), 'duration', help='How long to wait for results at most'),
    Flag(('color',), 'bool', help='Accepted'),
    Flag(('no-color',), 'bool', help='Accepted'),
    Flag(('utc',), 'bool', help='Times are in UTC (always so)'),
)

COMMANDS = (
    Command(
        'run',
        _run,
        'Run an action on a specified unit.',
        '<unit> [<unit> ...] <action-name> [<key>=<value> [<key>[.<key> ...]=<value>]]',
        flags=(
            *_FLAGS,
            Flag(('params',), help='Path to YAML-formatted parameters file'),
            Flag(('string-args',), 'bool', help='Use raw string values of arguments'),
            Flag(('max-wait',), 'duration', help='The same as --wait'),
        ),
        needs=('no unit specified',),
        most=None,
        formats=('plain', 'json', 'yaml'),
    ),
    Command(
        'exec',
        _exec,
        'Run the commands on the remote targets specified.',
        '<commands>',
        flags=(
            *_FLAGS,
            Flag(('all',), 'bool', help='Run the commands on all the machines'),
            Flag(('application', 'a', 'app'), 'repeatable', help='One or more application names'),
            Flag(('machine',), 'repeatable', help='One or more machine ids'),
            Flag(('unit', 'u'), 'repeatable', help='One or more unit ids'),
            Flag(('operator',), 'bool', help='Accepted'),
            Flag(('parallel',), default='true', help='Accepted'),
            Flag(('execution-group',), help='Accepted'),
        ),
        most=None,
        formats=('plain', 'json', 'yaml'),
        interspersed=False,
    ),
)
