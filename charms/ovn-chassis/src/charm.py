#!/usr/bin/env python3
"""Charm for the networks of servers on a compute node, with OVN: its controller, and the way to metadata."""

from __future__ import annotations

from charmkit import idle

idle.exit_if_idle()  # Hooks that ask for nothing end here, before ops is loaded.

import charmkit
import chassis
import ops
from charmkit import conf, host, neutron, openvswitch, ovn, relations, state

DATABASES = ovn.need('ovsdb')
METADATA = neutron.metadata()
CONTROLLER, PROXY = 'ovn-controller', 'neutron-ovn-metadata-agent'
AGENTS = (CONTROLLER, PROXY)
HOME = '/var/lib/neutron'


def neutron_conf(_: charmkit.Ready) -> conf.Ini:
    """What goes into neutron.conf: the agent asks no message queue."""
    return {
        'DEFAULT': {'core_plugin': 'ml2', 'state_path': HOME},
        'agent': {'root_helper': 'sudo /usr/bin/neutron-rootwrap /etc/neutron/rootwrap.conf'},
        'oslo_concurrency': {'lock_path': f'{HOME}/lock'},
    }


def metadata_conf(ready: charmkit.Ready) -> conf.Ini:
    """What goes into neutron_ovn_metadata_agent.ini."""
    return {
        'DEFAULT': ready[METADATA].agent_options(ready.inputs.facts.cpus),
        'ovs': {'ovsdb_connection': chassis.SWITCH},
        'ovn': {'ovn_sb_connection': ready[DATABASES].southbound},
    }


def machine(ready: charmkit.Ready) -> host.Host:
    """The bridges, and what OVN's databases get of this chassis."""
    bridges = chassis.bridges(ready.inputs)
    return host.merge(
        openvswitch.desired(bridges, AGENTS),
        chassis.desired(chassis.identity(ready.inputs, bridges, ready[DATABASES])),
    )


def notes(ready: charmkit.Ready) -> tuple[state.Status, ...]:
    """What is wrong with the bridges."""
    troubles = chassis.bridges(ready.inputs).troubles
    return tuple(state.Status('blocked', text) for text in troubles)


def to_compute(_: charmkit.Ready, __: relations.Relation) -> relations.Databag:
    """That there is a controller; the chassis goes by the machine's own name, as nova does."""
    return neutron.plugin_databag(neutron.Plugin('ovn'), {})


class OvnChassisCharm(charmkit.AgentCharm):
    """Charm for OVN on a compute node."""

    spec = charmkit.ServiceSpec(
        name='neutron',
        user='neutron',
        # The agent runs haproxy, which its package does not ask for.
        packages=(PROXY, 'haproxy'),
        steady=('ovn-host', *openvswitch.PACKAGES),
        masked=('haproxy',),
        needs=(DATABASES, METADATA),
        daemons=(
            charmkit.Daemon(openvswitch.SERVICE, pauses=False),
            # What it has told the switch goes on without it, and nothing new is told.
            charmkit.Daemon(CONTROLLER, pauses=False),
            charmkit.Daemon(
                PROXY, config={'/etc/neutron/neutron_ovn_metadata_agent.ini': metadata_conf}
            ),
        ),
        options=chassis.OPTIONS,
        config={'/etc/neutron/neutron.conf': neutron_conf},
        offers=(charmkit.Offer('nova-compute', to_compute),),
        lifecycle=charmkit.Declaration(after=('network', 'ovn')),
        machine=machine,
        notes=notes,
    )


if __name__ == '__main__':  # pragma: nocover
    ops.main(OvnChassisCharm)
