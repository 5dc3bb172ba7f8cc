"""Compute nodes are mapped to a cell as soon as they say that nova has their service. Pure, but for the task.

Until its host is mapped, nova knows a node and no server can be made there. The leader's scheduler looks for such hosts
every :data:`EVERY_S`, which is left for nodes that say nothing of their service (those of other charms), and for what
goes wrong here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, cast

import charmkit
from charmkit import nova
from charmkit.machine import Finished, Machine

EVERY_S = 30
NAME = 'discover'
"""Of the task."""
MEMORY = 'mapped'
"""In the leader's memory: UUIDs of services whose hosts are mapped."""
_TRIES = 3
_PAUSE_S = 2.0
_WITHIN_S = 300.0
_SHOWN = 300


@dataclasses.dataclass(frozen=True)
class Discover:
    """Map the hosts of all *services* that nova has; the result is a :class:`Finished`."""

    services: frozenset[str]
    """UUIDs of those that are new."""
    name: str = NAME

    def carry_out(self, machine: Machine) -> Finished:
        """Map them, by *machine*; again when it and the scheduler have met, each with the same host."""
        # By service: the record of the node itself comes some seconds after that of its service.
        argv = ('nova-manage', 'cell_v2', 'discover_hosts', '--by-service')
        done = machine.program(*argv, user='nova', timeout_s=_WITHIN_S)
        for _ in range(_TRIES - 1):
            if done.status == 0:
                break
            machine.sleep(_PAUSE_S)
            done = machine.program(*argv, user='nova', timeout_s=_WITHIN_S)
        return done


def registered(computes: Iterable[nova.Compute]) -> frozenset[str]:
    """The services of *computes* that say theirs."""
    return frozenset(c.service for c in computes if c.service)


def tasks(inputs: charmkit.Inputs, services: frozenset[str]) -> tuple[Discover, ...]:
    """The leader maps the hosts of *services*, when one is new."""
    new = services - _kept(inputs)
    return (Discover(new),) if new and inputs.site.leader else ()


def mapped(inputs: charmkit.Inputs, services: frozenset[str]) -> frozenset[str]:
    """Those of *services* whose hosts are mapped, as the leader knows; nobody else says anything of it."""
    if not inputs.site.leader:
        return frozenset()
    return services if _done(inputs) else services & _kept(inputs)


def memory(inputs: charmkit.Inputs, services: frozenset[str]) -> Mapping[str, Any]:
    """What the leader need not do again. One that takes over does it once: it may be run at any time."""
    return {MEMORY: sorted(mapped(inputs, services))}


def notes(inputs: charmkit.Inputs) -> tuple[charmkit.Status, ...]:
    """That it did not work: the scheduler goes on trying."""
    found = inputs.seen.get(NAME)
    if not isinstance(found, Finished) or found.status == 0:
        return ()
    said = ' '.join(found.output.split())[-_SHOWN:]
    text = f'new compute nodes are not mapped to a cell: discover_hosts ended with {found.status}: {said}'
    return (charmkit.Status('waiting', text),)


def _done(inputs: charmkit.Inputs) -> bool:
    found = inputs.seen.get(NAME)
    return isinstance(found, Finished) and found.status == 0


def _kept(inputs: charmkit.Inputs) -> frozenset[str]:
    kept = inputs.memory.get(MEMORY)
    every = cast('list[object]', kept) if isinstance(kept, list) else []
    return frozenset(each for each in every if isinstance(each, str))
