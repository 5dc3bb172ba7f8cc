"""What is to be proven, as a value."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Step(NamedTuple):
    """What is to be proven."""

    what: str
    prove: Callable[[], str]
    """Gives what it saw, or raises what it did not see."""
    waits: bool = False
    """It mostly waits, for a machine or for units: others can be proven meanwhile."""
    left_out: bool = False
    """It cannot be proven here, and nothing is: what it gives are the words why."""


def left_out(what: str, why: str) -> Step:
    """One that is not proven here."""
    return Step(what, lambda: f'left out: {why}', left_out=True)
