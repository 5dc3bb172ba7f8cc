"""Machines on this host that the store knows nothing of: it is missing, empty, or from another time.

Nothing of them is deleted: the controller does not start, and says the commands that help.
"""

from __future__ import annotations

import pathlib
from collections.abc import Collection, Mapping
from typing import Any

from .. import codec, paths
from ..core import adoption, bases, charm
from ..core import model as model_
from ..machines import state_folders
from . import backups
from .store import Unusable

UNKNOWN = charm.Base('debian', '12')
"""Base of a machine that does not say which it is on: it stands on what it stands on."""


def find(folder: pathlib.Path, known: Collection[tuple[str, str]]) -> list[adoption.Found]:
    """Machines that have a folder here and are not among *known*, (model, machine)."""
    at = state_folders.StateFolders(folder)
    return [
        _read(at, names, said) for names, said in at.known().items() if names not in set(known)
    ]


def _read(
    at: state_folders.StateFolders, names: tuple[str, str], said: Mapping[str, Any]
) -> adoption.Found:
    model, machine = names
    try:
        base = bases.parse(str(said.get('base', '')))
    except charm.Invalid:
        base = UNKNOWN
    addresses = codec.decode(tuple[model_.Address, ...], said.get('addresses', []))
    spaces = codec.decode(tuple[model_.Space, ...], said.get('spaces', []))
    return adoption.Found(
        model=model,
        machine=machine,
        base=base,
        kind='container' if (at.folder(model, machine) / 'stack.json').exists() else 'process',
        model_name=str(said.get('model_name', '')),
        hostname=str(said.get('hostname', '')),
        layer=str(said.get('layer', '')),
        addresses=addresses,
        spaces=spaces,
    )


def refuse(folder: pathlib.Path, found: Collection[adoption.Found]) -> Unusable:
    """What is shown to the user: one sentence, and the commands that help."""
    store = paths.database(folder)
    names = ', '.join(sorted(f'{each.hostname or each.machine}' for each in found)[:5])
    more = f' and {len(found) - 5} more' if len(found) > 5 else ''
    backup = backups.good(folder)
    others = (
        f', `jujulet restore {backup.path}` brings back the last good copy of it' if backup else ''
    )
    verb = 'is' if len(found) == 1 else 'are'
    return Unusable(
        f'{folder / "machines"} has {len(found)} machine{"s" * (len(found) != 1)} ({names}{more}) that {verb} not in '
        f'the store {store}, so nothing is done: `jujulet recover --adopt` takes them up as far as can be seen, '
        f'`jujulet recover --remove` removes them{others}'
    )
