"""What histories are checked against: registers, counters, sets, lists, accounts. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import cast

from matrix.judge import evident, linear

_OTHER = object()
"""What whoever found something else than expected saw, and whoever wrote anything made."""

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
            refused = call.sure and not call.response
            return frozenset() if refused else frozenset({_new(call), _OTHER})
        return frozenset({call.asked, _OTHER}) if call.name == 'write' else frozenset()

    def seen(call: linear.Call) -> frozenset[Hashable]:
        if call.name == 'cas':
            refused = call.sure and not call.response
            return frozenset({_OTHER if refused else _old(call)})
        return frozenset({call.response}) if call.name == 'read' else frozenset()

    return linear.Model(
        'register', first, step, made, seen, evident.register(first), evident.makers(first)
    )


def _old(call: linear.Call) -> Hashable:
    return cast('tuple[Hashable, Hashable]', call.asked)[0]


def _new(call: linear.Call) -> Hashable:
    return cast('tuple[Hashable, Hashable]', call.asked)[1]


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

    return linear.Model('counter', first, step, made, seen, evident.counter(first))


def grow_only_set() -> linear.Model:
    """`add` an element, `read` all of them (a frozenset)."""

    def step(state: linear.State, call: linear.Call) -> _Pair:
        now = cast('frozenset[Hashable]', state)
        if call.name == 'add':
            return True, now | {call.asked}
        return not call.sure or call.response == now, now

    return linear.Model(
        'set', frozenset[Hashable](), step, _added('add'), _elements, evident.elements('add')
    )


def appended() -> linear.Model:
    """`append` an element, `read` all of them in order (a tuple)."""

    def step(state: linear.State, call: linear.Call) -> _Pair:
        now = cast('tuple[Hashable, ...]', state)
        if call.name == 'append':
            return True, (*now, call.asked)
        return not call.sure or call.response == now, now

    return linear.Model('list', (), step, _added('append'), _elements, evident.appended)


def _added(name: str):
    def made(call: linear.Call) -> frozenset[Hashable]:
        return frozenset({call.asked}) if call.name == name else frozenset()

    return made


def _elements(call: linear.Call) -> frozenset[Hashable]:
    if call.name != 'read':
        return frozenset()
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

    def seen(_: linear.Call) -> frozenset[Hashable]:
        return frozenset({'sum'})  # Whether there was enough depends on all others, too.

    first = tuple(sorted(accounts.items()))
    return linear.Model('bank', first, step, made, seen, evident.bank(sum(accounts.values())))
