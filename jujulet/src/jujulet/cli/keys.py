"""SSH keys of a model's machines."""

from __future__ import annotations

import base64
import hashlib

from ..core import requests
from .command import Call, Command, Flag


def fingerprint(key: str) -> str:
    """MD5 of the key in colon form, and its comment, as Juju lists keys."""
    words = key.split()
    try:
        raw = base64.b64decode(words[1], validate=True)
    except (ValueError, IndexError):
        return key
    digest = hashlib.md5(raw, usedforsecurity=False).hexdigest()
    pairs = ':'.join(digest[i : i + 2] for i in range(0, 32, 2))
    comment = ' '.join(words[2:])
    return f'{pairs} ({comment})' if comment else pairs


def _list(call: Call) -> None:
    model = call.fetch_model()
    print(f'Keys used in model: {model.owner}/{model.name}')
    for key in model.ssh_keys:
        print(key if call['full'] else fingerprint(key))


def _add(call: Call) -> None:
    call.change(requests.SetSshKeys(add=call.args))


def _remove(call: Call) -> None:
    call.change(requests.SetSshKeys(remove=call.args))


COMMANDS = (
    Command(
        'ssh-keys',
        _list,
        'Lists the currently known SSH keys for the current (or specified) model.',
        flags=(Flag(('full',), 'bool', help='Show full key instead of just the fingerprint'),),
    ),
    Command(
        'add-ssh-key',
        _add,
        'Adds a public SSH key to a model.',
        '<ssh key> ...',
        needs=('no public ssh key specified',),
        most=None,
    ),
    Command(
        'remove-ssh-key',
        _remove,
        'Removes a public SSH key (or keys) from a model.',
        '<ssh key id> ...',
        needs=('no ssh key id specified',),
        most=None,
    ),
)
