"""Certificates of a running haproxy: looked at, and replaced without a reload. A task, as a value.

Source: haproxy's management guide, section 9.3 (``show ssl cert``, ``set ssl cert``, ``commit ssl cert``).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from charmkit.machine import Machine, UnreachableError
from charmkit.proxy import haproxy

from . import stats, tasks

_FINGERPRINT = re.compile(r'^SHA1 FingerPrint: ([0-9A-Fa-f]+)$', re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Shown:
    """A certificate that clients are to be shown."""

    fingerprint: str
    type: str
    """What it is for."""
    not_after: float
    """Seconds since the epoch."""
    pem: str = dataclasses.field(repr=False)
    """With its key; '' where only the file has that."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Replaced:
    """What came of it."""

    files: tuple[str, ...] = ()
    """Those whose certificate was replaced while haproxy ran."""
    reloaded: str = ''
    """Why haproxy had to be reloaded instead; '' when it had not."""


@dataclasses.dataclass(frozen=True)
class Certificates:
    """Have the current worker show these certificates, by file. Result: Replaced.

    What it shows is asked first, so a run that was killed is taken up where it was.
    """

    wanted: Mapping[str, Shown]
    name: str = 'certificates'

    def carry_out(self, machine: Machine) -> Replaced:
        """Look and replace, by *machine*."""
        done: list[str] = []
        try:
            found = stats.processes(machine.ask(tasks.MASTER, 'show proc\n'))
            for worker in (f'@!{p.pid}' for p in found if p.current):
                taken = [x for x in self.wanted.items() if _replace(*x, worker, machine)]
                done += (path for path, _ in taken)
                for _, shown in taken:
                    ends = f'{haproxy.ENDS} {shown.type} {int(shown.not_after)}'
                    machine.ask(tasks.MASTER, f'{worker} set map {ends}\n')
        except (UnreachableError, _NotTakenError) as e:
            ended = machine.program('systemctl', 'reload', 'haproxy', timeout_s=60)
            why = f'{e}' if not ended.status else f'{e}, and it could not be reloaded either'
            return Replaced(files=tuple(done), reloaded=why)
        return Replaced(files=tuple(done))


class _NotTakenError(Exception):
    pass


def _replace(path: str, shown: Shown, worker: str, machine: Machine) -> bool:
    """Whether there was anything to do."""
    before = _fingerprint(machine.ask(tasks.MASTER, f'{worker} show ssl cert {path}\n'))
    if before in ('', shown.fingerprint.lower()):
        return False  # '': it is not in its configuration, or that is not in force.
    if not shown.pem:
        raise _NotTakenError('the key of its new certificate cannot be read')
    # An empty line ends what is given.
    content = '\n'.join(line for line in shown.pem.splitlines() if line.strip())
    said = machine.ask(tasks.MASTER, f'{worker} set ssl cert {path} <<\n{content}\n\n')
    said += machine.ask(tasks.MASTER, f'{worker} commit ssl cert {path}\n')
    after = _fingerprint(machine.ask(tasks.MASTER, f'{worker} show ssl cert {path}\n'))
    if after != shown.fingerprint.lower():
        machine.ask(tasks.MASTER, f'{worker} abort ssl cert {path}\n')
        raise _NotTakenError(
            f'it did not take its new certificate: {" ".join(said.split())[:200]}'
        )
    return True


def _fingerprint(said: str) -> str:
    found = _FINGERPRINT.search(said)
    return found.group(1).lower() if found else ''
