"""Waiting for a model: short steps, as a model on one machine is quick."""

from __future__ import annotations

from collections.abc import Callable

import jubilant


def _anyhow(status: jubilant.Status) -> bool:
    return True


def settle(
    juju: jubilant.Juju,
    ready: Callable[[jubilant.Status], bool] = _anyhow,
    timeout: float = 60,
) -> jubilant.Status:
    """Wait until every agent is idle and *ready* holds, twice in a row; *timeout* in seconds."""
    return juju.wait(
        lambda status: jubilant.all_agents_idle(status) and ready(status),
        delay=0.2,
        successes=2,
        timeout=timeout,
    )
