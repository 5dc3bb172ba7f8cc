"""Declare a charm as data, and let one pure function decide what to do."""

from __future__ import annotations

from . import apache, conf, host, migration, relations, state
from .api import ApiCharm
from .charm import Charm
from .relations import keystone, mount, mysql
from .spec import Ready, ServiceSpec, WsgiApp
from .state import Desired, Facts, Inputs, Secret, Status

__all__ = [
    'ApiCharm',
    'Charm',
    'Desired',
    'Facts',
    'Inputs',
    'Ready',
    'Secret',
    'ServiceSpec',
    'Status',
    'WsgiApp',
    'apache',
    'conf',
    'host',
    'keystone',
    'migration',
    'mount',
    'mysql',
    'relations',
    'state',
]
