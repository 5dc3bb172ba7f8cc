"""Storage instances: listed, added, attached, detached, removed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from ..core import gnuflag, requests, status, tabular
from ..core import model as model_
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


def _attach(call: Call) -> int:
    """Source: cmd/juju/storage/attach.go of Juju 3.6."""
    unit, *ids = call.args
    if not re.fullmatch(r'[a-z][a-z0-9-]*/([0-9]+|leader)', unit):
        raise model_.Refused(f'unit ID {gnuflag.quote(unit)} not valid')
    _check_ids(ids)
    return _each(
        call,
        ids,
        lambda id_: requests.AttachStorage(unit=unit, ids=(id_,)),
        done=f'attaching {{}} to {unit}',
        failed=f'failed to attach {{}} to {unit}: {{}}',
    )


def _detach(call: Call) -> int:
    """Source: cmd/juju/storage/detach.go of Juju 3.6."""
    if call.given('no-wait') and not call['force']:
        raise model_.Refused('--no-wait without --force not valid')
    _check_ids(call.args)
    return _each(
        call,
        call.args,
        lambda id_: requests.RemoveStorage(ids=(id_,), force=call['force'], detach=True),
        done='detaching {}',
        failed='failed to detach {}: {}',
    )


def _check_ids(ids: Sequence[str]) -> None:
    for id_ in ids:
        if not re.fullmatch(r'[a-z][a-z0-9]*(-[a-z0-9]*[a-z][a-z0-9]*)*/[0-9]+', id_):
            raise model_.Refused(f'storage ID {gnuflag.quote(id_)} not valid')


def _each(
    call: Call, ids: Sequence[str], request: Callable[[str], Any], *, done: str, failed: str
) -> int:
    """One change for each storage: what is refused keeps no other from being done. The exit code."""
    refused: dict[str, str] = {}
    for id_ in ids:
        try:
            call.change(request(id_))
            call.say(done.format(id_))
        except model_.Refused as error:
            refused[id_] = str(error)
    for id_, why in refused.items():
        call.say(failed.format(id_, why))
    return int(bool(refused))


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
        needs=('attach-storage requires a unit ID and at least one storage ID',) * 2,
        most=None,
    ),
    Command(
        'detach-storage',
        _detach,
        'Detaches storage from units.',
        '<storage ID> [...]',
        flags=(command.FORCE, Flag(('no-wait',), 'bool', help='Accepted')),
        needs=('detach-storage requires at least one storage ID',),
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
