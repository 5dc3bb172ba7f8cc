"""What is to be proven of a cloud, as values."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jubilant

if TYPE_CHECKING:
    import openstack.connection


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


@dataclasses.dataclass
class Proof:
    """What has been made so far."""

    juju: jubilant.Juju
    client: openstack.connection.Connection
    made: dict[str, Any] = dataclasses.field(default_factory=dict[str, Any])
