"""Keeps clients using the bundle until it is told to stop."""

from __future__ import annotations

import contextlib

from matrix import model
from matrix.grammar import problem
from matrix.juju import link
from matrix.load import discover, openloop, probing, record, resources, spec
from matrix.run import execution
from matrix.tasks import bundlecode


async def end_to_end(
    context: model.Context, rule: model.Rule, task: model.Task, event: object = None
) -> bool:
    """Run the load that fits: the bundle's own, or one that matrix has for it. Goes on until cancelled.

    Raises:
        model.TestFailure: the load ended by itself, or the bundle refuses what it needs.
        model.InfraFailure: the load cannot be started.
    """
    here = execution.of(context)
    where = problem.Where(str(here.bundle.folder / 'tests'), 1)
    try:
        said = spec.read(here.load)
        said = spec.of_args(task.args, where, otherwise=said)
        if here.options.rate is not None:
            said = said.at_rate(here.options.rate)
        found = await discover.find(
            here.link,
            bundle=here.bundle.folder,
            said=said,
            run=here.directory.name,
            facade=context.juju_model,
            load_file=bundlecode.load_file,
        )
    except problem.RefusedError as error:
        raise model.InfraFailure(str(error)) from error
    except link.LinkError as error:
        raise model.InfraFailure(f'no load: {error}') from error
    here.hide(found)
    if isinstance(found, discover.NoLoad):
        here.loaded.set()

    def ready(clients: openloop.Clients | record.Record) -> None:
        here.clients.append(clients)
        here.loaded.set()

    chaos = any(one.task == 'matrix.tasks.chaos' for one in context.test.rules)
    try:
        # A chaos has them sampled by itself, and knows when all is healed.
        some = () if chaos else here.probes
        async with (
            probing.running(some, here.link, here.write),
            contextlib.nullcontext() if chaos else resources.watching(here.link, here.write),
        ):
            await discover.go(
                found,
                said=said,
                seed=here.seed,
                write=here.write,
                log=rule.log,
                ready=ready,
            )
    except model.TestFailure:
        if not here.options.strict_compat:
            raise
    return True  # The engine knows that it should have gone on.
