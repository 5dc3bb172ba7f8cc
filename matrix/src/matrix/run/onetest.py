"""One test on one model."""

from __future__ import annotations

import asyncio
import logging
import pathlib
from collections.abc import Sequence

from matrix import model
from matrix.engine import custom, progress, runner
from matrix.faults import inject
from matrix.grammar import located, suite
from matrix.history import journal, journalfile, notes
from matrix.judge import panel
from matrix.juju import facade, link, live, observe
from matrix.plans import snapshot
from matrix.report import crashdump
from matrix.run import ground, outcome, prepare, rundir, writing
from matrix.tasks import bundlecode, deployment, executable

_LOG = logging.getLogger('matrix')


async def run(
    whole: prepare.Prepared,
    test: suite.Test,
    name: str,
    directory: pathlib.Path,
    write: writing.Journal,
    *,
    deployed: bool = False,
) -> panel.Judged:
    """Run a test in a model that is there; `deployed` says that the bundle is in it already.

    Raises:
        link.LinkError: the model cannot be asked.
    """
    first = write.seq + 1
    expected = prepare.expected(whole, test)
    async with live.opened(name, interval=whole.options.interval) as on:
        sends: list[runner.Said] = []
        observer = asyncio.create_task(_observe(on, write, sends), name='observer')
        here = ground.Ground(
            on,
            write,
            whole.options,
            whole.bundle,
            directory,
            whole.seed,
            ha=whole.ha,
            deployed=deployed,
            load=whole.said('load'),
            faults=whole.faults,
            hide=write.hide,
            now=write.now,
            busy=inject.Busy(),
        )
        try:
            with bundlecode.importable(whole.bundle.folder):
                state = await runner.run(
                    test,
                    _body(whole, test, here),
                    policy=progress.Policy(whole.ha, whole.options.strict_compat),
                    said=lambda event: _said(event, write, expected),
                    deadline=whole.options.deadline,
                    ready=sends.append,
                )
        finally:
            observer.cancel()
            await asyncio.gather(observer, return_exceptions=True)
        # Put together while the model can still be asked: logs are taken before they change.
        read = outcome.part(journalfile.read(directory / rundir.JOURNAL), first)
        judged = outcome.together(state, outcome.judged(read, whole.checks))
        if not deployed:
            dump = await crashdump.at_failure(
                on, directory / 'logs', read, judged, note=write, redacted=write.redacted
            )
            if dump is not None:
                _LOG.info(dump.sentence)
    return judged


def _body(whole: prepare.Prepared, test: suite.Test, here: ground.Ground) -> runner.Body:
    async def deploys(path: str) -> None:
        await here.link.deploy(path)

    async def clears() -> None:
        await deployment.clear(here.link)

    context = model.Context(
        model.Config(whole.bundle.folder),
        test=test,
        suite=whole.suite,
        states={},
        set_state=lambda name, value: None,
        bus=model.Bus(lambda origin, kind, payload: None),
        juju_model=facade.Model(here.link, deploys, clears),
        juju_controller=facade.Controller(whole.options.controller or ''),
        ground=here,
    )
    dotted = custom.body(context)

    async def run(rule: suite.Rule, event: progress.Event | None, doings: runner.Doings) -> object:
        if '/' in rule.task:
            path = whole.bundle.folder / rule.task
            return await executable.run(path, context, rule, event, doings)
        return await dotted(rule, event, doings)

    return run


def _said(event: progress.Event, write: writing.Journal, expected: located.Plain) -> None:
    write(journal.Note(event.kind, event.payload))
    if event.kind == notes.TEST_START and expected is not None:
        write(journal.Note(notes.EXPECT, expected))


async def _observe(on: link.Link, write: writing.Journal, sends: Sequence[runner.Said]) -> None:
    """Write down every change of the model's status, and tell the rules that wait for `model.change`."""
    before = snapshot.Model()
    try:
        async for after in on.changes():
            for said in (*observe.changed(before, after), *observe.leaders(before, after)):
                write(said)
            for send in sends if before != after else ():
                send(progress.Event('model.change', on.model))
            before = after
    except link.LinkError as error:
        write(journal.Note(notes.LOST, str(error)))
