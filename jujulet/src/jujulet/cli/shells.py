"""``juju ssh``, ``juju scp``: into a machine, without keys: the machines belong to the user."""

from __future__ import annotations

import os
import pathlib
import shutil
import sys

from ..core import model as model_
from . import command
from .command import Call, Command, Flag

_VALUE_OPTIONS = frozenset('BbcDEeFIiJLlmOopQRSWw')
"""Options of ssh(1) that take a value, which may be a word of its own."""


def split_ssh(words: tuple[str, ...]) -> tuple[str, list[str]]:
    """``[user@]target [ssh options] [command …]`` → (target, command); the options say nothing here."""
    target, rest = words[0], list(words[1:])
    while rest and rest[0].startswith('-') and rest[0] != '-':
        option = rest.pop(0)
        if option == '--':
            break
        if len(option) == 2 and option[1] in _VALUE_OPTIONS and rest:
            rest.pop(0)
    return target, rest


def _ssh(call: Call) -> int | None:
    target, words = split_ssh(call.args)
    user, at, host = target.rpartition('@')
    tty = sys.stdin.isatty() and sys.stdout.isatty()
    # As sshd does it: words joined to one text for the login shell.
    inside = ['/bin/bash', '-c', ' '.join(words)] if words else ['/bin/bash', '-l']
    argv: list[str] = call.ask(
        'shell', target=host, argv=inside, user=user if at else 'ubuntu', tty=tty and not words
    )
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvp(argv[0], argv)  # noqa: S606


def _scp(call: Call) -> int | None:
    words = list(call.args)
    recursive = False
    while words and words[0].startswith('-'):
        option = words.pop(0)
        recursive = recursive or (not option.startswith('--') and 'r' in option[1:])
        if len(option) == 2 and option[1] in 'cDFiJloPSX' and words:
            words.pop(0)
    if len(words) < 2:
        raise command.usage_error('at least two arguments required')
    *sources, destination = words
    to = _place(call, destination)
    for source in sources:
        _copy(_place(call, source), to, recursive=recursive)
    return None


def _place(call: Call, text: str) -> tuple[pathlib.Path, pathlib.Path | None]:
    """``[user@]target:path`` → (path on this host, root of the machine), or (local path, None)."""
    target, colon, path = text.partition(':')
    if not colon or ('/' in target and target.startswith(('.', '/'))):
        return pathlib.Path(text), None
    user, at, host = target.rpartition('@')
    root = pathlib.Path(call.ask('machine-root', target=host))
    home = pathlib.Path('/root') if at and user == 'root' else pathlib.Path('/home/ubuntu')
    inside = home / path.removeprefix('~/') if path not in ('', '~') else home
    return _within(root, inside), root


def _within(root: pathlib.Path, path: pathlib.Path, depth: int = 0) -> pathlib.Path:
    """*path* of a machine as seen from the host; its links are followed inside the machine, never out of it."""
    if depth > 40:
        raise model_.Refused(f'{path}: too many levels of symbolic links')
    place = root
    parts = list(path.parts[1:])
    while parts:
        part = parts.pop(0)
        if part == '..':
            place = root if place == root else place.parent
            continue
        place = place / part
        if place.is_symlink():
            link = pathlib.Path(os.readlink(place))
            here = pathlib.Path('/') / place.parent.relative_to(root)
            target = link if link.is_absolute() else here / link
            return _within(root, target.joinpath(*parts), depth + 1)
    return place


def _copy(
    source: tuple[pathlib.Path, pathlib.Path | None],
    destination: tuple[pathlib.Path, pathlib.Path | None],
    *,
    recursive: bool,
) -> None:
    from_, from_root = source
    to, root = destination
    if to.is_dir():
        to = to / from_.name
        if root is not None:
            to = _within(root, pathlib.Path('/') / to.relative_to(root))
    if not from_.exists():
        shown = '/' / from_.relative_to(from_root) if from_root else from_
        raise model_.Refused(f'scp: {shown}: No such file or directory')
    if from_.is_dir():
        if not recursive:
            raise model_.Refused(f'scp: {from_}: not a regular file')
        shutil.copytree(from_, to, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy(from_, to)
    if root is not None:
        _give(root, to)


def _give(root: pathlib.Path, to: pathlib.Path) -> None:
    """What is copied into a machine belongs to whoever owns the folder that it is in."""
    if os.geteuid() != 0:
        return
    owner = to.parent.stat()
    for path in [to, *(to.rglob('*') if to.is_dir() and not to.is_symlink() else ())]:
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _not_here(call: Call) -> None:
    raise model_.Refused(
        f'{call.command.name} is not provided here: read "juju debug-log", and look into the unit '
        f'with "juju ssh {call.args[0]}" or "juju exec --unit {call.args[0]} -- COMMAND"'
    )


_REMOTE = (
    Flag(('container',), help='Accepted: a machine has one'),
    Flag(('no-host-key-checks',), 'bool', help='Accepted: nothing goes over a network'),
    Flag(('proxy',), 'bool', help='Accepted'),
    Flag(('pty',), help='Accepted'),
    Flag(('remote',), 'bool', help='Accepted'),
)

COMMANDS = (
    Command(
        'ssh',
        _ssh,
        'Initiates an SSH session or executes a command on a Juju machine.',
        '<[user@]target> [openssh options] [command]',
        flags=_REMOTE,
        needs=('no target name specified',),
        most=None,
        interspersed=False,
    ),
    Command(
        'scp',
        _scp,
        'Securely transfer files within a model.',
        '[-- openssh options] <source> [...] <destination>',
        flags=_REMOTE,
        needs=('at least two arguments required',) * 2,
        most=None,
    ),
    Command(
        'debug-hooks',
        _not_here,
        'Not provided here.',
        '<unit name> [hook or action names]',
        needs=('no unit name specified',),
        most=None,
    ),
    Command(
        'debug-code',
        _not_here,
        'Not provided here.',
        '<unit name> [hook or action names]',
        flags=(Flag(('at',), default='all', help='Accepted'),),
        needs=('no unit name specified',),
        most=None,
    ),
)
