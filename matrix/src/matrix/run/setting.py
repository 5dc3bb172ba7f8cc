"""What a failure needs beside its faults: how much load, and which applications. Pure, but for the replays it is given.

The last steps of shrinking: a smaller load, then a bundle without what has nothing to do with it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Sequence

import yaml

from matrix.grammar import located
from matrix.history import journal, notes

_SHARES = (0.1, 0.3)
_LEAST = 1.0  # operations a second: a load that hardly runs proves nothing


@dataclasses.dataclass(frozen=True)
class Setting:
    """Operations a second (None: as the run had them), and applications that are left out of the bundle."""

    rate: float | None = None
    without: tuple[str, ...] = ()

    def __str__(self) -> str:
        rate = '' if self.rate is None else f'{self.rate:g} operations a second'
        return ', '.join(word for word in (rate, *(f'no {one}' for one in self.without)) if word)


FULL = Setting()

Alike = Callable[[Setting], Awaitable[bool]]


async def smaller(
    alike: Alike, *, rate: float | None, applications: Sequence[str], enough: Callable[[], bool]
) -> Setting:
    """The smallest setting in which it still fails alike.

    Args:
        alike: whether it does in a setting; a replay.
        rate: operations a second that the run had; None where that is not ours to say.
        applications: those that may be left out, the least likely to matter first.
        enough: whether to stop, for want of time.
    """
    found = FULL
    rates = [] if rate is None else [max(_LEAST, round(rate * share, 1)) for share in _SHARES]
    for less in rates:
        if rate is not None and less < rate and not enough() and await alike(Setting(less)):
            found = Setting(less)
            break
    for name in applications:
        candidate = dataclasses.replace(found, without=(*found.without, name))
        if not enough() and await alike(candidate):
            found = candidate
    return found


def overlay(one: Setting) -> str:
    """An overlay that takes the applications, and with them their relations, out of a bundle; '' for none."""
    if not one.without:
        return ''
    return yaml.safe_dump({'applications': dict.fromkeys(one.without)}, sort_keys=False)


def rate_of(entries: Sequence[journal.Entry]) -> float | None:
    """The rate of the load that matrix itself ran, by its note; None where there was none or it was the bundle's."""
    for entry in entries:
        if isinstance(entry.what, journal.Note) and entry.what.kind == notes.LOAD:
            value = entry.what.value
            if isinstance(value, dict) and not value.get('own'):
                rate = value.get('rate')
                return float(rate) if isinstance(rate, int | float) and rate > 0 else None
    return None


def spare(applications: Sequence[str], targets: Sequence[str]) -> tuple[str, ...]:
    """Applications of which nothing was struck, the last of the bundle first."""
    targeted = {target.partition('/')[0] for target in targets}
    return tuple(one for one in reversed(applications) if one not in targeted)


def plain(one: Setting) -> dict[str, located.Plain]:
    """The setting as a journal holds it; empty for the full one."""
    found: dict[str, located.Plain] = {}
    if one.rate is not None:
        found['rate'] = one.rate
    if one.without:
        found['without'] = [*one.without]
    return found
