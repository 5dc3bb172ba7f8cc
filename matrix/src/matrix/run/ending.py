"""How a run ended, from how its tests did. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from matrix.judge import verdict

INTERRUPTED = 130
"""The exit code of a run that was told to end (SIGINT, SIGTERM), as shells have it."""

_ORDER: tuple[verdict.Ending, ...] = (
    'failed',
    'no-model',
    'infrastructure',
    'unknown',
    'passed',
)


def worst(endings: Iterable[verdict.Ending]) -> verdict.Ending:
    """The worst ending, in the order in which exit codes have it."""
    found = frozenset(endings)
    for one in _ORDER:
        if one in found:
            return one
    return 'passed'
