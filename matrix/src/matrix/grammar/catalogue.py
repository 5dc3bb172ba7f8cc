"""The tasks that juju-solutions/matrix names: their arguments and the states that they set. Pure.

A suite is checked against this before anything runs. It says what a task is called, not how it is done.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Task:
    """What a suite may say of a task.

    `states` maps a state to the values that it takes (None: any); a name that ends in a dot
    stands for all names that begin so. A `perpetual` task ends only when it is told to.
    """

    args: frozenset[str] = frozenset()
    states: tuple[tuple[str, frozenset[str] | None], ...] = ()
    perpetual: bool = False


HEALTH = frozenset({'busy', 'settling', 'healthy', 'unhealthy'})

# `plan`, or what a plan is made from; `applications` was in the README of 0.10, and did nothing.
CHAOS = frozenset(
    {
        'plan', 'applications', 'kinds', 'count', 'gap', 'hold', 'serial', 'redundant', 'control', 'patience',
        'expect', 'strikes', 'cover',
    }
)  # fmt: skip

TASKS: dict[str, Task] = {
    'matrix.tasks.deploy': Task(frozenset({'version'})),
    'matrix.tasks.health': Task(
        frozenset({'stability_period', 'patience'}), (('health.status', HEALTH),)
    ),
    'matrix.tasks.chaos': Task(CHAOS),
    'matrix.tasks.end_to_end': Task(
        frozenset({'use', 'rate', 'arrivals', 'http', 'sql', 'openstack', 'stages', 'expect'}),
        perpetual=True,
    ),
    'matrix.tasks.run_action': Task(
        frozenset({'application', 'action', 'unit', 'params', 'timeout'}), (('run_action.', None),)
    ),
    'matrix.tasks.reset': Task(),
    'matrix.tasks.fail': Task(frozenset({'generic_exception', 'break_connection'})),
}

# chaos was called glitch until 2017; suites and plans of that time still run.
_RENAMED = {'matrix.tasks.glitch': 'matrix.tasks.chaos', 'glitch': 'chaos'}


def current_name(name: str) -> str:
    """A task's or state's name today."""
    return _RENAMED.get(name, name)
