"""What matrix's own tasks stand on, made of values: for tests of tasks."""

from __future__ import annotations

import logging
import pathlib
from collections.abc import Mapping
from typing import Any

from faultstage import FakeLink

from matrix import model
from matrix.faults import fault
from matrix.grammar import located, problem, suite
from matrix.history import journal
from matrix.plans import snapshot
from matrix.run import bundlefile, execution, options


class Model(FakeLink):
    """A model that deploys nothing and says that it did."""

    async def deploy(self, bundle: str, *overlays: str, within: float = 900.0) -> None:
        self.asked.append(f'deploy {bundle}')


class Execution:
    """A test that is about to run a task; `written` and `sent` are what came of it."""

    def __init__(
        self,
        folder: pathlib.Path,
        *,
        state: snapshot.Model | None = None,
        faults: Mapping[str, fault.Fault] | None = None,
        **asked: Any,
    ):
        self.link = Model() if state is None else Model(state=state)
        self.written: list[journal.What] = []
        self.sent: list[tuple[str, located.Plain]] = []
        self.states: dict[str, str] = {}
        self.values: list[tuple[str, str]] = []
        bundle = bundlefile.Bundle(folder / 'bundle.yaml', folder, 'b', 'sha256:0', ('db',))
        self.execution = execution.Execution(
            self.link,
            self.written.append,
            options.Options(**asked),
            bundle,
            folder,
            7,
            faults=faults or {},
        )
        self.context = model.Context(
            model.Config(folder),
            test=suite.Test('t', (), problem.Where('s.yaml', 1)),
            suite=suite.Suite(()),
            states=self.states,
            set_state=self.set_state,
            bus=model.Bus(lambda origin, kind, payload: self.sent.append((kind, payload))),
            execution=self.execution,
        )

    def set_state(self, name: str, value: str) -> None:
        self.states[name] = value
        self.values.append((name, value))

    async def task(self, function: Any, **args: located.Plain) -> object:
        """Run a task with arguments."""
        name = function.__name__
        rule = model.Rule(name, logging.getLogger(name), self.set_state)
        task = model.Task(f'matrix.tasks.{name}', args, 'always')
        return await function(self.context, rule, task)

    def notes(self, kind: str) -> list[located.Plain]:
        """Values of the notes of a kind."""
        found = [one for one in self.written if isinstance(one, journal.Note)]
        return [one.value for one in found if one.kind == kind]

    def faults(self) -> list[journal.Fault]:
        """What was written of faults."""
        return [one for one in self.written if isinstance(one, journal.Fault)]
