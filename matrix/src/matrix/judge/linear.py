"""Whether a history could have come from one thing that does one operation at a time: linearizability. Pure.

The search of J. M. Wing and C. Gong (Testing and Verifying Concurrent Objects, 1993) with the improvements of G. Lowe
(Testing for linearizability, 2017): what was reached is remembered, as the set of operations that have taken effect and
the state that they led to, so that no such pair is searched twice. Histories of several keys are checked key by key,
since each is linearizable where all are (M. P. Herlihy and J. M. Wing, Linearizability, 1990).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Literal, TypeAlias

State: TypeAlias = Hashable

MOST = 2_000_000
"""Steps of the search after which nobody knows."""


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
    not left out of an example without it.
    """

    name: str
    first: State
    step: Step
    made: Callable[[Call], frozenset[Hashable]] = lambda _: frozenset()
    seen: Callable[[Call], frozenset[Hashable]] = lambda _: frozenset()


@dataclasses.dataclass(frozen=True)
class Found:
    """What a history came to. `impossible`: calls that cannot all be so, none of which can be left out."""

    how: Literal['possible', 'impossible', 'unknown']
    impossible: tuple[Call, ...] = ()


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
    """Whether one history of one thing is linearizable; where not, the smallest part of it that is not."""
    ordered = sorted(calls, key=lambda one: (one.start, one.seq))
    how, last = _search(ordered, model, most)
    if how != 'impossible':
        return Found(how)
    # What began after the answer that cannot be is no part of the reason.
    limit = last.end if last is not None else math.inf
    return Found('impossible', _smallest([one for one in ordered if one.start <= limit], model))


def _smallest(calls: Sequence[Call], model: Model) -> tuple[Call, ...]:
    found = list(calls)
    progress = True
    while progress:
        progress = False
        for one in reversed(found[:]):
            rest = [other for other in found if other is not one]
            if model.made(one) & frozenset().union(*(model.seen(other) for other in rest)):
                continue
            if _search(rest, model, MOST // 50)[0] == 'impossible':
                found, progress = rest, True
    return tuple(found)


def _search(
    calls: Sequence[Call], model: Model, most: int
) -> tuple[Literal['possible', 'impossible', 'unknown'], Call | None]:
    """How it came out, and the call whose answer the search came no further than."""
    head = _linked(calls)
    entry, state, done = head.after, model.first, 0
    known: set[tuple[int, State]] = set()
    taken: list[tuple[_Entry, State]] = []
    furthest: Call | None = None
    steps = 0
    while entry is not None:
        steps += 1
        if steps > most:
            return 'unknown', furthest
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
            return 'impossible', furthest
        entry, state = taken.pop()
        done &= ~entry.bit
        _unlift(entry)
        entry = entry.after
    return 'possible', None


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
