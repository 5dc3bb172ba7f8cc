"""`juju matrix heal`: undo what a run left broken, as when it was killed or its machine was."""

from __future__ import annotations

import argparse
import asyncio
import pathlib
import sys

from matrix.faults import heal
from matrix.grammar import problem
from matrix.juju import link, live
from matrix.run import earlier, rundir

HELP = 'undo every fault that a run left behind'


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        '-m', '--model', default='', help='the model; without it, the one in focus'
    )
    parser.add_argument(
        'run',
        nargs='?',
        type=pathlib.Path,
        metavar='RUN',
        help="the run's directory, for what only Juju can undo; without it, killed runs of the model in matrix-runs",
    )


def run(call: argparse.Namespace) -> int:
    """Heal; 0 when nothing is left broken, 1 otherwise."""
    try:
        done = asyncio.run(_heal(call.model, call.run))
    except (OSError, link.LinkError, problem.RefusedError) as error:
        print(f'ERROR {error}', file=sys.stderr)
        return 1
    for sentence in done.healed:
        print(f'healed {sentence}')
    for sentence in done.failed:
        print(f'ERROR {sentence}', file=sys.stderr)
    if not done.healed and not done.failed:
        print('nothing is left to heal')
    return 1 if done.failed else 0


async def _heal(model: str, run: pathlib.Path | None) -> heal.Report:
    async with live.opened(model) as at:
        given = (rundir.journal_of(run),) if run is not None else ()
        beside = () if given else earlier.killed(pathlib.Path('matrix-runs'), at.model)
        return await earlier.heal_all(at, (*given, *beside))
