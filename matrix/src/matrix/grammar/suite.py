"""Tests of a bundle, as data: suites, tests, rules and the conditions of a rule. Pure.

The grammar is that of juju-solutions/matrix 0.10.
"""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Iterable, Mapping
from typing import Literal

from matrix.grammar import located, problem

Gating = Literal['always', 'never', 'ha_only']

RUNNING, PAUSED, COMPLETE = 'running', 'paused', 'complete'
LEVELS = (RUNNING, PAUSED, COMPLETE)


@dataclasses.dataclass(frozen=True)
class Statement:
    """`deploy` (value None: which levels count depends on the key) or `chaos.complete`."""

    state: str
    value: str | None
    where: problem.Where

    def __str__(self) -> str:
        return self.state if self.value is None else f'{self.state}.{self.value}'


@dataclasses.dataclass(frozen=True)
class Condition:
    """A state that must have one of some values."""

    state: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f'{self.state} to be {" or ".join(self.values)}'


@dataclasses.dataclass(frozen=True)
class RuleSpec:
    """One line of a test: a task, and when it starts, repeats and stops. `periodic` is in seconds."""

    task: str
    where: problem.Where
    args: dict[str, located.Plain] = dataclasses.field(default_factory=dict[str, located.Plain])
    gating: Gating = 'always'
    after: Statement | None = None
    during: Statement | None = None  # the key `while`
    when: Statement | None = None
    until: Statement | None = None
    on: str | None = None
    periodic: float | None = None
    lines: Mapping[str, problem.Where] = dataclasses.field(
        default_factory=dict[str, problem.Where]
    )
    """Where each argument stands."""

    def at(self, argument: str) -> problem.Where:
        """Where an argument stands; the rule itself, where that is not known."""
        return self.lines.get(argument, self.where)

    @property
    def state(self) -> str:
        """The name under which the rule's task shows its state."""
        return state_name(self.task)


@dataclasses.dataclass(frozen=True)
class Test:
    """Rules that run together on one model."""

    name: str
    rules: tuple[RuleSpec, ...]
    where: problem.Where
    description: str = ''


@dataclasses.dataclass(frozen=True)
class Suite:
    """Tests in the order in which they run."""

    tests: tuple[Test, ...]


def state_name(task: str) -> str:
    """The last part of a dotted task; an executable (it has a `/`) is called by its whole path."""
    return task if '/' in task else task.rpartition('.')[2]


def statement(text: str, where: problem.Where) -> Statement:
    """A condition as written, split at the last dot."""
    state, dot, value = text.rpartition('.')
    return Statement(state, value, where) if dot else Statement(text, None, where)


def entry(rule: RuleSpec) -> tuple[Condition, ...]:
    """Everything that must hold before a rule starts, except that `until` does not hold yet."""
    levels = (
        (rule.after, (COMPLETE,)),
        (rule.during, (RUNNING, PAUSED)),
        (rule.when, LEVELS),
    )
    return tuple(_condition(said, values) for said, values in levels if said is not None)


def ending(rule: RuleSpec) -> Condition | None:
    """What ends a rule: `until: x` is `until: x.complete`."""
    return None if rule.until is None else _condition(rule.until, (COMPLETE,))


def _condition(said: Statement, levels: tuple[str, ...]) -> Condition:
    return Condition(said.state, levels if said.value is None else (said.value,))


def gates(gating: Gating, *, ha: bool) -> bool:
    """Whether a rule's failure fails its test; `ha` says whether the bundle promises high availability."""
    return gating == 'always' or (gating == 'ha_only' and ha)


def merge(suites: Iterable[Suite]) -> Suite:
    """The default suite, then further ones, then the bundle's: a later test takes an earlier one's place by name."""
    tests: dict[str, Test] = {}
    for one in suites:
        for test in one.tests:
            tests[test.name] = test
    return Suite(tuple(tests.values()))


def select(one: Suite, patterns: Iterable[str]) -> Suite:
    """The tests whose names match any of these shell patterns (all, without patterns)."""
    globs = tuple(patterns)
    if not globs:
        return one
    return Suite(
        tuple(
            test
            for test in one.tests
            if any(fnmatch.fnmatchcase(test.name, glob) for glob in globs)
        )
    )
