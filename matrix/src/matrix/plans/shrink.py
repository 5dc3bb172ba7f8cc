"""The smallest plan that still fails in the same way. Pure, but for the runs that it is given.

No event at all first: what fails then, no fault has broken. Then suspects, then one event less at a time, then every
event milder. A smaller plan counts only when it fails with the same signature: another failure on the way is another
bug.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from matrix.judge import verdict
from matrix.plans import plan

RunPlan = Callable[[plan.Plan], verdict.Signature | None]


@dataclasses.dataclass(frozen=True)
class Shrunk:
    """The smallest plan found, with how many runs it took.

    `reproduced` is False when neither the whole plan nor a part of it failed again: then nothing was shrunk.
    `minimal` says that taking any one event out was tried and ended the failure; a spent budget leaves it False.
    """

    plan: plan.Plan
    runs: int
    reproduced: bool
    minimal: bool


def shrink(
    full: plan.Plan,
    run: RunPlan,
    *,
    signature: verdict.Signature,
    suspects: Sequence[str] = (),
    kinds: Mapping[str, plan.Kind] | None = None,
    budget: int = 100,
) -> Shrunk:
    """Shrink a failing plan.

    Args:
        full: the plan that failed.
        run: runs a plan and says how it failed, None when it did not.
        signature: how `full` failed.
        suspects: ids of events, the likeliest cause first.
        kinds: what faults take, by name; without it events are only taken out.
        budget: how many runs may be made.
    """
    trial = _Trial(run, signature, budget)
    smallest = _suspects(full, suspects, trial)
    # A part that fails shows that the whole does; it is run again only when no part did.
    if smallest is full and not trial.fails(full):
        return Shrunk(full, trial.runs, reproduced=False, minimal=False)
    smallest = _deletions(smallest, trial)
    if kinds is not None:
        smallest = _milder(smallest, kinds, trial)
        # A milder event may do without another that it needed before.
        smallest = _deletions(smallest, trial)
    return Shrunk(smallest, trial.runs, reproduced=True, minimal=not trial.refused)


@dataclasses.dataclass
class _Trial:
    run: RunPlan
    signature: verdict.Signature
    budget: int
    runs: int = 0
    refused: bool = False

    def __post_init__(self) -> None:
        self.known: dict[tuple[plan.FaultEvent, ...], bool] = {}

    def fails(self, candidate: plan.Plan) -> bool:
        if candidate.events not in self.known:
            if self.runs >= self.budget:
                self.refused = True
                return False
            self.runs += 1
            self.known[candidate.events] = self.run(candidate) == self.signature
        return self.known[candidate.events]


def _suspects(full: plan.Plan, suspects: Sequence[str], trial: _Trial) -> plan.Plan:
    """No event at all, then the first 1, 2, 4 … suspects: the first of these that still fails."""
    ids = [one.id for one in full.events]
    ranked = [one for one in dict.fromkeys(suspects) if one in ids]
    size = 0
    while size < len(ids) and (size == 0 or size // 2 < len(ranked)):
        kept = {*ranked[:size]}
        candidate = plan.without(full, frozenset(one for one in ids if one not in kept))
        if trial.fails(candidate):
            return candidate
        size = size * 2 or 1
    return full


def _deletions(smallest: plan.Plan, trial: _Trial) -> plan.Plan:
    progress = True
    while progress:
        progress = False
        for event in reversed(smallest.events):
            candidate = plan.without(smallest, frozenset({event.id}))
            if trial.fails(candidate):
                smallest, progress = candidate, True
    return smallest


def _milder(smallest: plan.Plan, kinds: Mapping[str, plan.Kind], trial: _Trial) -> plan.Plan:
    for index in range(len(smallest.events)):
        milder = True
        while milder:
            event = smallest.events[index]
            kind = kinds.get(event.fault)
            forms = () if kind is None else plan.weaker(event, kind)
            candidates = (_with(smallest, index, form) for form in forms)
            found = next((one for one in candidates if trial.fails(one)), None)
            milder = found is not None
            smallest = found or smallest
    return smallest


def _with(full: plan.Plan, index: int, event: plan.FaultEvent) -> plan.Plan:
    events = (*full.events[:index], event, *full.events[index + 1 :])
    return dataclasses.replace(full, events=events)
