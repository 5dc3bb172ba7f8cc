"""Chaos plans of the first format, as juju-solutions/matrix wrote them: read and written unchanged. Pure."""

from __future__ import annotations

import dataclasses
from typing import cast

import yaml

from matrix.grammar import located, problem
from matrix.plans import selectors

ACTIONS = ('reboot', 'remove_unit', 'add_unit', 'kill_juju_agent', 'sleep', 'destroy_machine')
_WRAPPERS = ('chaos', 'glitch')


@dataclasses.dataclass(frozen=True)
class Action:
    """What is done to whatever the selectors choose; `args` go to the action, in the order of the file."""

    name: str
    selectors: tuple[selectors.Selector, ...]
    args: tuple[tuple[str, located.Plain], ...] = ()


@dataclasses.dataclass(frozen=True)
class Plan:
    """Actions one after the other."""

    actions: tuple[Action, ...]


def read(text: str, source: str) -> Plan:
    """A plan from the text of a file; the documented wrapper `chaos: {format: v1, actions: […]}` too.

    Raises:
        problem.RefusedError: with every problem of the file, each at its line.
    """
    document = located.load(text, source)
    problems: list[problem.Problem] = []
    actions = [_action(value, problems) for value in _actions(document, problems)]
    if problems:
        raise problem.RefusedError(problems)
    return Plan(tuple(action for action in actions if action is not None))


def write(plan: Plan) -> str:
    """The plan as text: reading it again gives the same plan."""
    actions = [
        {
            'action': action.name,
            'selectors': [{'selector': one.name, **dict(one.args)} for one in action.selectors],
            **dict(action.args),
        }
        for action in plan.actions
    ]
    return yaml.safe_dump({'actions': actions}, sort_keys=False, default_flow_style=None)


def places(document: located.Value) -> tuple[problem.Where, ...]:
    """Where each action of a document stands."""
    return tuple(value.where for value in _actions(document, []))


def _actions(
    document: located.Value, problems: list[problem.Problem]
) -> tuple[located.Value, ...]:
    if isinstance(document, located.Mapping):
        for wrapper in _WRAPPERS:
            inner = document.get(wrapper)
            if isinstance(inner, located.Mapping):
                _wrapper(inner, problems)
                document = inner
                break
        actions = document.get('actions')
        if isinstance(actions, located.Sequence):
            return actions.items
    problems.append(problem.Problem(document.where, "a plan needs 'actions', a list"))
    return ()


def _wrapper(inner: located.Mapping, problems: list[problem.Problem]) -> None:
    said = inner.get('format')
    if said is not None and located.plain(said) not in ('v1', 1):
        message = f"'format' is v1 here, this is {located.kind(said)}"
        problems.append(problem.Problem(said.where, message))


def _action(value: located.Value, problems: list[problem.Problem]) -> Action | None:
    name = value.get('action') if isinstance(value, located.Mapping) else None
    if (
        not isinstance(value, located.Mapping)
        or not isinstance(name, located.Scalar)
        or not isinstance(name.value, str)
    ):
        problems.append(problem.Problem(value.where, "an action needs 'action', its name"))
        return None
    if name.value not in ACTIONS:
        near = problem.suggestion(name.value, ACTIONS)
        problems.append(problem.Problem(name.where, f'there is no action {name.value!r}{near}'))
    chain = value.get('selectors')
    if not isinstance(chain, located.Sequence):
        message = f"{name.value!r} needs 'selectors', a list"
        problems.append(problem.Problem((chain or value).where, message))
        return None
    steps = selector_chain(chain, problems)
    args = tuple(
        (entry.key, located.plain(entry.value))
        for entry in value.entries
        if entry.key not in {'action', 'selectors'}
    )
    return Action(name.value, steps, args)


def selector_chain(
    chain: located.Sequence, problems: list[problem.Problem]
) -> tuple[selectors.Selector, ...]:
    """The selectors of a list; what is wrong with them is added to `problems`."""
    steps = (_selector(item, problems) for item in chain.items)
    return tuple(one for one in steps if one is not None)


def _selector(value: located.Value, problems: list[problem.Problem]) -> selectors.Selector | None:
    name = value.get('selector') if isinstance(value, located.Mapping) else None
    if (
        not isinstance(value, located.Mapping)
        or not isinstance(name, located.Scalar)
        or not isinstance(name.value, str)
    ):
        problems.append(problem.Problem(value.where, "a selector needs 'selector', its name"))
        return None
    if name.value not in selectors.STEPS:
        near = problem.suggestion(name.value, selectors.STEPS)
        problems.append(problem.Problem(name.where, f'there is no selector {name.value!r}{near}'))
        return None
    known, _ = selectors.STEPS[name.value]
    for entry in value.entries:
        if entry.key != 'selector' and entry.key not in known:
            near = problem.suggestion(entry.key, known)
            message = f'selector {name.value!r} has no argument {entry.key!r}{near}'
            problems.append(problem.Problem(entry.where, message))
    plain = cast('dict[str, located.Plain]', located.plain(value))
    return selectors.Selector(
        name.value, tuple(pair for pair in plain.items() if pair[0] != 'selector')
    )
