"""Suites read from YAML, with every error at its line. Reads text, touches no file."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

from matrix.grammar import catalogue, located, problem, suite

_SUITE_KEYS = ('tests', 'fmt')
_TEST_KEYS = ('name', 'description', 'rules')
_RULE_KEYS = ('do', 'gating', 'after', 'while', 'when', 'until', 'on', 'periodic')
# Matrix read YAML 1.1, where all of these words are truth values.
_GATING: dict[bool | str, suite.Gating] = {
    **dict.fromkeys((True, 'true', 'yes', 'on'), 'always'),
    **dict.fromkeys((False, 'false', 'no', 'off'), 'never'),
    'ha_only': 'ha_only',
}


def read(text: str, source: str, *, strict_compat: bool = False) -> suite.Suite:
    """A suite from the text of a file; `source` is what messages call it.

    With `strict_compat` an unknown `gating` never gates, as in juju-solutions/matrix 0.10.

    Raises:
        problem.RefusedError: with every problem of the file, each at its line.
    """
    document = located.load(text, source)
    reading = _Reading(strict_compat)
    found = reading.suite(document)
    if reading.problems:
        raise problem.RefusedError(sorted(reading.problems, key=lambda one: one.where.line))
    return found


@dataclasses.dataclass
class _Reading:
    strict_compat: bool
    problems: list[problem.Problem] = dataclasses.field(default_factory=list[problem.Problem])

    def wrong(self, where: problem.Where, message: str) -> None:
        self.problems.append(problem.Problem(where, message))

    def suite(self, document: located.Value) -> suite.Suite:
        if not isinstance(document, located.Mapping):
            self.wrong(document.where, f'a suite is a mapping, this is {located.kind(document)}')
            return suite.Suite(())
        self.known(document, _SUITE_KEYS, 'a suite')
        tests = document.get('tests')
        if not isinstance(tests, located.Sequence):
            self.wrong(document.where, "a suite needs 'tests', a list")
            return suite.Suite(())
        found = [self.test(item) for item in tests.items]
        return suite.Suite(tuple(test for test in found if test is not None))

    def known(self, mapping: located.Mapping, keys: Iterable[str], what: str) -> None:
        for entry in mapping.entries:
            if entry.key not in keys:
                near = problem.suggestion(entry.key, keys)
                self.wrong(entry.where, f'{what} has no key {entry.key!r}{near}')

    def test(self, value: located.Value) -> suite.Test | None:
        if not isinstance(value, located.Mapping):
            self.wrong(value.where, f'a test is a mapping, this is {located.kind(value)}')
            return None
        self.known(value, _TEST_KEYS, 'a test')
        rules = value.get('rules')
        if not isinstance(rules, located.Sequence):
            self.wrong(value.where, "a test needs 'rules', a list")
            return None
        if not rules.items:
            self.wrong(rules.where, "a test needs 'rules': without any, nothing is checked")
            return None
        read = [self.rule(item) for item in rules.items]
        return suite.Test(
            name=self.text(value, 'name') or f'unnamed-{value.where.line}',
            description=self.text(value, 'description') or '',
            rules=tuple(rule for rule in read if rule is not None),
            where=value.where,
        )

    def text(self, mapping: located.Mapping, key: str) -> str | None:
        value = mapping.get(key)
        if value is None or (isinstance(value, located.Scalar) and value.value is None):
            return None
        if isinstance(value, located.Scalar) and not isinstance(value.value, bool):
            return str(value.value)
        self.wrong(value.where, f'{key!r} is a word, this is {located.kind(value)}')
        return None

    def rule(self, value: located.Value) -> suite.RuleSpec | None:
        if not isinstance(value, located.Mapping):
            self.wrong(value.where, f'a rule is a mapping, this is {located.kind(value)}')
            return None
        self.known(value, _RULE_KEYS, 'a rule')
        task, args = self.do(value)
        if task is None:
            return None
        return suite.RuleSpec(
            task=task,
            args=args,
            where=value.where,
            lines=_lines(value),
            gating=self.gating(value),
            after=self.statement(value, 'after'),
            during=self.statement(value, 'while'),
            when=self.statement(value, 'when'),
            until=self.statement(value, 'until'),
            on=self.text(value, 'on'),
            periodic=self.periodic(value),
        )

    def do(self, rule: located.Mapping) -> tuple[str | None, dict[str, located.Plain]]:
        do = rule.get('do')
        if isinstance(do, located.Scalar) and isinstance(do.value, str) and do.value:
            return catalogue.current_name(do.value), {}
        if not isinstance(do, located.Mapping):
            what = 'nothing' if do is None else located.kind(do)
            self.wrong((do or rule).where, f"'do' names a task, this is {what}")
            return None, {}
        # `action` is an argument of run_action, and was the name of `task` before.
        key = 'task' if do.get('task') is not None else 'action'
        name = do.get(key)
        if not (isinstance(name, located.Scalar) and isinstance(name.value, str) and name.value):
            self.wrong(do.where, "'do' needs 'task', the name of a task")
            return None, {}
        args = {entry.key: located.plain(entry.value) for entry in do.entries if entry.key != key}
        return catalogue.current_name(name.value), args

    def statement(self, rule: located.Mapping, key: str) -> suite.Statement | None:
        value, text = rule.get(key), self.text(rule, key)
        if value is None or text is None:
            return None
        said = suite.statement(text, value.where)
        if not said.state or said.value == '':
            self.wrong(value.where, f'{text!r} is not `state` or `state.value`')
            return None
        return dataclasses.replace(said, state=catalogue.current_name(said.state))

    def gating(self, rule: located.Mapping) -> suite.Gating:
        value = rule.get('gating')
        if value is None:
            return 'always'
        word = value.value if isinstance(value, located.Scalar) else None
        if isinstance(word, bool | str) and word in _GATING:
            return _GATING[word]
        if self.strict_compat:
            return 'never'
        near = problem.suggestion(str(word), ('true', 'false', 'ha_only'))
        self.wrong(
            value.where, f"'gating' is true, false or ha_only, this is {located.kind(value)}{near}"
        )
        return 'always'

    def periodic(self, rule: located.Mapping) -> float | None:
        value = rule.get('periodic')
        if value is None:
            return None
        seconds = _number(value)
        if seconds is None or not math.isfinite(seconds) or seconds <= 0:
            self.wrong(
                value.where, f"'periodic' is a number of seconds, this is {located.kind(value)}"
            )
            return None
        return seconds


def _lines(rule: located.Mapping) -> dict[str, problem.Where]:
    do = rule.get('do')
    entries = do.entries if isinstance(do, located.Mapping) else ()
    return {entry.key: entry.where for entry in entries}


def _number(value: located.Value) -> float | None:
    if not isinstance(value, located.Scalar) or isinstance(value.value, bool):
        return None
    if isinstance(value.value, int | float):
        return float(value.value)
    try:
        return float(value.value or '')
    except ValueError:
        return None
