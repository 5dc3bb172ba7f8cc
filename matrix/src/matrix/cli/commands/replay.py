"""`juju matrix replay PLAN`: run a plan again."""

from __future__ import annotations

import argparse
import pathlib
from typing import Any

from matrix.cli import flags
from matrix.cli.commands import run as run_command
from matrix.run import earlier

HELP = 'Run a plan again, with its seed. What is not said is as in the run whose folder the plan stands in.'


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its arguments: the plan, and all flags of a run."""
    parser.add_argument('plan', type=pathlib.Path, metavar='PLAN')
    flags.configure(parser)


def run(call: argparse.Namespace) -> int:
    """Run it.

    Raises:
        problem.RefusedError: the plan or the bundle cannot be used.
    """
    again = as_before(call.plan, call)
    again.chaos_plan = call.plan
    again.seed = getattr(call, 'seed', earlier.seed(call.plan))
    again.with_chaos = True
    return run_command.run(again)


def as_before(place: pathlib.Path, call: argparse.Namespace) -> argparse.Namespace:
    """What was said to the earlier run, and what is said now, which stands before it."""
    words = earlier.words(place)
    parser = argparse.ArgumentParser()
    flags.configure(parser)
    before: dict[str, Any] = vars(parser.parse_args(words)) if words else {}
    now = {key: value for key, value in vars(call).items() if key != 'suites' or value}
    return argparse.Namespace(**{**before, **now})
