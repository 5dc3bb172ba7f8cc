"""How reports say numbers and outcomes. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import cast

from matrix.grammar import located
from matrix.judge import verdict

OUTCOMES = {
    verdict.Outcome.PASS: 'passed',
    verdict.Outcome.UNKNOWN: 'unknown',
    verdict.Outcome.FAIL: 'failed',
}

# What a terminal, XML or a log viewer must never be handed from a model: control characters (tab is kept).
_CONTROL = re.compile(
    '[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]'
)


def clean(text: str) -> str:
    """The text on one line, without what could move a cursor or end a document."""
    return _CONTROL.sub('\N{REPLACEMENT CHARACTER}', ' '.join(text.splitlines()))


def short(text: str, most: int) -> str:
    """The text cleaned, cut to so many characters."""
    text = clean(text)
    return text if len(text) <= most else f'{text[: most - 1]}…'


def took(seconds: float) -> str:
    """A latency: `12 ms`, `1.25 s`."""
    if not math.isfinite(seconds):
        return 'never'
    return f'{seconds * 1000:.0f} ms' if seconds < 0.9995 else f'{seconds:.2f} s'


def moment(seconds: float) -> str:
    """A length of time or a moment of a run: `41.2 s`, `12 min 3 s`."""
    if seconds < 120:
        return f'{seconds:.1f} s'
    return f'{int(seconds // 60)} min {int(seconds % 60)} s'


def count(number: int, word: str) -> str:
    """`1 fault`, `1,204 operations`."""
    return f'{number:,} {word}{"" if number == 1 else "s"}'


def mapping(value: located.Plain) -> Mapping[str, located.Plain]:
    """The value if it is a mapping, else an empty one: a journal is read, never trusted."""
    return cast('Mapping[str, located.Plain]', value) if isinstance(value, Mapping) else {}


def text(value: located.Plain) -> str:
    """A value as a word; nothing is ''."""
    return '' if value is None else str(value)
