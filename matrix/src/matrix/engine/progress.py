"""A test in progress: how far each rule is, what can happen to it, and what can be ordered. Pure data."""

from __future__ import annotations

import dataclasses
from typing import Literal, TypeAlias

from matrix.grammar import located, suite

Phase = Literal[
    'waiting',
    'running',
    'paused',  # between two runs of a periodic rule
    'listening',  # for the next event that `on` names
    'stopping',  # told to stop, because `until` holds
    'aborting',  # told to stop, because the test has failed
    'complete',
    'failed',
    'broken',  # by the infrastructure, not by what is tested
    'skipped',  # `until` held before the rule could start
    'cancelled',
    'stuck',  # nothing was left that could ever start it
]
OVER = frozenset({'complete', 'failed', 'broken', 'skipped', 'cancelled', 'stuck'})
BUSY = frozenset({'running', 'stopping', 'aborting'})


@dataclasses.dataclass(frozen=True)
class Policy:
    """What the run promises: whether the bundle is highly available, and whether to act as 0.10 did.

    With `strict_compat`: a rule whose `until` holds before it starts runs once all the same; a load
    that ends early has done well; a failed rule lets the others end by themselves.
    """

    ha: bool = False
    strict_compat: bool = False


@dataclasses.dataclass(frozen=True)
class BusEvent:
    """Something that a rule's `on` can wait for; `origin` is the index of the rule that caused it."""

    kind: str
    payload: located.Plain = None
    origin: int | None = None


@dataclasses.dataclass(frozen=True)
class RuleProgress:
    """How far one rule has come."""

    phase: Phase = 'waiting'
    queue: tuple[BusEvent, ...] = ()
    message: str = ''
    times: int = 0
    once: bool = False  # runs once though `until` holds, as 0.10 did


@dataclasses.dataclass(frozen=True)
class State:
    """A test in progress. `board` holds the states that conditions speak of."""

    test: suite.Test
    policy: Policy
    runs: tuple[RuleProgress, ...]
    board: tuple[tuple[str, str], ...] = ()
    failing: bool = False
    finished: bool = False


@dataclasses.dataclass(frozen=True)
class Begin:
    """The test starts."""


@dataclasses.dataclass(frozen=True)
class StateSet:
    """A task said that a state has a value now."""

    name: str
    value: str
    origin: int | None = None


@dataclasses.dataclass(frozen=True)
class Occurred:
    """An event was dispatched."""

    event: BusEvent


@dataclasses.dataclass(frozen=True)
class Ended:
    """A task came back, by itself or because it was cancelled."""

    rule: int
    how: Literal['ok', 'failed', 'broken', 'cancelled']
    message: str = ''


@dataclasses.dataclass(frozen=True)
class Elapsed:
    """The pause of a periodic rule is over."""

    rule: int


@dataclasses.dataclass(frozen=True)
class Overdue:
    """The test has had all its time."""

    seconds: float


Happening: TypeAlias = Begin | StateSet | Occurred | Ended | Elapsed | Overdue


@dataclasses.dataclass(frozen=True)
class Start:
    """Run a rule's task, with the event that woke it."""

    rule: int
    event: BusEvent | None = None


@dataclasses.dataclass(frozen=True)
class Cancel:
    """Stop a rule's task; `Ended` follows."""

    rule: int


@dataclasses.dataclass(frozen=True)
class Pause:
    """Say `Elapsed` after this many seconds."""

    rule: int
    seconds: float


@dataclasses.dataclass(frozen=True)
class Wake:
    """Forget the pause of a rule."""

    rule: int


@dataclasses.dataclass(frozen=True)
class Publish:
    """Write an event down; the rules have heard it already."""

    event: BusEvent


@dataclasses.dataclass(frozen=True)
class Finish:
    """The test is over; nothing runs any more."""


Order: TypeAlias = Start | Cancel | Pause | Wake | Publish | Finish
