"""What the services of each machine have: memory, descriptors, processes, connections, disk; asked again and again."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.resources
import json
import os
from collections.abc import AsyncGenerator, Callable
from typing import Any, cast

from matrix.grammar import located
from matrix.history import journal, notes
from matrix.juju import link
from matrix.plans import snapshot

EVERY = 15.0
"""Seconds between two looks at a machine: ten minutes have forty."""

_WITHIN = 20.0  # seconds for one look

Write = Callable[[journal.What], object]


def script() -> str:
    """What runs on a machine: Python 3, which every Debian and Ubuntu server has."""
    text = importlib.resources.files('matrix.load').joinpath('resources_look.py').read_text()
    return f"python3 - <<'LOOK'\n{text}\nLOOK\n"


async def watch(at: link.Link, write: Write, *, every: float = EVERY) -> None:
    """Write down what the services of each machine have, until cancelled. One machine after another: it is cheap."""
    loop = asyncio.get_running_loop()
    text = script()
    silent: set[str] = set()
    while True:
        began = loop.time()
        for machine, units in _machines(at.now()):
            if machine in silent:
                continue
            with contextlib.suppress(link.LinkError, TimeoutError):
                ran = await at.script(machine, text, within=_WITHIN)
                if found := read(ran.output, machine, units):
                    write(journal.Note(notes.RESOURCES, found))
                else:
                    silent.add(
                        machine
                    )  # It has no services of its own: its processes are those of this host.
        await asyncio.sleep(max(1.0, every - (loop.time() - began)))


def _machines(model: snapshot.Model) -> list[tuple[str, list[str]]]:
    """Each machine with the units on it."""
    found: dict[str, list[str]] = {}
    for application in model.applications:
        for unit in application.units:
            if unit.machine:
                found.setdefault(unit.machine, []).append(unit.name)
    return sorted((machine, sorted(units)) for machine, units in found.items())


def read(output: str, machine: str, units: list[str]) -> dict[str, located.Plain]:
    """The note `resources` from what the script printed; empty where it printed none. Pure."""
    for line in output.splitlines():
        if not line.startswith('{'):
            continue
        try:
            said: Any = json.loads(line)
        except ValueError:
            continue
        whole = cast('dict[str, located.Plain]', said) if isinstance(said, dict) else {}
        if (
            isinstance(whole.get('services'), dict)
            and whole.pop('host', '') != os.uname().nodename
        ):
            return {'machine': machine, 'units': [*units], **whole}
    return {}


@contextlib.asynccontextmanager
async def watching(at: link.Link, write: Write) -> AsyncGenerator[None]:
    """Watch inside."""
    task = asyncio.create_task(watch(at, write), name='resources')
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
