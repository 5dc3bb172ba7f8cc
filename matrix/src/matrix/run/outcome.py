"""What a test came to: how its rules ended, and what its journal proves. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from matrix.engine import progress, rules
from matrix.grammar import suite
from matrix.history import journal
from matrix.judge import checks, panel, verdict

_CHAOS, _LOAD = 'matrix.tasks.chaos', 'matrix.tasks.end_to_end'


def judged(read: journal.Journal, more: Mapping[str, checks.Check] | None = None) -> panel.Judged:
    """What the panel says of a journal's only test, or of its worst; `more` are checks of others, by name.

    A journal without a test is unknown.
    """
    return panel.judge(read, more=more).worst or panel.Judged('', sentence='nothing ran')


def together(state: progress.State, found: panel.Judged) -> panel.Judged:
    """A test's outcome from its rules and from the checks of its journal.

    A failed rule or a broken run says how the test ended. Else the checks do, where the rule that they look at
    counts: chaos that is `ha_only` in a bundle that promises no high availability is shown, and does not count.
    """
    ending = rules.ending(state)
    if ending == 'passed' and checks_count(state):
        ending = _ENDINGS[found.outcome]
    return dataclasses.replace(found, test=state.test.name, ending=ending)


_ENDINGS: dict[verdict.Outcome, verdict.Ending] = {
    verdict.Outcome.PASS: 'passed',
    verdict.Outcome.UNKNOWN: 'unknown',
    verdict.Outcome.FAIL: 'failed',
}


def checks_count(state: progress.State) -> bool:
    """Whether what the checks find counts: the chaos does, or without chaos the load, or in a test without both all."""
    gating: dict[str, suite.Gating] = {
        rule.task: rule.gating for rule in state.test.rules if rule.task in {_CHAOS, _LOAD}
    }
    said = gating.get(_CHAOS) or gating.get(_LOAD)
    return said is None or suite.gates(said, ha=state.policy.ha)


def not_run(test: str, why: str, ending: verdict.Ending) -> panel.Judged:
    """A test that could not be run."""
    found = verdict.Verdict('rules', verdict.Outcome.UNKNOWN, why)
    return panel.Judged(test, (found,), why, ending=ending)


def part(read: journal.Journal, since: int) -> journal.Journal:
    """The journal of one test: what stands from an entry on."""
    return journal.Journal(tuple(one for one in read.entries if one.seq >= since), read.problems)
