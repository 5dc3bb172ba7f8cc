"""`juju matrix heal`: undo what a run left broken, as when it was killed or its machine was."""

from __future__ import annotations

import argparse
import asyncio
import pathlib
import sys

from matrix.faults import heal
from matrix.history import journal, journalfile
from matrix.juju import link, live

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
        help="the run's directory: units that it removed or added are made up for as well",
    )


def run(call: argparse.Namespace) -> int:
    """Heal; 0 when nothing is left broken, 1 otherwise."""
    try:
        entries = _entries(call.run)
        done = asyncio.run(_heal(call.model, entries))
    except (OSError, link.LinkError) as error:
        print(f'ERROR {error}', file=sys.stderr)
        return 1
    for sentence in done.healed:
        print(f'healed {sentence}')
    for sentence in done.failed:
        print(f'ERROR {sentence}', file=sys.stderr)
    if not done.healed and not done.failed:
        print('nothing is left to heal')
    return 1 if done.failed else 0


def _entries(run: pathlib.Path | None) -> tuple[journal.Entry, ...]:
    if run is None:
        return ()
    return journalfile.read(run / 'journal.jsonl' if run.is_dir() else run).entries


async def _heal(model: str, entries: tuple[journal.Entry, ...]) -> heal.Report:
    async with live.opened(model) as at:
        on_machines = await heal.machines(at)
        by_juju = await heal.amends(at, entries)
        return heal.Report(
            (*on_machines.healed, *by_juju.healed), (*on_machines.failed, *by_juju.failed)
        )
