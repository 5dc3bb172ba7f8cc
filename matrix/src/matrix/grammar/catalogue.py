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

TASKS: dict[str, Task] = {
    'matrix.tasks.deploy': Task(frozenset({'version'})),
    'matrix.tasks.health': Task(frozenset({'stability_period'}), (('health.status', HEALTH),)),
    'matrix.tasks.chaos': Task(frozenset({'plan', 'applications'})),
    'matrix.tasks.end_to_end': Task(perpetual=True),
    'matrix.tasks.run_action': Task(
        frozenset({'application', 'action', 'unit', 'params'}), (('run_action.', None),)
    ),
    'matrix.tasks.reset': Task(),
    'matrix.tasks.fail': Task(frozenset({'generic_exception', 'break_connection'})),
}

# chaos was called glitch until 2017; suites and plans of that time still run.
_RENAMED = {'matrix.tasks.glitch': 'matrix.tasks.chaos', 'glitch': 'chaos'}


def current_name(name: str) -> str:
    """A task's or state's name today."""
    return _RENAMED.get(name, name)
