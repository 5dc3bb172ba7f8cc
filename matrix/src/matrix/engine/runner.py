"""Runs one test: carries out what `rules.transition` orders, in one TaskGroup.

The only place of the engine that waits. It decides nothing: tasks, timers and events become
happenings, taken one after the other.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
from collections.abc import Awaitable, Callable

from matrix import model
from matrix.engine import progress, rules
from matrix.grammar import located, suite

OnBusEvent = Callable[[progress.BusEvent], None]


@dataclasses.dataclass(frozen=True)
class RuleActions:
    """What the task of one rule may do to its test: set states and send events."""

    rule: int
    happen: Callable[[progress.Happening], None]
    board: Callable[[], dict[str, str]]

    def set_state(self, name: str, value: str) -> None:
        """Set a state that conditions can speak of."""
        self.happen(progress.StateSet(name, value, self.rule))

    def dispatch(self, kind: str, payload: located.Plain = None) -> None:
        """Send an event to the rules whose `on` matches its kind, other than the sender's own."""
        self.happen(progress.Occurred(progress.BusEvent(kind, payload, self.rule)))

    @property
    def states(self) -> dict[str, str]:
        """Every state as it is now."""
        return self.board()


Body = Callable[[suite.RuleSpec, progress.BusEvent | None, RuleActions], Awaitable[object]]


async def run(
    test: suite.Test,
    body: Body,
    *,
    policy: progress.Policy,
    said: OnBusEvent,
    deadline: float | None = None,
    ready: Callable[[OnBusEvent], None] = lambda send: None,
) -> progress.State:
    """Run a test to its end; no task of it outlives this call.

    Args:
        test: the rules.
        body: runs the task of a rule once; a false result or `model.TestFailure` is a failure,
            any other exception a broken run.
        policy: what the run promises.
        said: is given every event in order.
        deadline: seconds after which what still runs is cancelled and the test fails.
        ready: is given what sends events of no rule's to the rules that wait for them.
    """
    async with asyncio.TaskGroup() as group:
        running = _Running(group, body, said, rules.begin(test, policy))
        timer = None
        if deadline is not None:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(deadline, running.happen, progress.Overdue(deadline))
        ready(lambda event: running.happen(progress.Occurred(event)))
        try:
            return await running.go()
        finally:
            if timer is not None:
                timer.cancel()
            running.cancel_timers()


@dataclasses.dataclass
class _Running:
    group: asyncio.TaskGroup
    body: Body
    said: OnBusEvent
    state: progress.State

    def __post_init__(self) -> None:
        self.pending: collections.deque[progress.Happening] = collections.deque()
        self.taking = False
        self.over: asyncio.Future[progress.State] = asyncio.get_running_loop().create_future()
        self.tasks: dict[int, asyncio.Task[progress.Ended]] = {}
        self.timers: dict[int, asyncio.TimerHandle] = {}

    def happen(self, happening: progress.Happening) -> None:
        # At once, so that a task sees the state that it has just set; but never one within another.
        self.pending.append(happening)
        if self.taking or self.over.done():
            return
        self.taking = True
        try:
            while self.pending:
                self.state, orders = rules.transition(self.state, self.pending.popleft())
                for order in orders:
                    self.carry_out(order)
        except Exception as error:  # Whoever made it happen could not do anything about it.
            self.over.set_exception(error)
        finally:
            self.taking = False

    async def go(self) -> progress.State:
        self.happen(progress.Begin())
        return await self.over

    def carry_out(self, order: progress.Order) -> None:
        match order:
            case progress.Start(index, event):
                task = self.group.create_task(self.once(index, event))
                task.add_done_callback(lambda done: self.happen(_ended(index, done)))
                self.tasks[index] = task
            case progress.Cancel(index):
                self.tasks[index].cancel()
            case progress.Pause(index, seconds):
                loop = asyncio.get_running_loop()
                self.timers[index] = loop.call_later(seconds, self.happen, progress.Elapsed(index))
            case progress.Wake(index):
                self.timers.pop(index).cancel()
            case progress.Publish(event):
                self.said(event)
            case progress.Finish():
                self.over.set_result(self.state)

    async def once(self, index: int, event: progress.BusEvent | None) -> progress.Ended:
        rule = self.state.test.rules[index]
        try:
            doings = RuleActions(index, self.happen, lambda: dict(self.state.board))
            result = await self.body(rule, event, doings)
        except model.TestFailure as failure:
            return progress.Ended(index, 'failed', failure.message)
        except Exception as error:  # The outermost frame of a task that others wrote.
            return progress.Ended(index, 'broken', f'{type(error).__name__}: {error}')
        if not result:
            return progress.Ended(index, 'failed', f'the task returned {result!r}')
        return progress.Ended(index, 'ok')

    def cancel_timers(self) -> None:
        for timer in self.timers.values():
            timer.cancel()


def _ended(index: int, task: asyncio.Task[progress.Ended]) -> progress.Ended:
    # A task that is cancelled before its first step never gets to say so itself.
    return progress.Ended(index, 'cancelled') if task.cancelled() else task.result()
