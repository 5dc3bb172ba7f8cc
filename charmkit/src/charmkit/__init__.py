"""Declare a charm as data, and let one pure function decide what to do."""

# ruff: noqa: E402 -- what comes first here must be done before `ops` is loaded.
from __future__ import annotations

import os

from . import unasked

unasked.leave(os.environ)

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
