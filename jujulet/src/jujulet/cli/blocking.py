"""Commands that are disabled for a model. Source: cmd/juju/block of Juju 3.6, with its words."""

from __future__ import annotations

from typing import Any

from ..core import blocks, requests, table
from ..core import model as model_
from . import command
from .command import Call, Command, Flag

_TARGETS = ', '.join(blocks.SETS)
_NO_SET = (f'missing command set ({_TARGETS})',)
_NONE = 'No commands are currently disabled.'


def _kind(name: str) -> str:
    if name not in blocks.SETS:
        raise command.usage_error(f'bad command set, valid options: {_TARGETS}')
    return blocks.SETS[name]


def _disable(call: Call) -> None:
    kind = _kind(call.args[0])
    call.change(requests.SwitchBlock(kind=kind, on=True, message=' '.join(call.args[1:])))


def _enable(call: Call) -> None:
    call.change(requests.SwitchBlock(kind=_kind(call.args[0]), on=False))


def _list(call: Call) -> None:
    value: list[dict[str, Any]] = (
        _of_all(call) if call['all'] else [*blocks.shown(call.fetch_model())]
    )
    if not value and call['format'] == 'tabular':
        call.say(_NONE)
        return
    call.show(value, lambda colour: _table(value, colour))


def _table(value: list[dict[str, Any]], colour: bool) -> str:
    if 'owner' in value[0]:
        header = ('Name', 'Model UUID', 'Owner', 'Disabled commands')
        rows = [
            (v['name'], v['model-uuid'], v['owner'], ', '.join(v['disabled-commands']))
            for v in value
        ]
        return table.render(header, rows, colour=colour)
    rows = [(v['command-set'], v.get('message', '')) for v in value]
    return table.render(('Disabled commands', 'Message'), rows, colour=colour)


def _of_all(call: Call) -> list[dict[str, Any]]:
    """Every model that has any, by name."""
    from .. import codec

    out: list[dict[str, Any]] = []
    for found in sorted(call.controller.ask('models'), key=lambda m: m['name']):
        encoded = call.controller.ask('whole-model', model=found['uuid'])
        model = codec.decode(model_.Model, encoded)
        if sets := sorted(shown['command-set'] for shown in blocks.shown(model)):
            out.append(
                {
                    'name': model.name,
                    'model-uuid': model.uuid,
                    'owner': model.owner,
                    'disabled-commands': sets,
                }
            )
    return out


_SETS = """\
Commands that can be disabled are grouped based on logical operations as follows:

"destroy-model" prevents: destroy-model

"remove-object" prevents: destroy-model, detach-storage, remove-application, remove-machine, remove-relation,
remove-saas, remove-storage, remove-unit

"all" prevents: all of these, and whatever else changes the model: add-machine, add-unit, add-ssh-key, attach-resource,
config, consume, deploy, exec, expose, integrate, model-config, refresh, resolved, retry-provisioning,
set-application-base, set-constraints, unexpose and their like. Actions run all the same, as with Juju.
"""

COMMANDS = (
    Command(
        'disable-command',
        _disable,
        'Disable commands for the model.',
        '<command set> [message...]',
        needs=_NO_SET,
        most=None,
        details=_SETS,
    ),
    Command(
        'enable-command',
        _enable,
        'Enable commands that had been previously disabled.',
        '<command set>',
        needs=_NO_SET,
        details=_SETS,
    ),
    Command(
        'disabled-commands',
        _list,
        'List disabled commands.',
        flags=(Flag(('all',), 'bool', help='Lists for all models (administrative users only)'),),
        formats=('tabular', 'json', 'yaml'),
        details=_SETS,
    ),
)
