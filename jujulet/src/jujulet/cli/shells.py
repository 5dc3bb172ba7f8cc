"""``juju ssh``: into a machine, without keys: the machines belong to the user."""

from __future__ import annotations

import os
import re
import sys

from ..core import gnuflag
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


def _debug(call: Call) -> None:
    """Source: cmd/juju/ssh/debughooks.go and debugcode.go of Juju 3.6."""
    unit, *names = call.args
    if not _UNIT.fullmatch(unit):
        raise command.usage_error(f'{gnuflag.quote(unit)} is not a valid unit name')
    at = call['at'] if call.command.name == 'debug-code' else ''
    tty = sys.stdin.isatty() and sys.stdout.isatty()
    argv: list[str] = call.ask('debug', target=unit, names=names, at=at, tty=tty)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvp(argv[0], argv)  # noqa: S606


_UNIT = re.compile(r'[a-z][a-z0-9]*(-[a-z0-9]*[a-z][a-z0-9]*)*/(\d+|leader)')
_SESSION = (
    'Hooks and actions that are named, or all, wait for you in a window each of a tmux session on the machine until '
    'you\ngo; tmux is installed there if it is not. The prefix of tmux is CTRL+a.\n'
)


REMOTE = (
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
        flags=REMOTE,
        needs=('no target name specified',),
        most=None,
        interspersed=False,
    ),
    Command(
        'debug-hooks',
        _debug,
        'Launch a tmux session to debug hooks and/or actions.',
        '<unit name> [hook or action names]',
        flags=REMOTE,
        needs=('no unit name specified',),
        most=None,
        details=_SESSION,
    ),
    Command(
        'debug-code',
        _debug,
        'Launch a tmux session to debug hooks and/or actions.',
        '<unit name> [hook or action names]',
        flags=(
            *REMOTE,
            Flag(
                ('at',),
                default='all',
                help="Value of JUJU_DEBUG_AT, by which the charm stops; defaults to 'all'",
            ),
        ),
        needs=('no unit name specified',),
        most=None,
        details=_SESSION,
    ),
)
