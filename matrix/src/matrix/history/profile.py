"""How many operations a second a load is to do: one rate, or stages that lead from one to the next. Pure."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import cast

from matrix.grammar import located


@dataclasses.dataclass(frozen=True)
class Stage:
    """So many seconds in which the rate goes evenly to `rate`, in operations a second; 0 seconds: at once."""

    seconds: float
    rate: float


@dataclasses.dataclass(frozen=True)
class Profile:
    """`first` operations a second, then each stage; after the last one its rate stays."""

    first: float
    stages: tuple[Stage, ...] = ()

    @property
    def most(self) -> float:
        """The highest rate that it ever has."""
        return max((self.first, *(one.rate for one in self.stages)))

    @property
    def level_from(self) -> float:
        """The second from which the rate is the same for good."""
        return sum(one.seconds for one in self.stages)

    def planned(self, start: float, end: float) -> float:
        """Operations that are due between two seconds of the load."""
        return max(0.0, self._until(max(0.0, end)) - self._until(max(0.0, start)))

    def when(self, count: float) -> float:
        """The second of the load at which so many operations have been due; without a rate: never, infinity."""
        at, done, rate = 0.0, 0.0, self.first
        for one in self.stages:
            whole = one.seconds * (rate + one.rate) / 2
            if done + whole > count:
                return at + _inside(count - done, rate, (one.rate - rate) / one.seconds)
            at, done, rate = at + one.seconds, done + whole, one.rate
        return at + (count - done) / rate if rate > 0 else math.inf

    def scaled(self, first: float) -> Profile:
        """The same shape with another rate to begin with."""
        share = first / self.first if self.first > 0 else 1.0
        stages = tuple(Stage(one.seconds, one.rate * share) for one in self.stages)
        return Profile(first, stages)

    def _until(self, second: float) -> float:
        at, done, rate = 0.0, 0.0, self.first
        for one in self.stages:
            if second < at + one.seconds:
                slope, inside = (one.rate - rate) / one.seconds, second - at
                return done + inside * (rate + slope * inside / 2)
            at, done, rate = at + one.seconds, done + one.seconds * (rate + one.rate) / 2, one.rate
        return done + (second - at) * rate


def _inside(count: float, rate: float, slope: float) -> float:
    """Seconds into a ramp at which `count` operations have been due."""
    if abs(slope) < 1e-9:
        return count / rate
    return (math.sqrt(max(0.0, rate * rate + 2 * slope * count)) - rate) / slope


def of_note(value: Mapping[str, located.Plain]) -> Profile:
    """The profile that the note `load` of a journal has."""
    stages: list[Stage] = []
    for one in cast('list[object]', value.get('stages') or []):
        if isinstance(one, list) and len(cast('list[object]', one)) == 2:
            seconds, rate = cast('list[object]', one)
            stages.append(Stage(_number(seconds), _number(rate)))
    return Profile(_number(value.get('rate')), tuple(stages))


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
