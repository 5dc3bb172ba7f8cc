"""`matrix replay PLAN`: run a plan again."""

from __future__ import annotations

import argparse
import pathlib

from matrix.cli import flags
from matrix.cli.commands import run as run_command

HELP = 'Run the tests of a bundle that have chaos, with this plan and its seed.'


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its arguments: the plan, and all flags of a run."""
    parser.add_argument('plan', type=pathlib.Path, metavar='PLAN')
    flags.configure(parser)


def run(call: argparse.Namespace) -> int:
    """Run it.

    Raises:
        problem.RefusedError: the plan or the bundle cannot be used.
    """
    call.chaos_plan = call.plan
    return run_command.run(call)
