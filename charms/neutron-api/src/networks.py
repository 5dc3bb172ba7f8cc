"""The kinds of networks that there are: options, and what ML2 makes of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from charmkit import conf, neutron, neutron_plugins, options, validators

TUNNELS = ('vxlan', 'gre')
TENANT_TYPES = ('', 'vlan', 'flat', 'local', *TUNNELS)
_NETWORK = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]{0,63}')
_PLURALS = {'floatingip': 'floating IP addresses'}
_QUOTAS = {
    'network': 100,
    'subnet': 100,
    'port': 500,
    'router': 10,
    'floatingip': 50,
    'security-group': 10,
    'security-group-rule': 100,
}
"""Neutron's own defaults."""


def _is_vlan_range(word: str) -> bool:
    """Whether *word* is ``physnet`` or ``physnet:100:199``."""
    network, *tags = word.split(':')
    if not _NETWORK.fullmatch(network) or len(tags) not in (0, 2):
        return False
    return all(t.isascii() and t.isdecimal() and len(t) < 5 for t in tags) and (
        not tags or 1 <= int(tags[0]) <= int(tags[1]) <= 4094
    )


def _is_vni_range(word: str) -> bool:
    ends = word.split(':')
    if len(ends) != 2 or not all(e.isascii() and e.isdecimal() and len(e) < 9 for e in ends):
        return False
    return 1 <= int(ends[0]) <= int(ends[1]) < 2**24


def _is_mtu(word: str) -> bool:
    network, _, mtu = word.partition(':')
    return (
        bool(_NETWORK.fullmatch(network))
        and mtu.isascii()
        and mtu.isdecimal()
        and 576 <= int(mtu[:6]) <= 65535
    )


VLAN_RANGES = options.words(
    'physical networks such as physnet1 or physnet1:100:199', _is_vlan_range
)
FLAT_NETWORKS = options.words(
    'names of physical networks', lambda w: bool(_NETWORK.fullmatch(w)) or w == '*'
)
VNI_RANGES = options.words('ranges such as 1001:2000', _is_vni_range)
# Of a network that is there twice neutron says so in its log, and does as if none had an MTU.
MTUS = options.words(
    'physical networks with their MTU, such as physnet1:9000',
    _is_mtu,
    parts=lambda word: (f'network {word.partition(":")[0]}',),
)
KINDS = options.words('any of vxlan, gre', lambda w: w in TUNNELS)
DOMAIN = options.Kind(
    'string',
    'a domain name that ends with a dot',
    lambda text: not text or (text.endswith('.') and validators.is_hostname(text)),
)

FAILOVER = 'allow-automatic-l3agent-failover'
OPTIONS = (
    options.Option(
        'vlan-ranges',
        VLAN_RANGES,
        'physnet2:100:199',
        'Physical networks that VLANs may be on, and the tags that are for networks of tenants.',
    ),
    options.Option(
        'flat-network-providers',
        FLAT_NETWORKS,
        'physnet1',
        'Physical networks that an administrator may make untagged networks on, such as the one '
        'that is outside of the cloud. `*` is all of them.',
    ),
    options.Option(
        'overlay-network-type',
        KINDS,
        '',
        'Tunnels that networks of tenants may be in. Empty is none: their networks are VLANs.',
    ),
    options.Option(
        'default-tenant-network-type',
        options.one_of(*TENANT_TYPES),
        '',
        'The type that is tried first for a network of a tenant. Empty takes the first tunnel of '
        '`overlay-network-type`, and a VLAN where there is none.',
    ),
    options.Option(
        'vni-ranges', VNI_RANGES, '1001:2000', 'Identifiers (VNI) of the networks in tunnels.'
    ),
    options.Option(
        'global-physnet-mtu',
        options.count(576, 65535, 'bytes'),
        1500,
        'MTU of the physical networks; what tunnels need is taken off it.',
    ),
    options.Option(
        'path-mtu',
        options.count(576, 65535, 'bytes', or_zero=True),
        0,
        'MTU between the ends of tunnels. 0 takes `global-physnet-mtu`.',
    ),
    options.Option(
        'physical-network-mtus', MTUS, '', 'Physical networks whose MTU is another one.'
    ),
    options.Option(
        'enable-ml2-port-security',
        options.SWITCH,
        True,
        'Owners may switch security groups and the check of addresses off for a port or a network.',
    ),
    options.Option(
        'neutron-security-groups',
        options.SWITCH,
        True,
        'Security groups are in force. Without them every port is open to all.',
    ),
    options.Option(
        'l2-population',
        options.SWITCH,
        True,
        'Agents tell one another where addresses are, so that tunnels carry no broadcasts for them.',
    ),
    options.Option(
        'dns-domain',
        DOMAIN,
        '',
        'Domain of the names of ports, which DHCP gives to servers. Empty gives ports no names.',
    ),
    options.Option(
        'dhcp-agents-per-network',
        options.count(1, 16),
        1,
        'How many DHCP agents serve each network, where there are as many.',
    ),
    options.Option(
        FAILOVER,
        options.SWITCH,
        False,
        'Routers of an L3 agent that is dead are moved to one that lives. It is done from 2024.2 on; before, '
        'neutron looks after agents only where its API has a server of its own.',
    ),
    *(
        options.Option(
            f'quota-{what}',
            options.count(-1, 1_000_000),
            most,
            f'The most {_PLURALS.get(what, what.replace("-", " ") + "s")} that a project may have. -1 is no limit.',
        )
        for what, most in _QUOTAS.items()
    ),
)


def settings(chosen: Mapping[str, Any]) -> neutron.Settings:
    """What is published to the agents, from the options."""
    tunnels = tuple(str(chosen['overlay-network-type']).split())
    return neutron.Settings(
        security_groups=bool(chosen['neutron-security-groups']),
        l2_population=bool(chosen['l2-population'] and tunnels),
        tunnels=tunnels,
        dns_domain=str(chosen['dns-domain']),
        region=str(chosen['region']),
    )


def extension_drivers(chosen: Mapping[str, Any]) -> list[str]:
    """What is added to ports and networks."""
    return [
        *(['port_security'] if chosen['enable-ml2-port-security'] else []),
        *(['dns'] if chosen['dns-domain'] else []),
    ]


def tenant_network_types(chosen: Mapping[str, Any]) -> list[str]:
    """What networks of tenants are tried to be made as, in order."""
    usual = [*str(chosen['overlay-network-type']).split(), 'vlan']
    first = str(chosen['default-tenant-network-type'])
    return [*dict.fromkeys([first, *usual] if first else usual)]


def mechanism_drivers(chosen: Mapping[str, Any]) -> list[str]:
    """What makes networks real on the nodes."""
    return ['openvswitch', *(['l2population'] if settings(chosen).l2_population else [])]


def own_choices(chosen: Mapping[str, Any]) -> dict[str, list[str]]:
    """What is loaded where no subordinate says anything, by what it is."""
    return {
        'tenant_network_types': tenant_network_types(chosen),
        'mechanism_drivers': mechanism_drivers(chosen),
        'extension_drivers': extension_drivers(chosen),
    }


def ml2_conf(chosen: Mapping[str, Any], backend: neutron_plugins.Backend) -> conf.Ini:
    """What goes into ml2_conf.ini; what a subordinate's *backend* says goes over the options."""
    own = {
        'type_drivers': ','.join(['flat', 'vlan', *TUNNELS, 'geneve', 'local']),
        **{name: ','.join(wanted) for name, wanted in own_choices(chosen).items()},
        'path_mtu': chosen['path-mtu'],
        'physical_network_mtus': ','.join(str(chosen['physical-network-mtus']).split()),
    }
    theirs = {
        'tenant_network_types': backend.tenant_network_types,
        'mechanism_drivers': backend.mechanism_drivers,
        'extension_drivers': backend.extension_drivers,
    }
    return {
        'ml2': {**own, **{key: value for key, value in theirs.items() if value}},
        'ml2_type_flat': {'flat_networks': _listed(chosen['flat-network-providers'])},
        'ml2_type_vlan': {'network_vlan_ranges': _listed(chosen['vlan-ranges'])},
        'ml2_type_vxlan': {'vni_ranges': _listed(chosen['vni-ranges'])},
        'ml2_type_gre': {'tunnel_id_ranges': _listed(chosen['vni-ranges'])},
        'securitygroup': {'enable_security_group': bool(chosen['neutron-security-groups'])},
    }


def quotas(chosen: Mapping[str, Any]) -> conf.Ini:
    """How much of everything a project may have."""
    return {'quotas': {f'quota_{w.replace("-", "_")}': chosen[f'quota-{w}'] for w in _QUOTAS}}


def _listed(words: object) -> str:
    return ','.join(str(words).split())
