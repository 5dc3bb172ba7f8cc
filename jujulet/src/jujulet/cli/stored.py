"""``jujulet backup``, ``restore`` and ``recover``: the store, copies of it, and machines that it does not know."""

from __future__ import annotations

import contextlib
import pathlib
import sqlite3
import time
from collections.abc import Generator
from typing import TYPE_CHECKING

from .. import paths
from ..core import model as model_
from ..core import table
from . import command
from .command import Call, Command, Flag

if TYPE_CHECKING:
    from ..core import adoption


def _backup(call: Call) -> None:
    from ..controller import backups

    root, now = paths.root(), time.time()
    if call.args:
        target = pathlib.Path(call.args[0]).expanduser().absolute()
        if target.is_dir():
            target /= f'jujulet-{backups.name(now)}'
    else:
        backups.folder(root).mkdir(mode=0o700, exist_ok=True)
        target = backups.folder(root) / backups.name(now)
    store = paths.database(root)
    if not store.is_file():
        raise model_.Refused(f'there is nothing to back up: {store} is not there')
    try:
        backups.make(root, target)
    except sqlite3.Error as error:
        raise model_.Refused(f'{store} could not be copied: {error}') from None
    print(target)
    call.say('Models, their logs and secrets are in it; files of machines and charms are not.')


def _restore(call: Call) -> None:
    from ..controller import backups

    root, source = paths.root(), pathlib.Path(call.args[0]).expanduser().absolute()
    if problem := backups.problem(source):
        raise model_.Refused(f'{source} is no backup of a store: {problem}')
    if call.controller.running():
        raise model_.Refused('the controller runs: run `jujulet controller stop` first')
    with _alone():
        old = backups.restore(root, source, time.time())
    if old is not None:
        call.say(f'What was there is {old}')
    call.say(f'Restored {source}')
    call.controller.start()


def _recover(call: Call) -> None:
    if call['adopt'] and call['remove']:
        raise command.usage_error('--adopt and --remove cannot both be')
    if call.controller.running():
        call.say('The controller runs: it knows all machines.')
        return
    found = _strangers()
    if not found:
        call.say('There is no machine that the store does not know.')
        return
    if not (call['adopt'] or call['remove']):
        rows = [(x.model_name or x.model, x.machine, x.hostname, str(x.base)) for x in found]
        value = [
            dict(zip(('model', 'machine', 'hostname', 'base'), row, strict=True)) for row in rows
        ]
        heads = ('Model', 'Machine', 'Hostname', 'Base')
        call.show(value, lambda colour: table.render(heads, rows, colour=colour))
        call.say('--adopt takes them up as far as can be seen, --remove removes them.')
        return
    call.controller.start('adopt' if call['adopt'] else 'remove')
    names = ', '.join(sorted(x.hostname or x.machine for x in found))
    call.say(f'{"Taken up" if call["adopt"] else "Removed"}: {names}')


def _strangers() -> list[adoption.Found]:
    from ..controller import service, store, strangers

    root = paths.root()
    with _alone():
        try:
            opened = service.opened(root)
        except store.Unusable as error:
            raise model_.Refused(str(error)) from None
        try:
            known = {(m.uuid, i) for m in opened.load() for i in m.machines}
        finally:
            opened.close()
        return strangers.find(root, known)


@contextlib.contextmanager
def _alone() -> Generator[None]:
    """Nobody else has the store open in the block. Raises ``model.Refused`` where a controller is starting."""
    import fcntl

    with open(paths.lock(paths.root()), 'w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise model_.Refused(
                'the controller runs: run `jujulet controller stop` first'
            ) from None
        yield


COMMANDS = (
    Command(
        'backup',
        _backup,
        'Copies what is known of all models to a file, and prints where that is.',
        '[<file or folder>]',
        most=1,
        model=False,
    ),
    Command(
        'restore',
        _restore,
        'Puts a backup in the place of what is known of all models; that is kept beside it.',
        '<file>',
        needs=('no backup specified',),
        model=False,
    ),
    Command(
        'recover',
        _recover,
        'Lists machines on this host that no model knows; takes them up, or removes them.',
        flags=(
            Flag(('adopt',), 'bool', help='Take them up as far as can be seen'),
            Flag(('remove',), 'bool', help='Remove them'),
        ),
        formats=('tabular', 'json', 'yaml'),
        model=False,
    ),
)
