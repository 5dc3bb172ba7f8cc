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
from matrix.run import ending, models, onetest, outcome, prepare, rundir, shrinking, writing


@dataclasses.dataclass(frozen=True)
class Ran:
    """A run that is over."""

    directory: pathlib.Path
    tests: tuple[panel.Judged, ...]
    code: int
    interrupted: bool = False


async def run(
    whole: prepare.Prepared, directory: pathlib.Path, write: writing.Journal, juju: str
) -> Ran:
    """Run every test; models that it makes are gone afterwards, unless they are to be kept.

    `juju` is its version.
    """
    session = live.Session(whole.options.controller)
    write(journal.Note(notes.RUN, {**shrinking.run_note(whole), **_told(juju)}))
    made = models.Models(whole.options, session, prepare.spaces_of(whole.options, whole.bundle))
    found: list[panel.Judged] = []
    interrupted = False
    for test in whole.suite.tests:
        if interrupted or (whole.options.fail_fast and any(_bad(one) for one in found)):
            why = 'the run was interrupted' if interrupted else 'a test before it failed'
            found.append(panel.Judged(test.name, skipped=why, ending='passed'))
            continue
        one = _OneTest(whole, test, directory, write, made)
        try:
            await one.run()
        except asyncio.CancelledError:
            interrupted = True
        found.append(one.judged)
    return _end(whole, directory, write, tuple(found), interrupted=interrupted)


def _told(juju: str) -> dict[str, located.Plain]:
    return {
        'version': importlib.metadata.version('matrix'),
        'juju': juju,
        'options': [*sys.argv[1:]],
    }


@dataclasses.dataclass
class _OneTest:
    """A test, its model, and what follows when it fails. `judged` is how far it came."""

    whole: prepare.Prepared
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
        place = shrinking.Place(name, None if self.models.given else self.models.another)
        try:
            await self.on(place)
        finally:
            for left in {name, place.name}:
                await self.models.leave(left)

    def not_run(self, why: str, how: verdict.Ending) -> None:
        """The journal tells of it too, so that whoever reads it knows the test."""
        self.write(journal.Note(notes.TEST_START, self.test.name))
        done: located.Plain = {'task': 'model', 'phase': 'broken', 'message': why, 'gates': True}
        self.write(journal.Note(notes.RULE_DONE, done))
        self.judged = outcome.not_run(self.test.name, why, how)

    async def on(self, place: shrinking.Place) -> None:
        since = self.write(journal.Note(notes.MODEL, place.name)).seq
        try:
            self.judged = await onetest.run(
                self.whole, self.test, place.name, self.directory, self.write
            )
        except link.LinkError as error:
            self.not_run(str(error), 'infrastructure')
        seconds = self.whole.options.shrink_for
        if self.judged.ending == 'failed' and seconds:
            read = journalfile.read(self.directory / rundir.JOURNAL)
            await shrinking.smallest(
                self.whole,
                self.test,
                self.judged,
                place,
                self.directory,
                self.write,
                part=outcome.part(read, since),
                seconds=seconds,
            )


def _bad(one: panel.Judged) -> bool:
    return one.ending != 'passed'


def _end(
    whole: prepare.Prepared,
    directory: pathlib.Path,
    write: writing.Journal,
    found: tuple[panel.Judged, ...],
    *,
    interrupted: bool = False,
) -> Ran:
    endings: list[verdict.Ending] = [one.ending for one in found]
    code = verdict.exit_code(endings, unknown_is=whole.options.unknown_is)
    code = ending.INTERRUPTED if interrupted else code
    said: located.Plain = {
        'ending': 'interrupted' if interrupted else ending.worst(endings),
        'code': code,
    }
    write(journal.Note(notes.RUN_END, said))
    return Ran(directory, found, code, interrupted)
