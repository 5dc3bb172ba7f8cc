"""``juju debug-log``: what charms and agents say."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from ..core import loglines
from . import command, out
from .command import Call, Command, Flag

_LEVELS = ('TRACE', 'DEBUG', 'INFO', 'WARNING', 'ERROR')
_COLOURS = {'WARNING': '33', 'ERROR': '31', 'DEBUG': '2', 'TRACE': '2'}


def _debug_log(call: Call) -> None:
    level = call['level'].upper()
    if level and level not in _LEVELS:
        raise command.usage_error(
            f'level value "{call["level"]}" is not one of "TRACE", "DEBUG", "INFO", "WARNING", "ERROR"'
        )
    if call['tail'] and call['no-tail']:
        raise command.usage_error('setting --tail and --no-tail not valid')
    # Without a person to watch, a command that never ends would only hang its caller.
    tail = call['tail'] or (
        sys.stdout.isatty() and not call['no-tail'] and not call.given('limit')
    )
    wanted = loglines.Wanted(
        level,
        call['include'],
        call['exclude'],
        call['include-module'],
        call['exclude-module'],
    )
    count = call['lines'] if tail and not call['replay'] else call['limit']
    fetch = 0 if wanted != loglines.Wanted() else count  # Filters come before the count.
    lines = [loglines.Line(*line) for line in call.ask('debug-log', limit=fetch)]
    chosen = [line for line in lines if loglines.wanted(line, wanted)]
    _write(call, chosen[-count:] if count else chosen)
    if not tail:
        return
    last = lines[-1].id if lines else 0
    for found in call.controller.follow('follow-log', model=call.model, after=last):
        line = loglines.Line(*found)
        if loglines.wanted(line, wanted):
            _write(call, [line])


def _write(call: Call, lines: Iterable[loglines.Line]) -> None:
    colour = (out.colour() or call['color']) and not call['no-color']
    texts: list[str] = []
    for line in lines:
        text = loglines.render(line, date=call['date'], ms=call['ms'])
        code = _COLOURS.get(line.level) if colour else None
        texts.append(f'\x1b[{code}m{text}\x1b[0m\n' if code else text + '\n')
    if texts:
        out.write(''.join(texts))


COMMANDS = (
    Command(
        'debug-log',
        _debug_log,
        'Displays log messages for a model.',
        flags=(
            Flag(('include', 'i'), 'repeatable', help='Only show log messages for these entities'),
            Flag(('exclude', 'x'), 'repeatable', help='Do not show messages for these entities'),
            Flag(('include-module',), 'repeatable', help='Only show messages for these modules'),
            Flag(('exclude-module',), 'repeatable', help='Do not show messages of these modules'),
            Flag(
                ('level', 'l'),
                help='Log level to show, one of [TRACE, DEBUG, INFO, WARNING, ERROR]',
            ),
            Flag(
                ('limit',), 'int', help='Exit once this many of the most recent are shown; 0: all'
            ),
            Flag(('lines', 'n'), 'int', 10, help='Show this many of the most recent lines first'),
            Flag(('replay',), 'bool', help='Show the entire log and continue to append'),
            Flag(('tail',), 'bool', help='Show existing log messages and continue to append'),
            Flag(('no-tail',), 'bool', help='Show existing log messages and exit'),
            Flag(('color',), 'bool', help='Force use of ANSI color codes'),
            Flag(('no-color',), 'bool', help='Do not use colour'),
            Flag(('utc',), 'bool', help='Show times in UTC (always so)'),
            Flag(('date',), 'bool', help='Show dates as well as times'),
            Flag(('ms',), 'bool', help='Show times to millisecond precision'),
            Flag(('location',), 'bool', help='Accepted'),
            Flag(('firehose',), 'bool', help='Accepted'),
            Flag(('retry',), 'bool', help='Accepted'),
        ),
    ),
)
