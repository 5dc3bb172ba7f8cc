"""Says whether the model is healthy, at every change of its status."""

from __future__ import annotations

import asyncio
import dataclasses

from matrix import model
from matrix.juju import link, model_health, watching
from matrix.plans import snapshot
from matrix.run import execution
from matrix.tasks import arguments

STABILITY = 30.0
"""Seconds without a change before a model without trouble is healthy."""

PATIENCE = 60.0
"""Seconds that something may be wrong while nothing else happens, before the model is unhealthy."""

_UNREADY = 10  # times as long may a unit wait that says nothing is wrong


@dataclasses.dataclass(frozen=True)
class Course:
    """What is known of a model over time: since when nothing changed, and since when something is wrong."""

    settled: tuple[object, ...] = ()
    still_since: float = 0.0
    ill_since: float | None = None


def go_on(course: Course, now: float, seen: snapshot.Model) -> Course:
    """The course with one more look at the model. Pure; `now` is in seconds."""
    settled = model_health.settled(seen)
    still_since = course.still_since if settled == course.settled else now
    ill = bool(model_health.look(seen).ill)
    ill_since = (now if course.ill_since is None else course.ill_since) if ill else None
    return Course(settled, still_since, ill_since)


def judge(
    course: Course,
    now: float,
    look: model_health.ModelHealth,
    *,
    stability: float,
    patience: float,
) -> tuple[str, float]:
    """The value of `health.status`, and the seconds after which it may be another though nothing changes. Pure.

    Trouble is given time as long as others are at work, who may end it; but not for ever: a hook that is tried again
    and again is at work, too.
    """
    still = now - course.still_since
    if look.well:
        return ('healthy', 3600.0) if still >= stability else ('settling', stability - still)
    if look.ill:
        ill = now - (now if course.ill_since is None else course.ill_since)
        alone = patience - (ill if look.at_work else still)
        left = min(alone if not look.at_work else 4 * patience - ill, 4 * patience - ill)
    elif look.at_work:
        return 'busy', 3600.0
    else:
        left = _UNREADY * patience - still
    return ('unhealthy', 3600.0) if left <= 0 else ('busy', left)


async def health(
    context: model.Context, rule: model.Rule, task: model.Task, event: object = None
) -> bool:
    """Watch until the model is healthy: nothing wrong, nothing at work, no change for `stability_period` seconds.

    Sets `health.status` to busy, settling, healthy or unhealthy. While a fault bites, what is wrong is no failure;
    once all are healed, it is.

    Raises:
        model.TestFailure: something is wrong that does not end by itself.
    """
    here = execution.of(context)
    stability = arguments.seconds(task, 'stability_period', STABILITY)
    patience = arguments.seconds(task, 'patience', PATIENCE)
    loop = asyncio.get_running_loop()
    course = Course(still_since=loop.time())
    if context.states.get('health.status') == 'healthy':
        # It was healthy when last looked at: only a change begins the time anew.
        course = Course(model_health.settled(here.link.now()), loop.time() - stability)
    try:
        async with watching.watch(here.link) as watch:
            seen = await watch.next(0)
            while True:
                if not here.calm.is_set():
                    course = Course(still_since=loop.time())
                course = go_on(course, loop.time(), seen)
                look = model_health.look(seen)
                status, left = judge(
                    course, loop.time(), look, stability=stability, patience=patience
                )
                if status == 'healthy' and _will_plan(context, here):
                    # Before the load begins: it is work for the machines.
                    await here.look(rule.name)
                context.set_state('health.status', status)
                here.waits(rule.name, _reason(status, look), left if left < 3600 else None)
                if status == 'healthy':
                    return True
                if status == 'unhealthy':
                    raise model.TestFailure(task, f'unhealthy: {look.sentence}')
                seen = await watch.next(
                    min(left + 0.05, 5.0 if not here.calm.is_set() else left + 0.05)
                )
    except link.LinkError as error:
        raise model.InfraFailure(str(error)) from error
    finally:
        here.waits(rule.name, '')


def _will_plan(context: model.Context, here: execution.Execution) -> bool:
    """Whether a plan will be made for this model."""
    return here.options.chaos_plan is None and any(
        rule.task == 'matrix.tasks.chaos' and 'plan' not in rule.args
        for rule in context.test.rules
    )


def _reason(status: str, look: model_health.ModelHealth) -> str:
    if status == 'settling':
        return 'waits for a time without a change'
    return '' if status == 'healthy' else f'waits for a healthy model; {look.sentence}'
