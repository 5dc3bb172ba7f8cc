"""A figure of many. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed; 0 of no values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def count(number: int, word: str) -> str:
    """`1 read`, `2 reads`."""
    return f'{number} {word}{"" if number == 1 else "s"}'
