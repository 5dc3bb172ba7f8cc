"""Declare a charm as data, and let one pure function decide what to do."""

# ruff: noqa: E402 -- what comes first here must be done before `ops` is loaded.
from __future__ import annotations

import os

from . import unasked

unasked.leave(os.environ)

from . import apache, conf, host, migration, relations, state
from .api import ApiCharm
from .charm import Charm
from .machine import Facts, Machine, Task
from .relations import keystone, mount, mysql, subordinate
from .spec import Daemon, Ready, ServiceSpec, WsgiApp
from .state import Desired, Inputs, Secret, Status
from .why import Action, Hook, Why

__all__ = [
    'Action',
    'ApiCharm',
    'Charm',
    'Daemon',
    'Desired',
    'Facts',
    'Hook',
    'Inputs',
    'Machine',
    'Ready',
    'Secret',
    'ServiceSpec',
    'Status',
    'Task',
    'Why',
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
    'subordinate',
]
