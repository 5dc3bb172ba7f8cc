# ruff: noqa: E501  # a table is read by its lines
"""Histories: known ones, those that were made right, and every small one against all orders there are."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Sequence

import pytest
from chronicle import Line, note, of_parts, trial_of
from hypothesis import given, settings
from hypothesis import strategies as st

from matrix.grammar import located
from matrix.history import journal
from matrix.judge import histories, linear, panel, things, verdict
from matrix.plans import streams


def call(
    start: float, end: float, name: str, asked: Hashable = None, answer: Hashable = None
) -> linear.Call:
    """One operation; its start tells it from others."""
    return linear.Call(int(start * 1000), start, end, name, asked, answer)


NEVER = math.inf
W, R, C = 'write', 'read', 'cas'
KNOWN: dict[str, tuple[linear.Model, list[linear.Call], str]] = {
    'a read while it is written sees either': (
        things.register(0), [call(0, 9, W, 1), call(1, 2, R, answer=0), call(3, 4, R, answer=1)], 'possible',
    ),
    'new, then old, while it is written': (
        things.register(0), [call(0, 9, W, 1), call(1, 2, R, answer=1), call(3, 4, R, answer=0)], 'impossible',
    ),
    'a stale read': (things.register(0), [call(0, 1, W, 1), call(2, 3, R, answer=0)], 'impossible'),
    'a write that nobody answered may have been': (
        things.register(0), [call(0, NEVER, W, 1), call(2, 3, R, answer=0), call(8, 9, R, answer=1)], 'possible',
    ),
    'and may not be undone': (
        things.register(0), [call(0, NEVER, W, 1), call(2, 3, R, answer=1), call(8, 9, R, answer=0)], 'impossible',
    ),
    # Herlihy and Wing 1990, figure 1 (a) and (b), of a register in place of a queue.
    'two writers, and two readers of one order': (
        things.register(), [call(0, 4, W, 'x'), call(1, 3, W, 'y'), call(5, 6, R, answer='x'), call(7, 8, R, answer='x')], 'possible',
    ),
    'two writers, and two readers of two orders': (
        things.register(), [call(0, 4, W, 'x'), call(1, 3, W, 'y'), call(5, 6, R, answer='x'), call(7, 8, R, answer='y')], 'impossible',
    ),
    'two that both take a lock': (
        things.register('free'), [call(0, 3, C, ('free', 'a'), True), call(1, 2, C, ('free', 'b'), True)], 'impossible',
    ),
    'one that takes a lock and one that does not': (
        things.register('free'), [call(0, 3, C, ('free', 'a'), True), call(1, 2, C, ('free', 'b'), False)], 'possible',
    ),
    'a cas that nobody answered': (
        things.register(1), [call(0, NEVER, C, (1, 2)), call(1, 2, R, answer=1), call(3, 4, R, answer=2)], 'possible',
    ),
    'a counter that lost one': (
        things.counter(), [call(0, 1, 'add', 1), call(0.5, 1.5, 'add', 1), call(2, 3, R, answer=1)], 'impossible',
    ),
    'a counter amid an addition': (
        things.counter(), [call(0, 1, 'add', 1), call(0.5, 9, 'add', 1), call(2, 3, R, answer=1), call(4, 5, R, answer=2)], 'possible',
    ),
    'a set that lost an element': (
        things.grow_only_set(), [call(0, 1, 'add', 'a'), call(0, 1, 'add', 'b'), call(2, 3, R, answer=frozenset({'a'}))], 'impossible',
    ),
    'a list in two orders': (
        things.appended(),
        [call(0, 2, 'append', 1), call(1, 3, 'append', 2), call(4, 5, R, answer=(1, 2)), call(6, 7, R, answer=(2, 1))], 'impossible',
    ),
    'a bank in the middle of a transfer': (
        things.bank({'a': 10, 'b': 0}),
        [call(0, 9, 'transfer', ('a', 'b', 4), True), call(1, 2, R, answer=(('a', 6), ('b', 0)))], 'impossible',
    ),
    'a bank that refuses what is not there': (
        things.bank({'a': 3, 'b': 0}),
        [call(0, 1, 'transfer', ('a', 'b', 4), False), call(2, 3, R, answer=(('a', 3), ('b', 0)))], 'possible',
    ),
}  # fmt: skip


@pytest.mark.parametrize('name', KNOWN)
def test_a_known_history(name: str) -> None:
    model, calls, how = KNOWN[name]
    found = linear.check(calls, model)
    assert found.how == how
    assert bool(found.impossible) == (how == 'impossible')


def orders(calls: Sequence[linear.Call], model: linear.Model) -> bool:
    """Whether any order of the calls that respects time is one that the model allows; by trying them all."""
    sure = [one for one in calls if one.sure]
    unsure = [one for one in calls if not one.sure]
    for size in range(len(unsure) + 1):
        for some in itertools.combinations(unsure, size):
            for order in itertools.permutations([*sure, *some]):
                if any(
                    later.end < one.start
                    for n, one in enumerate(order)
                    for later in order[n + 1 :]
                ):
                    continue
                state, fine = model.first, True
                for one in order:
                    able, state = model.step(state, one)
                    fine = fine and able
                if fine:
                    return True
    return False


_CALLS = st.lists(
    st.tuples(
        st.integers(0, 12), st.integers(1, 6) | st.none(), st.sampled_from([W, R, C]), st.integers(0, 2), st.integers(0, 2),
    ),
    max_size=6,
)  # fmt: skip


def _made(some: list[tuple[int, int | None, str, int, int]]) -> list[linear.Call]:
    found: list[linear.Call] = []
    for n, (start, took, name, a, b) in enumerate(some):
        at, end = start + n / 100, math.inf if took is None else start + took + n / 100 + 0.5
        if name == R and took is None:
            continue
        asked = {W: a, R: None, C: (a, b)}[name]
        answer = {W: None, R: a, C: b == 1}[name] if took is not None else None
        found.append(linear.Call(n + 1, at, end, name, asked, answer))
    return found


@settings(max_examples=300, deadline=None)
@given(_CALLS)
def test_every_small_history_is_judged_as_all_its_orders_say(
    some: list[tuple[int, int | None, str, int, int]],
) -> None:
    calls, model = _made(some), things.register(0)
    found = linear.check(calls, model)
    assert (found.how == 'possible') == orders(calls, model)
    if found.impossible:
        # What is shown is itself impossible, and without any call that only looked it is not.
        assert not orders(found.impossible, model)
        for one in found.impossible:
            rest = [other for other in found.impossible if other is not one]
            if one.name == R:
                assert orders(rest, model)


def served(operations: int, keys: int, seed: int, *, clients: int = 5) -> list[linear.Call]:
    """What a register of each key really did, some of it never answered."""
    chance = streams.stream(seed, 'served')
    state: dict[int, int] = {}
    free = [0.0] * clients
    found: list[linear.Call] = []
    happenings: list[tuple[float, int, float, float, int, str]] = []
    for n in range(operations):
        who = n % clients
        start = free[who] + chance.random() * 0.1
        end = start + 0.01 + chance.random()
        free[who] = end
        at = start + (end - start) * chance.random()
        name = chance.choice((W, R, R, C))
        happenings.append((at, n, start, end, chance.randrange(keys), name))
    for _, n, start, end, key, name in sorted(happenings):
        now, new = state.get(key, 0), chance.randrange(1, 9)
        lost = chance.random() < 0.02
        asked: Hashable = None
        answer: Hashable = None
        if name == W:
            asked, state[key] = new, new
        elif name == R:
            answer = now
        else:
            old = chance.choice((now, new))
            asked, answer = (old, new), old == now
            state[key] = new if old == now else now
        if lost and name != R:
            end, answer = math.inf, None
        found.append(linear.Call(n * 1000 + key, start, end, name, asked, answer))
    return found


def by_key(calls: Sequence[linear.Call]) -> list[list[linear.Call]]:
    """The calls of each key, which `served` kept in their numbers."""
    keys = {one.seq % 1000 for one in calls}
    return [[one for one in calls if one.seq % 1000 == key] for key in sorted(keys)]


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6))
def test_what_a_register_really_did_is_possible_and_one_lie_is_found(seed: int) -> None:
    calls = served(300, 3, seed)
    for some in by_key(calls):
        assert linear.check(some, things.register(0)).how == 'possible'
        last = max(one.start for one in some)
        lie = linear.Call(9999, last + 50, last + 51, R, None, 77)
        assert linear.check([*some, lie], things.register(0)).how == 'impossible'


def test_ten_thousand_operations_on_a_hundred_keys_are_checked() -> None:
    calls = served(10_000, 100, 1)
    found = [linear.check(some, things.register(0)).how for some in by_key(calls)]
    assert found == ['possible'] * 100


def test_a_search_that_would_not_end_says_that_nobody_knows() -> None:
    calls = [call(0, 100 + n, W, n) for n in range(12)]
    assert (
        linear.check([*calls, call(1, 99, R, answer=99)], things.register(0), most=500).how
        == 'unknown'
    )


# In a journal.

_LOAD: located.Plain = {
    'kinds': ['w', 'r'],
    'rate': 0,
    'own': True,
    'models': {'kv': {'is': 'register', 'write': 'w', 'read': 'r', 'first': 0}},
}


def done(
    at: float,
    kind: str,
    value: located.Plain = None,
    answer: located.Plain = None,
    who: str = 'c1',
) -> Line:
    """An operation of a client on the key k."""
    asked: located.Plain = {'key': 'k'} if value is None else {'key': 'k', 'value': value}
    invoke = journal.Operation(f'{at}', kind, 'invoke', who, asked)
    return [(at, invoke), (at + 0.1, journal.Operation(f'{at}', kind, 'ok', who, answer))]


def _verdict(check: str, *parts: Line) -> verdict.Verdict:
    of = trial_of(note(0, 'load', _LOAD), *parts)
    found = histories.named(of)
    function = histories.history if check == 'history' else histories.session
    return function(of, 'kv', found['kv'])


def test_the_history_in_a_journal_is_judged_with_what_shows_it() -> None:
    good = (done(1, 'w', 1), done(2, 'r', answer=1), done(3, 'w', 2), done(4, 'r', answer=2))
    assert _verdict('history', *good).outcome is verdict.Outcome.PASS
    bad = _verdict('history', *good, done(5, 'r', answer=1))
    assert bad.outcome is verdict.Outcome.FAIL
    assert "no register of 'k' can do this" in bad.sentence
    assert 'write 2 (3.00 to 3.10 s)' in bad.sentence
    assert 'read → 1 (5.00 to 5.10 s)' in bad.sentence
    assert (
        len(bad.evidence) == 3
    )  # Both writes and the last read; the reads between showed nothing.
    assert _verdict('history', done(1, 'w', 1)).outcome is verdict.Outcome.UNKNOWN
    read = of_parts(note(0, 'test.start', 't'), note(0, 'load', _LOAD), *good, done(5, 'r', answer=1), note(9, 'test.complete', 't'))  # fmt: skip
    assert panel.judge(read).sentence == bad.sentence


def test_a_client_that_reads_less_than_it_wrote_or_read_is_found() -> None:
    wrote = (done(1, 'w', 1), done(2, 'w', 2))
    own = _verdict('session', *wrote, done(3, 'r', answer=1))
    assert (own.outcome, 'did not read its own write' in own.sentence) == (
        verdict.Outcome.FAIL,
        True,
    )
    other = (done(3, 'r', answer=2, who='c2'), done(4, 'r', answer=1, who='c2'))
    back = _verdict('session', *wrote, *other)
    assert 'client c2' in back.sentence
    assert 'read what is older than it had read' in back.sentence
    late = (done(3, 'r', answer=1, who='c2'), done(4, 'r', answer=2, who='c2'))
    assert _verdict('session', *wrote, *late).outcome is verdict.Outcome.PASS
    assert _verdict('session', done(1, 'r', answer=0)).outcome is verdict.Outcome.UNKNOWN
