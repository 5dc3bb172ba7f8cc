"""What nova's controller needs of others, what its operator may say, and the ``nova.conf`` that follows. Pure."""

from __future__ import annotations

import dataclasses

import charmkit
import nova_cells
import nova_hosts
import older_computes
from charmkit import cinder, conf, keystone, mysql, neutron, nova, options, rabbitmq

IDENTITY = keystone.need('nova', '/v2.1')
DB = mysql.need('nova', user='nova', prefix='nova')
API_DB = mysql.need('nova_api', user='nova', prefix='novaapi')
CELL0_DB = mysql.need(nova_cells.CELL0, user='nova', prefix='novacell0')
BROKER = rabbitmq.need('nova')
NETWORK = dataclasses.replace(neutron.api(), optional=True)
COMPUTES = nova.computes()
VOLUMES = cinder.volumes()
CONSOLE, CONSOLE_PORT = 'novnc', 6080
SHARED = 'metadata-secret'
"""What metadata agents and nova share."""
ACROSS, RESIZE = 'cross-az-attach', 'allow-resize-to-same-host'
OPTIONS = (
    options.Option(
        'console-access-protocol',
        options.one_of('novnc', 'none'),
        'novnc',
        'How users reach the consoles of their servers in a browser. A server keeps the kind that it was made with.',
    ),
    options.Option(
        ACROSS,
        options.SWITCH,
        True,
        'A volume may be attached to a server in another availability zone.',
    ),
    options.Option(
        RESIZE,
        options.SWITCH,
        False,
        'A server may stay on its host when it is resized; one compute node alone can resize none without.',
    ),
)


def nova_conf(ready: charmkit.Ready) -> conf.Ini:
    """What goes into nova.conf."""
    site, identity = ready.inputs.site, ready[IDENTITY]
    volumes = ready[VOLUMES] if ready.has(VOLUMES) else cinder.Volumes()
    workers = processes(ready)
    return conf.merge(
        conf.common('nova', debug=ready.debug),
        conf.database(ready[DB]),
        conf.database(ready[API_DB], section='api_database'),
        conf.messaging(nova_cells.padded(ready[BROKER]), ready.release),
        conf.keystone_authtoken(identity, secret=ready.unit_secret),
        conf.nova_clients(identity, volumes=volumes, cross_az_attach=is_on(ready, ACROSS)),
        {
            'DEFAULT': {
                'my_ip': site.address_on('internal'),
                'state_path': '/var/lib/nova',
                'allow_resize_to_same_host': is_on(ready, RESIZE),
            },
            'neutron': {
                'service_metadata_proxy': True,
                'metadata_proxy_shared_secret': ready.chosen[SHARED],
            },
            'conductor': {'workers': workers},
            'scheduler': {
                'workers': workers,
                # Two that discover the same host at once get in each other's way.
                'discover_hosts_in_cells_interval': nova_hosts.EVERY_S if site.leader else -1,
            },
            'vnc': {
                'novncproxy_host': site.listening[CONSOLE],
                'novncproxy_port': CONSOLE_PORT,
            },
            # Of nova's units' own folder, each takes the one of all away when it stops.
            'oslo_concurrency': {'lock_path': '/var/lib/nova/lock'},
            'upgrade_levels': {'compute': 'auto'},
        },
        older_computes.settings(ready),
    )


def processes(ready: charmkit.Ready) -> int:
    """How many of each of nova's workers there are: as the operator says, or as the machine is."""
    asked = int(ready.inputs.options.get('workers', 0))
    facts = ready.inputs.facts
    return asked or max(1, min(facts.cpus, facts.memory_mib // 4096, 4))


def is_on(ready: charmkit.Ready, option: str) -> bool:
    """Whether the operator has *option* switched on."""
    return bool(ready.inputs.options[option])
