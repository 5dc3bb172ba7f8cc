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
from matrix.judge import abort, expect, panel, probes
from matrix.juju import facade, live
from matrix.report import crashdump
from matrix.run import execution, observer, outcome, prepare, rundir, writing
from matrix.tasks import bundlecode, deployment, executable

_LOG = logging.getLogger('matrix')


async def run(
    prepared: prepare.Prepared,
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
    expected = prepare.expected(prepared, test)
    async with live.opened(name, interval=prepared.options.interval) as on:
        sends: list[runner.OnBusEvent] = []

        def changed() -> None:
            for send in sends:
                send(progress.BusEvent('model.change', on.model))

        def ready(send: runner.OnBusEvent) -> None:
            sends.append(send)
            # Once the test has begun, and its rules listen.
            asyncio.get_running_loop().call_soon(send, progress.BusEvent('model.new', on.model))

        here = execution.Execution(
            on,
            write,
            prepared.options,
            prepared.bundle,
            directory,
            prepared.seed,
            ha=prepared.ha,
            deployed=deployed,
            load=prepared.said('load'),
            faults=prepared.faults,
            hide=write.hide,
            now=write.now,
            probes=probes.read(prepared.said('probes')),
            limits=abort.read(prepared.said('abort')),
            recovery=expect.of_note(expected).recovery
            if expected is not None
            else expect.Expect().recovery,
            busy=inject.Busy(),
        )
        async with observer.observing(observer.Observer(on, write, changed)):
            with bundlecode.importable(prepared.bundle.folder):
                state = await runner.run(
                    test,
                    _body(prepared, test, here),
                    policy=progress.Policy(prepared.ha, prepared.options.strict_compat),
                    said=lambda event: _said(event, write, expected),
                    deadline=prepared.options.deadline,
                    ready=ready,
                )
        # Put together while the model can still be asked: logs are taken before they change.
        read = outcome.part(journalfile.read(directory / rundir.JOURNAL), first)
        judged = outcome.together(state, outcome.judged(read, prepared.checks))
        if not deployed:
            dump = await crashdump.at_failure(
                on, directory / 'logs', read, judged, note=write, redacted=write.redacted
            )
            if dump is not None:
                _LOG.info(dump.sentence)
    return judged


def _body(prepared: prepare.Prepared, test: suite.Test, here: execution.Execution) -> runner.Body:
    async def deploys(path: str) -> None:
        await here.link.deploy(path)

    async def clears() -> None:
        await deployment.clear(here.link)

    context = model.Context(
        model.Config(prepared.bundle.folder),
        test=test,
        suite=prepared.suite,
        states={},
        set_state=lambda name, value: None,
        bus=model.Bus(lambda origin, kind, payload: None),
        juju_model=facade.Model(here.link, deploys, clears),
        juju_controller=facade.Controller(prepared.options.controller or ''),
        execution=here,
    )
    dotted = custom.body(context)

    async def run(
        rule: suite.RuleSpec, event: progress.BusEvent | None, doings: runner.RuleActions
    ) -> object:
        if '/' in rule.task:
            path = prepared.bundle.folder / rule.task
            return await executable.run(path, context, rule, event, doings)
        return await dotted(rule, event, doings)

    return run


def _said(event: progress.BusEvent, write: writing.Journal, expected: located.Plain) -> None:
    write(journal.Note(event.kind, event.payload))
    if event.kind == notes.TEST_START and expected is not None:
        write(journal.Note(notes.EXPECT, expected))
