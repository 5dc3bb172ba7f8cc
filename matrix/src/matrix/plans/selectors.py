"""Who a fault strikes: selectors, each narrowing what the one before chose. Pure.

Names and arguments are those of juju-solutions/matrix; what happens to be chosen depends on the
snapshot and the given stream alone.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from matrix.grammar import located, problem
from matrix.plans import snapshot


@dataclasses.dataclass(frozen=True)
class Selector:
    """One step, as a plan writes it."""

    name: str
    args: tuple[tuple[str, located.Plain], ...] = ()

    def get(self, key: str, default: located.Plain = None) -> located.Plain:
        """An argument, or the default."""
        return dict(self.args).get(key, default)


@dataclasses.dataclass(frozen=True)
class Choice:
    """What a step works on: the model, what was chosen so far, and the event's own stream."""

    model: snapshot.Model
    chosen: tuple[snapshot.Thing, ...]
    stream: random.Random
    strict_compat: bool = False


Step: TypeAlias = Callable[[Choice, Selector], tuple[snapshot.Thing, ...]]


def select(
    steps: Iterable[Selector],
    model: snapshot.Model,
    stream: random.Random,
    *,
    strict_compat: bool = False,
) -> tuple[snapshot.Thing, ...]:
    """What a chain of selectors chooses, perhaps nothing.

    With `strict_compat`, `leader` chooses the leader whatever its `value`, as 0.10 did.

    Raises:
        ValueError: a selector is not known, or stands where there is nothing of its kind.
    """
    choice = Choice(model, (), stream, strict_compat)
    for step in steps:
        if step.name not in STEPS:
            near = problem.suggestion(step.name, STEPS)
            raise ValueError(f'there is no selector {step.name!r}{near}')
        known, act = STEPS[step.name]
        for key, _ in step.args:
            if key not in known:
                near = problem.suggestion(key, known)
                raise ValueError(f'selector {step.name!r} has no argument {key!r}{near}')
        choice = dataclasses.replace(choice, chosen=act(choice, step)[: _count(step)])
    return choice.chosen


def _applications(choice: Choice, step: Selector) -> tuple[snapshot.Application, ...]:
    wanted = step.get('application')
    found = choice.model.applications
    return found if wanted is None else tuple(one for one in found if one.name == wanted)


def _units(choice: Choice, step: Selector) -> tuple[snapshot.Thing, ...]:
    return tuple(unit for one in _applications(choice, step) for unit in one.units)


def _machines(choice: Choice, step: Selector) -> tuple[snapshot.Thing, ...]:
    return choice.model.machines


def _of_units(choice: Choice, step: Selector) -> Sequence[snapshot.Unit]:
    units = [one for one in choice.chosen if isinstance(one, snapshot.Unit)]
    if len(units) != len(choice.chosen):
        raise ValueError(f'selector {step.name!r} chooses among units')
    return units


def _leader(choice: Choice, step: Selector) -> tuple[snapshot.Thing, ...]:
    wanted = choice.strict_compat or bool(step.get('value', True))
    return tuple(unit for unit in _of_units(choice, step) if unit.leader is wanted)


def _agent_status(choice: Choice, step: Selector) -> tuple[snapshot.Thing, ...]:
    return tuple(one for one in _of_units(choice, step) if one.agent_status == step.get('expect'))


def _workload_status(choice: Choice, step: Selector) -> tuple[snapshot.Thing, ...]:
    return tuple(
        one for one in _of_units(choice, step) if one.workload_status == step.get('expect')
    )


def _one(choice: Choice, step: Selector) -> tuple[snapshot.Thing, ...]:
    ordered = sorted(choice.chosen, key=lambda one: one.name)
    return tuple(choice.stream.sample(ordered, min(len(ordered), _count(step) or 1)))


def _of(choice: Choice, step: Selector) -> tuple[snapshot.Thing, ...]:
    names = str(step.get('applications', '')).split()
    return tuple(
        one
        for one in choice.chosen
        if not isinstance(one, snapshot.Machine)
        and (one.application if isinstance(one, snapshot.Unit) else one.name) in names
    )


def _minority(choice: Choice, step: Selector) -> tuple[snapshot.Thing, ...]:
    """Less than half of one application's units: nothing where no application has three."""
    units = _of_units(choice, step)
    names = sorted({one.application for one in units})
    groups = [sorted(one for one in units if one.application == name) for name in names]
    large = [group for group in groups if len(group) > 2]
    if not large:
        return ()
    group = choice.stream.choice(large)
    return tuple(choice.stream.sample(group, (len(group) - 1) // 2))


def _count(step: Selector) -> int | None:
    count = step.get('count')
    if count is None:
        return None
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ValueError(
            f"'count' of selector {step.name!r} is a number from 1, this is {count!r}"
        )
    return count


STEPS: dict[str, tuple[frozenset[str], Step]] = {
    'units': (frozenset({'application', 'count'}), _units),
    'machines': (frozenset({'count'}), _machines),
    'applications': (frozenset({'application', 'count'}), _applications),
    'leader': (frozenset({'value', 'count'}), _leader),
    'agent_status': (frozenset({'expect', 'count'}), _agent_status),
    'workload_status': (frozenset({'expect', 'count'}), _workload_status),
    'one': (frozenset({'count'}), _one),
    # Not of juju-solutions/matrix, which had none of the faults that need them.
    'of': (frozenset({'applications', 'count'}), _of),
    'minority': (frozenset({'count'}), _minority),
}
