"""What the client itself remembers, in one private JSON file: the model in focus, clouds, credentials, aliases."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
from collections.abc import Generator
from typing import Any

from .. import aside, paths
from ..core import refusal

CONTROLLER = 'local'
USER = 'admin'

_NO_MODEL = (
    'No selected model.\n\n'
    'use "juju switch" to select a model, "juju models" to see the models available to you,\n'
    'or specify one on the command line using the "-m" option.'
)


def _path() -> pathlib.Path:
    return paths.root() / 'client.json'


def read() -> dict[str, Any]:
    """All that is remembered; an empty mapping at first."""
    with contextlib.suppress(FileNotFoundError):
        return json.loads(_path().read_text(encoding='utf-8'))
    return {}


@contextlib.contextmanager
def editing() -> Generator[dict[str, Any]]:
    """What is remembered, to be changed in place: kept when the block ends well. One at a time does so."""
    import fcntl

    with open(_path().with_suffix('.lock'), 'w', opener=_private) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        memory = read()
        yield memory
        _write(memory)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _write(memory: dict[str, Any]) -> None:
    """Replace what is remembered, at once or not at all."""
    aside.write(_path(), json.dumps(memory, indent=1), mode=0o600)


def remember(key: str, value: Any) -> None:
    """Set one key; None forgets it."""
    with editing() as memory:
        if value is None:
            memory.pop(key, None)
        else:
            memory[key] = value


def controllers() -> list[str]:
    """Names that lead to the one controller: its own, and those given by ``juju bootstrap``."""
    return [CONTROLLER, *read().get('controllers', [])]


def check_controller(name: str) -> None:
    """Raises ``model.Refused`` if *name* is not one of ours; the empty name is."""
    if name and name != CONTROLLER and name not in controllers():
        raise refusal.Refused(f'controller {name} not found')


def resolve_model(text: str) -> str:
    """``[controller:][user/]model`` → ``[user/]model``; empty: the model in focus. Raises ``model.Refused``."""
    if not text:
        text = read().get('model', '')
        if not text:
            raise refusal.Refused(_NO_MODEL)
    controller, colon, name = text.rpartition(':')
    if colon:
        check_controller(controller)
    return name
