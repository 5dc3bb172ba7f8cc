"""What neutron's agents have alike on gateways and on compute nodes, with Open vSwitch under them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from . import conf, host, openvswitch, state
from .relations import neutron, rabbitmq
from .spec import Daemon, Ready

BROKER = rabbitmq.need('neutron')
SETTINGS = neutron.plugin_api()
NEEDS = (BROKER, SETTINGS)
CONF = '/etc/neutron/neutron.conf'
OVS_CONF = '/etc/neutron/plugins/ml2/openvswitch_agent.ini'
AGENT = 'neutron-openvswitch-agent'
DATA = 'br-data'
"""The bridge that networks of tenants are on, and its address, if it has one, is the end of their tunnels."""
BRIDGES = Daemon(openvswitch.SERVICE, pauses=False)
_HOME = '/var/lib/neutron'
_ROOTWRAP = '/etc/neutron/rootwrap.conf'
_LASTS = """# Written by the charm. What it has started for networks (DHCP, the way to metadata) goes on without it.
[Service]
KillMode=process
"""


def bridges(
    ready: Ready, bindings: Mapping[str, str], reached_by: Iterable[str]
) -> openvswitch.Bridges:
    """The bridges of this unit (:func:`charmkit.openvswitch.decide`)."""
    # In userspace a tunnel ends on a bridge of the switch's own.
    tunnels = ready[SETTINGS].tunnels and not ready.inputs.facts.kernel_openvswitch
    return openvswitch.decide(
        ready.inputs, bindings, reached_by=reached_by, extra=(DATA,) if tunnels else ()
    )


def neutron_conf(ready: Ready) -> conf.Ini:
    """What goes into neutron.conf."""
    settings = ready[SETTINGS]
    domain = {'dns_domain': settings.dns_domain} if settings.dns_domain else {}
    return conf.merge(
        conf.common('neutron', debug=ready.debug),
        conf.messaging(ready[BROKER], ready.release),
        {
            'DEFAULT': {
                'core_plugin': 'ml2',
                'state_path': _HOME,
                'rpc_response_timeout': settings.rpc_response_timeout,
                **domain,
            },
            'agent': {
                'root_helper': f'sudo /usr/bin/neutron-rootwrap {_ROOTWRAP}',
                'root_helper_daemon': f'sudo /usr/bin/neutron-rootwrap-daemon {_ROOTWRAP}',
                'report_interval': settings.report_interval,
            },
            'oslo_concurrency': {'lock_path': f'{_HOME}/lock'},
        },
    )


def agent_conf(ready: Ready, made: openvswitch.Bridges) -> conf.Ini:
    """What goes into openvswitch_agent.ini."""
    settings = ready[SETTINGS]
    end = {'local_ip': ready.inputs.site.address_on('data')} if settings.tunnels else {}
    return {
        'ovs': {
            'datapath_type': made.datapath,
            'bridge_mappings': ','.join(made.mappings),
            **end,
        },
        'agent': {
            'tunnel_types': ','.join(settings.tunnels),
            'l2_population': settings.l2_population,
            'arp_responder': settings.l2_population,
            'enable_distributed_routing': settings.dvr,
            'polling_interval': settings.polling_interval,
        },
        'securitygroup': {
            'enable_security_group': settings.security_groups,
            'firewall_driver': 'openvswitch' if settings.security_groups else 'noop',
        },
    }


def machine(
    made: openvswitch.Bridges, agents: Iterable[str], lasting: Iterable[str] = ()
) -> host.Host:
    """The bridges, before *agents*; what *lasting* ones have started outlives them."""
    drop_ins = tuple(
        host.File(path=f'/etc/systemd/system/{name}.service.d/charm.conf', content=_LASTS)
        for name in lasting
    )
    return host.merge(openvswitch.desired(made, agents), host.Host(files=drop_ins))


def notes(made: openvswitch.Bridges) -> tuple[state.Status, ...]:
    """What the operator should know of the bridges."""
    return tuple(state.Status('blocked', text) for text in made.troubles)
