"""``charmkit check``: what every charm of the family must do, as rules over a charm that is only read.

A charm is untrusted input: it may be anybody's. It is read within limits (:mod:`.reading`), into a :class:`.view.View`;
rules are pure functions of that; nothing of the charm is executed, unless somebody asks for it (:mod:`.trial`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from .view import View

Level = Literal['must', 'should']
"""What the family cannot do without, and what makes a charm better."""
DOCUMENT = 'docs/reference/conformance.md'
"""Where each rule is explained, under its name."""


@dataclasses.dataclass(frozen=True)
class ConformanceRule:
    """One thing that every charm does."""

    name: str
    sentence: str
    """What is so in every charm that keeps it."""
    cure: str
    """What to do about one that does not."""
    find: Callable[[View], Iterator[str]] = dataclasses.field(repr=False)
    """Where it is not so: one text for each place."""
    applies: Callable[[View], bool] = dataclasses.field(repr=False)
    """Whether it is asked of this charm at all."""
    of: str
    """Of which charms it is asked, in words."""
    level: Level = 'must'

    @property
    def link(self) -> str:
        """Where it is explained."""
        return f'{DOCUMENT}#{self.name}'


@dataclasses.dataclass(frozen=True, order=True)
class Finding:
    """One place where a charm does not keep a rule."""

    rule: str
    where: str
    """What is there, in one line."""
    level: Level
    sentence: str
    cure: str
    link: str


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What is known of one charm."""

    charm: str
    """As it was asked for: a path."""
    asked: tuple[str, ...]
    """The rules that were asked of it."""
    findings: tuple[Finding, ...]

    def failed(self, *, strict: bool = False) -> bool:
        """Whether it is no charm of the family yet; *strict*: what it should do counts, too."""
        return any(strict or finding.level == 'must' for finding in self.findings)


READABLE = 'readable'
"""The rule that everything can be read."""
MOST_OF_ONE_RULE = 20
_LONGEST = 300


def judge(view: View, rules: Iterable[ConformanceRule]) -> Verdict:
    """Ask *rules* of the charm that *view* shows. Pure.

    Where what it says of itself cannot be read, that alone is asked.
    """
    asked = [r for r in rules if r.name == READABLE or (not view.mute and r.applies(view))]
    findings = [finding for rule in asked for finding in _findings(rule, view)]
    return Verdict(view.path, tuple(rule.name for rule in asked), tuple(sorted(set(findings))))


def _findings(rule: ConformanceRule, view: View) -> Iterator[Finding]:
    for count, text in enumerate(rule.find(view)):
        if count == MOST_OF_ONE_RULE:
            yield finding(rule, f'and more of the kind: {MOST_OF_ONE_RULE} are shown')
            return
        yield finding(rule, text)


def finding(rule: ConformanceRule, text: str) -> Finding:
    """That *rule* is not kept, as *text* says, which may quote the charm: it becomes one line that can be printed."""
    line = ''.join(c if c.isprintable() else '?' for c in text)
    shown = line if len(line) <= _LONGEST else f'{line[:_LONGEST]}…'
    return Finding(rule.name, shown, rule.level, rule.sentence, rule.cure, rule.link)
