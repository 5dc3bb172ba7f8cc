"""Which archive a unit's OpenStack comes from, and when its packages are upgraded to it. Pure.

A new unit takes the release of the archive that the operator chose at once. One that serves goes on with what it has
until its ``openstack-upgrade`` action is run: that is the operator's moment, and wants the unit drained.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from . import host, origin, state
from .why import Why, action

LAST_GOOD = 'origin'
"""In the unit's memory: the options that were last found good."""
INSTALLED = 'origin-installed'
"""In the unit's memory: the digest of the archive that its packages are from."""
UPGRADE = 'openstack-upgrade'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Archive:
    """What follows for one run."""

    host: host.Host
    memory: Mapping[str, Any]
    status: tuple[state.Status, ...] = ()


def decide(
    packages: tuple[str, ...], why: Why, inputs: state.Inputs, steady: tuple[str, ...] = ()
) -> Archive:
    """From the options and what this unit has kept; a bad option leaves the last good one in force.

    *steady* ones are of the archive that a new unit takes, and are not upgraded later.
    """
    wanted = {
        name: str(inputs.options.get(name) or '') for name in (origin.OPTION, origin.KEY_OPTION)
    }
    complaint: tuple[state.Status, ...] = ()
    try:
        chosen = _read(wanted, inputs)
    except ValueError as e:
        complaint = (state.Status('blocked', str(e)),)
        wanted = dict(inputs.memory.get(LAST_GOOD) or {})
        chosen = _read(wanted, inputs)
    base = (
        host.Host()
        if chosen.name == origin.DISTRO and not wanted.get(origin.OPTION)
        else origin.desired(chosen)
    )
    first = INSTALLED not in inputs.memory
    new = first and chosen.line != ''
    upgrade = _upgrade((*packages, *(steady if new else ())), why, chosen, first=new)
    in_force = chosen.digest if upgrade or first else inputs.memory[INSTALLED]
    note = ()
    if in_force != chosen.digest:
        note = (
            state.Status('active', f'{origin.OPTION} is another one: run pause, then {UPGRADE}'),
        )
    return Archive(
        host=host.merge(base, host.Host(upgrade=upgrade)),
        memory={LAST_GOOD: wanted, INSTALLED: in_force},
        status=(*complaint, *note),
    )


def _read(options: Mapping[str, str], inputs: state.Inputs) -> origin.Origin:
    return origin.read(
        options.get(origin.OPTION, ''), options.get(origin.KEY_OPTION, ''), inputs.facts.base
    )


def _upgrade(
    packages: tuple[str, ...], why: Why, chosen: origin.Origin, *, first: bool
) -> host.Upgrade | None:
    if asked := action(why, UPGRADE):
        return host.Upgrade(packages=packages, key=f'{UPGRADE} {asked.id}')
    return host.Upgrade(packages=packages, key=f'first {chosen.digest}') if first else None


def upstream(version: str) -> str:
    """The upstream part of a Debian version: ``2:25.1.0-2+deb12u1`` is ``25.1.0``."""
    return version.rpartition(':')[2].partition('-')[0].partition('+')[0]
