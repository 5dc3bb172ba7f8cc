"""Versions by the calendar, and the days on which they come. Pure.

A release comes on the third Thursday of February, May, August and November. OpenStack's come in April and October, so
May's and November's are the first with a new OpenStack.
"""

from __future__ import annotations

import dataclasses
import datetime
import re

MONTHS = (2, 5, 8, 11)
_OPENSTACK = {5: 1, 11: 2}
SUPPORTED = 2
"""A release is supported until so many releases later."""

_FORM = re.compile(r'(\d\d)\.(\d\d)\Z')


@dataclasses.dataclass(frozen=True, order=True)
class Version:
    """A release: `27.02` is that of February 2027."""

    year: int
    month: int

    def __str__(self) -> str:
        return f'{self.year % 100:02}.{self.month:02}'

    @property
    def day(self) -> datetime.date:
        """The third Thursday of its month."""
        first = datetime.date(self.year, self.month, 1)
        return first + datetime.timedelta(days=(3 - first.weekday()) % 7 + 14)

    @property
    def following(self) -> Version:
        """The one three months later."""
        at = MONTHS.index(self.month) + 1
        return Version(self.year + at // len(MONTHS), MONTHS[at % len(MONTHS)])

    @property
    def openstack(self) -> str:
        """The OpenStack release that it is the first for, as `2027.1`; '' where none is new."""
        half = _OPENSTACK.get(self.month)
        return f'{self.year}.{half}' if half else ''

    @property
    def supported_until(self) -> datetime.date:
        """The day on which nothing is mended in it any more."""
        last = self
        for _ in range(SUPPORTED):
            last = last.following
        return last.day


def read(text: str) -> Version:
    """The version that a text names.

    Raises:
        ValueError: it is none; says what would be right.
    """
    found = _FORM.match(text)
    months = ', '.join(f'{month:02}' for month in MONTHS)
    if found is None or int(found[2]) not in MONTHS:
        raise ValueError(
            f'{text!r} is not a version: YY.MM with MM one of {months}, such as 27.02'
        )
    return Version(2000 + int(found[1]), int(found[2]))


def upcoming(first: Version, count: int = 4) -> tuple[Version, ...]:
    """So many releases from one on."""
    found = [first]
    while len(found) < count:
        found.append(found[-1].following)
    return tuple(found)
