"""``juju status`` and what units have said before."""

from __future__ import annotations

import sys
from typing import Any

from ..core import tabular
from . import out
from .command import Call, Command, Flag


def _once(call: Call) -> dict[str, Any]:
    from ..core import filtering

    status = call.ask('status')
    return filtering.status(status, call.args) if call.args else status


def _status(call: Call) -> int | None:
    if call.given('watch'):
        return _watch(call)
    status = _once(call)
    out_ = {k: v for k, v in status.items() if k != 'relations'}
    form = call['format']
    if form in ('oneline', 'short', 'line'):
        out.show(None, 'text', call['output'], lambda _: tabular.oneline(status))
    elif form == 'summary':
        out.show(None, 'text', call['output'], lambda _: tabular.summary(status))
    else:
        call.show(out_, lambda colour: _table(call, status, colour))
    if form == 'tabular' and not status['applications'] and not status['machines']:
        call.say(f'\nModel "{call.model}" is empty.')
    return None


def _table(call: Call, status: dict[str, Any], colour: bool) -> str:
    colour = (colour or call['color']) and not call['no-color']
    return tabular.status_table(
        status,
        colour,
        relations=call['relations'] or call['integrations'],
        storage=call['storage'],
    )


def _watch(call: Call) -> int | None:
    """Show the table after each change until interrupted, at most once in the span asked for."""
    from ..core import filtering

    span = max(call['watch'], 0.1)
    person = sys.stdout.isatty()
    before = ''
    for status in call.controller.follow('watch-status', model=call.model, every=span):
        chosen = filtering.status(status, call.args) if call.args else status
        # What only the clock has changed is no news.
        text = _table(call, {**chosen, 'controller': {}}, out.colour())
        if text != before:
            out.write('\x1b[H\x1b[2J' + text if person else text + '\n')
            before = text
    return None


def _status_log(call: Call) -> None:
    from ..core import listings

    rows = listings.status_log(
        call.fetch_model(), call.args[0], kind=call['type'], limit=call['n'] or 20
    )
    call.show(rows, lambda colour: listings.status_log_table(rows, colour))


_FORMATS = ('tabular', 'json', 'yaml', 'short', 'line', 'oneline', 'summary')

COMMANDS = (
    Command(
        'status',
        _status,
        'Report the status of the model, its machines, applications and units.',
        '[<selector> [...]]',
        flags=(
            Flag(('color',), 'bool', help='Use ANSI color codes in tabular output'),
            Flag(('no-color',), 'bool', help='Disable ANSI color codes in tabular output'),
            Flag(('relations',), 'bool', help="Show 'relations' section in tabular output"),
            Flag(('integrations',), 'bool', help="Show 'integrations' section in tabular output"),
            Flag(('storage',), 'bool', help="Show 'storage' section in tabular output"),
            Flag(('utc',), 'bool', help='Display timestamps in the UTC timezone (always so)'),
            Flag(
                ('watch',), 'duration', help='Watch the status, looking again after each duration'
            ),
            Flag(('retry-count',), 'int', 3, help='Accepted; the controller is on this machine'),
            Flag(('retry-delay',), 'duration', help='Accepted; the controller is on this machine'),
        ),
        most=None,
        formats=_FORMATS,
    ),
    Command(
        'show-status-log',
        _status_log,
        'Output past statuses for the specified entity.',
        '<entity name>',
        flags=(
            Flag(('type',), default='unit', help='unit, juju-unit, workload or application'),
            Flag(('n',), 'int', help='How many to show at most'),
            Flag(('days',), 'int', help='Accepted: all that is kept is from now'),
            Flag(('from-date',), help='Accepted: all that is kept is from now'),
            Flag(('include-status-updates',), 'bool', help='Include update-status'),
            Flag(('utc',), 'bool', help='Times are in UTC (always so)'),
        ),
        needs=('entity name is missing',),
        formats=('tabular', 'json', 'yaml'),
    ),
)
