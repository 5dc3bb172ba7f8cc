"""What custom tasks import from `matrix.utils`, as juju-solutions/matrix offered it."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Sequence
from typing import Any

from matrix import programs


async def execute_process(cmd: Sequence[str], log: logging.Logger) -> bool:
    """Run a program to its end; its output goes to the log. True when it exited with 0.

    A cancelled call leaves no program behind.
    """
    async with programs.running(*cmd) as process:
        stdout, stderr = await process.communicate()
    for output in (stdout, stderr):
        if output:
            log.debug(output.decode(errors='replace'))
    return process.returncode == 0


def resolve_dotpath(name: str) -> Any:
    """The object that a dotted name stands for.

    Raises:
        ImportError: no module has this name, or a module that it needs is missing.
        AttributeError: the module has no such thing.
    """
    parts = name.split('.')
    for length in range(len(parts) - 1, 0, -1):
        module = '.'.join(parts[:length])
        try:
            found: Any = importlib.import_module(module)
        except ModuleNotFoundError as error:
            # A module that is there, but needs another that is not, is an error to be heard.
            if error.name is None or not (
                module == error.name or module.startswith(f'{error.name}.')
            ):
                raise
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return found
    raise ImportError(f'no module for {name!r}', name=name)
