"""The time that a majority of clocks has: this unit's own and those of the stores."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterable

import wire


class Agreed:
    """Agreed time goes on by the monotonic clock, which no one sets, and is compared every few seconds."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.monotonic() + self._offset

    async def compare(self, stores: Iterable[str]) -> None:
        """Ask all clocks. The lower one in the middle: one clock that is wrong is never it."""
        asked = [wire.call(host, 7000, 'GET', '/now', within=1.0) for host in stores]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        clocks = [float(one[1]) for one in answers if isinstance(one, tuple) and one[0] == 200]
        if len(clocks) >= 2:
            self._offset = statistics.median_low([*clocks, time.time()]) - time.monotonic()
