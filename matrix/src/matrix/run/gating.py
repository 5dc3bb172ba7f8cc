"""Runs a bundle as it is and with candidates, in turn and in the same way, until it is decided whether it is worse."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from matrix.grammar import problem
from matrix.history import journalfile
from matrix.judge import costs, gate
from matrix.run import candidates, prepare, rundir

Side = Literal['old', 'new']
OVERLAY = 'candidate.yaml'
CANDIDATES = 'candidates.txt'

RunOnce = Callable[[prepare.Prepared, pathlib.Path], bool]
"""Carries a prepared run out in a folder; whether it may go on after it (False: it was interrupted)."""


class EndedError(Exception):
    """The user ended it: there is no answer."""


@dataclasses.dataclass(frozen=True)
class Sides:
    """The bundle as it is, and with the candidates: each ready to be run, again and again."""

    old: prepare.Prepared
    new: prepare.Prepared

    def of(self, side: Side) -> prepare.Prepared:
        """One of them."""
        return self.old if side == 'old' else self.new


def sides(
    prepared: prepare.Prepared, some: Sequence[candidates.Candidate], overlay: pathlib.Path
) -> Sides:
    """Both sides of a gate; all else is the same: suite, plan of faults by its seed, load.

    Args:
        prepared: a run of the bundle as it is.
        some: what is put into it.
        overlay: where the overlay stands that does so.
    """
    asked = dataclasses.replace(prepared.options, shrink_for=None, usage=True)
    old = dataclasses.replace(prepared, options=asked)
    new = dataclasses.replace(
        old,
        options=dataclasses.replace(asked, overlay=(*asked.overlay, overlay)),
        bundle=candidates.into(prepared.bundle, some),
    )
    return Sides(old, new)


def order(runs: int, done: int = 0) -> Iterator[tuple[Side, int]]:
    """Which side runs when: each pair the other way round, so that what changes with time strikes both alike. Pure.

    Args:
        runs: of each side.
        done: runs of each side that there were before.
    """
    for number in range(done + 1, done + runs + 1):
        pair: tuple[Side, Side] = ('old', 'new') if number % 2 else ('new', 'old')
        for side in pair:
            yield side, number


def decided(
    both: Sides,
    folder: pathlib.Path,
    runs: int,
    run_once: RunOnce,
    reported: Callable[[Side, int, costs.Costs], None],
) -> gate.Decision:
    """Run until it can be decided, at most twice as many runs as said.

    Args:
        both: what is run.
        folder: of the gate; each run has its own in it.
        runs: of each side, before the first look.
        run_once: carries one run out.
        reported: hears what each run came to.

    Raises:
        EndedError: somebody ended it.
    """
    seen: dict[Side, list[costs.Costs]] = {'old': [], 'new': []}
    decision = gate.judge((), ())
    for look in range(1, gate.LOOKS + 1):
        for side, number in order(runs, runs * (look - 1)):
            one = _once(both.of(side), folder / f'{side}-{number:02}', run_once)
            seen[side].append(one)
            reported(side, number, one)
        decision = gate.judge(seen['old'], seen['new'], look=look)
        if not decision.again:
            break
    return decision


def _once(prepared: prepare.Prepared, folder: pathlib.Path, run_once: RunOnce) -> costs.Costs:
    folder.mkdir(mode=0o700)
    (folder / 'logs').mkdir(mode=0o700)
    if not run_once(prepared, folder):
        raise EndedError
    return costs_of(folder)


def costs_of(folder: pathlib.Path) -> costs.Costs:
    """What the run in a folder cost; broken where it left no journal."""
    with contextlib.suppress(OSError):
        return costs.of(journalfile.read(folder / rundir.JOURNAL))
    return costs.Costs(broken='it left no journal')


def judged_again(folder: pathlib.Path) -> gate.Decision:
    """The decision of a finished gate, from the journals of its runs.

    Raises:
        problem.RefusedError: there are no such runs.
    """
    found = {
        side: [costs_of(one) for one in sorted(folder.glob(f'{side}-[0-9]*'))]
        for side in ('old', 'new')
    }
    if not found['old'] or not found['new']:
        message = 'there are no runs of a gate here: folders old-01, new-01, …'
        raise problem.RefusedError([problem.Problem(problem.Where(str(folder), 1), message)])
    return gate.judge(found['old'], found['new'])
