"""Runs the tasks of a bundle's own, named by dotted path, as rules of a test.

A task is `async def f(context, rule, task, event=None) -> bool`, or the same without `async`, which
then runs in a thread.
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from matrix import model, utils
from matrix.engine import progress, runner
from matrix.grammar import located, suite


def body(context: model.Context) -> runner.Body:
    """What `runner.run` calls for each rule of a test whose tasks are all Python functions.

    Each call gets a context of its own that sets states and sends events as its rule. A name that
    nothing stands for is a `model.InfraFailure`.
    """

    async def run(
        rule: suite.RuleSpec, event: progress.BusEvent | None, doings: runner.RuleActions
    ) -> object:
        try:
            task = utils.resolve_dotpath(rule.task)
        except (ImportError, AttributeError) as error:
            raise model.InfraFailure(f'{rule.where}: no task {rule.task!r}: {error}') from error
        return await call(task, context, rule, event, doings)

    return run


class _Live(Mapping[str, str]):
    """The states as they are whenever they are looked at."""

    def __init__(self, doings: runner.RuleActions):
        self._doings = doings

    def __getitem__(self, name: str) -> str:
        return self._doings.states[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._doings.states)

    def __len__(self) -> int:
        return len(self._doings.states)


async def call(
    task: Any,
    context: model.Context,
    rule: suite.RuleSpec,
    event: progress.BusEvent | None,
    doings: runner.RuleActions,
) -> object:
    """Call one task function and return what it returns."""
    loop = asyncio.get_running_loop()
    home = threading.current_thread()

    def soon(act: Callable[..., None], *args: located.Plain) -> None:
        # A task that is not async runs in a thread, and speaks from there.
        if threading.current_thread() is home:
            act(*args)
        else:
            loop.call_soon_threadsafe(act, *args)

    def send(origin: str, kind: str, payload: located.Plain) -> None:
        soon(doings.dispatch, kind, payload)

    def set_state(name: str, value: str) -> None:
        soon(doings.set_state, name, value)

    own = dataclasses.replace(
        context, states=_Live(doings), set_state=set_state, bus=model.Bus(send)
    )
    args = (
        own,
        model.Rule(rule.state, logging.getLogger(rule.state), set_state),
        model.Task(rule.task, dict(rule.args), rule.gating),
    )
    # The older form of a task takes no event.
    more = {'event': event} if 'event' in inspect.signature(task).parameters else {}
    if inspect.iscoroutinefunction(task):
        return await task(*args, **more)
    return await asyncio.to_thread(task, *args, **more)
