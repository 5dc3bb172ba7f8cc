"""One run of the charm: neutron-api gets to use OVN once its databases are known. Pure.

Until 2024.1 neutron's driver starts in neutron's own server alone, and nothing starts it under Apache, where these
charms have the API (measured with Zed: its hash ring stays empty, and no network is made). So there it is refused.

Source: neutron's own configuration reference (sections ``ovn`` and ``ml2_type_geneve``).
"""

from __future__ import annotations

import charmkit
from charmkit import host, neutron_plugins, options, ovn, releases, state

DATABASES = ovn.need('ovsdb-cms')
PRINCIPAL = neutron_plugins.principal('neutron-plugin')
ML2 = '/etc/neutron/plugins/ml2/ml2_conf.ini'
FIRST = releases.EPOXY
PACKAGES = ('openvswitch-common',)
"""Has ``ovsdb-client``, by which neutron's driver reads a schema, and which no package of neutron's asks for."""
ROUTER = 'ovn-router'
WORKER = 'neutron-ovn-maintenance-worker'
"""Mends what neutron and OVN have otherwise than one another; neutron's own server would run it."""
_UNIT = """# Written by the charm: no package has a unit for it.
[Unit]
Description=OpenStack Networking ({name})
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
User=neutron
Group=neutron
WorkingDirectory=/var/lib/neutron
# neutron-api writes that file, in a run of its own after this one.
ExecStart=/bin/sh -c 'until grep -qxF "ovn_nb_connection = {northbound}" {ml2}; do sleep 2; done; \\
 exec /usr/bin/{name} --config-file=/etc/neutron/neutron.conf --config-file={ml2}'
Restart=always
RestartSec=5
LimitNOFILE=65535

[Install]
WantedBy=multi-user.target
"""
_HEADER = 38
"""Bytes that geneve needs for what OVN says in it (ovn-architecture(7))."""
OPTIONS = (
    options.Option(
        'geneve-vni-ranges',
        options.Kind('string', 'a range such as 1:65536', lambda text: _is_range(text)),
        '1:65536',
        'Identifiers (VNI) of the networks of tenants.',
    ),
    options.Option(
        'enable-distributed-floating-ip',
        options.SWITCH,
        False,
        "Floating addresses are on the server's own node, which must reach the network outside.",
    ),
)


def _is_range(text: str) -> bool:
    ends = text.split(':')
    if len(ends) != 2 or not all(e.isascii() and e.isdecimal() and len(e) < 9 for e in ends):
        return False
    return 1 <= int(ends[0]) <= int(ends[1]) < 2**24


def run(why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
    """What follows from *why* this run is and from *inputs*."""
    if why.removing:
        # neutron-api goes on without OVN, whose databases the daemon would go on to mend.
        stopped = host.SystemdService(WORKER, 'stopped')
        return charmkit.Desired(host=host.Host(services=(stopped,)))
    found = inputs.of(DATABASES.relation)
    databases = DATABASES.read(found, inputs.site)
    release = releases.OF_BASE.get(inputs.facts.base, FIRST)
    said = DATABASES.refusal(found, inputs.site) if DATABASES.refusal else ''
    told = any(r.published for r in inputs.of(PRINCIPAL.relation))
    more = '; neutron-api goes on with the databases that it has' if told else ''
    said = said and f'{said}{more}'
    if release < FIRST:
        said = (
            f'neutron of {release.name} does not run OVN under Apache: it does from {FIRST.version} on, '
            'and neutron-api goes on with Open vSwitch'
        )
    if said:
        return charmkit.Desired(status=(state.Status('blocked', said),))
    if databases is None:
        waits = state.Status('waiting', f"waiting for {DATABASES.relation}: OVN's databases{more}")
        none = state.Status('blocked', f'relate {DATABASES.relation} to ovn-central{more}')
        return charmkit.Desired(status=(waits if found else none,))
    return charmkit.Desired(
        host=worker(databases), unit_data={PRINCIPAL.relation: backend(inputs, databases)}
    )


def worker(databases: ovn.Databases) -> host.Host:
    """The daemon that is to run beside each neutron-api: once that one's file names these *databases*."""
    content = _UNIT.format(name=WORKER, ml2=ML2, northbound=databases.northbound)
    path = f'/etc/systemd/system/{WORKER}.service'
    return host.Host(
        packages=frozenset(PACKAGES),
        files=(host.File(path=path, content=content, notify=(WORKER,)),),
        services=(host.SystemdService(WORKER),),
    )


def backend(inputs: charmkit.Inputs, databases: ovn.Databases) -> dict[str, str]:
    """What is published to neutron-api; what else it has of its own stays."""
    own = PRINCIPAL.read(inputs.of(PRINCIPAL.relation), inputs.site) or neutron_plugins.Principal()
    chosen = inputs.options
    services = [ROUTER, *(s for s in own.service_plugins if s not in ('router', ROUTER))]
    types = [
        'geneve',
        *(t for t in own.tenant_network_types if t not in ('geneve', 'vxlan', 'gre')),
    ]
    wanted = neutron_plugins.Backend(
        name='ovn',
        service_plugins=','.join(services),
        mechanism_drivers='ovn',
        tenant_network_types=','.join(types),
        extension_drivers=','.join(own.extension_drivers),
    )
    return neutron_plugins.databag(
        wanted,
        {
            ML2: {
                'ml2': {'overlay_ip_version': '4'},
                'ml2_type_geneve': {
                    'vni_ranges': str(chosen['geneve-vni-ranges']),
                    'max_header_size': str(_HEADER),
                },
                'ovn': {
                    'ovn_nb_connection': databases.northbound,
                    'ovn_sb_connection': databases.southbound,
                    'ovn_metadata_enabled': 'True',
                    'enable_distributed_floating_ip': str(
                        bool(chosen['enable-distributed-floating-ip'])
                    ),
                },
            }
        },
    )
