#!/usr/bin/env python3
"""Charm for Calico's DHCP agent on a compute node: its servers get their addresses from it."""

from __future__ import annotations

from charmkit import idle

idle.exit_if_idle()  # Hooks that ask for nothing end here, before ops is loaded.

import charmkit
import dhcp_agent
import ops
from charmkit import neutron, relations
from charmkit.calico import library, store

NOVA = '/etc/nova/nova.conf'


def to_compute(_: charmkit.Ready, __: relations.Relation) -> relations.Databag:
    """That there is an agent, which goes by the machine's own name, as nova does.

    Without Felix's rules no server reaches nova's metadata over its network: each has them on a drive.
    """
    sections = {NOVA: {'DEFAULT': {'force_config_drive': 'True'}}}
    return neutron.plugin_databag(neutron.Plugin('calico'), sections)


class NeutronCalicoCharm(charmkit.AgentCharm):
    """Charm for Calico's DHCP agent."""

    spec = charmkit.ServiceSpec(
        name='neutron',
        user='neutron',
        # Calico's agent is made of neutron's, which is not to run itself; nor does it proxy anything.
        packages=('neutron-dhcp-agent', library.PACKAGE),
        masked=('neutron-dhcp-agent', 'haproxy'),
        needs=(),
        missing=dhcp_agent.missing,
        daemons=(
            charmkit.Daemon(dhcp_agent.AGENT, config={dhcp_agent.CONF: dhcp_agent.calico_conf}),
        ),
        options=(store.OPTION,),
        config={dhcp_agent.NEUTRON: dhcp_agent.neutron_conf},
        offers=(charmkit.Offer('neutron-plugin', to_compute),),
        lifecycle=charmkit.Declaration(after=('network',), bases=('debian@12',)),
        machine=dhcp_agent.machine,
        memory=dhcp_agent.memory,
        notes=dhcp_agent.notes,
    )

    def run(self, why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
        """What this unit is to be; nothing of it stays when it leaves."""
        if why.removing:
            return charmkit.Desired(host=dhcp_agent.cleared(inputs))
        return super().run(why, inputs)


if __name__ == '__main__':  # pragma: nocover
    ops.main(NeutronCalicoCharm)
