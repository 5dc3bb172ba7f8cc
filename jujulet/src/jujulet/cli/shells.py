"""``juju ssh``: into a machine, without keys: the machines belong to the user."""

from __future__ import annotations

import os
import sys

from ..core import model as model_
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


def _not_here(call: Call) -> None:
    raise model_.Refused(
        f'{call.command.name} is not provided here: read "juju debug-log", and look into the unit '
        f'with "juju ssh {call.args[0]}" or "juju exec --unit {call.args[0]} -- COMMAND"'
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
