"""``juju wait-for``: until a question about the model is answered with yes."""

from __future__ import annotations

import time
from typing import Any

from ..core import model as model_
from ..core import waitquery
from . import command
from .command import Call, Command, Flag

_DEFAULT = {
    'application': 'name=="{name}" && status=="active"',
    'unit': 'name=="{name}" && workload-status=="active"',
    'machine': 'id=="{name}" && status=="started"',
    'model': 'name=="{name}" && status=="available"',
}


def _wait_for(call: Call) -> None:
    kind = call.args[0]
    if kind not in _DEFAULT:
        raise command.usage_error(
            f'unknown subcommand "{kind}": application, machine, model or unit'
        )
    name = call.args[1]
    text = call['query'] or _DEFAULT[kind].format(name=name)
    try:
        query = waitquery.parse(text)
    except waitquery.Invalid as error:
        raise command.usage_error(str(error)) from None
    deadline = time.monotonic() + call['timeout']
    while True:
        model = (call['model'] or name) if kind == 'model' else call.model
        facts = waitquery.facts(call.controller.ask('status', model=model), kind, name)
        try:
            if facts is not None and waitquery.holds(query, facts):
                _report(call, kind, name, facts)
                return
        except waitquery.Invalid as error:
            raise command.usage_error(str(error)) from None
        if time.monotonic() > deadline:
            raise model_.Refused(f'timed out waiting for {kind} "{name}" to reach goal state')
        time.sleep(0.2)


def _report(call: Call, kind: str, name: str, facts: dict[str, Any]) -> None:
    if call['summary'] is not False:
        call.say(
            f'{kind} "{name}" found' + (f', {facts["status"]}' if facts.get('status') else '')
        )


COMMANDS = (
    Command(
        'wait-for',
        _wait_for,
        'Wait for an entity to reach a specified state.',
        'application|machine|model|unit <name>',
        flags=(
            Flag(('query',), help='The goal state as a query'),
            Flag(('timeout',), 'duration', 600.0, help='How long to wait at most'),
            Flag(('summary',), 'bool', True, help='Show what was found'),
        ),
        needs=('no subcommand specified', 'no name specified'),
        most=2,
    ),
)
