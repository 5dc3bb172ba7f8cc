"""One round of requests to keystone, in their order. Pure."""

from __future__ import annotations

import accounts
import endpoints
from catalogue import Desired, Observed, Step


def plan(want: Desired, seen: Observed) -> tuple[Step, ...]:
    """This round's requests; none when *seen* is as *want* says."""
    return (
        *accounts.domains(want, seen),
        *accounts.roles(want, seen),
        *endpoints.regions(want, seen),
        *endpoints.services(want, seen),
        *endpoints.endpoints(want, seen),
        *accounts.users(want, seen),
        *accounts.assignments(want, seen),
        *endpoints.leftovers(want, seen),
        *accounts.leftovers(want, seen),
    )


def conflicts(want: Desired, seen: Observed) -> tuple[str, ...]:
    """What stands in the way and is not the charm's, in words."""
    return (*endpoints.conflicts(want, seen), *accounts.conflicts(want, seen))
