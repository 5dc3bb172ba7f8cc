"""One line that says how far a run is, for the end of a terminal: made of what the run reports. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from lifecycle.journal import JournalEntry
from lifecycle.load import Request

_BAR = 12


@dataclasses.dataclass(frozen=True, kw_only=True)
class View:
    """What the line is made of."""

    steps: tuple[frozenset[str], ...]
    """The ids of all steps, for each target in its turn."""
    ended: frozenset[tuple[int, str]] = frozenset()
    """Those that are done or left out, by the number of their target."""
    turn: int = -1
    """Which target is under way."""
    step: str = ''
    """The one at work."""
    since: float = 0.0
    """Since when, in seconds since the epoch."""
    waits: str = ''
    requests: int = 0
    lost: int = 0
    slowest: float = 0.0
    """Seconds."""


def view(steps: Iterable[Iterable[str]], ended: Iterable[Iterable[str]]) -> View:
    """At the beginning: the *steps* of each target, and those that have *ended* already."""
    done = frozenset((turn, step) for turn, some in enumerate(ended) for step in some)
    return View(steps=tuple(map(frozenset, steps)), ended=done)


def after(seen: View, entry: JournalEntry) -> View:
    """What it is once *entry* was reported."""
    match entry.kind:
        case 'begin':
            # A target of which nothing is left is not begun.
            left = (
                turn
                for turn in range(seen.turn + 1, len(seen.steps))
                if any((turn, step) not in seen.ended for step in seen.steps[turn])
            )
            return dataclasses.replace(seen, turn=next(left, seen.turn + 1), step='', waits='')
        case 'step' | 'waits' | 'failed':
            fresh = entry.step != seen.step
            return dataclasses.replace(
                seen,
                step=entry.step,
                since=entry.at if fresh else seen.since,
                waits='' if entry.kind == 'step' else entry.said,
            )
        case 'done':
            over = entry.step == seen.step
            return dataclasses.replace(
                seen,
                ended=seen.ended | {(max(seen.turn, 0), entry.step)},
                step='' if over else seen.step,
                waits='' if over else seen.waits,
                since=entry.at if over else seen.since,
            )
        case _:
            return seen


def counted(seen: View, requests: Sequence[Request]) -> View:
    """What it is with *requests* of a load that have ended since."""
    if not requests:
        return seen
    return dataclasses.replace(
        seen,
        requests=seen.requests + len(requests),
        lost=seen.lost + sum(not one.ok for one in requests),
        slowest=max(seen.slowest, *(one.seconds for one in requests)),
    )


def line(seen: View, now: float, width: int) -> str:
    """At most *width* characters, at *now* (seconds since the epoch)."""
    every = sum(map(len, seen.steps))
    done = sum(step in seen.steps[turn] for turn, step in seen.ended if turn < len(seen.steps))
    filled = _BAR * done // every if every else _BAR
    parts = [f'{"█" * filled}{"░" * (_BAR - filled)} {done}/{every}']
    if seen.requests:
        parts.append(
            f'requests: {seen.requests}, {seen.lost or "none"} lost, slowest {seen.slowest:.1f} s'
        )
    if seen.step:
        parts.append(f'{seen.step} {_duration(max(now - seen.since, 0.0))}')
    if seen.waits:
        parts.append(seen.waits)
    text = '  '.join(parts)
    return text if len(text) <= width else f'{text[: max(width - 1, 0)]}…'


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f'{minutes}:{rest:02}'
