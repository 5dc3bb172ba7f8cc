"""The smallest part of a history that is impossible, ready to be drawn: each operation as a bar in time. Pure."""

from __future__ import annotations

import dataclasses
import json

from matrix.grammar import located
from matrix.history import journal
from matrix.judge import verdict
from matrix.report import story, words

WIDTH = 720.0
"""Units of the drawing's width; its height is `ROW` for each operation."""

ROW = 26.0
_LEFT = 4.0
_LEAST = 3.0  # of a bar's width, so that it is seen
_MOST = 24  # operations that are drawn


@dataclasses.dataclass(frozen=True)
class Bar:
    """One operation: where it stands, what it asked and got, and whether that was ever answered."""

    x: float
    y: float
    width: float
    text: str
    who: str
    completed: bool


@dataclasses.dataclass(frozen=True)
class Drawing:
    """What one check found to be impossible, from `start` to `end` (seconds of the run)."""

    check: str
    start: float
    end: float
    height: float
    bars: tuple[Bar, ...]


def drawings(test: story.Test) -> tuple[Drawing, ...]:
    """A drawing for each history of a test that cannot have been."""
    return tuple(
        found
        for one in test.judged.verdicts
        if one.outcome is verdict.Outcome.FAIL
        and one.check.startswith(('history of', 'session of'))
        if (found := _drawing(test, one)) is not None
    )


def _drawing(test: story.Test, one: verdict.Verdict) -> Drawing | None:
    shown = frozenset((*one.evidence, *one.context))
    some = sorted(
        (each for each in test.operations if each.seq in shown), key=lambda each: each.at
    )
    some = some[-_MOST:]
    if not some:
        return None
    start = some[0].at
    end = max(each.at if each.ended_at is None else each.ended_at for each in some)
    scale = (WIDTH - 2 * _LEFT) / max(end - start, 1e-6)
    bars = tuple(
        Bar(
            round(_LEFT + (each.at - start) * scale, 1),
            n * ROW,
            round(
                max(_LEAST, ((end if each.ended_at is None else each.ended_at) - each.at) * scale),
                1,
            ),
            words.short(_text(each), 110),
            each.invoke.process,
            each.ended_at is not None and each.how == 'ok',
        )
        for n, each in enumerate(some)
    )
    return Drawing(one.check, start, end, len(bars) * ROW, bars)


def _text(one: journal.Done) -> str:
    asked = _plain(one.invoke.value)
    if one.how != 'ok' or one.end is None:
        return f'{one.invoke.kind} {asked}: never answered'.replace('  ', ' ')
    told = '' if one.end.value is None else f' → {_plain(one.end.value)}'
    return f'{one.invoke.kind} {asked}{told}'.strip()


def _plain(value: located.Plain) -> str:
    if isinstance(value, dict):
        return ' '.join(f'{key} {_plain(inner)}' for key, inner in value.items())
    if value is None:
        return ''
    return value if isinstance(value, str) else json.dumps(value)
