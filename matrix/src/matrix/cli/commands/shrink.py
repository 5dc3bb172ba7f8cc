"""`juju matrix shrink RUNDIR`: find the smallest plan with which a finished run still fails."""

from __future__ import annotations

import argparse
import pathlib

from matrix.cli import flags, running
from matrix.cli.commands import replay
from matrix.grammar import problem, suite
from matrix.history import journal, journalfile
from matrix.judge import panel, trial
from matrix.juju import live
from matrix.run import bundlefile, defaults, earlier, models, prepare, rundir, shrinking, writing

HELP = (
    'Find the smallest plan with which a finished run still fails in the same way. A search that was interrupted goes '
    'on where it stopped. Exit code 0 when one was found, 1 when not.'
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its arguments: the run, and all flags of a run."""
    parser.add_argument('run', type=pathlib.Path, metavar='RUNDIR')
    flags.configure(parser)


def run(call: argparse.Namespace) -> int:
    """Search, and tell what was found.

    Raises:
        problem.RefusedError: there is no such run, or nothing in it can be made smaller.
        link.LinkError: Juju cannot be asked.
    """
    path = rundir.journal_of(call.run)
    directory = path.parent.resolve()
    read = journalfile.read(path)
    judged, part = _failed(read, path)
    prepared = _prepared(call)
    test = next((one for one in prepared.suite.tests if one.name == judged.test), None)
    if test is None:
        raise _refused(path, f'the suite has no test {judged.test!r} any more')
    with running.logs(prepared.options, directory), writing.opened(path, running.heard()) as write:
        found = running.until_signalled(_search(prepared, test, judged, part, directory, write))
    running.report_results(directory, panel.judge(journalfile.read(path)).tests, prepared.options)
    return 0 if found else 1


def _failed(read: journal.Journal, path: pathlib.Path) -> tuple[panel.Judged, journal.Journal]:
    parts = dict(trial.split(read))
    for one in panel.judge(read).tests:
        if one.signature is not None and one.test in parts:
            return one, parts[one.test]
    raise _refused(path, 'no test of this run failed')


def _prepared(call: argparse.Namespace) -> prepare.Prepared:
    said = earlier.note(call.run)
    again = replay.as_before(call.run, call)
    bundle = bundlefile.find(getattr(again, 'path', flags.DEFAULTS.path))
    extra = defaults.read(bundle.folder)
    asked = flags.gather(again, flags.of_bundle(defaults.matrix(extra), bundle.folder))
    seed = said.get('seed')
    return prepare.prepare(asked, bundle, extra, seed if isinstance(seed, int) else 0)


async def _search(
    prepared: prepare.Prepared,
    test: suite.Test,
    judged: panel.Judged,
    part: journal.Journal,
    directory: pathlib.Path,
    write: writing.Journal,
) -> bool:
    session = live.Session(prepared.options.controller)
    await session.reachable()
    made = models.Models(
        prepared.options, session, prepare.spaces_of(prepared.options, prepared.bundle)
    )
    name = await made.get()
    async with live.opened(name) as at:
        deployed = bool(at.now().applications)
    replay_model = shrinking.ReplayModel(name, None if made.given else made.another, deployed)
    try:
        found = await shrinking.smallest(
            prepared,
            test,
            judged,
            replay_model,
            directory,
            write,
            part=part,
            seconds=prepared.options.shrink_for or flags.DEFAULTS.shrink_for or 0,
        )
    finally:
        for left in {name, replay_model.name}:
            await made.release(left)
    return found is not None and found.reproduced


def _refused(path: pathlib.Path, message: str) -> problem.RefusedError:
    return problem.RefusedError([problem.Problem(problem.Where(str(path), 1), message)])
