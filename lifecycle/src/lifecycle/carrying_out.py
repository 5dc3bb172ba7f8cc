"""What one step is in the world's words."""

from __future__ import annotations

from collections.abc import Callable

from lifecycle import record, waiting
from lifecycle.declared import Declaration
from lifecycle.problem import ProblemError, clean
from lifecycle.step import ORIGIN, Step
from lifecycle.world import World

FOUND = 'rehearsed'
"""The result in which an action says in one line what it has found: what was rehearsed, and how long that took."""


def carry_out(
    world: World,
    step: Step,
    known: Declaration | ProblemError | None,
    meanwhile: Callable[[], object],
) -> str:
    """Do *step*, of an application whose declaration is *known*; what its action has found, if it says so.

    *meanwhile* is called again and again while an action is under way.

    Raises:
        WorldError: Juju or the charm did not do it.
    """
    match step.verb:
        case 'base':
            declared = isinstance(known, Declaration) and step.base in known.releases
            world.set_base(step.application, step.base, declared=declared)
        case 'origin':
            world.set_option(step.application, ORIGIN, step.origin)
        case 'refresh':
            world.refresh(step.application, step.path)
        case 'add':
            world.add_unit(step.application)
        case 'remove':
            world.remove_unit(step.unit)
        case 'admit' | 'healthy' | 'settle':
            pass
        case _:
            within = waiting.LIMITS_S[step.verb]
            results = world.run_action(step.unit, step.action, within, meanwhile)
            return clean(results.get(FOUND, ''), record.MOST_SAID)
    return ''
