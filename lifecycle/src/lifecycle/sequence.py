"""Several targets, one after the other: charms, then the base at the same release, then the release at that base.

Each is completed in the whole model before the next is begun, as the charms' own guide has it: what is mixed meanwhile
differs in one thing alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

from lifecycle import engine
from lifecycle import record as record_
from lifecycle.journal import JournalEntry
from lifecycle.load import Request
from lifecycle.problem import ProblemError
from lifecycle.step import Target
from lifecycle.upgrade_request import UpgradeRequest, same, survey, target_of
from lifecycle.world import World


def in_turn(targets: Sequence[Target], record: record_.Record) -> tuple[Target, ...]:
    """*targets* in the order in which they are left to be done: that which *record* is of comes first."""
    under_way = target_of(record)
    at = next((n for n, one in enumerate(targets) if same(one, under_way)), 0)
    return (*targets[at:], *targets[:at])


def wishes(wish: UpgradeRequest, targets: Sequence[Target]) -> Iterator[UpgradeRequest]:
    """*wish* of each of *targets*, to be shown."""
    for number, target in enumerate(targets):
        yield dataclasses.replace(wish, target=target, later=number > 0)


def run(
    world: World,
    wish: UpgradeRequest,
    targets: Sequence[Target],
    nonce: str,
    report: Callable[[JournalEntry], None],
    watch: Callable[[], Sequence[Request]] = tuple,
) -> None:
    """Do what is wished for, for each of *targets*; *nonce* is of this run alone, *watch* tells of a load's requests.

    Raises:
        ProblemError: it cannot be begun; says why, and what would help.
        StoppedError: something stands in its way; the same command goes on once it does not.
        WorldError: Juju does not answer.
    """
    if len(targets) == 1:
        engine.run(world, dataclasses.replace(wish, target=targets[0]), nonce, report, watch)
        return
    every = [survey(world, one) for one in wishes(wish, targets)]
    steps = [{step.id for step in known.plan.steps} for known in every]
    if wish.until and not any(wish.until in some for some in steps):
        raise ProblemError(f'--until {wish.until}: no such step; juju lifecycle plan shows them')
    for number, (target, there) in enumerate(zip(targets, steps, strict=True)):
        if number and every[number].plan.next is None:
            continue  # Begun anew, it would find nothing to do.
        until = wish.until if wish.until in there else ''
        engine.run(
            world,
            dataclasses.replace(wish, target=target, until=until),
            f'{nonce}-{number}',
            report,
            watch,
        )
        if until:
            return
