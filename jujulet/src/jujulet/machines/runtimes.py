"""Which container runtime works on this host: found by trying, once, and remembered."""

from __future__ import annotations

import json
import resource
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from . import commands
from .protocol import MachineError
from .state_folders import write
from .tools import Failed, run

KNOWN = ('runc', 'crun')
"""runc first: it works on every kind of control groups; crun does not under hybrid ones."""


def bounding() -> int:
    """The capabilities that processes here may have (``CapBnd``), as bits."""
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith('CapBnd:'):
            return int(line.split()[1], 16)
    return 0


def host(runtime: str) -> commands.Host:
    """What this host lets us give away."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    processes = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    most = int(Path('/proc/sys/kernel/pid_max').read_text())  # Podman gives itself no more.
    return commands.Host(
        runtime,
        commands.capabilities(bounding()),
        1048576 if files == resource.RLIM_INFINITY else min(files, 1048576),
        most if processes == resource.RLIM_INFINITY else min(processes, most),
        cgroupfs=not Path('/run/systemd/system').exists(),
    )


class Runtimes:
    """The choice of one state directory."""

    def __init__(self, state: Path):
        self._path = state / 'runtime.json'
        self._chosen = ''

    async def run(
        self,
        argv: Callable[[commands.Host], tuple[str, ...]],
        clean: Callable[[], Awaitable[None]],
    ) -> None:
        """Run a command line with the runtime that works; *clean* removes what a failed try left.

        Raises:
            MachineError: none works; with what each of them said.
        """
        said: list[str] = []
        works = self._chosen or self._remembered()
        for name in self._candidates(works):
            try:
                await run(argv(host(name)))
            except Failed as failed:
                said.append(f'{name}: {_last_words(failed.stderr)}')
                await clean()
                continue
            self._remember(name)
            return
        if not said:
            raise MachineError('no container runtime here; install one: apt-get install runc')
        why = [each for each in said if each.startswith(f'{works}: ')] if works else []
        raise MachineError(f'the container does not start: {"; ".join(why or said)}')

    def _candidates(self, works: str) -> list[str]:
        where = '/usr/bin:/usr/sbin:/usr/local/bin'
        there = [name for name in KNOWN if shutil.which(name, path=where)]
        return sorted(there, key=lambda name: name != works)  # What worked may not any more.

    def _remembered(self) -> str:
        try:
            return str(json.loads(self._path.read_text())['runtime'])
        except (OSError, ValueError, KeyError, TypeError):
            return ''

    def _remember(self, name: str) -> None:
        if name != self._chosen:
            self._chosen = name
            write(self._path, {'runtime': name})


def _last_words(stderr: str) -> str:
    lines = [line for line in stderr.strip().splitlines() if 'connect to syslog' not in line]
    return lines[-1].removeprefix('Error: ') if lines else 'no reason given'
