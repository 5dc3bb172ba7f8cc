"""One run at a time breaks a model: a lease on its machines, which ends by itself when its runner is killed.

The lease of a process of this host that is gone is taken over at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import pathlib
import re
import secrets
import socket
from collections.abc import AsyncGenerator, Callable

from matrix.faults import shell
from matrix.juju import link

LEASE = 180.0
"""Seconds that a lease lasts without being renewed."""

_RENEW = 60.0  # seconds


def _here() -> str:
    """This boot of this host, and its space of process ids; '' where the kernel does not say."""
    try:
        boot = pathlib.Path('/proc/sys/kernel/random/boot_id').read_text().strip()
        return f'{boot}:{os.readlink("/proc/self/ns/pid")}'.replace(' ', '')
    except OSError:
        return ''


def _started(process: int) -> str:
    """When a process began, in ticks since the boot; '' for one that is not there, or only waits to be reaped."""
    try:
        said = pathlib.Path(f'/proc/{process}/stat').read_text().rpartition(')')[2].split()
    except OSError:
        return ''
    return '' if said[0] in 'ZX' else said[19]


# Of this process: its replays are of the same run.
_OWNER = f'{secrets.token_hex(8)}/{_here()}/{os.getpid()}/{_started(os.getpid())}'


def gone(owner: str, here: str, started: Callable[[int], str]) -> bool:
    """Whether the process that an owner names is surely no more. Pure.

    Args:
        owner: as a lease has it: a token, host, process and its start.
        here: this host, as `owner` would name it.
        started: when a process of this host began; '' for one that is not there.
    """
    _, _, rest = owner.partition('/')
    host, _, process = rest.partition('/')
    number, _, began = process.partition('/')
    # Of another host nothing is known, and of one that does not say what it is neither.
    return bool(host) and host == here and number.isdigit() and started(int(number)) != began


class HeldError(link.LinkError):
    """Another run breaks this model now."""


@contextlib.asynccontextmanager
async def held(at: link.Link, *, owner: str = _OWNER) -> AsyncGenerator[tuple[str, ...]]:
    """Hold the lease of a model inside; what is given says from whom it was taken over, whose process is gone.

    A machine that cannot be asked holds no lease; the others do. A runner that could not renew it for so long that it
    ended (it was stopped, or its host slept) may find it taken: then what goes on inside is cancelled.

    Raises:
        HeldError: another run has it, or has taken it; says whose it is, and since when.
    """
    machines = sorted((one.id for one in at.now().machines), key=lambda name: (len(name), name))
    # The first machine decides between two that come at once; then the others, for the first may restart.
    over: list[str] = []
    for some in (machines[:1], machines[1:]):
        said = await asyncio.gather(
            *(_ask(at, one, owner, 'take') for one in some), return_exceptions=True
        )
        for one in said:
            if isinstance(one, HeldError):
                await _all(at, machines, owner, 'drop')
                raise one
            if isinstance(one, str) and one and one not in over:
                over.append(one)
    taken: list[HeldError] = []
    holder = asyncio.current_task()

    async def renew() -> None:
        while not taken:
            await asyncio.sleep(_RENEW)
            taken.extend(await _all(at, machines, owner, 'take'))
        if holder is not None:
            holder.cancel()

    renewing = asyncio.create_task(renew(), name='lease')
    try:
        yield tuple(over)
    except asyncio.CancelledError:
        if not taken or holder is None or holder.uncancel():
            raise
        raise taken[0] from None
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        await asyncio.shield(_all(at, machines, owner, 'drop'))


async def _all(at: link.Link, machines: list[str], owner: str, what: str) -> list[HeldError]:
    """Ask every machine; what those say that another run holds."""
    # A machine that is frozen, cut off or gone holds no lease; the others do.
    said = await asyncio.gather(
        *(_ask(at, one, owner, what) for one in machines), return_exceptions=True
    )
    return [one for one in said if isinstance(one, HeldError)]


async def _ask(at: link.Link, machine: str, owner: str, what: str) -> str:
    """Take, renew or drop; says from whom it was taken over."""
    whose = f'{getpass.getuser()}@{socket.gethostname()} (process {os.getpid()})'
    variables = {
        'OWNER': owner,
        'WHOSE': whose,
        'LEASE': f'{LEASE:.0f}',
        'WHAT': what,
        # Machines that are plain processes share a /run: the model's name tells them apart.
        'MODEL': re.sub('[^a-z0-9-]', '', at.model.rpartition(':')[2].rpartition('/')[2].lower()),
    }
    over = who = since = ''
    for _ in range(2):
        ran = await at.script(machine, shell.read('lease.sh'), env=variables, within=20.0)
        _, found, said = ran.output.partition('held ')
        if not found:
            return over
        holder, since, who = (*said.strip().split(' ', 2), '', '')[:3]
        if not gone(holder, _here(), _started):
            break
        variables['GONE'] = holder
        over = f'the lock of model {at.model} was taken over: that of {who}, since {since}, whose process is gone'
    raise HeldError(
        f'another run breaks model {at.model}: that of {who}, since {since}. Wait for it; when it was killed, its '
        f'lease ends {LEASE:.0f} s later, or at once by: juju matrix heal -m {at.model}'
    )
