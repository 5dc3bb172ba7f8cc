"""`juju matrix [run] -p BUNDLE`."""

from __future__ import annotations

import argparse
import dataclasses
import secrets

from matrix.cli import flags, running
from matrix.grammar import problem
from matrix.run import bundlefile, defaults, prepare

HELP = (
    'Test a bundle while breaking it: deploy it, keep using it, break it, and say what came of it.'
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    flags.configure(parser)


def run(call: argparse.Namespace) -> int:
    """Prepare, run, report; returns the exit code of the run.

    Raises:
        problem.RefusedError: something that the run needs cannot be used; nothing has been run.
    """
    bundle = bundlefile.find(getattr(call, 'path', flags.DEFAULTS.path))
    extra = defaults.read(bundle.folder)
    asked = flags.gather(call, flags.of_bundle(defaults.matrix(extra), bundle.folder))
    asked = dataclasses.replace(asked, words=flags.words(call, bundle.file))
    # Random once, here; from then on everything follows from it.
    seed = secrets.randbelow(2**32) if asked.seed is None else asked.seed
    if asked.seeds is None:
        return running.run(prepare.prepare(asked, bundle, extra, seed))
    if asked.chaos_plan is not None or not asked.seeds:
        message = 'with a plan all seeds are one' if asked.seeds else 'it is a number from 1'
        raise problem.RefusedError(
            [problem.Problem(problem.Where('--seeds', 1), f'--seeds: {message}')]
        )
    return running.several(
        prepare.prepare(asked, bundle, extra, one) for one in range(seed, seed + asked.seeds)
    )
