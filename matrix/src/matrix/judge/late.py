"""Histories of what may be read late, as `expect: {stale: true}` says: what must hold of them all the same. Pure.

A read may then show whatever was there at any time before it ended. So it shows nothing that nobody wrote, no order but
one, no total but the one; and the last read of a key, once all faults are healed and what was written is read back,
shows what had been acknowledged when they were healed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from matrix.judge import linear, safety, trial

NOT_JUDGED = 'how late each read was is not judged, nor whether one change undoes another'


def calls(of: trial.Trial, some: Sequence[linear.Call]) -> list[linear.Call]:
    """The calls of a key, each read from when on it may have been so."""
    last = last_read(of, some)
    found: list[linear.Call] = []
    for one in some:
        since = of.healed if one is last else min(of.start, one.start)
        found.append(dataclasses.replace(one, start=since) if one.name == 'read' else one)
    return found


def last_read(of: trial.Trial, some: Sequence[linear.Call]) -> linear.Call | None:
    """The last read of a key, once what was written is read back after the faults; None where there is none."""
    since = max(of.healed, safety.readback(of))
    reads = [one for one in some if one.name == 'read' and one.start >= since]
    return max(reads, key=lambda one: one.start, default=None) if math.isfinite(since) else None


def judged(found: linear.Found, some: Sequence[linear.Call]) -> linear.Found:
    """The same with the calls as they were."""
    by_seq = {one.seq: one for one in some}
    return dataclasses.replace(
        found, impossible=tuple(by_seq[one.seq] for one in found.impossible)
    )


def sentence(of: trial.Trial, by_key: Sequence[Sequence[linear.Call]], kind: str) -> str:
    """What was seen of a thing that nothing is wrong with."""
    count = sum(map(len, by_key))
    keys = f' on {len(by_key)} keys' if len(by_key) > 1 else ''
    looked = sum(last_read(of, some) is not None for some in by_key)
    end = (
        f'what was acknowledged is there in the end (of {looked} keys)'
        if looked
        else 'whether what was acknowledged is there in the end was not seen'
    )
    return f'{count} operations{keys} are of what a {kind} had at some time; {end}; {NOT_JUDGED}'
