"""When Apache may take up another configuration. Pure.

It does so by a reload, which renews every process of the service at once: for some seconds requests wait. So a unit
that load balancers send clients to leaves rotation first, as it does for the ``pause`` action; they let one unit go
after the other. Meanwhile the files of the configuration in force stay as they are. Where nobody can take over (the
only unit; a load balancer that knows no drain, or does not respond), the reload comes at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from . import state
from .relations import Relation, drains, loadbalancer
from .why import Why, action

IN_FORCE = 'apache'
"""In the unit's memory: stands for the configuration that Apache has taken up."""
FAILED = 'apache-failed'
"""In the unit's memory: stands for the one that it did not come up with; '' is none."""
REASON = 'reload of Apache'
"""Why the unit drains, for the load balancers' status."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Renewal:
    """What becomes of another configuration in this run."""

    held: bool = False
    """It is not put in place: the one in force stays."""
    drains: bool = False
    """The unit is to leave rotation for it, or has left and is not back."""
    status: tuple[state.Status, ...] = ()
    memory: dict[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    """What the next run is to know."""


def decide(
    wanted: str,
    why: Why,
    inputs: state.Inputs,
    balancers: Iterable[Relation],
    *,
    clients: bool,
    paused: bool,
    healthy: bool,
    refused: bool,
    failed: bool,
) -> Renewal:
    """What becomes of the configuration *wanted* (its digest).

    *clients*: there may be some, since the unit serves. *paused*: it is about to stop. *healthy*: its API has answered
    well in this run, with what the run put in place. *refused*: a check did not accept a file of it. *failed*: Apache
    has not come up in this run.
    """
    before = inputs.memory.get(IN_FORCE)
    bad = '' if action(why, 'resume') else str(inputs.memory.get(FAILED) or '')
    taken_up = Renewal(memory={IN_FORCE: wanted, FAILED: ''})
    kept = {IN_FORCE: before, FAILED: bad}
    if before in (None, wanted) or not clients:
        return taken_up
    if bad == wanted:
        return Renewal(held=True, status=(_FAILED,), memory=kept)
    if refused or paused:
        return Renewal(held=True, memory=kept)
    step = _step(why, inputs.site.unit, tuple(balancers))
    if step == 'wait':
        return Renewal(held=True, drains=True, memory=kept)
    if failed:
        return Renewal(drains=step == 'drained', memory={**kept, FAILED: wanted})
    if step == 'drained' and not healthy:
        return Renewal(drains=True, memory=kept)
    return taken_up


def _step(why: Why, unit: str, balancers: tuple[Relation, ...]) -> str:
    """``wait``, ``drained``, or ``at once``: nobody could take over, or nobody has to."""
    lifecycle = drains.last_lifecycle(balancers)
    if lifecycle is None or action(why, 'resume'):
        return 'at once'
    if lifecycle.state == 'ready':
        return 'wait' if _in_rotation(balancers, unit, lifecycle) else 'at once'
    drain = drains.drain(balancers, unit, lifecycle)
    if drain.proceed:
        return 'drained'
    deaf = why.time_passes and drain.state == 'asked'
    return 'at once' if deaf or drain.state in ('unsupported', 'refused') else 'wait'


def _in_rotation(
    balancers: Iterable[Relation], unit: str, lifecycle: loadbalancer.Lifecycle
) -> bool:
    """Whether some load balancer has said that it sends clients to *unit*."""
    replies = filter(None, map(loadbalancer.read, balancers))
    acks = (of.get(unit) for reply in replies for of in reply.acks.values())
    return any(a and (a.state, a.token) == ('ready', lifecycle.token) for a in acks)


_FAILED = state.Status(
    'blocked',
    'Apache did not come up with its new configuration, the one before is in force; '
    'another change, or the resume action, tries again',
)
