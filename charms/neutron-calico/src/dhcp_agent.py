"""calico-dhcp-agent on a compute node: it learns from etcd which servers are here, and serves them by dnsmasq. Pure.

It speaks to etcd alone: to no message queue, and to neutron not at all. Source: networking-calico 3.12.0, module
``agent.dhcp_agent``, and the unit of Debian's neutron-dhcp-agent, which it is a kind of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import charmkit
from charmkit import conf, host, state
from charmkit.calico import library, store

AGENT = 'calico-dhcp-agent'
NEUTRON = '/etc/neutron/neutron.conf'
CONF = f'/etc/neutron/{AGENT}.ini'
PROGRAM = f'/usr/local/bin/{AGENT}'
UNIT = f'/etc/systemd/system/{AGENT}.service'
HOME = '/var/lib/neutron'
NETWORKS = f'{HOME}/dhcp'
"""What dnsmasq reads and writes: a folder for each network, called by its identifier."""
_ROOTWRAP = '/etc/neutron/rootwrap.conf'
_PROGRAM = """#!/usr/bin/python3
# Written by the charm: what the wheel's entry point calico-dhcp-agent is.
import sys

from networking_calico.agent.dhcp_agent import main

sys.exit(main())
"""
_UNIT = f"""# Written by the charm. dnsmasq, which it has started, goes on serving servers without it.
[Unit]
Description=Calico's DHCP agent
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
User=neutron
ExecStart={PROGRAM} --config-file {NEUTRON} --config-file {CONF}
KillMode=process
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
"""
# The brackets keep pkill from finding this script itself. A network's gateways are on an interface that begins with its
# identifier.
_END = f"""for again in $(seq 50); do pkill -f -- '--pid-file={NETWORKS}/[^ ]*/[p]id' || break; sleep 0.1; done
for at in {NETWORKS}/*/; do
  device=ns-$(basename "$at" | cut -c -11)
  ! test -e "/sys/class/net/$device" || ip link delete "$device"
done
rm -rf -- {NETWORKS}
"""


def missing(inputs: charmkit.Inputs) -> tuple[state.Status, ...]:
    """What the agent cannot be without: the wheel, and an etcd."""
    found, choice = library.attached(inputs), _chosen(inputs)
    wrong = (state.Status('blocked', found.wrong),) if found.wrong else ()
    lacks = wrong or (() if choice.store else choice.status)
    if not inputs.memory.get(state.SERVED):
        return lacks
    return store.goes_on(AGENT, store.in_force(inputs), lacks)


def neutron_conf(ready: charmkit.Ready) -> conf.Ini:
    """What goes into neutron.conf."""
    return conf.merge(
        conf.common('neutron', debug=ready.debug),
        {
            'DEFAULT': {'state_path': HOME},
            'agent': {
                'root_helper': f'sudo /usr/bin/neutron-rootwrap {_ROOTWRAP}',
                'root_helper_daemon': f'sudo /usr/bin/neutron-rootwrap-daemon {_ROOTWRAP}',
            },
            'oslo_concurrency': {'lock_path': f'{HOME}/lock'},
        },
    )


def calico_conf(ready: charmkit.Ready) -> conf.Ini:
    """What goes into the agent's own file."""
    chosen = _chosen(ready.inputs).store
    return {'calico': store.section(chosen)} if chosen else {}


def machine(ready: charmkit.Ready) -> host.Host:
    """The agent with all that it is made of, and what shows it to etcd."""
    found, notify = library.attached(ready.inputs).wheel, (AGENT,)
    return host.merge(
        library.installed(ready.inputs, found, notify) if found else host.Host(),
        store.shown(_chosen(ready.inputs).store, notify),
        host.Host(
            files=(
                host.File(path=PROGRAM, content=_PROGRAM, mode=0o755, notify=notify),
                host.File(path=UNIT, content=_UNIT, notify=notify),
            )
        ),
    )


def memory(ready: charmkit.Ready) -> Mapping[str, Any]:
    """What later runs are to know: which etcd is in force, and what is on the machine."""
    found, chosen = library.attached(ready.inputs).wheel, _chosen(ready.inputs).store
    return {
        **(store.memory(ready.inputs, chosen) if chosen else {}),
        **(library.memory(ready.inputs, found) if found else {}),
    }


def notes(ready: charmkit.Ready) -> tuple[state.Status, ...]:
    """What the operator should know of etcd."""
    return _chosen(ready.inputs).status


def cleared(inputs: charmkit.Inputs) -> host.Host:
    """Nothing of the charm is left on the machine: not the agent, what it has started, nor a key."""
    end = host.Command(
        name=f'end what {AGENT} has started',
        argv=('sh', '-c', _END),
        key=str(inputs.now),
        when='after',
    )
    return host.merge(
        store.shown(None),
        library.cleared(inputs),
        host.Host(
            absent=tuple(host.Absent(path=path) for path in (UNIT, PROGRAM, CONF)),
            services=(host.SystemdService(AGENT, 'stopped'),),
            commands=(end,) if library.folders(inputs) else (),
        ),
    )


def _chosen(inputs: charmkit.Inputs) -> store.Choice:
    return store.chosen(inputs, store.in_force(inputs))
