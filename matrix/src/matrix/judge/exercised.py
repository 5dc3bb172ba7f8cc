"""Whether a history shows anything of its thing: changes that nobody read are possible whatever it did. Pure."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import cast

from matrix.judge import linear

_SOME = 5  # writes, which one value cannot tell from one another


def shows_nothing(
    by_key: Mapping[Hashable, Sequence[linear.Call]], name: str, kind: str, first: Hashable
) -> str:
    """Why a history is possible whatever the thing did: nothing was read of what had been changed."""
    reads = [one for some in by_key.values() for one in some if one.name == 'read']
    if not reads:
        return f'nothing was read of {name}'
    read = [some for some in by_key.values() if _read_after_change(some, kind, first)]
    if not read:
        done = any(one.name != 'read' and one.sure for some in by_key.values() for one in some)
        more = ', if anything was: what was done there changes nothing' if done else ''
        return f'nothing was read of {name} after it had been written{more}'
    if kind != 'register':
        return ''
    written = [_written(some) for some in read]
    if all(len(values) >= _SOME and len({*values}) == 1 for values in written):
        values = [value for some in written for value in some]
        if len({*values}) == 1:
            return f'all {len(values)} writes of {name} wrote {values[0]}: nothing tells one from another'
        return f'all writes of each key of {name} wrote the same: nothing tells one from another'
    return ''


def met_nothing(by_key: Mapping[Hashable, Sequence[linear.Call]], name: str, kind: str) -> str:
    """Why nobody knows whether one change undoes another; '' where two of a key went on at once.

    A write to a register depends on nothing, so that it undoes what is before it and no more; all else is made of what
    was there.
    """
    compares = any(one.name == 'cas' for some in by_key.values() for one in some)
    if kind == 'register' and not compares:
        return ''
    for some in by_key.values():
        last = -math.inf
        changes = [one for one in some if one.name != 'read' and one.sure]
        for one in sorted(changes, key=lambda one: one.start):
            if one.start <= last:
                return ''
            last = max(last, one.end)
    return f'no two changes of {name} went on at once: whether one undoes another was not seen'


def unread(by_key: Mapping[Hashable, Sequence[linear.Call]], name: str, healed: float) -> str:
    """Why nobody knows whether all is there that was acknowledged before the faults were healed; '' where all was read.

    Args:
        by_key: the calls of each key.
        name: the thing's.
        healed: when the last fault was seen healed; infinity: never, or there was none.
    """
    if math.isinf(healed):
        return ''
    written = [
        key
        for key, some in by_key.items()
        if any(one.name != 'read' and one.response and one.end <= healed for one in some)
    ]
    left = [
        key
        for key in written
        if not any(one.name == 'read' and one.start >= healed for one in by_key[key])
    ]
    if not left:
        return ''
    first = f', first {left[0]!r}' if left[0] is not None else ''
    count = f'{len(left)} of {len(written)} keys' if len(written) > 1 else 'what was written'
    verb = 'was' if len(written) == 1 or len(left) == 1 else 'were'
    return f'{count} of {name} {verb} not read after the last fault{first}: what was acknowledged there may be lost'


def _read_after_change(calls: Sequence[linear.Call], kind: str, first: Hashable) -> bool:
    changes = [one for one in calls if one.sure and _changes(one, kind, first)]
    over = min((one.end for one in changes), default=math.inf)
    return any(one.name == 'read' and one.start > over for one in calls)


def _written(calls: Sequence[linear.Call]) -> list[Hashable]:
    """What was written to a register: by each write and each cas that was done, or whose value was read."""
    seen = {one.response for one in calls if one.name == 'read'}
    found: list[Hashable] = []
    for one in (each for each in calls if each.name != 'read'):
        cas = one.name == 'cas'
        value = cast('tuple[Hashable, Hashable]', one.asked)[1] if cas else one.asked
        if (not cas or bool(one.response)) if one.sure else value in seen:
            found.append(value)
    return found


def _changes(one: linear.Call, kind: str, first: Hashable) -> bool:
    """Whether a call, if it did what it says, left something else than was there at first."""
    match one.name:
        case 'write':
            return one.asked != first
        case 'cas':
            old, new = cast('tuple[Hashable, Hashable]', one.asked)
            return bool(one.response) and old != new
        case 'transfer':
            source, target, amount = cast('tuple[Hashable, Hashable, Hashable]', one.asked)
            return bool(one.response) and source != target and bool(amount)
        case 'add' if kind == 'counter':
            return bool(one.asked)
        case _:
            return one.name != 'read'
