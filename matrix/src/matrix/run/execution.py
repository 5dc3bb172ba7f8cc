"""What the tasks of matrix itself stand on: the link to the model, the journal, the options of the run."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from matrix import model
from matrix.faults import changes, facts, fault, inject
from matrix.grammar import located
from matrix.history import journal, notes
from matrix.judge import abort, expect, probes
from matrix.juju import link
from matrix.load import openloop, record
from matrix.run import bundlefile, options

Write = Callable[[journal.What], object]


class Deploys(link.Link, Protocol):
    """A link that can deploy a bundle too."""

    async def deploy(self, bundle: str, *overlays: str, within: float = 900.0) -> None:
        """Deploy a local bundle into the model."""
        ...


@dataclasses.dataclass
class Execution:
    """One test at work on one model.

    `calm` is set while no fault bites, `loaded` once the load begins or it is known that there is none; `load` is what
    tests/test.yaml says of it; `now` is seconds of the run; `deployed` says that the bundle is in the model already;
    `facts` are what its machines are made of; `recovery`: seconds after a fault in which operations may fail;
    `probes` are asked meanwhile, and beyond its `limits` a run is stopped.
    """

    link: Deploys
    write: Write
    options: options.Options
    bundle: bundlefile.Bundle
    directory: pathlib.Path
    seed: int
    ha: bool = False
    deployed: bool = False
    load: located.Value | None = None
    faults: Mapping[str, fault.Fault] = dataclasses.field(default_factory=dict[str, fault.Fault])
    hide: Callable[[object], None] = lambda _: None
    now: Callable[[], float] = time.monotonic
    recovery: float = expect.Expect().recovery
    probes: tuple[probes.Probe, ...] = ()
    limits: abort.Limits = dataclasses.field(default_factory=abort.Limits)
    busy: inject.Busy = dataclasses.field(default_factory=inject.Busy)
    facts: facts.Facts | None = None
    before: dict[str, located.Plain] | None = None
    clients: list[openloop.Clients | record.Record] = dataclasses.field(
        default_factory=list[openloop.Clients | record.Record]
    )
    calm: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    begun: bool = False
    """Whether a chaos of the test has begun."""
    loaded: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    reasons: dict[str, tuple[str, str]] = dataclasses.field(
        default_factory=dict[str, tuple[str, str]]
    )
    """By task: why it does not go on, and the same with how long that may still be."""
    planned: set[str] = dataclasses.field(default_factory=set[str])
    """Ids of the events of all plans of the test."""
    hear: list[Callable[[journal.What], None]] = dataclasses.field(
        default_factory=list[Callable[[journal.What], None]]
    )
    """Whoever is to hear of each thing that is written."""

    def __post_init__(self) -> None:
        self.calm.set()
        to_journal = self.write

        def write(what: journal.What) -> object:
            entry = to_journal(what)
            for listener in self.hear:
                listener(what)
            return entry

        self.write = write

    async def look(self, task: str) -> facts.Facts:
        """What the machines are made of; asked once."""
        if self.facts is None:
            self.waits(task, 'looks at what the machines are made of', facts.WITHIN)
            found = dict(await facts.look(self.link))
            local = frozenset({**self.bundle.charms, **dict(self.options.replace)})
            for machine, said in (await changes.words(self.link, local)).items():
                found[machine] = found.get(machine, frozenset()) | said
            self.facts = found
            self.waits(task, '')
        return self.facts

    def phase(self, name: str) -> None:
        """Note that a phase of the chaos begins."""
        self.write(journal.Note(notes.PHASE, name))

    def waits(self, task: str, reason: str, most: float | None = None) -> None:
        """Say why a task does not go on, and for how many seconds at most; '' that it does. Each change is noted."""
        if self.reasons.get(task, ('', ''))[0] != reason:
            until = '' if most is None or not reason else f' (at most {span(most)} more)'
            self.reasons[task] = (reason, f'{reason}{until}')
            said = [f'{name}: {text}' for name, (why, text) in self.reasons.items() if why]
            self.write(journal.Note(notes.WAITS, [*said]))


def span(seconds: float) -> str:
    """A length of time for people: `40 s`, `2 min`, `1 h`."""
    if seconds < 100:
        return f'{max(1, round(seconds))} s'
    minutes = round(seconds / 60)
    return f'{minutes} min' if minutes < 100 else f'{round(minutes / 60)} h'


def of(context: model.Context) -> Execution:
    """What the test of a context stands on.

    Raises:
        model.InfraFailure: it has no model.
    """
    found: Any = context.execution
    if not isinstance(found, Execution):
        raise model.InfraFailure('this task needs a model')
    return found
