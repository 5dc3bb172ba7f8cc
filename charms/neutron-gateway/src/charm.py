#!/usr/bin/env python3
"""Charm for OpenStack's network nodes: routers, DHCP and metadata of the networks of tenants."""

from __future__ import annotations

from charmkit import idle

idle.exit_if_idle()  # Hooks that ask for nothing end here, before ops is loaded.

import charmkit
import ops
from charmkit import conf, host, l2agent, neutron, openvswitch, options, state

METADATA = neutron.metadata()
BINDINGS = {'br-ex': 'external', l2agent.DATA: 'data'}
REACHED_BY = ('internal', 'amqp', 'neutron-plugin-api', METADATA.relation)
DHCP, L3, PROXY = 'neutron-dhcp-agent', 'neutron-l3-agent', 'neutron-metadata-agent'
AGENTS = (l2agent.AGENT, DHCP, L3, PROXY)
OPTIONS = (
    openvswitch.PORTS,
    openvswitch.mappings('physnet1:br-ex physnet2:br-data'),
    options.Option(
        'dns-servers',
        options.ADDRESSES,
        '',
        "Name servers to which DHCP's own forwards what it does not know. Empty: those of the machine itself.",
    ),
)


def bridges(ready: charmkit.Ready) -> openvswitch.Bridges:
    """To the world outside, and to other nodes."""
    return l2agent.bridges(ready, BINDINGS, REACHED_BY)


def ovs_conf(ready: charmkit.Ready) -> conf.Ini:
    """What goes into openvswitch_agent.ini."""
    return l2agent.agent_conf(ready, bridges(ready))


def dhcp_conf(ready: charmkit.Ready) -> conf.Ini:
    """What goes into dhcp_agent.ini."""
    servers = str(ready.inputs.options['dns-servers']).split()
    return {
        'DEFAULT': {
            'interface_driver': 'openvswitch',
            'dhcp_driver': 'neutron.agent.linux.dhcp.Dnsmasq',
            'enable_isolated_metadata': True,
            **({'dnsmasq_dns_servers': ','.join(servers)} if servers else {}),
        }
    }


def l3_conf(ready: charmkit.Ready) -> conf.Ini:
    """What goes into l3_agent.ini."""
    mode = 'dvr_snat' if ready[l2agent.SETTINGS].dvr else 'legacy'
    return {'DEFAULT': {'interface_driver': 'openvswitch', 'agent_mode': mode}}


def metadata_conf(ready: charmkit.Ready) -> conf.Ini:
    """What goes into metadata_agent.ini."""
    return {'DEFAULT': ready[METADATA].agent_options(ready.inputs.facts.cpus)}


def machine(ready: charmkit.Ready) -> host.Host:
    """The bridges."""
    return l2agent.machine(bridges(ready), AGENTS, lasting=(DHCP, L3))


def notes(ready: charmkit.Ready) -> tuple[state.Status, ...]:
    """What is wrong with them."""
    return l2agent.notes(bridges(ready))


class NeutronGatewayCharm(charmkit.AgentCharm):
    """Charm for a network node."""

    spec = charmkit.ServiceSpec(
        name='neutron',
        user='neutron',
        packages=(*AGENTS, 'haproxy'),
        steady=openvswitch.PACKAGES,
        # The agents run programs of these by themselves.
        masked=('haproxy', 'keepalived', 'radvd'),
        needs=(*l2agent.NEEDS, METADATA),
        daemons=(
            l2agent.BRIDGES,
            charmkit.Daemon(l2agent.AGENT, config={l2agent.OVS_CONF: ovs_conf}, consumes=True),
            charmkit.Daemon(
                DHCP, config={'/etc/neutron/dhcp_agent.ini': dhcp_conf}, consumes=True
            ),
            charmkit.Daemon(L3, config={'/etc/neutron/l3_agent.ini': l3_conf}, consumes=True),
            charmkit.Daemon(
                PROXY, config={'/etc/neutron/metadata_agent.ini': metadata_conf}, consumes=True
            ),
        ),
        options=OPTIONS,
        config={l2agent.CONF: l2agent.neutron_conf},
        lifecycle=charmkit.Declaration(
            provides=('network-node',),
            after=('network',),
            ways=('in-place', 'replace'),  # Its routers are away until others have them.
        ),
        machine=machine,
        notes=notes,
    )


if __name__ == '__main__':  # pragma: nocover
    ops.main(NeutronGatewayCharm)
