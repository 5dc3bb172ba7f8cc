"""One test on one model."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import pathlib
import shutil

from matrix import model
from matrix.engine import custom, progress, runner
from matrix.faults import inject
from matrix.grammar import located, suite
from matrix.history import journal, journalfile, notes
from matrix.judge import panel
from matrix.juju import facade, link, live, observe
from matrix.plans import snapshot
from matrix.run import ground, outcome, prepare, rundir, writing
from matrix.tasks import bundlecode, deployment, executable

_LOG = logging.getLogger('matrix')


async def run(
    whole: prepare.Prepared,
    test: suite.Test,
    name: str,
    directory: pathlib.Path,
    write: writing.Journal,
) -> panel.Judged:
    """Run a test in a model that is there.

    Raises:
        link.LinkError: the model cannot be asked.
    """
    first = write(journal.Note(notes.MODEL, name)).seq
    async with live.opened(name, interval=whole.options.interval) as on:
        observer = asyncio.create_task(_observe(on, write), name='observer')
        here = ground.Ground(
            on,
            write,
            whole.options,
            whole.bundle,
            directory,
            whole.seed,
            ha=whole.ha,
            load=whole.said('load'),
            faults=whole.faults,
            hide=write.hide,
            busy=inject.Busy(),
        )
        if (expect := whole.said('expect')) is not None:
            write(journal.Note(notes.EXPECT, located.plain(expect)))
        try:
            with bundlecode.importable(whole.bundle.folder):
                state = await runner.run(
                    test,
                    _body(whole, test, here),
                    policy=progress.Policy(whole.ha, whole.options.strict_compat),
                    said=lambda event: _said(event, write),
                    deadline=whole.options.deadline,
                )
        finally:
            observer.cancel()
            await asyncio.gather(observer, return_exceptions=True)
    read = outcome.part(journalfile.read(directory / rundir.JOURNAL), first)
    return outcome.together(state, outcome.judged(read))


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
        own = dataclasses.replace(context, ground=dataclasses.replace(here, tell=doings.dispatch))
        if '/' in rule.task:
            path = whole.bundle.folder / rule.task
            return await executable.run(path, own, rule, event, doings)
        return await dotted(rule, event, doings)

    return run


def _said(event: progress.Event, write: writing.Journal) -> None:
    write(journal.Note(event.kind, event.payload))


async def _observe(on: link.Link, write: writing.Journal) -> None:
    """Write down every change of the model's status."""
    before = snapshot.Model()
    try:
        async for after in on.changes():
            for said in (*observe.changed(before, after), *observe.leaders(before, after)):
                write(said)
            before = after
    except link.LinkError as error:
        write(journal.Note(notes.LOST, str(error)))


def needs(test: suite.Test, folder: pathlib.Path) -> str:
    """Why a test cannot run here: a program that it names is not there; '' when it can."""
    for rule in test.rules:
        if '/' in rule.task and shutil.which(str(folder / rule.task)) is None:
            return f'{rule.where}: there is no program {rule.task}'
    return ''
