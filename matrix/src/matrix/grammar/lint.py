"""What is wrong with a suite before it runs: unknown tasks, arguments and states. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from matrix.grammar import catalogue, problem, suite


def check(one: suite.Suite) -> tuple[problem.Problem, ...]:
    """Every problem of a suite, in the order of its lines.

    A state that no rule of the test can produce is an error: the rule would wait for ever. Where a
    test has tasks of its own, which may set any state, it is a warning.
    """
    found = [found for test in one.tests for found in _test(test)]
    names = [test.name for test in one.tests]
    for index, test in enumerate(one.tests):
        if test.name in names[:index]:
            found.append(
                problem.Problem(
                    test.where, f'a test {test.name!r} stands above, and is replaced', 'warning'
                )
            )
    return tuple(sorted(found, key=lambda one: one.where.line))


def _test(test: suite.Test) -> Iterator[problem.Problem]:
    for rule in test.rules:
        yield from _task(rule)
        yield from _habits(rule)
        for said in (rule.after, rule.during, rule.when, rule.until):
            if said is not None:
                yield from _statement(said, test)
    for first, second in itertools.combinations(test.rules, 2):
        if first.state == second.state and first.task != second.task:
            yield problem.Problem(
                second.where,
                f'{second.task!r} shares the state {second.state!r} with {first.task!r} '
                f'(line {first.where.line}): it is complete when both are',
                'warning',
            )


def _task(rule: suite.RuleSpec) -> Iterator[problem.Problem]:
    task = catalogue.TASKS.get(rule.task)
    if task is None:
        if rule.task.startswith('matrix.'):
            near = problem.suggestion(rule.task, catalogue.TASKS)
            yield problem.Problem(rule.where, f'there is no task {rule.task!r}{near}')
        elif not ('.' in rule.task or '/' in rule.task):
            near = problem.suggestion(f'matrix.tasks.{rule.task}', catalogue.TASKS)
            yield problem.Problem(
                rule.where, f'{rule.task!r} is neither a dotted name nor a path{near}'
            )
        return
    for name in rule.args:
        if name not in task.args:
            near = problem.suggestion(name, task.args)
            yield problem.Problem(rule.where, f'{rule.task} has no argument {name!r}{near}')


def _habits(rule: suite.RuleSpec) -> Iterator[problem.Problem]:
    if rule.periodic is not None and rule.until is None:
        yield problem.Problem(rule.where, "'periodic' without 'until' runs once", 'warning')
    if rule.on is not None and rule.periodic is not None:
        yield problem.Problem(rule.where, "'periodic' has no effect beside 'on'", 'warning')


def _statement(said: suite.Statement, test: suite.Test) -> Iterator[problem.Problem]:
    values = _produced(test)
    known = [name for name in values if not name.endswith('.')]
    if said.state in values:
        allowed = values[said.state]
        if said.value is not None and allowed is not None and said.value not in allowed:
            near = problem.suggestion(said.value, allowed)
            yield problem.Problem(
                said.where, f'{said.state!r} is never {said.value!r}{near or _any_of(allowed)}'
            )
        return
    if any(name.endswith('.') and said.state.startswith(name) for name in values):
        return
    open_ended = any(rule.task not in catalogue.TASKS for rule in test.rules)
    full = [f'{name}.{value}' for name, allowed in values.items() for value in allowed or ()]
    near = problem.suggestion(said.state, known) or problem.suggestion(str(said), full)
    yield problem.Problem(
        said.where,
        f'no rule of {test.name!r} produces the state {said.state!r}{near}',
        'warning' if open_ended and not near else 'error',
    )


def _any_of(values: frozenset[str]) -> str:
    return f', only {", ".join(sorted(values))}'


def _produced(test: suite.Test) -> dict[str, frozenset[str] | None]:
    values: dict[str, frozenset[str] | None] = {}
    for rule in test.rules:
        values[rule.state] = frozenset(suite.LEVELS)
        values.update(catalogue.TASKS.get(rule.task, catalogue.Task()).states)
    return values
