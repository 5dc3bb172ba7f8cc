"""What goes on beside the chaos: who holds an address, what probes say, what the run costs, what works again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Mapping

from matrix import model
from matrix.grammar import located
from matrix.history import journal, notes
from matrix.judge import abort, warmup
from matrix.juju import link
from matrix.load import openloop, vips
from matrix.load import probing as load_probing
from matrix.load import resources as load_resources
from matrix.run import execution


@contextlib.asynccontextmanager
async def owners(here: execution.Execution) -> AsyncGenerator[None]:
    """Write down who holds each virtual address, for as long as the chaos goes on."""

    async def watch() -> None:
        try:
            await vips.watch(here.link, here.write, now=here.now)
        except link.LinkError as error:
            here.write(
                journal.Note(notes.LOST, f'nobody sees who holds virtual addresses: {error}')
            )

    async with _going(watch(), 'owners'):
        yield


@contextlib.asynccontextmanager
async def probing(here: execution.Execution) -> AsyncGenerator[Callable[[], Awaitable[None]]]:
    """Sample the bundle's probes for as long as the chaos goes on; gives what samples each of them once more."""
    async with load_probing.running(here.probes, here.link, here.write) as them:
        yield them.once


@contextlib.asynccontextmanager
async def resources(here: execution.Execution) -> AsyncGenerator[None]:
    """Write down what the services of each machine have, for as long as the chaos goes on."""
    async with load_resources.watching(here.link, here.write):
        yield


async def until_aborted(
    here: execution.Execution, task: model.Task, going: Coroutine[object, object, bool]
) -> bool:
    """Do something, unless the run costs more than it may: then it is broken off, which heals all.

    Raises:
        model.TestFailure: it was broken off.
    """
    watchdog = abort.Watchdog(here.limits, here.probes)
    loop = asyncio.get_running_loop()
    tripped: asyncio.Future[str] = loop.create_future()

    def hear(what: journal.What) -> None:
        if not tripped.done() and (why := watchdog.take(loop.time(), what)):
            tripped.set_result(why)

    running = asyncio.ensure_future(going)
    here.hear.append(hear)
    try:
        await asyncio.wait({running, tripped}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            return running.result()
        why = tripped.result()
        kind = why.partition(':')[0] if why.startswith('probe') else 'load'
        here.write(journal.Note(notes.ABORTED, {'why': why, 'kind': kind}))
        here.waits('abort', f'stopped, and heals all: {why}')
        raise model.TestFailure(task, f'stopped: {why}')
    finally:
        here.hear.remove(hear)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        here.waits('abort', '')


WARM = 30.0
"""Seconds beyond the control time that answers may take to be as quick as they get."""


@contextlib.contextmanager
def warming(here: execution.Execution) -> Generator[warmup.Warmup]:
    """What measures, while the block lasts, how long the load takes to be warm."""
    measured = warmup.Warmup()

    def hear(what: journal.What) -> None:
        measured.take(here.now(), what)

    here.hear.append(hear)
    try:
        yield measured
    finally:
        here.hear.remove(hear)


async def warmed_up(
    here: execution.Execution, rule: str, measured: warmup.Warmup, *, least: float
) -> None:
    """Go on without a fault for so many seconds at least, and until the load is warm; note how long that took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while True:
        gone = loop.time() - began
        cold = measured.until is None and bool(
            measured.medians
        )  # A load too slow to tell is not waited for.
        if gone >= least and (not cold or gone >= least + WARM):
            break
        if gone < least:
            here.waits(rule, f'{least:g} s of load without a fault')
            await asyncio.sleep(least - gone)
        else:
            most = least + WARM - gone
            here.waits(rule, 'waits until answers get no quicker', most)
            await asyncio.sleep(min(1.0, most))
    here.waits(rule, '')
    if measured.medians:
        value: dict[str, located.Plain] = {
            'seconds': round(loop.time() - began, 1),
            'settled': measured.until is not None,
            'until': measured.until,
            'first': round(measured.medians[0], 4),
            'last': round(measured.medians[-1], 4),
        }
        here.write(journal.Note(notes.WARMUP, value))


def waited_for(here: execution.Execution) -> bool:
    """Whether there is a load that says what becomes of its operations."""
    return any(isinstance(one, openloop.Clients) or one.tried for one in here.clients)


def counts(here: execution.Execution) -> dict[str, tuple[int, int]]:
    """How often each kind of operation was tried, and worked, so far."""
    return {
        kind: (tried, one.kinds_worked[kind])
        for one in here.clients
        for kind, tried in one.kinds_tried.items()
    }


async def works_again(
    here: execution.Execution, rule: str, before: Mapping[str, tuple[int, int]], until: float
) -> None:
    """Go on until all that is asked works again: a test that ended before would not know whether it ever does.

    Args:
        here: the test.
        rule: whose wait this is.
        before: the counts when all was healed.
        until: when to give up, by the loop's clock.
    """
    loop = asyncio.get_running_loop()
    while waited_for(here) and (left := until - loop.time()) > 0:
        dead = not_again(before, counts(here))
        if dead == '':
            break
        here.waits(rule, f'waits until {dead or "anything"} works again', left)
        await asyncio.sleep(0.2)
    here.waits(rule, '')


def not_again(
    before: Mapping[str, tuple[int, int]], now: Mapping[str, tuple[int, int]]
) -> str | None:
    """A kind that was tried since, and has not worked; '' where each has, None where none was tried. Pure."""
    since = {
        kind: (tried - before.get(kind, (0, 0))[0], worked - before.get(kind, (0, 0))[1])
        for kind, (tried, worked) in now.items()
    }
    dead = [kind for kind, (tried, worked) in since.items() if tried and not worked]
    if dead:
        return min(dead)
    return '' if any(worked for _, worked in since.values()) else None


@contextlib.asynccontextmanager
async def _going(what: Coroutine[object, object, object], name: str) -> AsyncGenerator[None]:
    task = asyncio.create_task(what, name=name)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
