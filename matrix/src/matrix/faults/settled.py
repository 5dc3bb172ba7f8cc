"""Whether an application is as it was before a change, and at rest; and when that cannot come any more."""

from __future__ import annotations

import asyncio
import json

from matrix.faults import changing, fault
from matrix.plans import snapshot

FAILING = 60.0
"""Seconds for which a hook may fail: Juju tries it again, some four times in these."""


def remember(injection: fault.Injection, model: snapshot.Model) -> None:
    """Keep what the units of the application say before it is changed."""
    injection.memory['statuses'] = json.dumps(
        changing.statuses(model, _application(injection), anyhow=True)
    )


async def as_before(injection: fault.Injection) -> snapshot.Model | None:
    """The model, when every unit of the application is what it was, and at rest.

    Raises:
        fault.HopelessError: a hook still fails, long after it failed first and was tried again.
    """
    model, name = await injection.link.fresh(), _application(injection)
    if changing.statuses(model, name) == json.loads(injection.memory['statuses']):
        return model
    if why := changing.failed(model, name):
        now = asyncio.get_running_loop().time()
        if now - float(injection.memory.setdefault('failed', f'{now}')) >= FAILING:
            raise fault.HopelessError(f'it fails again and again: {why}')
    return None


def _application(injection: fault.Injection) -> str:
    return injection.targets[0].partition('/')[0]
