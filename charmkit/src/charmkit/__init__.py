"""Declare a charm as data, and let one pure function decide what to do."""

from __future__ import annotations

from . import relations, state
from .charm import Charm
from .state import Desired, Facts, Inputs, Secret, Status

__all__ = [
    'Charm',
    'Desired',
    'Facts',
    'Inputs',
    'Secret',
    'Status',
    'relations',
    'state',
]
