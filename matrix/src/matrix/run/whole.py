"""A whole run: its folder, its models, its tests one after the other, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import importlib.metadata
import logging
import pathlib
import secrets
import sys

from matrix.grammar import located, suite
from matrix.history import journal, notes
from matrix.judge import panel, verdict
from matrix.juju import link, live
from matrix.run import ending, onetest, outcome, prepare, writing

_LOG = logging.getLogger('matrix')


@dataclasses.dataclass(frozen=True)
class Ran:
    """A run that is over."""

    directory: pathlib.Path
    tests: tuple[panel.Judged, ...]
    code: int
    interrupted: bool = False


async def run(whole: prepare.Prepared, directory: pathlib.Path, write: writing.Journal) -> Ran:
    """Run every test; models that it makes are gone afterwards, unless they are to be kept."""
    session = live.Session(whole.options.controller)
    try:
        juju = await session.version()
    except link.LinkError as error:
        write(journal.Note(notes.LOST, str(error)))
        return _end(
            whole,
            directory,
            write,
            (outcome.not_run(whole.suite.tests[0].name, str(error), 'infrastructure'),),
        )
    write(journal.Note(notes.RUN, _run_note(whole, juju)))
    found: list[panel.Judged] = []
    interrupted = False
    for number, test in enumerate(whole.suite.tests, 1):
        if interrupted or (whole.options.fail_fast and any(_bad(one) for one in found)):
            why = 'the run was interrupted' if interrupted else 'a test before it failed'
            found.append(panel.Judged(test.name, skipped=why, ending='passed'))
            continue
        try:
            found.append(await _test(whole, test, number, directory, write, session))
        except asyncio.CancelledError:
            interrupted = True
            found.append(outcome.not_run(test.name, 'interrupted', 'infrastructure'))
    return _end(whole, directory, write, tuple(found), interrupted=interrupted)


async def _test(
    whole: prepare.Prepared,
    test: suite.Test,
    number: int,
    directory: pathlib.Path,
    write: writing.Journal,
    session: live.Session,
) -> panel.Judged:
    try:
        name = await _model(whole, test, number, session)
    except link.LinkError as error:
        _LOG.error('no model for %s: %s', test.name, error)
        return outcome.not_run(test.name, f'no model could be made: {error}', 'no-model')
    try:
        return await onetest.run(whole, test, name, directory, write)
    except link.LinkError as error:
        return outcome.not_run(test.name, str(error), 'infrastructure')
    finally:
        if whole.options.model is None and not whole.options.keep_models:
            await _destroy(session, name)


async def _model(
    whole: prepare.Prepared, test: suite.Test, number: int, session: live.Session
) -> str:
    asked = whole.options
    if asked.model is not None:
        if asked.controller and ':' not in asked.model:
            return f'{asked.controller}:{asked.model}'
        return asked.model
    name = f'{asked.model_prefix}-{secrets.token_hex(2)}-{number}'
    found = await session.add_model(name, asked.cloud, dict(asked.model_config))
    _LOG.info('model %s for %s', found, test.name)
    if asked.spaces is not None:
        for space, subnet in prepare.spaces(asked.spaces).items():
            await session.cli(found, 'add-space', space, subnet)
    return found


async def _destroy(session: live.Session, name: str) -> None:
    """Destroy a model, also when the run is being ended."""
    task = asyncio.create_task(session.destroy_model(name))
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait([task])
    if not task.done():
        await asyncio.wait([task])
    if error := task.exception():
        _LOG.error('model %s is left: %s', name, error)


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


def _run_note(whole: prepare.Prepared, juju: str) -> located.Plain:
    asked = whole.options
    return {
        'bundle': str(whole.bundle.file),
        'digest': whole.bundle.digest,
        'seed': whole.seed,
        'model': asked.model or asked.model_prefix,
        'version': importlib.metadata.version('matrix'),
        'juju': juju,
        'tests': [test.name for test in whole.suite.tests],
        'options': [*sys.argv[1:]],
        'ha': whole.ha,
        'skipped': [],
    }
