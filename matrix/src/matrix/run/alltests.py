"""A whole run: its folder, its models, its tests one after the other, and what came of it."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.metadata
import pathlib
import sys

from matrix.grammar import located, suite
from matrix.history import journal, journalfile, notes
from matrix.judge import panel, verdict
from matrix.juju import link, live
from matrix.run import (
    corpus,
    ending,
    models,
    onetest,
    outcome,
    prepare,
    rundir,
    shrinking,
    writing,
)


@dataclasses.dataclass(frozen=True)
class RunResult:
    """A run that is over."""

    directory: pathlib.Path
    tests: tuple[panel.Judged, ...]
    code: int
    interrupted: bool = False


async def run(
    prepared: prepare.Prepared, directory: pathlib.Path, write: writing.Journal, juju: str
) -> RunResult:
    """Run every test; models that it makes are gone afterwards, unless they are to be kept.

    `juju` is its version.
    """
    session = live.Session(prepared.options.controller)
    task = asyncio.current_task()
    if task is not None:
        # Without a journal nothing that follows could be believed.
        write.on_full = task.cancel
    write(journal.Note(notes.RUN, {**shrinking.run_note(prepared), **_versions(juju)}))
    made = models.Models(
        prepared.options, session, prepare.spaces_of(prepared.options, prepared.bundle)
    )
    found: list[panel.Judged] = []
    interrupted = False
    for test in prepared.suite.tests:
        if interrupted or (prepared.options.fail_fast and any(_bad(one) for one in found)):
            why = 'the run was interrupted' if interrupted else 'a test before it failed'
            found.append(panel.Judged(test.name, skipped=why, ending='passed'))
            continue
        one = _OneTest(prepared, test, directory, write, made)
        try:
            await one.run()
        except asyncio.CancelledError:
            interrupted = True
        found.append(one.judged)
    return _end(prepared, directory, write, tuple(found), interrupted=interrupted)


def _versions(juju: str) -> dict[str, located.Plain]:
    return {
        'version': _version(),
        'juju': juju,
        'options': [*sys.argv[1:]],
    }


def _version() -> str:
    try:
        return importlib.metadata.version('rambla-matrix')
    except importlib.metadata.PackageNotFoundError:
        return ''  # From a tree that nobody installed.


@dataclasses.dataclass
class _OneTest:
    """A test, its model, and what follows when it fails. `judged` is how far it came."""

    prepared: prepare.Prepared
    test: suite.Test
    directory: pathlib.Path
    write: writing.Journal
    models: models.Models

    def __post_init__(self) -> None:
        self.judged = outcome.not_run(self.test.name, 'interrupted', 'infrastructure')

    async def run(self) -> None:
        try:
            name = await self.models.get()
        except link.LinkError as error:
            self.not_run(f'no model could be made: {error}', 'no-model')
            return
        replay_model = shrinking.ReplayModel(
            name, None if self.models.given else self.models.another
        )
        try:
            await self.on(replay_model)
        finally:
            for left in {name, replay_model.name}:
                await self.models.release(left)

    def not_run(self, why: str, how: verdict.Ending) -> None:
        """The journal tells of it too, so that whoever reads it knows the test."""
        self.write(journal.Note(notes.TEST_START, self.test.name))
        done: located.Plain = {'task': 'model', 'phase': 'broken', 'message': why, 'gates': True}
        self.write(journal.Note(notes.RULE_DONE, done))
        self.judged = outcome.not_run(self.test.name, why, how)

    async def on(self, replay_model: shrinking.ReplayModel) -> None:
        since = self.write(journal.Note(notes.MODEL, replay_model.name)).seq
        try:
            self.judged = await onetest.run(
                self.prepared, self.test, replay_model.name, self.directory, self.write
            )
        except link.LinkError as error:
            self.not_run(str(error), 'infrastructure')
        seconds = self.prepared.options.shrink_for
        if self.judged.ending == 'failed' and seconds:
            read = journalfile.read(self.directory / rundir.JOURNAL)
            await shrinking.smallest(
                self.prepared,
                self.test,
                self.judged,
                replay_model,
                self.directory,
                self.write,
                part=outcome.part(read, since),
                seconds=seconds,
            )


def _bad(one: panel.Judged) -> bool:
    return one.ending != 'passed'


def _end(
    prepared: prepare.Prepared,
    directory: pathlib.Path,
    write: writing.Journal,
    found: tuple[panel.Judged, ...],
    *,
    interrupted: bool = False,
) -> RunResult:
    endings: list[verdict.Ending] = [one.ending for one in found]
    code = verdict.exit_code(endings, unknown_is=prepared.options.unknown_is)
    code = ending.INTERRUPTED if interrupted else code
    said: located.Plain = {
        'ending': 'interrupted' if interrupted else ending.worst(endings),
        'code': code,
    }
    beside = corpus.coverage(corpus.runs(directory.parent, prepared.bundle.digest))
    if beside.possible:
        write(journal.Note(notes.COVERAGE, corpus.note(beside)))
    write(journal.Note(notes.RUN_END, said))
    return RunResult(directory, found, code, interrupted)
