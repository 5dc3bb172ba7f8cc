"""What histories are checked against: registers, counters, sets, lists, accounts. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import cast

from matrix.judge import linear

_Pair = tuple[bool, linear.State]


def register(first: Hashable = None) -> linear.Model:
    """`write` a value, `read` it, `cas` (old, new): set it to new where it is old, and say whether it was."""

    def step(state: linear.State, call: linear.Call) -> _Pair:
        match call.name:
            case 'write':
                return True, call.asked
            case 'read':
                return not call.sure or call.response == state, state
            case 'cas':
                old, new = cast('tuple[Hashable, Hashable]', call.asked)
                fits = state == old
                said = fits if not call.sure else bool(call.response)
                return said == fits, new if fits else state
            case _:
                return False, state

    def made(call: linear.Call) -> frozenset[Hashable]:
        if call.name == 'cas':
            return frozenset({cast('tuple[Hashable, Hashable]', call.asked)[1]})
        return frozenset({call.asked}) if call.name == 'write' else frozenset()

    def seen(call: linear.Call) -> frozenset[Hashable]:
        if call.name == 'cas':
            return (
                frozenset({cast('tuple[Hashable, Hashable]', call.asked)[0]})
                if call.response
                else frozenset()
            )
        return frozenset({call.response}) if call.name == 'read' else frozenset()

    return linear.Model('register', first, step, made, seen)


def counter(first: int = 0) -> linear.Model:
    """`add` a number, `read` the sum."""

    def step(state: linear.State, call: linear.Call) -> _Pair:
        now = cast('int', state)
        if call.name == 'add':
            return True, now + cast('int', call.asked)
        return not call.sure or call.response == now, now

    def made(call: linear.Call) -> frozenset[Hashable]:
        return frozenset({'sum'}) if call.name == 'add' else frozenset()

    def seen(call: linear.Call) -> frozenset[Hashable]:
        return frozenset({'sum'}) if call.name == 'read' else frozenset()

    return linear.Model('counter', first, step, made, seen)


def grow_only_set() -> linear.Model:
    """`add` an element, `read` all of them (a frozenset)."""

    def step(state: linear.State, call: linear.Call) -> _Pair:
        now = cast('frozenset[Hashable]', state)
        if call.name == 'add':
            return True, now | {call.asked}
        return not call.sure or call.response == now, now

    return linear.Model('set', frozenset[Hashable](), step, _added('add'), _elements)


def appended() -> linear.Model:
    """`append` an element, `read` all of them in order (a tuple)."""

    def step(state: linear.State, call: linear.Call) -> _Pair:
        now = cast('tuple[Hashable, ...]', state)
        if call.name == 'append':
            return True, (*now, call.asked)
        return not call.sure or call.response == now, now

    return linear.Model('list', (), step, _added('append'), _elements)


def _added(name: str):
    def made(call: linear.Call) -> frozenset[Hashable]:
        return frozenset({call.asked}) if call.name == name else frozenset()

    return made


def _elements(call: linear.Call) -> frozenset[Hashable]:
    return frozenset(cast('tuple[Hashable, ...]', call.response or ()))


def bank(accounts: Mapping[str, int]) -> linear.Model:
    """`transfer` (from, to, amount), refused (False) where there is too little; `read` all (pairs, in order)."""

    def step(state: linear.State, call: linear.Call) -> _Pair:
        now = dict(cast('tuple[tuple[str, int], ...]', state))
        if call.name == 'read':
            return not call.sure or call.response == state, state
        source, target, amount = cast('tuple[str, str, int]', call.asked)
        enough = now.get(source, 0) >= amount
        if call.sure and bool(call.response) != enough:
            return False, state
        if enough:
            now[source] = now.get(source, 0) - amount
            now[target] = now.get(target, 0) + amount
        return True, tuple(sorted(now.items()))

    def made(call: linear.Call) -> frozenset[Hashable]:
        return frozenset({'sum'}) if call.name == 'transfer' else frozenset()

    def seen(call: linear.Call) -> frozenset[Hashable]:
        return frozenset({'sum'}) if call.name == 'read' else frozenset()

    return linear.Model('bank', tuple(sorted(accounts.items())), step, made, seen)
