"""``juju help-hook-commands`` and ``help-action-commands``: the programs that a charm's hooks can run.

Source: cmd/juju/commands/helphookcmds.go of Juju 3.6.
"""

from __future__ import annotations

from ..core import hooktools
from ..core import model as model_
from . import out
from .command import Call, Command

_OF_ACTIONS = frozenset(('action-fail', 'action-get', 'action-log', 'action-set'))


def _hook_commands(call: Call) -> None:
    _show(call, frozenset(hooktools.TOOLS) - _OF_ACTIONS)


def _action_commands(call: Call) -> None:
    _show(call, _OF_ACTIONS)


def _show(call: Call, names: frozenset[str]) -> None:
    if not call.args:
        width = max(map(len, names))
        for name in sorted(names):
            out.write(f'{name:<{width}}  {hooktools.TOOLS[name].summary}\n')
        return
    tool = hooktools.TOOLS.get(call.args[0]) if call.args[0] in names else None
    if tool is None:
        raise model_.Refused(f'unknown command "{call.args[0]}"')
    out.write(tool.help())


COMMANDS = (
    Command(
        'help-hook-commands',
        _hook_commands,
        'Show help on a Juju charm hook command.',
        '[<command>]',
        most=1,
        model=False,
    ),
    Command(
        'help-action-commands',
        _action_commands,
        'Show help on a Juju charm action command.',
        '[<command>]',
        most=1,
        model=False,
    ),
)
