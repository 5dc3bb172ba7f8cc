"""One run at a time breaks a model: a lease on its machines, which ends by itself when its runner is killed."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import re
import secrets
import socket
from collections.abc import AsyncGenerator

from matrix.faults import shell
from matrix.juju import link

LEASE = 180.0
"""Seconds that a lease lasts without being renewed."""

_RENEW = 60.0  # seconds
_OWNER = secrets.token_hex(8)  # of this process: its replays are of the same run


class HeldError(link.LinkError):
    """Another run breaks this model now."""


@contextlib.asynccontextmanager
async def held(at: link.Link, *, owner: str = _OWNER) -> AsyncGenerator[None]:
    """Hold the lease of a model inside.

    A machine that cannot be asked holds no lease; the others do. A runner that could not renew it for so long that it
    ended (it was stopped, or its host slept) may find it taken: then what goes on inside is cancelled.

    Raises:
        HeldError: another run has it, or has taken it; says whose it is, and since when.
    """
    machines = sorted((one.id for one in at.now().machines), key=lambda name: (len(name), name))
    # The first machine decides between two that come at once; then the others, for the first may restart.
    for some in (machines[:1], machines[1:]):
        said = await asyncio.gather(
            *(_ask(at, one, owner, 'take') for one in some), return_exceptions=True
        )
        for one in said:
            if isinstance(one, HeldError):
                await _all(at, machines, owner, 'drop')
                raise one
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
        yield
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


async def _ask(at: link.Link, machine: str, owner: str, what: str) -> None:
    whose = f'{getpass.getuser()}@{socket.gethostname()} (process {os.getpid()})'
    variables = {
        'OWNER': owner,
        'WHOSE': whose,
        'LEASE': f'{LEASE:.0f}',
        'WHAT': what,
        # Machines that are plain processes share a /run: the model's name tells them apart.
        'MODEL': re.sub('[^a-z0-9-]', '', at.model.rpartition(':')[2].rpartition('/')[2].lower()),
    }
    ran = await at.script(machine, shell.read('lease.sh'), env=variables, within=20.0)
    _, found, said = ran.output.partition('held ')
    if found:
        since, _, who = said.strip().partition(' ')
        raise HeldError(
            f'another run breaks model {at.model}: that of {who}, since {since}. Wait for it; when it was killed, its '
            f'lease ends {LEASE:.0f} s later, or at once by: juju matrix heal -m {at.model}'
        )
