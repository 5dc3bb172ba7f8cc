"""What custom tasks import and receive, under the names that juju-solutions/matrix gave them.

A custom task is `async def f(context, rule, task, event=None) -> bool`. It raises `TestFailure`
when the bundle is at fault, and `InfraFailure` when what carries the bundle is.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import pathlib
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

from matrix.grammar import located, suite


class TestFailure(Exception):  # noqa: N818  # the name that custom tasks raise
    """The bundle did not do what the task asks of it: gates as the rule says (exit code 101)."""

    __test__ = False

    def __init__(self, task: object, message: str):
        super().__init__(message)
        self.task = task
        self.message = message


class InfraFailure(Exception):  # noqa: N818  # the name that custom tasks raise
    """The test could not be carried out (exit code 1)."""


@dataclasses.dataclass(frozen=True)
class Task:
    """What the suite says of a task: its name, its arguments, and whether its failure counts."""

    name: str
    args: Mapping[str, located.Plain]
    gating: suite.Gating


@dataclasses.dataclass(frozen=True)
class Rule:
    """The rule that runs a task. `log` is a logger named for it."""

    name: str
    log: logging.Logger
    set_state: Callable[[str, str], None]

    @contextlib.asynccontextmanager
    async def lifecycle(self) -> AsyncGenerator[Rule]:
        """Shows the rule's state as running inside, and as complete after."""
        self.set_state(self.name, suite.RUNNING)
        try:
            yield self
        finally:
            self.set_state(self.name, suite.COMPLETE)


@dataclasses.dataclass(frozen=True)
class Bus:
    """Where tasks send events, which wake the rules whose `on` matches the kind."""

    send: Callable[[str, str, located.Plain], None]

    def dispatch(self, origin: str, kind: str, payload: located.Plain = None) -> None:
        """Send one event."""
        self.send(origin, kind, payload)


@dataclasses.dataclass(frozen=True)
class Config:
    """Where the bundle is."""

    path: pathlib.Path


@dataclasses.dataclass
class Context:
    """What a task knows of the run. `states` shows every state as it is; write with `set_state`.

    `execution` is what matrix's own tasks stand on; it is not for others.
    """

    config: Config
    test: suite.Test
    suite: suite.Suite
    states: Mapping[str, str]
    set_state: Callable[[str, str], None]
    bus: Bus
    juju_model: Any = None
    juju_controller: Any = None
    execution: Any = None
    timeline: list[Any] = dataclasses.field(default_factory=list[Any])

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The running event loop."""
        return asyncio.get_running_loop()
