"""Deploys the bundle, and takes it out again."""

from __future__ import annotations

from matrix import model
from matrix.juju import link, watching
from matrix.run import execution

DEPLOY = 900.0
"""Seconds that `juju deploy` of a bundle may take; what it deploys comes later."""

GONE = 600.0
"""Seconds without a change until what is to be gone is given up."""


async def deploy(
    context: model.Context, rule: model.Rule, task: model.Task, event: object = None
) -> bool:
    """Deploy the bundle into the model; its overlays too. `version` is accepted and ignored, as it always was.

    Raises:
        model.TestFailure: Juju refuses the bundle.
    """
    here = execution.of(context)
    if here.deployed:
        return True  # Again, it would make new revisions of local charms.
    there = {one.name for one in here.link.now().applications}
    if here.options.model is not None and there.issuperset(here.bundle.applications):
        rule.log.info('every application of the bundle is in model %s already', here.link.model)
        return True
    if here.bundle.spell:
        rule.log.info('this is a spell: its bundle is deployed, without conjure-up')
    try:
        here.waits(rule.name, f'deploying {here.bundle.file.name}', DEPLOY)
        await here.link.deploy(
            str(here.bundle.file),
            *(str(one.resolve()) for one in here.options.overlay),
            within=DEPLOY,
        )
    except link.LinkError as error:
        raise model.TestFailure(task, f'{here.bundle.name} does not deploy: {error}') from error
    finally:
        here.waits(rule.name, '')
    return True


async def reset(
    context: model.Context, rule: model.Rule, task: model.Task, event: object = None
) -> bool:
    """Remove every application and machine from the model.

    Raises:
        model.TestFailure: they are not gone within ten minutes.
    """
    here = execution.of(context)
    await clear(here.link)
    try:
        async with watching.watch(here.link) as watch:
            now = await watch.next(0)
            while now.applications or now.machines:
                left = [one.name for one in (*now.applications, *now.machines)]
                here.waits(rule.name, f'waits until these are gone: {", ".join(left)}', GONE)
                before, now = now, await watch.next(GONE)
                if now == before:
                    raise model.TestFailure(task, f'not gone after 600 s: {", ".join(left)}')
    finally:
        here.waits(rule.name, '')
    return True


async def clear(on: link.Link) -> None:
    """Ask for everything in a model to be removed."""
    now = await on.fresh()
    names = [one.name for one in now.applications]
    if names:
        await on.cli(
            'remove-application', '--no-prompt', '--force', '--destroy-storage', *names, within=300
        )
    machines = [one.id for one in (await on.fresh()).machines]
    if machines:
        await on.cli('remove-machine', '--no-prompt', '--force', *machines, within=300)
