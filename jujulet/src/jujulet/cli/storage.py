"""Storage instances: listed, added, attached, detached, removed."""

from __future__ import annotations

from typing import Any

from ..core import model as model_
from ..core import requests, status, tabular
from . import command
from .command import Call, Command, Flag


def _storage(call: Call) -> None:
    value = status.storage(call.fetch_model())
    if call['filesystem']:
        value = {k: v for k, v in value.items() if k == 'filesystems'}
    if call['volume']:
        value = {k: v for k, v in value.items() if k == 'volumes'}
    call.show(
        value, lambda colour: tabular.storage_table(value, colour) or 'No storage to display.\n'
    )


def _show(call: Call) -> None:
    known = status.storage(call.fetch_model()).get('storage', {})
    value: dict[str, Any] = {}
    for id_ in call.args:
        if id_ not in known:
            raise model_.Refused(f'storage instance "{id_}" not found')
        value[id_] = known[id_]
    call.show(value)


def _add(call: Call) -> None:
    unit, *words = call.args
    for word in words:
        name, said, directive = word.partition('=')
        directive = directive if said else '1'
        reply = call.change(requests.AddStorage(unit=unit, name=name, directive=directive))
        for id_ in reply['storage']:
            call.say(f'added storage {id_} to {unit}')


def _attach(call: Call) -> None:
    unit, *ids = call.args
    call.change(requests.AttachStorage(unit=unit, ids=tuple(ids)))
    for id_ in ids:
        call.say(f'attaching {id_} to {unit}')


def _detach(call: Call) -> None:
    call.change(requests.RemoveStorage(ids=call.args, force=call['force'], detach=True))
    for id_ in call.args:
        call.say(f'detaching {id_}')


def _remove(call: Call) -> None:
    call.change(requests.RemoveStorage(ids=call.args, force=call['force']))
    for id_ in call.args:
        call.say(f'removing {id_}')


_SHOWN = ('tabular', 'json', 'yaml')
_ID = ('no storage IDs specified',)

COMMANDS = (
    Command(
        'storage',
        _storage,
        'Lists storage details.',
        flags=(
            Flag(('filesystem',), 'bool', help='List filesystem storage'),
            Flag(('volume',), 'bool', help='List volume storage'),
        ),
        formats=_SHOWN,
    ),
    Command(
        'show-storage',
        _show,
        'Shows storage instance information.',
        '<storage ID> [...]',
        needs=_ID,
        most=None,
        formats=('yaml', 'json'),
    ),
    Command(
        'add-storage',
        _add,
        'Adds storage to a unit after it has been deployed.',
        '<unit> <storage-name>[=<directive>] ...',
        needs=('no unit specified', 'no storage directives specified'),
        most=None,
    ),
    Command(
        'attach-storage',
        _attach,
        'Attaches existing storage to a unit.',
        '<unit> <storage ID> [...]',
        needs=('no unit specified', _ID[0]),
        most=None,
    ),
    Command(
        'detach-storage',
        _detach,
        'Detaches storage from units.',
        '<storage ID> [...]',
        flags=(command.FORCE, Flag(('no-wait',), 'bool', help='Accepted')),
        needs=_ID,
        most=None,
    ),
    Command(
        'remove-storage',
        _remove,
        'Removes storage from the model.',
        '<storage ID> [...]',
        flags=(
            command.FORCE,
            Flag(('no-destroy',), 'bool', help='Accepted'),
            Flag(('no-wait',), 'bool', help='Accepted'),
        ),
        needs=_ID,
        most=None,
    ),
)
