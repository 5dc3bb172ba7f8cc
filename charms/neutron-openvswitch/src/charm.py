#!/usr/bin/env python3
"""Charm for the networks of servers on a compute node: the Open vSwitch agent beside nova-compute."""

from __future__ import annotations

from charmkit import idle

idle.exit_if_idle()  # Hooks that ask for nothing end here, before ops is loaded.

import charmkit
import ops
from charmkit import conf, host, l2agent, neutron, openvswitch, relations, state

BINDINGS = {l2agent.DATA: 'data'}
PLUGIN = 'neutron-plugin'
REACHED_BY = ('internal', 'amqp', 'neutron-plugin-api')
AGENTS = (l2agent.AGENT,)


def bridges(ready: charmkit.Ready) -> openvswitch.Bridges:
    """To other nodes."""
    return l2agent.bridges(ready, BINDINGS, REACHED_BY)


def ovs_conf(ready: charmkit.Ready) -> conf.Ini:
    """What goes into openvswitch_agent.ini."""
    return l2agent.agent_conf(ready, bridges(ready))


def machine(ready: charmkit.Ready) -> host.Host:
    """The bridges."""
    return l2agent.machine(bridges(ready), AGENTS)


def notes(ready: charmkit.Ready) -> tuple[state.Status, ...]:
    """What is wrong with them."""
    return l2agent.notes(bridges(ready))


def to_compute(_: charmkit.Ready, __: relations.Relation) -> relations.Databag:
    """That there is an agent; it goes by the machine's own name, as nova does."""
    return neutron.plugin_databag(neutron.Plugin('ovs'), {})


class NeutronOpenvswitchCharm(charmkit.AgentCharm):
    """Charm for the Open vSwitch agent of a compute node."""

    spec = charmkit.ServiceSpec(
        name='neutron',
        user='neutron',
        packages=(l2agent.AGENT,),
        steady=openvswitch.PACKAGES,
        needs=l2agent.NEEDS,
        daemons=(
            l2agent.BRIDGES,
            charmkit.Daemon(l2agent.AGENT, config={l2agent.OVS_CONF: ovs_conf}, consumes=True),
        ),
        options=(openvswitch.PORTS, openvswitch.mappings('physnet2:br-data')),
        config={l2agent.CONF: l2agent.neutron_conf},
        offers=(charmkit.Offer(PLUGIN, to_compute),),
        lifecycle=charmkit.Declaration(after=('network',)),
        machine=machine,
        notes=notes,
    )


if __name__ == '__main__':  # pragma: nocover
    ops.main(NeutronOpenvswitchCharm)
