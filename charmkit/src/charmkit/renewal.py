"""When Apache may take up another configuration. Pure.

It does so by a reload, which renews every process of the service at once: for some seconds requests wait. So a unit
that has clients leaves rotation first, and one unit does after the other; meanwhile the files of the configuration in
force stay as they are.

* Behind load balancers the unit drains, as it does for the ``pause`` action; they let one go at a time.
* With VIPs of their own the leader names the unit whose turn it is (in the application's data on the peer relation);
  that one fails its health check to others, until their haproxy has noticed.

Where nobody can take over (the only unit; a load balancer that knows no drain), where the operator says so (``resume``)
or who should let it go does not respond, the reload comes at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from . import rolling, state
from .machine import Machine
from .relations import Databag, Relation, drains, loadbalancer
from .why import Why, action

IN_FORCE = 'apache'
"""In the unit's memory: stands for the configuration that Apache has taken up."""
FAILED = 'apache-failed'
"""In the unit's memory: stands for the one that it did not come up with; '' is none."""
OVERDUE = 'apache-overdue'
"""In the unit's memory: stands for the one that was waited for already when time last passed; '' is none."""
WAITS = 'renews'
"""In a unit's data on the peer relation: stands for the configuration that it waits to take up."""
TURN = 'renewal'
"""In the application's data on the peer relation: the unit whose turn it is, and what it takes up."""
NOTICE = 'notice'
"""Of the task that lets others notice that the health check fails."""
REQUESTS = 'requests-at-once'
"""In the unit's memory: how many it takes with what is in force, by application."""
REASON = 'reload of Apache'
"""Why the unit drains, for the load balancers' status."""

Step = Literal['wait', 'leave', 'out', 'at once']
"""Wait in rotation; leave it; it is out of it; or nobody could take over, or has to."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clients:
    """Who sends clients to this unit, and whether it serves them."""

    served: bool = False
    balancers: tuple[Relation, ...] = ()
    vip: bool = False
    """The units have VIPs of their own, and no load balancer."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Renewal:
    """What becomes of another configuration in this run."""

    held: bool = False
    """It is not put in place: the one in force stays."""
    drains: bool = False
    """The unit is to leave rotation for it, or has left and is not back: load balancers are to let it go."""
    fails: bool = False
    """The same where there is none: others are to find that its health check fails."""
    status: tuple[state.Status, ...] = ()
    tasks: tuple[Notice, ...] = ()
    memory: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    """What the next run is to know."""
    taken_up: bool = False
    """It is in force, as far as this run can see."""
    unit_data: Databag = dataclasses.field(default_factory=dict[str, str])
    app_data: Databag = dataclasses.field(default_factory=dict[str, str])
    """What it says on the peer relation."""

    @property
    def goes_unhealthy(self) -> bool:
        """Others are about to find that it fails: how it is afterwards is another question."""
        return self.held and self.fails


@dataclasses.dataclass(frozen=True)
class Notice:
    """Let others notice that this unit's health check fails."""

    seconds: float
    name: str = NOTICE

    def carry_out(self, machine: Machine) -> bool:
        """Wait."""
        machine.sleep(self.seconds)
        return True


def decide(
    wanted: str,
    why: Why,
    inputs: state.Inputs,
    clients: Clients,
    *,
    paused: bool,
    healthy: bool,
    refused: bool,
    failed: bool,
) -> Renewal:
    """What becomes of the configuration *wanted* (its digest).

    *paused*: the unit is about to stop. *healthy*: its API has answered well in this run, with what the run put in
    place. *refused*: a check did not accept a file of it. *failed*: Apache has not come up in this run.
    """
    before = inputs.memory.get(IN_FORCE)
    bad = '' if action(why, 'resume') else str(inputs.memory.get(FAILED) or '')
    idle = Renewal(
        memory={IN_FORCE: before, FAILED: bad, OVERDUE: ''}, app_data=_turn('', inputs, clients)
    )
    taken_up = dataclasses.replace(
        idle, taken_up=True, memory={IN_FORCE: wanted, FAILED: '', OVERDUE: ''}
    )
    if before in (None, wanted) or not clients.served:
        return taken_up
    held = dataclasses.replace(idle, held=True)
    if bad == wanted:
        return dataclasses.replace(held, status=(_FAILED,))
    if refused or paused:
        return held
    step = _step(wanted, why, inputs, clients)
    if failed:
        memory = {**idle.memory, FAILED: wanted}
        return dataclasses.replace(idle, drains=step == 'out' and not clients.vip, memory=memory)
    if step == 'at once' or (step == 'out' and healthy):
        return taken_up
    overdue = wanted if why.time_passes else str(inputs.memory.get(OVERDUE) or '')
    waiting = dataclasses.replace(
        idle,
        held=step != 'out',
        memory={**idle.memory, OVERDUE: overdue},
        unit_data={WAITS: wanted} if clients.vip else {},
        app_data=_turn(wanted, inputs, clients),
    )
    if not clients.vip:
        return dataclasses.replace(waiting, drains=True)
    if step == 'wait':
        return dataclasses.replace(waiting, status=(_WAITING,))
    notice = (Notice(loadbalancer.NOTICE_S),)
    return dataclasses.replace(waiting, fails=True, tasks=notice)


def _step(wanted: str, why: Why, inputs: state.Inputs, clients: Clients) -> Step:
    if action(why, 'resume'):
        return 'at once'
    overdue = why.time_passes and inputs.memory.get(OVERDUE) == wanted
    if clients.vip:
        return _among_peers(wanted, inputs, clients, overdue=overdue)
    return _behind(inputs.site.unit, clients.balancers, overdue=overdue)


def _behind(unit: str, balancers: tuple[Relation, ...], *, overdue: bool) -> Step:
    lifecycle = drains.last_lifecycle(balancers)
    if lifecycle is None:
        return 'at once'
    if lifecycle.state == 'ready':
        return 'leave' if drains.has_clients(balancers, unit, lifecycle) else 'at once'
    drain = drains.drain(balancers, unit, lifecycle)
    if drain.proceed:
        return 'out'
    deaf = overdue and drain.state == 'asked'
    return 'at once' if deaf or drain.state in ('unsupported', 'refused') else 'leave'


def _among_peers(wanted: str, inputs: state.Inputs, clients: Clients, *, overdue: bool) -> Step:
    if not inputs.peer_units:
        return 'at once'
    said = _turn(wanted, inputs, clients).get(TURN) if inputs.site.leader else None
    turn = inputs.peers.get(TURN) if said is None else said
    if turn != f'{inputs.site.unit} {wanted}' and not overdue:
        return 'wait'
    return 'out' if inputs.seen.get(NOTICE) else 'leave'


def _turn(waits: str, inputs: state.Inputs, clients: Clients) -> dict[str, str]:
    """Whose turn it is, as the leader says, which itself *waits* for that ('': for nothing)."""
    if not clients.vip:
        return {}
    waiting = {u: bag[WAITS] for u, bag in inputs.peer_units.items() if bag.get(WAITS)}
    if waits:
        waiting[inputs.site.unit] = waits
    name, _, what = inputs.peers.get(TURN, '').partition(' ')
    unit = rolling.whose(waiting, name if waiting.get(name) == what else '')
    return {TURN: f'{unit} {waiting[unit]}'} if unit else {}


_FAILED = state.Status(
    'blocked',
    'Apache did not come up with its new configuration, the one before is in force; '
    'another change, or the resume action, tries again',
)
_WAITING = state.Status('maintenance', f'waiting for its turn for a {REASON}')
