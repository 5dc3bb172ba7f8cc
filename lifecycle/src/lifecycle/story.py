"""What a run was, from its journal alone: each step a band in time. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from lifecycle.journal import JournalEntry
from lifecycle.load import Request


@dataclasses.dataclass(frozen=True, kw_only=True)
class Band:
    """One step, from when it was first spoken of until it was seen to be done."""

    step: str
    application: str
    start: float
    """Seconds since the run began."""
    end: float
    state: str
    """`done`, `failed` (an attempt at least), or `open`: the run ended before."""
    command: str = ''
    requests: int = 0
    """Of a load, that were under way meanwhile."""
    lost: int = 0
    slowest: float = 0.0
    """Of their answers, in seconds."""
    said: tuple[str, ...] = ()
    """What it waited for, and what failed."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Story:
    """A whole run."""

    began: float
    """Seconds since the epoch."""
    length: float
    title: str
    outcome: str
    """`end`, `stop`, or `cut off`: the journal says nothing of an end."""
    last: str
    bands: tuple[Band, ...]
    requests: tuple[Request, ...] = ()
    """Of a load, from the beginning to the end."""

    @property
    def applications(self) -> tuple[str, ...]:
        """In the order in which they were moved."""
        return tuple(dict.fromkeys(band.application for band in self.bands))


def summarise(events: Sequence[JournalEntry], requests: Iterable[Request] = ()) -> Story:
    """The story of *events*, as they were written, and of a load's *requests* meanwhile."""
    began = events[0].at if events else 0.0
    length = max((event.at - began for event in events), default=0.0)
    ends = [event for event in events if event.kind in ('end', 'stop')]
    of_steps = [event for event in events if event.step]
    names = dict.fromkeys(event.step for event in of_steps)
    each = {name: [event for event in of_steps if event.step == name] for name in names}
    meanwhile = tuple(
        sorted(
            (r for r in requests if r.at + r.seconds >= began and r.at <= began + length),
            key=lambda one: one.at,
        )
    )
    return Story(
        requests=meanwhile,
        began=began,
        length=length,
        title=next((event.said for event in events if event.kind == 'begin'), ''),
        outcome=ends[-1].kind if ends else 'cut off',
        last=ends[-1].said if ends else '',
        bands=tuple(
            _loaded(_band(name, said, began, length), began, meanwhile)
            for name, said in _many(each.items())
            if said
        ),
    )


def _loaded(band: Band, began: float, requests: Sequence[Request]) -> Band:
    start, end = began + band.start, began + band.end
    those = [one for one in requests if one.at <= end and one.at + one.seconds >= start]
    return dataclasses.replace(
        band,
        requests=len(those),
        lost=sum(not one.ok for one in those),
        slowest=max((one.seconds for one in those), default=0.0),
    )


def _many(
    items: Iterable[tuple[str, list[JournalEntry]]],
) -> Iterable[tuple[str, list[JournalEntry]]]:
    """Each step as often as it was done: one that came undone has several bands."""
    for name, said in items:
        part: list[JournalEntry] = []
        for event in said:
            part.append(event)
            if event.kind == 'done':
                yield name, part
                part = []
        yield name, part


def _band(step: str, events: Sequence[JournalEntry], began: float, length: float) -> Band:
    done = events[-1].kind == 'done'
    failed = any(event.kind == 'failed' for event in events)
    commands = [event.said for event in events if event.kind == 'step' and event.said]
    return Band(
        step=step,
        application=events[0].application,
        start=events[0].at - began,
        end=events[-1].at - began if done else length,
        state='open' if not done else 'failed' if failed else 'done',
        command=commands[-1] if commands else '',
        said=tuple(
            event.said
            for event in events
            if event.kind in ('waits', 'failed', 'lost', 'done') and event.said
        ),
    )
