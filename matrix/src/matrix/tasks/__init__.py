"""The tasks that a suite names as `matrix.tasks.*`."""

from __future__ import annotations

from matrix.tasks.actions import run_action
from matrix.tasks.chaosrun import chaos
from matrix.tasks.deployment import deploy, reset
from matrix.tasks.failure import fail
from matrix.tasks.healthy import health
from matrix.tasks.loading import end_to_end

glitch = chaos  # its name until 2017

__all__ = ['chaos', 'deploy', 'end_to_end', 'fail', 'glitch', 'health', 'reset', 'run_action']
