"""One test on one model."""

from __future__ import annotations

import asyncio
import logging
import pathlib

from matrix import model
from matrix.engine import custom, progress, runner
from matrix.faults import inject
from matrix.grammar import located, suite
from matrix.history import journal, journalfile, notes
from matrix.judge import panel
from matrix.juju import facade, live
from matrix.report import crashdump
from matrix.run import ground, observer, outcome, prepare, rundir, writing
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

        def changed() -> None:
            for send in sends:
                send(progress.Event('model.change', on.model))

        def ready(send: runner.Said) -> None:
            sends.append(send)
            # Once the test has begun, and its rules listen.
            asyncio.get_running_loop().call_soon(send, progress.Event('model.new', on.model))

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
        async with observer.observing(observer.Observer(on, write, changed)):
            with bundlecode.importable(whole.bundle.folder):
                state = await runner.run(
                    test,
                    _body(whole, test, here),
                    policy=progress.Policy(whole.ha, whole.options.strict_compat),
                    said=lambda event: _said(event, write, expected),
                    deadline=whole.options.deadline,
                    ready=ready,
                )
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
