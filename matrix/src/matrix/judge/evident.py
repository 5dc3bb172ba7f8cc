"""What is evidently impossible of a history, seen without a search: the commonest anomalies, however long it is. Pure.

A search for an order takes longest where there is none, and comes to no end where much was never answered. A stale
read, a lost element or a sum that is not right can be seen by looking at a few calls alone. Each function gives the
calls that show it, or none; that it gives none proves nothing.
"""

from __future__ import annotations

import bisect
import collections
import itertools
import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TypeAlias, cast

from matrix.judge import linear

Calls: TypeAlias = Sequence[linear.Call]
Evident: TypeAlias = Callable[[Calls], 'tuple[linear.Call, ...]']


def register(first: Hashable) -> Evident:
    """A value that nobody wrote, or that was overwritten for good before it was read."""

    def evident(calls: Calls) -> tuple[linear.Call, ...]:
        writers = _writers(calls)
        # By their ends; beside each the one of those up to it that began last.
        over = sorted((o for o in calls if o.sure and _written(o)), key=lambda one: one.end)
        ends = [one.end for one in over]
        latest = [*itertools.accumulate(over, lambda a, b: max(a, b, key=lambda one: one.start))]
        for one in calls:
            for value in _read(one):
                by = [w for w in writers.get(value, ()) if w.start <= one.end and w is not one]
                if not by and value != first:
                    return (one,)
                last = max((w.end for w in by), default=-math.inf)
                before = bisect.bisect_left(ends, one.start)
                if before and latest[before - 1].start > last:
                    return (*by, latest[before - 1], one)
        return ()

    return evident


def makers(first: Hashable) -> Callable[[Calls, Calls], Iterator[linear.Call]]:
    """Who wrote what a compare-and-set of a register found: without, it alone would be impossible."""

    def made(some: Calls, calls: Calls) -> Iterator[linear.Call]:
        writers = _writers(calls)
        known = {one.seq for one in some}
        found = collections.deque(some)
        while found:
            one = found.popleft()
            sought = one.name == 'cas' and (not one.sure or bool(one.response))
            old = cast('tuple[Hashable, Hashable]', one.asked)[0] if sought else first
            for by in writers.get(old, ()) if old != first else ():
                if by.start <= one.end and by.seq not in known:
                    known.add(by.seq)
                    found.append(by)
                    yield by

    return made


def _writers(calls: Calls) -> dict[Hashable, list[linear.Call]]:
    """By value: who wrote it."""
    writers: dict[Hashable, list[linear.Call]] = {}
    for one in calls:
        for value in _written(one):
            writers.setdefault(value, []).append(one)
    return writers


def _written(call: linear.Call) -> tuple[Hashable, ...]:
    if call.name == 'write':
        return (call.asked,)
    done = call.name == 'cas' and (not call.sure or bool(call.response))
    return cast('tuple[Hashable, Hashable]', call.asked)[1:] if done else ()


def _read(call: linear.Call) -> tuple[Hashable, ...]:
    if not call.sure:
        return ()
    if call.name == 'read':
        return (call.response,)
    done = call.name == 'cas' and bool(call.response)
    return cast('tuple[Hashable, Hashable]', call.asked)[:1] if done else ()


def elements(adds: str) -> Evident:
    """An element that nobody added; or one that was acknowledged or read, and is missing later."""

    def evident(calls: Calls) -> tuple[linear.Call, ...]:
        added: dict[Hashable, linear.Call] = {}
        for one in sorted((o for o in calls if o.name == adds), key=lambda one: one.start):
            added.setdefault(one.asked, one)
        ended = sorted((one for one in calls if one.sure), key=lambda one: one.end)
        shown: dict[Hashable, linear.Call] = {}
        at = 0
        for one in _reads(calls):
            while ended[at].end < one.start:
                for what in _elements(ended[at]):
                    shown.setdefault(what, ended[at])
                at += 1
            here = frozenset(_elements(one))
            for what in sorted(here, key=str):
                if what not in added or added[what].start > one.end:
                    return (one,)
            for what in sorted(shown.keys() - here, key=str):
                return tuple(dict.fromkeys((added[what], shown[what], one)))
        return ()

    return evident


def appended(calls: Calls) -> tuple[linear.Call, ...]:
    """As of a set; or two reads of which neither begins as the other."""
    reads = sorted(_reads(calls), key=lambda one: len(_elements(one)))
    for shorter, longer in itertools.pairwise(reads):
        some, more = _elements(shorter), _elements(longer)
        for n, (a, b) in enumerate(zip(some, more, strict=False)):
            if a != b:
                wanted = {some[n], more[n]}
                by = [one for one in calls if one.name == 'append' and one.asked in wanted]
                return (*by, shorter, longer)
    return elements('append')(calls)


def _reads(calls: Calls) -> Iterator[linear.Call]:
    """The reads that were answered, by their beginnings."""
    found = (one for one in calls if one.name == 'read' and one.sure)
    return iter(sorted(found, key=lambda one: one.start))


def _elements(call: linear.Call) -> tuple[Hashable, ...]:
    """What a call shows to be there, once it is over."""
    if call.name != 'read':
        return (call.asked,)
    return tuple(cast('Sequence[Hashable]', call.response or ()))


def counter(first: int) -> Evident:
    """A sum that is less than what was acknowledged before, or more than all that had begun."""

    def evident(calls: Calls) -> tuple[linear.Call, ...]:
        adds = [one for one in calls if one.name == 'add']
        for one in _reads(calls):
            sure = [a for a in adds if a.end < one.start]
            maybe = [a for a in adds if a.start <= one.end and a.end >= one.start]
            base = first + sum(map(_amount, sure))
            least = base + sum(min(0, _amount(a)) for a in maybe)
            most = base + sum(max(0, _amount(a)) for a in maybe)
            if not isinstance(one.response, int | float) or not least <= one.response <= most:
                return (*sure, *maybe, one)
        return ()

    return evident


def _amount(call: linear.Call) -> int:
    return cast('int', call.asked)


def bank(total: int) -> Evident:
    """Accounts that together do not have what all had at first."""

    def evident(calls: Calls) -> tuple[linear.Call, ...]:
        for one in _reads(calls):
            held = cast('tuple[tuple[str, int], ...]', one.response or ())
            if sum(amount for _, amount in held) != total:
                return (one,)
        return ()

    return evident
