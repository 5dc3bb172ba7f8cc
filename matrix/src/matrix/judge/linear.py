"""Whether a history could have come from one thing that does one operation at a time: linearizability. Pure.

The search of J. M. Wing and C. Gong (Testing and Verifying Concurrent Objects, 1993) with the improvements of G. Lowe
(Testing for linearizability, 2017): what was reached is remembered, as the set of operations that have taken effect and
the state that they led to, so that no such pair is searched twice. Histories of several keys are checked key by key,
since each is linearizable where all are (M. P. Herlihy and J. M. Wing, Linearizability, 1990).
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Literal, TypeAlias

State: TypeAlias = Hashable

MOST = 2_000_000
"""Steps of the search after which nobody knows."""

_MOST_TO_SHRINK = 300_000
"""Steps that are taken to find a smaller part that is impossible."""

_FEW = 40
"""Calls that are evidently impossible, of which fewer are looked for."""

_MOST_OF_ONE = 40_000
"""Of these, the steps for one part."""


@dataclasses.dataclass(frozen=True)
class Call:
    """One operation. `seq` tells it from the others; `end` is infinite where nobody knows whether it was done.

    `asked` is what it was asked (a value, or several as a tuple), `response` what it said; None where it did not.
    """

    seq: int
    start: float
    end: float
    name: str
    asked: Hashable = None
    response: Hashable = None
    process: str = ''

    @property
    def sure(self) -> bool:
        """Whether it was answered."""
        return math.isfinite(self.end)


Step = Callable[[State, Call], 'tuple[bool, State]']
"""Whether a call can be answered so in a state, and the state after it."""


@dataclasses.dataclass(frozen=True)
class Model:
    """A thing that operations are done to: its state at first, and what each does.

    `made` and `seen` name what a call puts there, and what its answer shows: what makes something that another sees is
    not left out of an example without it; and what was never answered and makes what nobody sees needs no search.
    `evident` finds, without any search, a part of the calls that is impossible; nothing where it sees none.
    `makers` of such a part and of all calls: the others that made what its calls saw, one after another; with all of
    them, fewer can be looked for. None: nobody knows them.
    """

    name: str
    first: State
    step: Step
    made: Callable[[Call], frozenset[Hashable]] = lambda _: frozenset()
    seen: Callable[[Call], frozenset[Hashable]] = lambda _: frozenset()
    evident: Callable[[Sequence[Call]], tuple[Call, ...]] = lambda _: ()
    makers: Callable[[Sequence[Call], Sequence[Call]], Iterator[Call]] | None = None


@dataclasses.dataclass(frozen=True)
class Found:
    """What a history came to, in so many `steps`.

    `impossible`: calls that cannot all be so, as few as could be found. `left_out`: provided that what some of them
    found was there; who made it is left out, since that is much.
    """

    how: Literal['possible', 'impossible', 'unknown']
    impossible: tuple[Call, ...] = ()
    steps: int = 0
    left_out: bool = False


class _Entry:
    """A call or its answer in the list of what happened."""

    __slots__ = ('after', 'before', 'bit', 'call', 'response')

    def __init__(self, call: Call, bit: int, response: _Entry | None):
        self.call = call
        self.bit = bit
        self.response = response  # Of a call; None of an answer, and of what was never answered.
        self.before: _Entry | None = None
        self.after: _Entry | None = None


def check(calls: Iterable[Call], model: Model, *, most: int = MOST) -> Found:
    """Whether one history of one thing is linearizable; where not, a small part of it that is not.

    Args:
        calls: the history, in any order; each has a `seq` of its own.
        model: the thing.
        most: steps of the search after which nobody knows.
    """
    ordered = _ordered(calls)
    if evident := model.evident(ordered):
        return _evident(evident, ordered, model)
    ordered = _seen(ordered, model)
    how, last, steps = _search(ordered, model, most)
    if how != 'impossible':
        return Found(how, steps=steps)
    # What began after the answer that cannot be is no part of the reason.
    limit = last.end if last is not None else math.inf
    some = [one for one in ordered if one.start <= limit]
    return Found('impossible', _smaller(some, model), steps)


def evidently(calls: Iterable[Call], model: Model) -> Found:
    """What of one history can be seen to be impossible without a search; `possible` says no more than that."""
    ordered = _ordered(calls)
    evident = model.evident(ordered)
    return _evident(evident, ordered, model) if evident else Found('possible')


def _evident(some: Sequence[Call], calls: Sequence[Call], model: Model) -> Found:
    """What is evidently impossible, with whoever made what it saw; without them where that is much."""
    if model.makers is None:
        return Found('impossible', _ordered(some))
    more = [*itertools.islice(model.makers(some, calls), max(1, _FEW + 1 - len(some)))]
    if len(some) + len(more) > _FEW:
        return Found('impossible', _ordered(some), left_out=bool(more))
    return Found('impossible', _smaller(_ordered((*some, *more)), model))


def _ordered(calls: Iterable[Call]) -> tuple[Call, ...]:
    return tuple(sorted(calls, key=lambda one: (one.start, one.seq)))


def _seen(calls: Sequence[Call], model: Model) -> Sequence[Call]:
    """The calls without those that nobody answered and nobody saw: they may as well not have happened."""
    seen = frozenset[Hashable]().union(*(model.seen(one) for one in calls))
    return [one for one in calls if one.sure or not (made := model.made(one)) or made & seen]


def _smaller(calls: Sequence[Call], model: Model) -> tuple[Call, ...]:
    """Ever fewer calls that are impossible: halves are left out first, single calls last."""
    found = list(calls)
    seen = collections.Counter(what for one in found for what in model.seen(one))
    size, left = max(1, len(found) // 2), _MOST_TO_SHRINK
    progress = True
    while left > 0 and (size > 1 or progress):
        size, progress, end = max(1, size // 2), False, len(found)
        while end > 0 and left > 0:
            start = max(0, end - size)
            out = _spare(found[start:end], model, seen)
            end = start
            rest = [one for one in found if one not in out]
            if not out or not rest:
                continue
            how, _, steps = _search(rest, model, min(left, _MOST_OF_ONE))
            left -= steps + len(rest)
            if how == 'impossible':
                seen.subtract(what for one in out for what in model.seen(one))
                found, progress = rest, True
    return tuple(found)


def _spare(
    some: Sequence[Call], model: Model, seen: collections.Counter[Hashable]
) -> frozenset[Call]:
    """Which of some calls can be left out together: those of which others see nothing that they made."""
    gone = collections.Counter[Hashable]()
    out: set[Call] = set()
    for one in reversed(some):
        own = model.seen(one)
        if all(seen[what] - gone[what] <= (what in own) for what in model.made(one)):
            out.add(one)
            gone.update(own)
    return frozenset(out)


def _search(
    calls: Sequence[Call], model: Model, most: int
) -> tuple[Literal['possible', 'impossible', 'unknown'], Call | None, int]:
    """How it came out, the call whose answer the search came no further than, and the steps that it took."""
    head = _linked(calls)
    entry, state, done = head.after, model.first, 0
    known: set[tuple[int, State]] = set()
    taken: list[tuple[_Entry, State]] = []
    furthest: Call | None = None
    steps = 0
    while entry is not None:
        steps += 1
        if steps > most:
            return 'unknown', furthest, steps
        if entry.bit:
            can, then = model.step(state, entry.call)
            reached = (done | entry.bit, then)
            if can and reached not in known:
                known.add(reached)
                taken.append((entry, state))
                done, state = reached
                _lift(entry)
                entry = head.after
            else:
                entry = entry.after
            continue
        if furthest is None or entry.call.end > furthest.end:
            furthest = entry.call
        if not taken:
            return 'impossible', furthest, steps
        entry, state = taken.pop()
        done &= ~entry.bit
        _unlift(entry)
        entry = entry.after
    return 'possible', None, steps


def _linked(calls: Sequence[Call]) -> _Entry:
    moments: list[tuple[float, int, int, _Entry]] = []
    for n, call in enumerate(calls):
        response = _Entry(call, 0, None) if call.sure else None
        moments.append((call.start, 0, n, _Entry(call, 1 << n, response)))
        if response is not None:
            # What begins as another ends may have been at once with it.
            moments.append((call.end, 1, n, response))
    head = last = _Entry(Call(0, 0, 0, ''), 0, None)
    for *_, entry in sorted(moments, key=lambda one: one[:3]):
        last.after, entry.before = entry, last
        last = entry
    return head


def _lift(entry: _Entry) -> None:
    for one in (entry, entry.response):
        if one is not None and one.before is not None:
            one.before.after = one.after
            if one.after is not None:
                one.after.before = one.before


def _unlift(entry: _Entry) -> None:
    for one in (entry.response, entry):
        if one is not None and one.before is not None:
            one.before.after = one
            if one.after is not None:
                one.after.before = one
