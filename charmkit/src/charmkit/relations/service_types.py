"""The types that the catalogue has for services."""

from __future__ import annotations

import re
from collections.abc import Mapping

TYPES: Mapping[str, str] = {
    'aodh': 'alarming',
    'astara': 'astara',
    'barbican': 'key-manager',
    'ceilometer': 'metering',
    'cinder': 'volume',
    'cinderv2': 'volumev2',
    'cinderv3': 'volumev3',
    'cloudkitty': 'rating',
    'congress': 'policy',
    'designate': 'dns',
    'ec2': 'ec2',
    'glance': 'image',
    'gnocchi': 'metric',
    'heat': 'orchestration',
    'heat-cfn': 'cloudformation',
    'image-stream': 'product-streams',
    'ironic': 'baremetal',
    'ironic-inspector': 'baremetal-introspection',
    'keystone': 'identity',
    'magnum': 'container-infra',
    'manila': 'share',
    'manilav2': 'sharev2',
    'masakari': 'instance-ha',
    'midonet': 'network-overlay',
    'mistral': 'workflowv2',
    'murano': 'application-catalog',
    'neutron': 'network',
    'nova': 'compute',
    'octavia': 'load-balancer',
    'panko': 'event',
    'placement': 'placement',
    'quantum': 'network',
    's3': 's3',
    'sahara': 'data-processing',
    'swift': 'object-store',
    'trove': 'database',
    'vitrage': 'rca',
    'watcher': 'infra-optim',
    'zaqar': 'messaging',
}
"""The catalogue's type for each service that may ask (the service types authority's names, and
the older ones that charms use)."""
_NAME = re.compile(r'[a-z][a-z0-9]*(?:-[a-z0-9]+)*')
_MOST_LETTERS = 63
_RESERVED = frozenset({'admin', 'charm-keystone'})
"""Accounts of keystone's own."""


def type_of(name: str) -> str:
    """The type that the catalogue has for the service *name*: OpenStack's, or its name; '' where it cannot be one.

    A service of a vendor's may not take the place of another: what clients look up is the type.
    """
    if name in TYPES:
        return TYPES[name]
    good = len(name) <= _MOST_LETTERS and _NAME.fullmatch(name)
    return name if good and name not in _RESERVED and name not in TYPES.values() else ''
