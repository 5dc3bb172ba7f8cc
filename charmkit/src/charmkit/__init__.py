"""Declare a charm as data, and let one pure function decide what to do.

What is named here is loaded when it is first used: ``charmkit.idle`` must come before ``ops`` is loaded.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import (
        apache,
        conf,
        host,
        idle,
        l2agent,
        limits,
        migration,
        openstack,
        openvswitch,
        options,
        relations,
        state,
        validators,
    )
    from .api import AgentCharm, ApiCharm, WebsiteCharm
    from .charm import Charm
    from .declaration import Declaration
    from .machine import Facts, Machine, Task
    from .relations import (
        cinder,
        compute_agent,
        glance,
        keystone,
        mount,
        mysql,
        neutron,
        neutron_plugins,
        nova,
        ovn,
        rabbitmq,
        subordinate,
    )
    from .spec import Daemon, Offer, Ready, Served, ServiceSpec, WsgiApp
    from .state import Desired, Inputs, Secret, Status
    from .why import Action, Hook, Why

__all__ = [
    'Action',
    'AgentCharm',
    'ApiCharm',
    'Charm',
    'Daemon',
    'Declaration',
    'Desired',
    'Facts',
    'Hook',
    'Inputs',
    'Machine',
    'Offer',
    'Ready',
    'Secret',
    'Served',
    'ServiceSpec',
    'WebsiteCharm',
    'Status',
    'Task',
    'Why',
    'WsgiApp',
    'apache',
    'cinder',
    'compute_agent',
    'conf',
    'validators',
    'glance',
    'host',
    'idle',
    'l2agent',
    'limits',
    'keystone',
    'migration',
    'mount',
    'mysql',
    'neutron',
    'neutron_plugins',
    'nova',
    'openstack',
    'openvswitch',
    'options',
    'ovn',
    'rabbitmq',
    'relations',
    'state',
    'subordinate',
]

_HOMES = {
    'api': ('AgentCharm', 'ApiCharm', 'WebsiteCharm'),
    'charm': ('Charm',),
    'declaration': ('Declaration',),
    'machine': ('Facts', 'Machine', 'Task'),
    'relations': (
        'cinder',
        'compute_agent',
        'glance',
        'keystone',
        'mount',
        'mysql',
        'neutron',
        'neutron_plugins',
        'nova',
        'ovn',
        'rabbitmq',
        'subordinate',
    ),
    'spec': ('Daemon', 'Offer', 'Ready', 'Served', 'ServiceSpec', 'WsgiApp'),
    'state': ('Desired', 'Inputs', 'Secret', 'Status'),
    'why': ('Action', 'Hook', 'Why'),
}


def __getattr__(name: str) -> Any:
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home == 'relations':
        return importlib.import_module(f'.relations.{name}', __name__)
    if home is not None:
        return getattr(importlib.import_module(f'.{home}', __name__), name)
    if name in __all__:
        return importlib.import_module(f'.{name}', __name__)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
