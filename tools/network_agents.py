"""Who carries the networks of a cloud: agents of neutron's own, or OVN."""

from __future__ import annotations

from collections.abc import Sequence

import jubilant

GATEWAY, CHASSIS = 'neutron-gateway', 'ovn-chassis'


def outside(status: jubilant.Status) -> str:
    """The space that the network outside of a cloud is in."""
    application = status.apps[CHASSIS if CHASSIS in status.apps else GATEWAY]
    bindings = application.endpoint_bindings
    return bindings.get('external') or bindings['']


def blamed(status: jubilant.Status) -> str:
    """Who is to blame when no packet comes, as `blame` has it."""
    return 'ovn' if CHASSIS in status.apps else 'agents'


def complete(status: jubilant.Status, alive: Sequence[str], computes: int) -> bool:
    """Whether the kinds of agents that are *alive* are all that so many compute nodes and their routers need."""
    if CHASSIS in status.apps:
        # Each node has one of both, and is where routers are.
        kinds = ('OVN Controller Gateway agent', 'OVN Metadata agent')
        return all(alive.count(kind) >= computes for kind in kinds)
    wanted = {'DHCP agent', 'L3 agent', 'Metadata agent'}
    return wanted <= set(alive) and alive.count('Open vSwitch agent') > computes
