"""Plans of the second format as YAML: read with every error at its line, and written. Touches no file."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import yaml

from matrix.grammar import located, problem
from matrix.plans import chaosplan, plan, selectors

_PLAN_KEYS = ('format', 'seed', 'bundle', 'events')
_EVENT_KEYS = ('id', 'fault', 'at', 'hold', 'selectors', 'targets', 'with')


def is_second_format(document: located.Value) -> bool:
    """Whether a document says that it is a plan of this format."""
    said = document.get('format') if isinstance(document, located.Mapping) else None
    return isinstance(said, located.Scalar) and said.value == 'v2'


def write(one: plan.Plan) -> str:
    """The plan as text: reading it again gives the same plan."""
    events = [
        {
            'id': event.id,
            'fault': event.fault,
            'at': event.at,
            'hold': event.hold,
            'selectors': [{'selector': step.name, **dict(step.args)} for step in event.selectors],
            'targets': list(event.targets),
            'with': dict(event.parameters),
        }
        for event in one.events
    ]
    document = {'format': 'v2', 'seed': one.seed, 'bundle': one.bundle, 'events': events}
    return yaml.safe_dump(document, sort_keys=False, default_flow_style=None)


def from_plain(value: located.Plain) -> plan.Plan:
    """A plan from a value such as a journal holds.

    Raises:
        problem.RefusedError: it is not a plan.
    """
    return read(yaml.safe_dump(value, sort_keys=False), 'plan')


def read(text: str, source: str) -> plan.Plan:
    """A plan from the text of a file.

    Raises:
        problem.RefusedError: with every problem of the file, each at its line.
    """
    document = located.load(text, source)
    problems: list[problem.Problem] = []
    if not isinstance(document, located.Mapping) or not is_second_format(document):
        problems.append(problem.Problem(document.where, "a plan of this kind has 'format: v2'"))
        raise problem.RefusedError(problems)
    _known(document, _PLAN_KEYS, 'a plan', problems)
    seed = _want(document, 'seed', 'a whole number', _is_integer, problems)
    bundle = _want(document, 'bundle', 'a word', _is_word, problems, default='')
    events = document.get('events')
    if not isinstance(events, located.Sequence):
        problems.append(problem.Problem(document.where, "a plan needs 'events', a list"))
        raise problem.RefusedError(problems)
    found = [_event(value, problems) for value in events.items]
    ids = [event.id for event in found if event is not None]
    for value, event in zip(events.items, found, strict=True):
        if event is not None and ids.count(event.id) > 1:
            problems.append(problem.Problem(value.where, f'two events are called {event.id!r}'))
    if problems:
        raise problem.RefusedError(sorted(problems, key=lambda one: one.where.line))
    return plan.Plan(seed, tuple(event for event in found if event is not None), bundle)


def _event(value: located.Value, problems: list[problem.Problem]) -> plan.FaultEvent | None:
    if not isinstance(value, located.Mapping):
        message = f'an event is a mapping, this is {located.kind(value)}'
        problems.append(problem.Problem(value.where, message))
        return None
    before = len(problems)
    _known(value, _EVENT_KEYS, 'an event', problems)
    name = _want(value, 'id', 'a word', _is_word, problems)
    fault = _want(value, 'fault', 'a word', _is_word, problems)
    at = _want(value, 'at', 'a number of seconds', _is_seconds, problems)
    hold = _want(value, 'hold', 'a number of seconds', _is_seconds, problems)
    targets = _want(value, 'targets', 'a list of names', _is_words, problems, default=[])
    parameters = _want(value, 'with', 'a mapping of scalars', _is_flat, problems, default={})
    chain = value.get('selectors')
    steps: tuple[selectors.Selector, ...] = ()
    if isinstance(chain, located.Sequence):
        steps = chaosplan.selector_chain(chain, problems)
    else:
        problems.append(problem.Problem(value.where, "an event needs 'selectors', a list"))
    if len(problems) > before:
        return None
    return plan.FaultEvent(
        name, fault, float(at), float(hold), steps, tuple(targets), tuple(parameters.items())
    )


def _known(
    value: located.Mapping, keys: tuple[str, ...], what: str, problems: list[problem.Problem]
) -> None:
    for entry in value.entries:
        if entry.key not in keys:
            near = problem.suggestion(entry.key, keys)
            problems.append(problem.Problem(entry.where, f'{what} has no key {entry.key!r}{near}'))


def _want(
    value: located.Mapping,
    key: str,
    what: str,
    fits: Callable[[object], bool],
    problems: list[problem.Problem],
    *,
    default: object = None,
) -> Any:
    inner = value.get(key)
    if inner is None:
        if default is None:
            problems.append(problem.Problem(value.where, f'{key!r} is missing, {what}'))
        return default
    plain = located.plain(inner)
    if not fits(plain):
        message = f'{key!r} is {what}, this is {located.kind(inner)}'
        problems.append(problem.Problem(inner.where, message))
    return plain


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_word(value: object) -> bool:
    return isinstance(value, str)


def _is_words(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_word, cast('list[object]', value)))


def _is_seconds(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return math.isfinite(value) and value >= 0


def _is_flat(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    parameters = cast('dict[str, object]', value)
    return all(isinstance(one, bool | int | float | str) for one in parameters.values())
