"""What a benchmark gives: figures with their bounds."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Figure:
    """One thing measured."""

    what: str
    value: float
    unit: str
    """``s``, ``ms``, ``MB``, ``%``; empty for a ratio."""
    bound: float
    at_least: bool = False
    """The bound is a floor; else a ceiling."""
    how: str = ''
    """Number of runs, spread, and what it was measured against."""

    @property
    def met(self) -> bool:
        """Whether the value is within its bound."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound


def spread(values: Sequence[float], *, digits: int = 1) -> str:
    """Minimum, median and maximum, for ``Figure.how``."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return (
        f'min {low:.{digits}f}, median {middle:.{digits}f}, max {high:.{digits}f} of {len(values)}'
    )


def table(figures: Sequence[Figure]) -> str:
    """Figures as rows of Markdown."""
    rows = ['| what | value | bound | met | how |', '|---|---|---|---|---|']
    for f in figures:
        sign = '≥' if f.at_least else '≤'
        rows.append(
            f'| {f.what} | {f.value:.3g} {f.unit} | {sign} {f.bound:g} {f.unit} '
            f'| {"yes" if f.met else "**no**"} | {f.how} |'
        )
    return '\n'.join(rows)
