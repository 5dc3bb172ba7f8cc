"""What a node is to OVN: its bridges, and the words about it in the switch's own database. Pure.

Where the switch carries packets itself, a tunnel ends on a bridge of its own: the address on ``data`` moves to one.

Source: ovn-controller(8), section Configuration.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping

import charmkit
from charmkit import host, openvswitch, ovn

SWITCH = 'tcp:127.0.0.1:6640'
"""The switch's database, for agents that speak to it themselves."""
_MANAGER = 'ptcp:6640:127.0.0.1'
EXTERNAL, DATA = 'br-ex', 'br-data'
BINDINGS = {EXTERNAL: 'external', DATA: 'data'}
REACHED_BY = ('internal', 'ovsdb', 'quantum-network-service')
OPTIONS = (openvswitch.PORTS, openvswitch.mappings(f'physnet1:{EXTERNAL}'))


def bridges(inputs: charmkit.Inputs) -> openvswitch.Bridges:
    """Those to the world outside and, where the switch carries packets itself, to other nodes."""
    extra = () if inputs.facts.kernel_openvswitch else (DATA,)
    return openvswitch.decide(inputs, BINDINGS, reached_by=REACHED_BY, extra=extra)


def identity(
    inputs: charmkit.Inputs, made: openvswitch.Bridges, databases: ovn.Databases
) -> Mapping[str, str]:
    """The ``external-ids`` of the switch; '' is one that is to be away."""
    name = inputs.facts.hostname or inputs.site.unit.replace('/', '-')
    return {
        'hostname': name,
        'ovn-remote': databases.southbound,
        'ovn-encap-type': 'geneve',
        'ovn-encap-ip': inputs.site.address_on(BINDINGS[DATA]),
        'ovn-bridge-datapath-type': made.datapath,
        'ovn-bridge-mappings': ','.join(made.mappings),
        # Routers go out where a physical network is.
        'ovn-cms-options': 'enable-chassis-as-gw' if made.mappings else '',
    }


def desired(words: Mapping[str, str]) -> host.Host:
    """Has the switch's database say *words*: again whenever they are others."""
    away = ' '.join(name for name, value in words.items() if not value)
    said = ' '.join(
        shlex.quote(f'external-ids:{name}="{value}"') for name, value in words.items() if value
    )
    remove = f' -- remove Open_vSwitch . external-ids {away}' if away else ''
    script = (
        'set -e; systemctl start openvswitch-switch; '
        f'ovs-vsctl set-manager {_MANAGER} -- set Open_vSwitch . {said}{remove}'
    )
    command = host.Command(name='tell the switch', argv=('sh', '-c', script), key=script)
    return host.Host(commands=(command,))
