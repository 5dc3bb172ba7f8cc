"""What a load has made that lasts (networks, ports, servers, volumes, attachments), and what may be done next. Pure.

Of each sort, one stays for the whole run, so that every fault meets something that was there before it. The others
come and go. Nothing is let go while something stands on it, nothing is looked at that nobody acknowledged.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Literal

State = Literal['making', 'held', 'going', 'gone', 'unsure']
"""`held`: acknowledged. `unsure`: it may be there, since whoever made it or let it go got no good answer."""

LOOKS = 4
"""How often something is looked at before it may be let go: else it would go as soon as it came."""

_SPARE = 2
"""How many of unknown outcome there may be of a sort, beside those that are known, before no more are made."""


@dataclasses.dataclass(frozen=True)
class Sort:
    """A sort of thing. `on` are the sorts that one stands on; `alone` those that carry one at a time of this sort."""

    name: str
    on: tuple[str, ...] = ()
    most: int = 2
    alone: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class Thing:
    """One of them. `on` are the names of what it stands on, `key` is the service's id of it, once it is known."""

    sort: str
    name: str
    on: tuple[str, ...] = ()
    state: State = 'making'
    stays: bool = False
    looks: int = 0
    key: str = ''


@dataclasses.dataclass(frozen=True)
class Stock:
    """All that was ever made, in order. Where it is `closed`, nothing is made, looked at or let go any more."""

    run: str
    sorts: tuple[Sort, ...]
    things: tuple[Thing, ...] = ()
    closed: bool = False

    def sort(self, name: str) -> Sort:
        """The sort of that name. KeyError where there is none."""
        return {one.name: one for one in self.sorts}[name]

    def thing(self, name: str) -> Thing:
        """The thing of that name. KeyError where there is none."""
        return self._by_name[name]

    def of(self, sort: str, *states: State) -> tuple[Thing, ...]:
        """Things of a sort, in one of these states."""
        return tuple(one for one in self._by_sort.get(sort, ()) if one.state in states)

    def made(self, sort: str) -> int:
        """How many of a sort there ever were."""
        return len(self._by_sort.get(sort, ()))

    def required_by(self, name: str) -> tuple[Thing, ...]:
        """What stands on the thing of that name, or may."""
        return tuple(one for one in self._by_footing.get(name, ()) if one.state != 'gone')

    # A load asks at each of its turns, and few of them change anything.

    @functools.cached_property
    def _by_name(self) -> dict[str, Thing]:
        return {one.name: one for one in self.things}

    @functools.cached_property
    def _by_sort(self) -> dict[str, list[Thing]]:
        found: dict[str, list[Thing]] = {}
        for one in self.things:
            found.setdefault(one.sort, []).append(one)
        return found

    @functools.cached_property
    def _by_footing(self) -> dict[str, list[Thing]]:
        found: dict[str, list[Thing]] = {}
        for one in self.things:
            for below in one.on:
                found.setdefault(below, []).append(one)
        return found

    @property
    def begun(self) -> bool:
        """Whether there is one of each sort that stays."""
        return all(any(one.stays for one in self.of(sort.name, 'held')) for sort in self.sorts)


def to_make(stock: Stock, name: str) -> Thing | None:
    """The next thing of a sort to make; None where none may be, or what it would stand on is not there."""
    sort = stock.sort(name)
    known = len(stock.of(name, 'making', 'held', 'going'))
    if stock.closed or known >= sort.most:
        return None
    if known + len(stock.of(name, 'unsure')) >= sort.most + _SPARE:
        return None
    stays = not any(one.stays for one in stock.of(name, 'making', 'held'))
    on: list[str] = []
    for below in sort.on:
        found = _foundation(stock, sort, below, stays=stays)
        if found is None:
            return None
        on.append(found.name)
    number = stock.made(name) + 1
    return Thing(name, f'matrix-{stock.run}-{name}-{number}', tuple(on), stays=stays)


def to_look(stock: Stock, sort: str) -> Thing | None:
    """What was looked at least often, of those that are held."""
    if stock.closed:
        return None
    return min(stock.of(sort, 'held'), key=lambda one: one.looks, default=None)


def to_let_go(stock: Stock, sort: str) -> Thing | None:
    """The oldest that does not stay, was looked at often enough, and carries nothing."""
    if stock.closed:
        return None
    able = (
        one
        for one in stock.of(sort, 'held')
        if not one.stays and one.looks >= LOOKS and not stock.required_by(one.name)
    )
    return next(able, None)


def begin(stock: Stock, thing: Thing) -> Stock:
    """It is being made."""
    return dataclasses.replace(stock, things=(*stock.things, thing))


def become(stock: Stock, name: str, state: State, key: str = '') -> Stock:
    """It is in another state; `key` is the service's id, where that is known now."""
    return _changed(stock, name, state=state, key=key or stock.thing(name).key)


def looked(stock: Stock, name: str) -> Stock:
    """It was looked at."""
    return _changed(stock, name, looks=stock.thing(name).looks + 1)


def close(stock: Stock) -> Stock:
    """From now on nothing is made, looked at or let go."""
    return dataclasses.replace(stock, closed=True)


def doubtful(stock: Stock, name: str) -> tuple[str, ...]:
    """What of unknown outcome explains that this cannot be let go: itself, and what stands on it."""
    return tuple(
        one.name
        for one in stock.things
        if one.state == 'unsure' and (one.name == name or name in one.on)
    )


def _changed(stock: Stock, name: str, **to: object) -> Stock:
    things = tuple(
        dataclasses.replace(one, **to) if one.name == name else one  # pyright: ignore[reportArgumentType]
        for one in stock.things
    )
    return dataclasses.replace(stock, things=things)


def _foundation(stock: Stock, sort: Sort, below: str, *, stays: bool) -> Thing | None:
    """What a new thing of a sort is to stand on: what carries least. One that stays stands on what stays.

    What was looked at often enough to go carries nothing new, or it would never go.
    """
    able = [
        one for one in stock.of(below, 'held') if one.stays or (not stays and one.looks < LOOKS)
    ]
    if below in sort.alone:
        able = [
            one
            for one in able
            if not any(other.sort == sort.name for other in stock.required_by(one.name))
        ]
    return min(able, key=lambda one: len(stock.required_by(one.name)), default=None)
